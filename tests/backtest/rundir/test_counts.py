"""Counts for people, recounted from the blocks and from the data.  [S1.4, S2.0, S10]"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from backtest.data.panels import reader
from backtest.pipeline.window import WindowRun, run_window
from backtest.rundir import counts as rundir_counts
from engine.constraints.codes import CODES
from engine.constraints.detect import detect
from engine.market.view import prepare, quality_of
from engine.params import TrianglePair
from engine.records import CurveHistory, Kind, Quality
from engine.replay import Block
from engine.units import NS_PER_DAY
from tests.helpers.small_run import FOLDS, Tiny

GRID_TIMES = 48 * FOLDS


def written(tiny: Tiny, name: str):
    return json.loads((tiny.folder / name).read_text())


def test_what_is_examined_is_what_is_registered(tiny: Tiny) -> None:
    """Two cash-carry pairs, one triangle, one set of corners, one curve, at each grid time.  [S2.0]"""
    funnel = written(tiny, "funnel.json")

    assert [funnel[code]["examined"] for code in ("C1", "C2", "C6", "C5")] == [
        2 * GRID_TIMES,
        GRID_TIMES,
        GRID_TIMES,
        GRID_TIMES,
    ]


def test_a_funnel_never_widens(tiny: Tiny) -> None:
    """Examined >= usable, violations >= over threshold >= episodes >= traded = resolved; the last from the tables."""
    trades = pd.concat([pd.read_parquet(f) for f in tiny.folder.glob("folds/[0-9]*/trades.parquet")])
    signals = pd.concat([pd.read_parquet(f) for f in tiny.folder.glob("folds/*/signals.parquet")])
    for code, row in written(tiny, "funnel.json").items():
        traded = trades[(trades.constraint == code) & (trades.status == "traded")]
        assert row["examined"] >= row["usable"]
        assert row["violations"] >= row["over_threshold"] >= row["episodes"] >= row["traded"]
        assert (row["episodes"], row["traded"]) == (int((signals.constraint == code).sum()), len(traded))
        assert row["resolved"] == row["traded"]
        rejected = trades[(trades.constraint == code) & (trades.status != "traded")].rejected_why.value_counts()
        assert row["rejected"] == rejected.to_dict()


def test_funnel_and_coverage_are_those_of_a_second_look(tiny: Tiny) -> None:
    """Days read, prepared and judged again here, counted by hand: examined, usable, violations, grid times judged."""
    plan, params = tiny.run.plan, tiny.registration.params
    counts: dict[str, Counter[str]] = {code: Counter() for code in CODES if code != "C5"}
    judged: Counter[str] = Counter()
    curve = params.underlyings["BTC"].curve
    assert curve is not None
    empty = _no_curves()
    for panel in reader.panels(tiny.dataset, "BTC", plan.t0_ns, plan.t1_ns, funding_average_ns=curve.perp_average_ns):
        view = prepare(panel, params, empty)
        for found in detect(view, None):
            if found.constraint == "C5":
                continue
            for name in ("examined", "usable", "violations", "over_threshold"):
                counts[found.constraint][name] += found.funnel[name]
            judged[found.constraint] += int(found.evaluated.any(axis=1).sum())
    funnel, coverage = written(tiny, "funnel.json"), written(tiny, "coverage.json")
    for code, expected in counts.items():
        assert {name: funnel[code][name] for name in expected} == dict(expected)
        assert coverage[code] == judged[code] / GRID_TIMES


def _no_curves() -> CurveHistory:
    return CurveHistory(np.empty(0, dtype=np.int64), np.empty((0, 3)))


def test_quality_counts_every_quote_at_every_grid_time(tiny: Tiny) -> None:
    """Each column of each day's panel is counted once a grid time; usable and refused add up."""
    total = sum(n for row in written(tiny, "quality.json")["rows"] for n in row["counts"].values())
    plan = tiny.run.plan
    panels = list(reader.panels(tiny.dataset, "BTC", plan.t0_ns, plan.t1_ns))

    assert total == sum(panel.bid.size for panel in panels)
    usable = sum(row["counts"].get("usable", 0) for row in written(tiny, "quality.json")["rows"])
    seen = sum(
        int(quality_of(prepare(panel, tiny.registration.params, _no_curves()))[:, Quality.USABLE].sum())
        for panel in panels
    )
    assert usable == seen
    venues = {(row["venue"], row["kind"]) for row in written(tiny, "quality.json")["rows"]}
    assert ("deribit", "option") in venues
    assert {kind for _, kind in venues} == {Kind(k).name.lower() for k in Kind}


