"""Tampering with copies of a run, to see what catches it."""
