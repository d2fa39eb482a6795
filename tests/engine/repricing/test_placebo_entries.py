"""Twins of place.py, path.py, money.py, span.py, slow.py: the fast pass is the engine's own walk, to the micro-USD."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from weakref import ref

import numpy as np
import pytest

from engine.convention_rows import DeliveryRule
from engine.market.view import PreparedPanel
from engine.params import ForcedExit
from engine.positions.base import Position
from engine.positions.formulas import micro_usd_of
from engine.records import ACCRUAL_NS, ExitReason, Kind
from engine.repricing import reference
from engine.repricing.base import PlaceboEarnings, SourceSignals
from engine.repricing.contract_mapping import map_legs
from engine.repricing.placebo_entries import reprice_all
from engine.units import NS_PER_DAY, NS_PER_HOUR, micro_usd
from tests.engine.repricing.placebo import DAYS, INVERSE, blocks, movables, views_of
from tests.helpers import noisy_market
from tests.helpers.builders import T0_NS, row_keys
from tests.helpers.noisy_market import rows_of
from tests.oracles.moves_slow import contracts

END_NS = T0_NS + DAYS * NS_PER_DAY


def by_move(placed: PlaceboEarnings) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = {}
    for row, day, usd in zip(placed.row.tolist(), placed.day.tolist(), placed.usd_micro.tolist(), strict=True):
        found.setdefault(row, {})[day] = usd
    return found


def one_by_one(
    views: list[PreparedPanel],
    moved: SourceSignals,
    signal: int,
    t_ns: int,
    delay_ns: int = 0,
    at_trigger: bool = False,
    orders: tuple[ForcedExit, ...] = (),
) -> Position | None:
    """The same move by loops and the engine's own functions; None where a leg is not listed or not quoted."""
    last = [int(view.panel.times_ns[-1]) for view in views]
    at = int(np.searchsorted(last, t_ns))
    if at == len(views):
        return None
    view, source = views[at], moved.signals[signal]
    row = int(np.searchsorted(view.panel.times_ns, t_ns))
    stood = int(np.searchsorted(views[0].panel.times_ns, source.t_ns))
    codes = contracts(source, views[0], stood, view, row)
    if codes is None or not view.spot_usd[row] > 0.0:
        return None
    if not np.isfinite(view.mid[row, [view.panel.column(code) for code in codes]]).all():
        return None
    params = replace(noisy_market.registered(), forced_exits=orders)
    wait_ns = 0 if at_trigger else params.exit_latency_ns + delay_ns
    late = replace(params, latency_ns=params.latency_ns + delay_ns, exit_latency_ns=wait_ns)
    return reference.reprice_one(source, t_ns, codes, views[at:], late, END_NS)


