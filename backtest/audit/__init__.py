"""Checks of ledgers, run directories and bundles."""
