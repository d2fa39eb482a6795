"""What every constraint promises.  [S2.8]"""

from __future__ import annotations

import random
from dataclasses import fields, replace

import numpy as np
import pytest

from backtest.data.synthetic.spec import PLANTABLE
from engine.constraints.codes import CODES, NAMES, TITLES
from engine.constraints.detect import detect
from engine.constraints.registry import CONSTRAINTS
from engine.market.view import PreparedPanel, prepare
from engine.records import Panel, Violations
from tests.contracts.planted import PLANTED, Planted
from tests.helpers.builders import params
from tests.helpers.markets import Market, fitted, flat_history

PLANTED_CODES = [code for code in CODES if code in PLANTED]

Package = tuple[int, tuple[tuple[str, float], ...], float, float, float, bool, str]


def look(view: PreparedPanel, planted: Planted, code: str, floor: float | None = None) -> Violations:
    (seen,) = detect(view, planted.fitted, codes=(code,), floor=floor)
    return seen


def packages(view: PreparedPanel, seen: Violations) -> list[Package]:
    """Every package by the names of its legs, free of codes and columns, sorted."""
    names = view.panel.instruments.name
    out = []
    for m in range(len(seen.packages)):
        legs = tuple(
            (names[view.panel.code[c]], float(q))
            for c, q in zip(seen.packages.column[m], seen.packages.quantity[m], strict=True)
            if c >= 0
        )
        gross, carry = float(seen.packages.gross_bps[m]), float(seen.packages.carry_bps[m])
        net = float(seen.net_bps[m])
        out.append((int(seen.packages.row[m]), legs, gross, carry, net, bool(seen.fires[m]), seen.reason[m]))
    return sorted(out)


def view_of(planted: Planted, panel: Panel) -> PreparedPanel:
    return prepare(panel, planted.params, planted.curves)


def with_rows(panel: Panel, change: dict[str, np.ndarray]) -> Panel:
    return replace(panel, **change)  # type: ignore[arg-type]


def test_every_constraint_has_a_planted_case() -> None:
    """No member of the family escapes the contract."""
    assert sorted(PLANTED) == sorted(CODES)


def test_the_synthetic_market_plants_constraints_of_the_registry() -> None:
    """It imports nothing of the engine and so lists what it can plant itself: no code that the registry lacks."""
    assert set(PLANTABLE) <= set(CODES)


def test_codes_and_names_are_each_used_once() -> None:
    """A member copied from another with its code or name left as it was would write into the other's columns."""
    for names in (CODES, list(NAMES.values()), list(TITLES.values())):
        assert len(names) == len(set(names)) == len(CONSTRAINTS)


@pytest.mark.parametrize("code", CODES)
def test_a_market_without_arbitrage_is_silent(code: str) -> None:
    """Nothing fires in a market generated from an arbitrage-free model, and something was looked at."""
    view = prepare(Market().block(2), params(), flat_history())

    (seen,) = detect(view, fitted(), codes=(code,), floor=-np.inf)

    assert seen.missing is None
    assert seen.funnel["usable"] > 0
    assert not seen.fires.any()
    assert seen.funnel["over_threshold"] == 0


@pytest.mark.parametrize("code", PLANTED_CODES)
def test_a_planted_violation_fires_with_the_right_legs(code: str) -> None:
    """The package of the planted deviation fires, with the legs, signs, quantities and gross worked out beforehand."""
    planted = PLANTED[code]()
    view = view_of(planted, planted.market.block(2))

    seen = look(view, planted, code)
    best = max((p for p in packages(view, seen) if p[0] == 0), key=lambda p: p[4])

    assert best[5], best
    assert {name: pytest.approx(q, rel=1e-6) for name, q in planted.quantities.items()} == dict(best[1])
    assert planted.gross_bps == pytest.approx(best[2], abs=planted.tolerance_bps)
    assert best[4] < best[2] + best[3]


@pytest.mark.parametrize("code", PLANTED_CODES)
def test_the_order_of_instruments_changes_nothing(code: str) -> None:
    """Codes are names in another coat: shuffled instruments give the same packages, bit for bit."""
    planted = PLANTED[code]()
    view = view_of(planted, planted.market.block())
    shuffled = replace(planted.market, rows=random.Random(7).sample(planted.market.rows, len(planted.market.rows)))

    other = view_of(planted, shuffled.block(ordered=False))

    expected = packages(view, look(view, planted, code, -np.inf))
    assert expected
    assert expected == packages(other, look(other, planted, code, -np.inf))


