"""Commands of the harness that stand by themselves: `cme detect`, `cme leaks`, `cme track`."""
