"""Limits of a synthetic market, each with its name: checked before anything is drawn.

They stand here and not in `backtest.limits` because a market imports nothing of the program that judges it.
"""

from __future__ import annotations

from typing import Final

NUMBER: Final = 10**9
"""Absolute value of a number."""

DAYS: Final = 3_660
"""Days of a market, about ten years."""

GRID_TIMES: Final = 10_000_000
"""Grid times of a market; ten years of minutes are 5.3 million."""

STRIKES: Final = 999
"""Strikes of one expiry."""

EXPIRIES: Final = 100
"""Listed expiries of one kind; also the coins of a market."""

PLANTS: Final = 100_000
"""Planted violations of one constraint."""

ROWS_A_DAY: Final = 20_000_000
"""Quotes of one coin and day: contracts listed times grid times."""
