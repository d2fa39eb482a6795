"""A published run computed again: from its tables, from its data, and under other environments."""
