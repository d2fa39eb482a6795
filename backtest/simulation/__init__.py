"""Simulations on top of the engine's venue and covenants: floats and statistics libraries live here."""
