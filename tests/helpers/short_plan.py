"""Keys that make the plan of `cme init` short enough for a test."""

from __future__ import annotations

SHORT = """[split]
fold_d = "1"
[statistics]
n2_draws = 99
n2_extended = 199
bootstrap_draws = 199
n3_min_d = "1"
n3_max_d = "8"
[power]
expected_active_days = { c1 = 5, c2 = 5, c3 = 5, c4 = 5, c5 = 5, c6 = 5, c7 = 5 }

"""
"""Ten days instead of ninety, and draws for a test."""
