"""From sources, or from a synthetic market, to a canonical data set."""