def test_days_without_a_usable_quote_are_counted_by_venue_and_kind(tiny: Tiny) -> None:
    """A day left out whole and one venue's perp for two more, recounted panel by panel; then no day at all."""
    plan, params = tiny.run.plan, tiny.registration.params
    days = [block.day for block in tiny.run.blocks]
    table = tiny.dataset.instruments
    perps = np.array([v == "hyperliquid" and k == Kind.PERP for v, k in zip(table.venue, table.kind, strict=True)])
    blocks = []
    seen: dict[tuple[str, str], set[int]] = {}
    for block, panel in zip(tiny.run.blocks, reader.panels(tiny.dataset, "BTC", plan.t0_ns, plan.t1_ns), strict=True):
        if block.day == days[-1]:
            continue
        kept = ~perps[block.code] if block.day in days[3:5] else np.ones(len(block.code), dtype=bool)
        blocks.append(replace(block, code=block.code[kept], quality=block.quality[kept]))
        usable = prepare(panel, params, _no_curves()).usable.any(axis=0)
        for code in panel.code[usable & kept].tolist():
            key = (table.venue[code], Kind(int(table.kind[code])).name.lower())
            seen.setdefault(key, set()).add(block.day)
    of = {(v, Kind(int(k)).name.lower()) for v, k in zip(table.venue, table.kind, strict=True)}
    expected = {("BTC", *key): FOLDS - len(seen.get(key, ())) for key in of}

    def counted(*kept: Block) -> dict[tuple[str, str, str], int]:
        rows = rundir_counts.quality(replace(tiny.run, blocks=kept))["rows"]
        return {(r["underlying"], r["venue"], r["kind"]): r["days_without_usable"] for r in rows}

    assert counted(*blocks) == expected
    assert (expected["BTC", "hyperliquid", "perp"], expected["BTC", "deribit", "option"]) == (3, 1)
    assert counted() == dict.fromkeys(expected, FOLDS)


def test_coverage_by_day_averages_to_the_whole(tiny: Tiny) -> None:
    """A day's share is of its own 48 grid times; the totals are what coverage divides."""
    days = written(tiny, "coverage_days.json")
    plan = tiny.run.plan

    assert days["day"] == list(range(plan.t0_ns // NS_PER_DAY, plan.t1_ns // NS_PER_DAY))
    for code, share in written(tiny, "coverage.json").items():
        assert share == pytest.approx(np.mean(days["share"][code]), rel=1e-12)
        assert days["totals"][code][1] == GRID_TIMES


def without(tiny: Tiny, code: str, **changes: object) -> WindowRun:
    """The run as it would stand had ``code`` never been judged: its readings changed."""
    blocks = tuple(
        replace(
            block,
            readings=tuple(
                replace(reading, **changes) if reading.constraint == code else reading for reading in block.readings
            ),
        )
        for block in tiny.run.blocks
    )
    return replace(tiny.run, blocks=blocks)


def test_a_constraint_that_was_never_judged_says_what_was_missing(tiny: Tiny) -> None:
    """The lacking input by name; switched off; or no grid time with all inputs; never a silent zero."""
    named = without(tiny, "C2", evaluable=0, missing="BTC: binance:BTCUSDC-PERP: no perp")
    silent = without(tiny, "C2", evaluable=0, missing=None)
    params = tiny.registration.params
    off = replace(params, rules={**params.rules, "C2": replace(params.rules["C2"], enabled=False)})
    switched = replace(silent, registration=replace(tiny.registration, params=off))

    assert rundir_counts.funnel(named)["C2"]["missing"] == "BTC: binance:BTCUSDC-PERP: no perp"
    assert rundir_counts.funnel(silent)["C2"]["missing"] == "no grid time had all of its inputs usable"
    assert rundir_counts.funnel(switched)["C2"]["missing"] == "switched off in the registration"
    assert rundir_counts.funnel(tiny.run)["C2"]["missing"] is None
    assert rundir_counts.coverage(silent)["C2"] == 0.0


def test_an_instrument_that_the_market_lacks_is_named(tiny: Tiny) -> None:
    """A triangle registered on a perp that is not listed is judged nowhere, and the funnel says which perp lacks."""
    params = tiny.registration.params
    pair = TrianglePair("binance:BTCFDUSD-PERP", "binance:BTCUSDT-PERP", "binance:USDCUSDT")
    market = replace(params.underlyings["BTC"], triangle=(pair,))
    registration = replace(tiny.registration, params=replace(params, underlyings={"BTC": market}))
    run = run_window(tiny.dataset, registration, tiny.run.plan, workers=1, report=None)
    row = rundir_counts.funnel(run)["C2"]

    assert "binance:BTCFDUSD-PERP" in row["missing"]
    assert (row["examined"], row["episodes"], rundir_counts.coverage(run)["C2"]) == (0, 0, 0.0)


def test_days_with_data_are_days_with_a_usable_quote(tiny: Tiny) -> None:
    """A day whose quotes are all unusable holds no data."""
    first = tiny.run.blocks[0]
    blind = replace(first, quality=np.zeros_like(first.quality))

    assert len(rundir_counts.days_with_data(tiny.run.blocks)) == FOLDS
    assert rundir_counts.days_with_data([blind, *tiny.run.blocks[1:]]) == {b.day for b in tiny.run.blocks[1:]}


def test_stale_marks_are_counted_by_leg_and_day(tiny: Tiny) -> None:
    """A position marked with two carried marks counts twice that day; a rejected one not at all.  [R1.4]"""
    trade = next(trade for trade in tiny.run.trades if not trade.rejected)
    mark = SimpleNamespace(day=7, stale=(True, False, True))
    held = replace(trade, position=replace(trade.position, marks=(mark,)))

    assert rundir_counts.stale_legs(replace(tiny.run, trades=(held, held))) == {7: 4}
    assert rundir_counts.stale_legs(replace(tiny.run, trades=(replace(held, rejected="margin"),))) == {}


def test_quarantine_counts_what_quarantine_kept_out() -> None:
    """Crossed, non-positive, far from the median and changed units; stale and missing quotes are no quarantine."""
    rows = [{"counts": {"usable": 9, "crossed": 1, "stale": 5}}, {"counts": {"unit_change": 2, "far_from_median": 4}}]

    assert rundir_counts.quarantined({"rows": rows}) == 7
