"""Statistics on integer returns: ratios, bootstrap, intervals, nulls, power."""
