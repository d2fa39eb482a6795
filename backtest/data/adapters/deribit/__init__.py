"""Adapters of Deribit files."""
