"""Adapters of Binance files."""
