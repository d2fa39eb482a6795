"""By what the expiries of traded positions were settled.  [venues V2]"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backtest.rundir.deliveries import SETTLED_BY, deliveries, settled_by
from engine.positions.base import Position, Trade
from tests.engine.positions.test_delivery import NAN, TABLE, block, of
from tests.engine.positions.test_settlement import money
from tests.helpers.positions import resolved


def ended(**values: Any) -> tuple[Position, Trade]:
    view = block([6, 7, 7.5, 8.2], **values)
    position = resolved(of(view), view)
    return position, money(position, view)


@pytest.mark.parametrize(
    ("values", "by"),
    [({"settlement": [NAN, NAN, NAN, 99_000.0]}, "venue"), ({"mean": 99_000.0}, "mean"), ({}, "gap")],
)
def test_an_expiry_is_settled_by_the_venue_the_mean_or_neither(values: dict[str, Any], by: str) -> None:
    """The counts say which, an expiry once however many positions met it."""
    position, trade = ended(**values)
    run: Any = SimpleNamespace(trades=(trade, trade, replace(trade, rejected="margin")), instruments=TABLE)

    assert settled_by(position) == by
    (row,) = deliveries(run)["expiries"]
    assert row == {"at": "deribit", "met": 1, **dict.fromkeys(SETTLED_BY, 0), by: 1}


def test_beside_a_gap_stands_what_the_first_index_would_have_given() -> None:
    """The same package in a plan without windows, to the micro-USD."""
    position, trade = ended(index=120_000.0)
    view = block([6, 7, 7.5, 8.2], index=120_000.0)
    older = replace(view, params=replace(view.params, delivery=()))
    before = resolved(of(older), older)

    assert position.first_index == before
    assert dict(trade.first_index) == dict(money(before, older).accruals)
    assert trade.first_index != trade.accruals
