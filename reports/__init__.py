"""Pages from results, never from computation."""