def test_a_block_that_waits_keeps_the_columns_of_legs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the next block is read, no earlier one is in memory with all its instruments."""
    views = views_of(blocks(1, monkeypatch))
    moved = movables(views, 1)
    read: list[ref[PreparedPanel]] = []

    def given() -> Iterator[PreparedPanel]:
        for whole in views:
            assert [view() for view in read] == [None] * len(read)
            view = replace(whole)
            read.append(ref(view))
            yield view
            del view

    signal, t_ns = np.arange(len(moved)), np.full(len(moved), T0_NS + 20 * NS_PER_HOUR)
    placed = reprice_all(given(), moved, signal, t_ns, noisy_market.registered(), END_NS)

    assert len(read) > 1
    assert by_move(placed) == by_move(reprice_all(views, moved, signal, t_ns, noisy_market.registered(), END_NS))


def draws(moved: SourceSignals, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random moves, half of them off the grid."""
    draw = np.random.default_rng([seed, 1])
    step = np.where(draw.random(count) < 0.5, noisy_market.STEP_NS, 7 * NS_PER_HOUR // 60)
    t_ns = T0_NS + draw.integers(0, DAYS * NS_PER_DAY // step) * step
    return draw.integers(0, len(moved), count), t_ns.astype(np.int64)


@pytest.mark.parametrize("latest_h", [0, 9])
@pytest.mark.parametrize("seed", range(6))
def test_every_random_move_earns_what_the_engine_s_own_walk_earns(
    seed: int, latest_h: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fills, late ones too, rolls, all ends, fees, impact, funding, borrow, day marks: 80 moves a market, by day.

    A third of the exits are filled at their trigger.
    """
    views = views_of(blocks(seed, monkeypatch))
    moved = movables(views, seed)
    signal, t_ns = draws(moved, seed, 80)
    delay_ns = np.random.default_rng([seed, 2]).integers(0, latest_h * NS_PER_HOUR + 1, 80)
    at_trigger = np.arange(80) % 3 == 0

    placed = reprice_all(views, moved, signal, t_ns, noisy_market.registered(), END_NS, delay_ns, at_trigger)
    found, ends = by_move(placed), Counter()

    for move, (number, at) in enumerate(zip(signal.tolist(), t_ns.tolist(), strict=True)):
        position = one_by_one(views, moved, number, at, int(delay_ns[move]), bool(at_trigger[move]))
        assert (position is None) == (move in placed.missing)
        if position is None:
            assert move not in found
            continue
        ends[position.reason] += 1
        if position.reason is ExitReason.VOID:
            assert move not in found
            continue
        earned = reference.earnings_by_day(position, views[0].panel.instruments, noisy_market.registered())
        assert found.get(move, {}) == {day: usd for day, usd in earned.items() if usd}
    assert len(ends) >= 3


@pytest.mark.parametrize("seed", range(2))
def test_funding_on_a_missing_index_is_repriced_as_the_engine_pays_it(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linear and inverse legs of venues that pay on the index, where a third of the indices and marks are missing."""
    registered = noisy_market.registered
    on_index = {"binance": "index", "hyperliquid": "index", "deribit": "index"}
    monkeypatch.setattr(noisy_market, "registered", lambda: registered(funding_on=on_index))
    panels = []
    for panel in blocks(seed, monkeypatch):
        draw = np.random.default_rng([seed, 3, int(panel.times_ns[0] // NS_PER_DAY)])
        lost = [draw.random(panel.index.shape) < 1 / 3 for _ in range(2)]
        index, mark = np.where(lost[0], np.nan, panel.index), np.where(lost[1], np.nan, panel.mark)
        panels.append(replace(panel, index=index, mark=mark))
    views = views_of(panels)
    moved = movables(views, seed)
    signal, t_ns = draws(moved, seed, 240)

    found = by_move(reprice_all(views, moved, signal, t_ns, noisy_market.registered(), END_NS))
    substitutes = inverse = 0

    for move, (number, at) in enumerate(zip(signal.tolist(), t_ns.tolist(), strict=True)):
        position = one_by_one(views, moved, number, at)
        if position is None or position.reason is ExitReason.VOID:
            assert move not in found
            continue
        table = views[0].panel.instruments
        earned = reference.earnings_by_day(position, table, noisy_market.registered())
        assert found.get(move, {}) == {day: usd for day, usd in earned.items() if usd}
        substitutes += "funding_price" in position.flags
        inverse += any(p.flagged and table.inverse[position.entry[p.leg].code] for p in position.funding)
    assert min(substitutes, inverse) > 0


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_an_expiry_without_a_price_is_repriced_as_the_engine_ends_it(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One expiry by the mean of the index, one unknown: most ends are before its window, wherever the blocks end."""
    registered = noisy_market.registered
    rules = tuple(
        DeliveryRule(**row_keys(venue, kind, "2021-01-01"), average_ns=5 * NS_PER_HOUR // 2)
        for venue, kind in (("deribit", Kind.OPTION), ("binance", Kind.FUTURE))
    )
    monkeypatch.setattr(noisy_market, "registered", lambda: registered(delivery=rules))
    panels = []
    for panel in blocks(seed, monkeypatch):
        expiry = panel.instruments.expiry_ns[panel.code]
        known = (panel.times_ns[:, None] >= expiry) & (expiry == noisy_market.EXPIRY)
        unknown = np.full(panel.shape, np.nan)
        panels.append(replace(panel, settlement=unknown, delivery_mean=np.where(known, 100_500.0, np.nan)))
    views = views_of(panels)
    moved = movables(views, seed)
    signal, t_ns = draws(moved, seed, 240)

    found = by_move(reprice_all(views, moved, signal, t_ns, noisy_market.registered(), END_NS))
    flags: Counter[str] = Counter()

    for move, (number, at) in enumerate(zip(signal.tolist(), t_ns.tolist(), strict=True)):
        position = one_by_one(views, moved, number, at)
        if position is None or position.reason is ExitReason.VOID:
            assert move not in found
            continue
        flags.update(position.flags)
        earned = reference.earnings_by_day(position, views[0].panel.instruments, noisy_market.registered())
        assert found.get(move, {}) == {day: usd for day, usd in earned.items() if usd}
    assert flags["delivery_unknown"] > 0 < flags["delivery_from_index_mean"]
    assert not any(flag.startswith("settlement_from") for flag in flags)


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_funding_that_accrues_is_repriced_as_the_engine_pays_it(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share at every grid time, some missing: all from the entry to the exit, that of the exit's own row too."""
    panels, made = [], blocks(seed, monkeypatch)
    code = made[0].instruments.code_of(INVERSE)
    interval = made[0].instruments.funding_interval_ns.copy()
    interval[code] = ACCRUAL_NS
    table = replace(made[0].instruments, funding_interval_ns=interval)
    for panel in made:
        draw = np.random.default_rng([seed, 4, int(panel.times_ns[0] // NS_PER_DAY)])
        paid = panel.funding_paid.copy()
        paid[:, panel.column(code)] = draw.choice([2e-3, -1e-3, 0.0, np.nan], len(paid), p=[0.4, 0.4, 0.15, 0.05])
        panels.append(replace(panel, instruments=table, funding_paid=paid))
    views = views_of(panels)
    moved = movables(views, seed)
    signal, t_ns = draws(moved, seed, 240)

    found = by_move(reprice_all(views, moved, signal, t_ns, noisy_market.registered(), END_NS))
    accrued = at_exit = 0
    for move, (number, at) in enumerate(zip(signal.tolist(), t_ns.tolist(), strict=True)):
        position = one_by_one(views, moved, number, at)
        if position is None or position.reason is ExitReason.VOID:
            assert move not in found
            continue
        earned = reference.earnings_by_day(position, table, noisy_market.registered())
        assert found.get(move, {}) == {day: usd for day, usd in earned.items() if usd}
        accrued += sum(payment.accrued for payment in position.funding)
        at_exit += any(payment.accrued and payment.t_ns == position.exit_ns for payment in position.funding)
    assert min(accrued, at_exit) > 0


@pytest.mark.parametrize("seed", range(4))
def test_moves_that_meet_an_order_from_outside_earn_what_the_engine_s_own_walk_earns(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders of a venue and of a covenant over the same moves; each changes some of them."""
    views = views_of(blocks(seed, monkeypatch))
    moved, orders = movables(views, seed), noisy_market.orders(seed)
    signal, t_ns = draws(moved, seed, 80)
    late, at_trigger = np.zeros(80, np.int64), np.zeros(80, np.bool_)
    registered = noisy_market.registered(forced_exits=orders)
    found = by_move(reprice_all(views, moved, signal, t_ns, registered, END_NS, late, at_trigger))
    reasons = set()

    for move, (number, at) in enumerate(zip(signal.tolist(), t_ns.tolist(), strict=True)):
        position = one_by_one(views, moved, number, at, orders=orders)
        if position is not None:
            reasons.add(position.reason)
            earned = reference.earnings_by_day(position, views[0].panel.instruments, registered)
            expected = {day: usd for day, usd in earned.items() if usd}
            assert found.get(move, {}) == ({} if position.reason is ExitReason.VOID else expected)
    assert reasons & {ExitReason.VENUE, ExitReason.COVENANT}


def test_the_market_of_these_tests_meets_every_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the equality above would say little: all ends, funding, fees, and thirty moves with rolled legs."""
    reasons, forced, funded, inverse, rolled_, feed = set(), 0, 0, 0, 0, 0
    for seed in range(6):
        views = views_of(blocks(seed, monkeypatch))
        moved = movables(views, seed)
        for number, at in zip(*draws(moved, seed, 80), strict=True):
            position = one_by_one(views, moved, int(number), int(at))
            if position is None:
                continue
            reasons.add(position.reason)
            forced += position.forced
            funded += bool(position.funding)
            inverse += any(views[0].panel.instruments.name[leg.code] == INVERSE for leg in position.entry)
            legs = zip(moved.signals[int(number)].legs, position.entry, strict=False)  # void: nothing was entered
            rolled_ += any(before.code != after.code for before, after in legs)
            feed += any(leg.fee_bps > 0 for leg in position.entry)

    wanted = {"expired", "stopped", "converged", "horizon", "data_gap", "void"}
    assert wanted <= {reason.value for reason in reasons}
    assert min(forced, funded, inverse) > 0
    assert (feed >= 50, rolled_ >= 30) == (True, True)


def test_where_blocks_are_cut_and_how_moves_are_ordered_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day in three blocks of its own, and the moves backwards: the same money by move and day."""
    panels = blocks(3, monkeypatch)
    views = views_of(panels)
    moved = movables(views, 3)
    signal, t_ns = draws(moved, 3, 60)
    cut = views_of([rows_of(panel, first, first + 16) for panel in panels for first in (0, 16, 32)])

    whole = reprice_all(views, moved, signal, t_ns, noisy_market.registered(), END_NS)
    parts = reprice_all(cut, moved, signal, t_ns, noisy_market.registered(), END_NS)
    backwards = reprice_all(views, moved, signal[::-1], t_ns[::-1], noisy_market.registered(), END_NS)

    assert by_move(whole) == by_move(parts)
    assert {len(signal) - 1 - move: days for move, days in by_move(backwards).items()} == by_move(whole)


def test_a_signal_moved_to_where_it_stands_is_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The identity keeps every leg, dated ones too, and its fill."""
    views = views_of(blocks(1, monkeypatch))
    moved = movables(views, 1)
    every = np.arange(len(moved))
    row = np.searchsorted(views[0].panel.times_ns, moved.t_ns)

    column = map_legs(moved, views[0], every, row)

    assert np.array_equal(np.where(column >= 0, views[0].panel.code[column], -1), moved.code)
    placed = reprice_all(views, moved, every, moved.t_ns, noisy_market.registered(), END_NS)
    assert not len(placed.missing)


def test_no_move_reads_what_comes_after_its_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moves of the first day are the same whether a later market exists or not."""
    views = views_of(blocks(2, monkeypatch))
    moved = movables(views, 2)
    signal = np.arange(len(moved))
    t_ns = np.full(len(moved), T0_NS + 2 * NS_PER_HOUR)

    full = reprice_all(views, moved, signal, t_ns, noisy_market.registered(), END_NS)
    short = reprice_all(views[:2], moved, signal, t_ns, noisy_market.registered(), END_NS)
    lazy = reprice_all((view for view in [*views[:2], None]), moved, signal, t_ns, noisy_market.registered(), END_NS)  # type: ignore[misc]

    assert by_move(full) == by_move(short) == by_move(lazy)


def test_a_larger_size_earns_less_per_dollar_where_depth_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Impact grows with the square: twice the notional never earns twice the money or more, beyond rounding."""
    views = views_of(blocks(4, monkeypatch))
    moved = movables(views, 4)
    signal, t_ns = draws(moved, 4, 40)
    double = replace(
        moved,
        size_usd=2.0 * moved.size_usd,
        signals=tuple(replace(s, size_usd=2.0 * s.size_usd) for s in moved.signals),
    )

    one = {
        m: sum(d.values())
        for m, d in by_move(reprice_all(views, moved, signal, t_ns, noisy_market.registered(), END_NS)).items()
    }
    two = {
        m: sum(d.values())
        for m, d in by_move(reprice_all(views, double, signal, t_ns, noisy_market.registered(), END_NS)).items()
    }

    assert one.keys() == two.keys()
    assert all(two[move] <= 2 * one[move] + 100 for move in one)
    assert any(two[move] < 2 * one[move] - 10_000 for move in one)


def test_amounts_round_as_the_scalar_rule_does() -> None:
    """Ties of the shortest decimal text go to even, whatever the binary product says."""
    draw = np.random.default_rng(5)
    amounts = np.concatenate(
        [draw.normal(0, 500, 2_000), draw.integers(-5_000, 5_000, 2_000) / 2e6, [0.0, 1e6, -2.5e-6]]
    )

    assert micro_usd_of(amounts).tolist() == [micro_usd(float(amount)) for amount in amounts]
