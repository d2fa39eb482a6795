"""Adapters of Hyperliquid files."""
