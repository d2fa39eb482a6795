"""A run directory against itself."""
