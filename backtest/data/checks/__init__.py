"""Checks of a canonical data set."""
