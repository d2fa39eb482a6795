"""The rules of `engine.positions` on arrays, for signals that a null enters at other times."""
