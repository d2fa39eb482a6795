"""Arithmetic that is bit-identical on every machine."""
