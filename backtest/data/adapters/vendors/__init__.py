"""Adapters of files that third parties write."""
