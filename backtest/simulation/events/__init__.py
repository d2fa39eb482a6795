"""Real events of venues, recomputed from their published files.  [risk.md 21]"""
