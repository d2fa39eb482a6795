"""Named random streams."""
