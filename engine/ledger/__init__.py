"""Canonical records in a hash chain."""
