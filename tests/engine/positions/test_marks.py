"""Twin of marks.py: which mark a day ends with, and which index its profit is converted at.

Rules: [statistics R1.4, spec README "Smaller"].
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from engine.positions.base import LegMark
from engine.positions.marks import day_marks, last_marks
from engine.positions.price_path import PricePath
from engine.units import NS_PER_DAY

NAN = float("nan")


def path(mark: list[float], conversion: list[float]) -> PricePath:
    """An inverse leg along some rows, each known at its number."""
    column = [np.array(values)[:, None] for values in (mark, conversion)]
    known = np.arange(len(mark), dtype=np.int64)[:, None]
    return PricePath((0,), (True,), column[0], column[1], column[0], known)


def test_the_conversion_is_the_last_one_also_where_the_quote_is_older() -> None:
    """A mark of row 1, the index of row 2: the day's coin profit is worth the day's last index."""
    seen = (LegMark(99.0, 990.0, -1),)

    assert last_marks(seen, path([100.0, 101.0, NAN], [1_000.0, 1_010.0, 1_020.0]), 0, 2) == (
        LegMark(101.0, 1_020.0, 1),
    )
    assert last_marks(seen, path([NAN, NAN], [1_000.0, 1_010.0]), 0, 1) == (LegMark(99.0, 1_010.0, -1),)
    # Without an index a price is no mark, and the last index stays.
    assert last_marks(seen, path([100.0, 101.0], [1_000.0, NAN]), 0, 1) == (LegMark(100.0, 1_000.0, 0),)
    assert last_marks(seen, path([NAN, 101.0], [NAN, 0.0]), 0, 1) == seen
    # Rows before the start belong to the block that `seen` ended with.
    assert last_marks(seen, path([100.0, NAN], [1_000.0, NAN]), 1, 1) == seen


def test_a_stale_leg_carries_its_price_and_not_its_index() -> None:
    """The price of the day before, so that it earns nothing; the index is that of the day."""
    entry = SimpleNamespace(mid=99.0)
    held = SimpleNamespace(seen_ns=0, marks=(), entry=(entry,), entry_usd=(990.0,))

    (stale,) = day_marks(held, lambda _: (LegMark(101.0, 1_020.0, 5),), NS_PER_DAY, max_age_ns=10)
    (fresh,) = day_marks(held, lambda _: (LegMark(101.0, 1_020.0, NS_PER_DAY - 10),), NS_PER_DAY, max_age_ns=10)

    assert (stale.price, stale.usd, stale.stale) == ((99.0,), (1_020.0,), (True,))
    assert (fresh.price, fresh.usd, fresh.stale) == ((101.0,), (1_020.0,), (False,))
