"""Each registered pair, triangle and venue has its own reading: one that lacks an input is named, never dropped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.constraints.detect import detect
from engine.constraints.registered_inputs import input_readings
from engine.market.view import PreparedPanel, prepare
from engine.params import CashCarryPair, TrianglePair
from tests.contracts import planted
from tests.contracts.planted import Planted


def with_market(made: Planted, **fields: object) -> PreparedPanel:
    """The planted block, its coin registered for something more."""
    market = replace(made.params.underlyings["BTC"], **fields)
    params = replace(made.params, underlyings={**made.params.underlyings, "BTC": market})
    return prepare(made.market.block(), params, made.curves)


def readings(view: PreparedPanel, code: str) -> dict[str, tuple[int, int, str | None]]:
    (found,) = detect(view, None, codes=[code])
    assert found.missing is None or not len(found.packages.row)
    return {each.name: (each.evaluable, each.fires, each.missing) for each in input_readings(view, found)}


def test_a_pair_that_lacks_its_perp_stands_beside_one_that_is_judged() -> None:
    """The planted pair fires; a second one whose perp no file holds has a row of its own, first or last."""
    made = planted.cash_carry()
    (own,) = made.params.underlyings["BTC"].cash_carry
    lost = CashCarryPair("okx:BTCUSDT-PERP", own.spot)
    for pairs in ((own, lost), (lost, own)):
        found = readings(with_market(made, cash_carry=pairs), "C1")
        assert found[f"{own.perp} / {own.spot}"] == (1, 1, None)
        assert found[f"{lost.perp} / {lost.spot}"] == (0, 0, "okx:BTCUSDT-PERP: no perp")


def test_a_pair_without_funding_is_named() -> None:
    """The rate is nowhere in the block, so its carry is unknown."""
    made = planted.cash_carry()
    view = with_market(made)
    bare = replace(view, panel=replace(view.panel, funding_rate=np.full_like(view.panel.funding_rate, np.nan)))
    (own,) = made.params.underlyings["BTC"].cash_carry

    assert readings(bare, "C1") == {f"{own.perp} / {own.spot}": (0, 0, f"{own.perp}: no funding rate")}


def test_a_triangle_that_lacks_a_leg_is_named() -> None:
    """As for pairs."""
    made = planted.triangle()
    (own,) = made.params.underlyings["BTC"].triangle
    lost = TrianglePair("okx:BTCUSDC-PERP", own.perp_usdt, own.fx)
    found = readings(with_market(made, triangle=(lost, own)), "C2")

    assert [each[2] for each in found.values()] == ["okx:BTCUSDC-PERP: no USDC perp", None]
    assert next(reversed(found.values()))[:2] == (1, 1)


@pytest.mark.parametrize(
    ("code", "make", "field"),
    [
        ("C3", planted.put_call, "put_call_venues"),
        ("C4", planted.butterfly, "butterfly_venues"),
        ("C7", planted.vertical, "vertical_venues"),
    ],
)
def test_a_venue_without_options_is_named(code: str, make: object, field: str) -> None:
    """A second registered venue of which no option is listed."""
    made = make()  # type: ignore[operator]  # a function of `planted`
    (venue,) = getattr(made.params.underlyings["BTC"], field)
    found = readings(with_market(made, **{field: (venue, "okx")}), code)

    assert found[venue][0] == 1
    assert found[venue][1] >= 1
    assert found["okx"][:2] == (0, 0)
    assert str(found["okx"][2]).startswith("okx: no ")
