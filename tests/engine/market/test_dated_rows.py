"""A row serves exactly the contracts that its keys fit, whichever of them is asked for first.  [venues V4, V5]"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from engine.convention_rows import Lot
from engine.market.dated_rows import fitting_rows, once_a_contract, row_in_force
from engine.market.steps import lot_sizes
from engine.records import Kind
from engine.units import NS_PER_DAY
from tests.helpers.builders import future, instruments, row_keys

DAY = "2026-01-20"
# 22, 23 and 30 January 2026, 08:00: a Thursday, a Friday, the last Friday of the month
EXPIRY_NS = {period: day * NS_PER_DAY for period, day in (("day", 20_475), ("week", 20_476), ("month", 20_483))}
TABLE = instruments(*(future(f"deribit:{period}", EXPIRY_NS[period]) for period in EXPIRY_NS))


def lot(size: float, **keys: str) -> Lot:
    return Lot(**{**row_keys("deribit", Kind.FUTURE, "2021-01-01"), **keys}, lot=size)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_contracts_of_other_settlement_periods_share_no_row(order: tuple[int, ...]) -> None:
    """They differ in their expiry alone."""
    rows = (lot(1.0), lot(2.0, period="week"), lot(3.0, period="day"))
    code = np.array(order, dtype=np.int32)
    found = lot_sizes(rows, TABLE, code, DAY)
    assert dict(zip((TABLE.symbol[c] for c in order), found.tolist(), strict=True)) == {
        "day": 3.0, "week": 2.0, "month": 1.0,
    }  # fmt: skip


def test_one_search_serves_what_no_row_tells_apart_and_nothing_else() -> None:
    """Against a search for each contract, over rows with every set of keys; of equal contracts the first is asked."""
    twice = instruments(*(future(f"deribit:{n}{period}", EXPIRY_NS[period]) for period in EXPIRY_NS for n in "ab"))
    code = np.arange(len(twice), dtype=np.int32)
    for symbol, period, base in product(("", "aweek"), ("", "week"), ("", twice.base[0])):
        rows, asked = (lot(1.0), lot(2.0, symbol=symbol, period=period, base=base)), []

        def find(c: int, rows: tuple[Lot, ...] = rows, asked: list[int] = asked) -> Lot | None:
            asked.append(c)
            return row_in_force(fitting_rows(rows, twice, c), DAY)

        assert once_a_contract(find, rows, twice, code) == [find(c) for c in code.tolist()]
        assert len(asked) - len(code) == (4 if symbol else 3)
