"""Joint static solve of option chains: which quotes contradict all the others, a diagnostic beside C3, C4 and C7."""
