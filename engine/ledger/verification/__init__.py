"""Checks of a ledger file that come from its content alone."""
