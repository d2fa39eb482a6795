"""From violations to signals, from signals to resolved and settled trades."""
