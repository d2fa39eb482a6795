"""Random cuts of a block, for the scan and build of every constraint, its costs, and the whole.  [S8.8]"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from backtest.leakage.alter import other_codes
from backtest.leakage.battery import Result, panel_alterations
from backtest.leakage.observables import Facts, Observation, Observe, cost_facts, flow_facts, package_facts, view_facts
from engine.constraints.detect import detect
from engine.constraints.registry import CONSTRAINTS
from engine.market.view import prepare
from engine.params import Fitted, Params
from engine.positions import exits
from engine.records import CurveHistory, Panel, Right
from engine.replay import replay, start
from engine.units import NEVER_NS
from tests.helpers.builders import curves, params
from tests.helpers.markets import Market, fitted, flat_history, future_name, option_name
from tests.helpers.noisy_market import panels, registered
from tests.helpers.positions import identify
from tests.leakage.conftest import World
from tests.leakage.controls import filled_where_dearer

CUTS = 200
ALTERATIONS = 5


def lively(rows: int, seed: int) -> Panel:
    """The market without arbitrage, every quote shaken so that every relation is violated now and then."""
    plain = Market().block(rows)
    draw = np.random.default_rng(seed)
    table = plain.instruments
    shake = np.where(table.kind[plain.code] == 3, 0.02, 0.002)
    option = table.right[plain.code] != Right.NONE
    factor = 1.0 + shake * draw.standard_normal(plain.shape)
    shift = np.where(option, 0.003 * draw.standard_normal(plain.shape), 0.0)
    size = draw.choice([0.2, 5.0, 1e4], plain.shape)
    age = np.where(draw.random(plain.shape) < 0.03, 10**15, 0)
    return replace(
        plain,
        bid=np.maximum(plain.bid * factor + shift, 0.0001),
        ask=np.maximum(plain.bid * factor + shift, 0.0001) + (plain.ask - plain.bid),
        bid_size=size,
        ask_size=size,
        age_ns=age,
    )


def seen(registration: Params, history: CurveHistory, given: Fitted) -> Observe:
    """What the constraints see of a block: packages and costs."""

    def tell(panel: Panel) -> Observation:
        view = prepare(panel, registration, history)
        found = detect(view, given, floor=-np.inf)
        told: dict[str, Facts] = {each.constraint: package_facts(panel, each) for each in found}
        return told | {"costs": [*view_facts(view), *(fact for each in found for fact in cost_facts(panel, each))]}

    return tell


def flow(panel: Panel) -> Observation:
    """What the whole flow sees of a block that begins flat: signals and positions."""
    done = replay(
        [panel], registered(), start(curves()), lambda _: None, lambda _: 0, identify, lambda _: None, end_ns=None
    )
    return {"whole": flow_facts(done.signals, done.positions, panel.instruments)}


def cut_everywhere(tell: Observe, make: Callable[[int], Panel], blocks: int, cuts: int) -> Result:
    """Cut ``blocks`` random blocks at ``cuts`` random rows in all, each under one check of the future in turn."""
    result, draw = Result(), np.random.default_rng(1)
    for block in range(blocks):
        panel = make(block)
        plain = tell(panel)
        assert any(plain.values())
        for number in range(cuts // blocks):
            row = int(draw.integers(1, len(panel.times_ns)))
            check, other = next(islice(panel_alterations(panel, row, draw), number % ALTERATIONS, None))
            result.add(check, panel.underlying, int(panel.times_ns[row - 1]), plain, tell(other))
        result.add("codes", panel.underlying, NEVER_NS, plain, tell(other_codes(panel, draw)))
    return result


def test_no_constraint_sees_beyond_a_cut() -> None:
    """Packages, nets, verdicts and costs of all seven, over 200 cuts, poisons and delays; and in any order of codes."""
    tell = seen(params(), flat_history(), fitted())
    told = tell(lively(24, 0))
    result = cut_everywhere(tell, lambda seed: lively(24, seed), blocks=5, cuts=CUTS)

    assert all(told[constraint.code] for constraint in CONSTRAINTS), "a constraint that sees nothing is not tested"
    assert result.leaks == []
    assert result.cases["C5", "cut"] == CUTS // ALTERATIONS


def test_the_flow_tells_nothing_that_comes_after_a_cut() -> None:
    """Signals in their order and positions ended, over cuts of days full of violations."""
    result = cut_everywhere(flow, lambda seed: panels(seed, days=1)[0], blocks=10, cuts=CUTS // 2)

    assert result.leaks == []


def test_an_exit_filled_by_what_the_next_grid_time_shows_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits a grid time more where the first leg is dearer there: so a fill could choose, if it looked ahead."""
    monkeypatch.setattr(exits, "fill_rows", filled_where_dearer(exits.fill_rows))

    result = cut_everywhere(flow, lambda seed: panels(seed, days=1)[0], blocks=2, cuts=30)

    assert result.count("whole", "cut") > 0


@pytest.mark.slow
def test_days_of_a_planted_market_tell_nothing_ahead(world: World) -> None:
    """Cuts of the tiny market's days, from the state the days before have left."""
    result, draw = Result(), np.random.default_rng(5)
    for cell in world.cells(12, 23):
        panel = world.read(world.dataset, "BTC", cell.day, cell.day)
        assert panel is not None
        tell = world.carried(cell)
        plain = tell(panel)
        for number in range(ALTERATIONS):
            row = int(draw.integers(1, len(panel.times_ns)))
            check, other = next(islice(panel_alterations(panel, row, draw), number % ALTERATIONS, None))
            result.add(check, "BTC", int(panel.times_ns[row - 1]), plain, tell(other))

    assert result.leaks == []


def test_named_instruments_exist() -> None:
    """The market of these cuts has a future and options of the expiry the constraints look at."""
    names = Market().block(1).instruments.name

    assert {future_name(9), option_name(9, 100_000.0, Right.CALL)} <= set(names)
