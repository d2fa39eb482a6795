"""The canonical data set and what it is built from."""
