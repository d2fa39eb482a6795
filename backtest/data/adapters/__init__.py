"""One file a source: each turns what users hold into rows of the canonical data set.  [S8.2]"""
