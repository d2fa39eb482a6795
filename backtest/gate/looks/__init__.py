"""The registry of looks at outcomes."""
