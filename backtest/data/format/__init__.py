"""The canonical data set on disk."""
