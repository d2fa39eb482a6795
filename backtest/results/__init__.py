"""Daily returns, tables and descriptive figures of a window."""