@pytest.mark.parametrize("code", PLANTED_CODES)
def test_basis_points_do_not_depend_on_the_price_level(code: str) -> None:
    """Prices four times as high and a quarter of the coins at the touch: the same packages, gross and net in bps."""
    planted = PLANTED[code]()
    panel = planted.market.block()
    table = panel.instruments
    dollars = np.array([table.quote[c] != "BTC" and table.underlying[c] != "FX" for c in panel.code])
    factor = np.where(dollars, 4.0, 1.0)
    coins = np.where([table.underlying[c] != "FX" for c in panel.code], 4.0, 1.0)
    scaled = replace(
        panel,
        instruments=replace(table, strike=4.0 * table.strike),
        bid=panel.bid * factor,
        ask=panel.ask * factor,
        bid_size=panel.bid_size / coins,
        ask_size=panel.ask_size / coins,
        index=4.0 * panel.index,
    )
    view, other = view_of(planted, panel), view_of(planted, scaled)

    expected = packages(view, look(view, planted, code))
    actual = packages(other, look(other, planted, code))

    assert len(expected) == len(actual) > 0
    for one, two in zip(expected, actual, strict=True):
        assert [name for name, _ in one[1]] == [name for name, _ in two[1]]
        assert one[2:5] == pytest.approx(two[2:5], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("code", PLANTED_CODES)
def test_a_missing_quote_means_no_package_with_it(code: str) -> None:
    """NaN in, nothing out: no package holds an instrument without a quote, and none has a NaN in it."""
    planted = PLANTED[code]()
    panel = planted.market.block()
    for name in planted.quantities:
        at = panel.column(panel.instruments.code_of(name))
        bid = panel.bid.copy()
        bid[:, at] = np.nan
        view = view_of(planted, replace(panel, bid=bid))

        seen = packages(view, look(view, planted, code, -np.inf))

        assert all(name not in dict(p[1]) for p in seen)
        assert all(np.isfinite(p[2:5]).all() for p in seen)


@pytest.mark.parametrize("code", CODES)
def test_an_empty_market_gives_nothing(code: str) -> None:
    """All quotes missing: no package, no key evaluated, no zero that stands for unknown."""
    panel = Market().block(2)
    blank = np.full(panel.shape, np.nan)
    view = prepare(replace(panel, bid=blank, ask=blank), params(), flat_history())

    (seen,) = detect(view, fitted(), codes=(code,), floor=-np.inf)

    assert len(seen.packages) == 0
    assert not seen.evaluated.any()


@pytest.mark.parametrize("code", PLANTED_CODES)
@pytest.mark.parametrize("poison", [np.nan, 3.0, 0.5])
def test_a_row_depends_on_no_later_row(code: str, poison: float) -> None:
    """Whatever happens after a grid time, the packages up to it are the same, bit for bit."""
    planted = PLANTED[code]()
    panel = wavy(planted.market.block(6))
    bid, ask = panel.bid.copy(), panel.ask.copy()
    index, rate = panel.index.copy(), panel.funding_rate.copy()
    for values in (bid, ask, index, rate):
        values[3:] *= poison
    later = replace(panel, bid=bid, ask=ask, index=index, funding_rate=rate)
    view, other = view_of(planted, panel), view_of(planted, later)

    expected = [p for p in packages(view, look(view, planted, code, -np.inf)) if p[0] < 3]

    assert expected
    assert expected == [p for p in packages(other, look(other, planted, code, -np.inf)) if p[0] < 3]


def wavy(panel: Panel) -> Panel:
    """Each quote a little apart from row to row, so that rows differ."""
    noise = 1.0 + 2e-4 * np.random.Generator(np.random.PCG64(11)).standard_normal(panel.shape)
    return replace(panel, bid=panel.bid * noise, ask=panel.ask * noise)


@pytest.mark.parametrize("code", PLANTED_CODES)
def test_each_row_stands_alone(code: str) -> None:
    """A block gives for each row what a block of that row alone gives."""
    planted = PLANTED[code]()
    panel = wavy(planted.market.block(4))
    whole = packages(view_of(planted, panel), look(view_of(planted, panel), planted, code, -np.inf))
    for row in range(4):
        one = slice(row, row + 1)
        columns = {field.name: getattr(panel, field.name) for field in fields(panel)}
        cut = {name: value[one] for name, value in columns.items() if np.shape(value) == panel.shape}
        view = view_of(planted, replace(panel, times_ns=panel.times_ns[one], **cut))

        alone = packages(view, look(view, planted, code, -np.inf))

        assert [p[1:] for p in whole if p[0] == row] == [p[1:] for p in alone]


@pytest.mark.parametrize("code", PLANTED_CODES)
def test_the_score_is_never_under_the_net(code: str) -> None:
    """The scan's bound holds, so the cut at the floor loses nothing: a higher floor gives a subset, not another set."""
    planted = PLANTED[code]()
    view = view_of(planted, wavy(planted.market.block(3)))
    constraint = next(c for c in CONSTRAINTS if c.code == code)

    found = constraint.scan(view, planted.fitted)
    seen = look(view, planted, code, -np.inf)

    assert (found.score_bps[seen.packages.row, seen.packages.key] >= seen.net_bps - 1e-9).all()
    over = [p for p in packages(view, seen) if p[4] >= 5.0]
    assert over == packages(view, look(view, planted, code, 5.0))
