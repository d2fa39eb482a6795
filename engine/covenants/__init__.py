"""Covenants on a pair of perpetuals: spread band, leverage cap, reallocation, and the machine that enforces them."""
