"""Three verdicts from a run directory and the registered numbers."""
