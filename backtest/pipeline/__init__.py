"""One window of a plan, from a data set to its trades and placements."""
