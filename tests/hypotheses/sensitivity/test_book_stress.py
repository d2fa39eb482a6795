"""Stress on a book of three packages, counted by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hypotheses.sensitivity import book_stress
from hypotheses.sensitivity.base import JudgedRun
from tests.hypotheses import cases
from tests.hypotheses.sensitivity.window import judged, trade


def book(folder: Path) -> JudgedRun:
    """Two packages that overlap for six hours, and one later; BTC, 25,000 USD each."""
    run = judged(folder, [trade("a", "C1", 1.0, 1.0), trade("b", "C1", 1.25, 1.0), trade("c", "C6", 5.0, 1.0)])
    bought = {"weight": 1.0, "quantity": 1.0, "expiry_ns": None}
    sold = bought | {"quantity": -2.0}
    packages: list[list[dict[str, Any]]] = [
        [{"instrument": "binance:BTCUSDT", **bought}, {"instrument": "binance:BTCUSDT-PERP", **sold}],
        [{"instrument": "binance:BTCUSDT", **bought}, {"instrument": "bybit:BTCUSDC-PERP", **sold}],
        [
            {"instrument": "bybit:BTCUSDT-PERP", **bought, "weight": 0.5},
            {"instrument": "deribit:BTC-PERPETUAL", **sold},
        ],
    ]
    signals = run.run.signals.copy()
    signals["legs"] = [[cases.leg("x", **leg) for leg in legs] for legs in packages]
    return replace(run, run=replace(run.run, signals=signals))


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, dict[str, Any]]]:
    monkeypatch.setattr(book_stress, "spot_names", lambda params: frozenset({"binance:BTCUSDT"}))
    run = book(tmp_path)
    return [{next(iter(row.values())): row for row in table.rows} for table in book_stress.build(run).tables]


def test_an_outage_costs_a_tenth_of_the_net_and_contagion_half_of_the_others(tables: list[dict[str, Any]]) -> None:
    """Binance: +25,000 net of b alone, while bybit is -25,000; deribit and bybit are open together later."""
    outage = tables[0]

    assert outage["binance"]["net"] == 25_000
    assert outage["binance"]["loss"] == pytest.approx(2_500)
    assert outage["binance"]["loss_on"] == pytest.approx(0.1 * (25_000 + 12_500))
    assert outage["deribit"]["loss_on"] == pytest.approx(0.1 * (25_000 + 6_250))
    assert outage["bybit"]["net"] == 25_000
    assert all(row["loss_on"] >= row["loss"] for row in outage.values())


def test_a_depeg_costs_what_is_sold_in_the_dollar_spot_apart(tables: list[dict[str, Any]]) -> None:
    depeg = tables[1]

    assert depeg["USDT"]["net"] == 25_000
    assert depeg["USDT"]["loss"] == pytest.approx(25_000 * 0.0872)
    assert depeg["USDC"]["net"] == 25_000


def test_collateral_is_the_largest_gross_of_each_venue(tables: list[dict[str, Any]]) -> None:
    """Binance has two legs of a and one of b at once."""
    collateral = tables[2]

    assert {venue: row["gross"] for venue, row in collateral.items()} == {
        "binance": 75_000, "bybit": 25_000, "deribit": 25_000
    }  # fmt: skip
    assert collateral["binance"]["share"] == 0.6


def test_one_pool_needs_no_more_than_the_venues_apart(tmp_path: Path) -> None:
    """All of a and b at once is 100,000 USD; the venues one by one need 125,000."""
    assert book_stress.build(book(tmp_path)).notes[0].startswith("One pool over the venues needs 80%")


def test_a_package_that_ends_as_another_begins_is_not_open_with_it() -> None:
    assert book_stress.path([(0, 5, 1.0), (5, 9, 2.0)]).tolist() == [1.0, 2.0, 0.0]
    assert book_stress.path([]).tolist() == []
    assert np.array_equal(book_stress.path([(0, 5, 1.0), (3, 9, 2.0)]), [1.0, 3.0, 2.0, 0.0])
