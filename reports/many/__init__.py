"""Several runs side by side: `cme list` and `cme compare`."""
