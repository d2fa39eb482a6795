"""Run directories: written, listed, counted, read."""
