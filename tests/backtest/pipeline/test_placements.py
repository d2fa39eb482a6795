"""Twins of placements.py and trials.py."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest.data.panels import reader
from backtest.folds.curve_study import empty_history
from backtest.pipeline import placements
from backtest.pipeline.placements import (
    Placements,
    admitted_signals,
    n2_shifts,
    n3_shifts,
    place_window,
    read_placements,
    write_placements,
)
from backtest.pipeline.signal_ranks import anchor_signals, ranks_by_id, sources_of
from backtest.records import Plan
from backtest.tracking import journal
from backtest.tracking.outcome import journal_judged
from backtest.tracking.trials import trials_of
from engine.errors import MissingError
from engine.market.view import prepare
from engine.repricing import placebo_entries
from engine.repricing.base import SourceSignals, source_signals
from engine.repricing.contract_mapping import with_ranks
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.helpers.small_run import Tiny
from tests.hypotheses.cases import stats

PLAN = Plan(100 * NS_PER_DAY, 190 * NS_PER_DAY, 10 * NS_PER_DAY, 10, 9 * NS_PER_DAY, NS_PER_DAY, NS_PER_DAY)


@pytest.mark.parametrize("day", [0, 4, 8, 9, 53, 89])
def test_n2_visits_every_day_of_the_fold_at_the_same_hour(day: int) -> None:
    """Nine places, its own among them; the circle of the window is only a way to write them."""
    t_ns = PLAN.t0_ns + day * NS_PER_DAY + 7 * NS_PER_HOUR

    at = PLAN.t0_ns + (t_ns - PLAN.t0_ns + n2_shifts(t_ns, PLAN)) % (90 * NS_PER_DAY)

    assert ((at - PLAN.t0_ns) // NS_PER_DAY).tolist() == list(range(day // 9 * 9, day // 9 * 9 + 9))
    assert set(((at - PLAN.t0_ns) % NS_PER_DAY).tolist()) == {7 * NS_PER_HOUR}
    assert 0 in n2_shifts(t_ns, PLAN)


def test_n3_has_247_shifts_from_4_to_86_days() -> None:
    """Multiples of eight hours; the budget of distinct placements is 9 + 247 a signal, and many coincide."""
    shifts = n3_shifts(stats(), PLAN)
    every = [len(np.union1d(shifts, n2_shifts(PLAN.t0_ns + d * NS_PER_DAY, PLAN))) for d in range(90)]

    assert len(shifts) == 247
    assert (shifts[0], shifts[-1]) == (4 * NS_PER_DAY, 86 * NS_PER_DAY)
    assert set(np.diff(shifts)) == {8 * NS_PER_HOUR}
    assert max(every) <= 256
    assert min(every) > 247


def test_the_tables_come_back_as_they_were_written(tmp_path: Path) -> None:
    """And a run without the stage has none."""
    placed = pd.DataFrame(
        {
            "signal_id": ["a", "b"],
            "shift_ns": np.array([0, 5], dtype=np.int64),
            "day": np.array([1, 2], dtype=np.int32),
            "usd_micro": np.array([-7, 9], dtype=np.int64),
        }
    )
    assert read_placements(tmp_path) is None

    late = placed.rename(columns={"shift_ns": "delay_ns"})
    late.insert(2, "at_trigger", [True, False])
    write_placements(tmp_path, Placements(placed, placed[["signal_id", "shift_ns"]], late))

    found = read_placements(tmp_path)
    assert found is not None
    assert found.placed.to_dict("list") == placed.to_dict("list")
    assert found.unplaced.to_dict("list") == placed[["signal_id", "shift_ns"]].to_dict("list")
    assert found.delayed.to_dict("list") == late.to_dict("list")
    late.drop(columns="at_trigger").to_parquet(tmp_path / placements.DELAYED)
    with pytest.raises(MissingError, match="at_trigger"):
        read_placements(tmp_path)


def test_a_signal_is_ranked_as_on_its_whole_day_by_the_replay_and_from_the_data(tiny: Tiny) -> None:
    """Ranks, what must be listed, strikes over forwards: as a view of that day alone has them."""
    params, plan = tiny.registration.params, tiny.run.plan
    signals = admitted_signals(tiny.run)
    whole = source_signals(signals, params)
    for panel in reader.panels(tiny.dataset, "BTC", plan.t0_ns, plan.t1_ns):
        which = np.flatnonzero(np.isin(whole.t_ns, panel.times_ns))
        whole = with_ranks(whole, prepare(panel, params, empty_history(params, "BTC")), which)

    by_replay = sources_of(signals, ranks_by_id(tiny.run), params)
    from_data = anchor_signals(tiny.dataset, tiny.registration, lambda: None, "BTC", plan, signals)

    assert (whole.rank > 0).any()
    for found in (by_replay, from_data):
        for field in fields(SourceSignals):
            if field.name != "signals":
                left, right = getattr(found, field.name), getattr(whole, field.name)
                assert np.array_equal(left, right, equal_nan=field.name == "ratio")


@pytest.mark.parametrize(("piece_d", "rows", "at_once"), [(1, 1, 4_000), (4, 100, 37)])
def test_how_the_window_is_cut_changes_nothing(
    piece_d: int, rows: int, at_once: int, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks of some days, blocks placed together, moves in a batch: the tables are those of the run."""
    monkeypatch.setattr(placements, "PIECE_NS", piece_d * NS_PER_DAY)
    monkeypatch.setattr(placebo_entries, "ROWS", rows)
    monkeypatch.setattr(placebo_entries, "AT_ONCE", at_once)

    found, kept = place_window(tiny.dataset, tiny.run, 1, None), read_placements(tiny.folder)

    assert kept is not None
    for name in ("placed", "unplaced", "delayed"):
        table = getattr(found, name)
        assert len(table) > 0 or name == "unplaced"
        pd.testing.assert_frame_equal(table, getattr(kept, name), check_dtype=False)


OLD_FORM = ("4",)
"""Journals as versions before November 2026 wrote them: the window in the key of a metric."""


def record(
    out: Path, name: str, registration: str, sharpe: float, *, data: str = "d", window: str = "2026_04_05"
) -> None:
    log = journal.start(out / name, "demo", "exploratory", "run", lambda: 1)
    log.tag("registration", registration)
    log.tag("data", data)
    if name in OLD_FORM:
        log.metric(f"h1/sharpe.{window}", sharpe)
    else:
        log.metric("h1/sharpe", sharpe, (date.fromisoformat(window.replace("_", "-")) - date(1970, 1, 1)).days)
    log.end(0)


def test_a_trial_is_counted_before_its_verdict_can_be_read(tmp_path: Path) -> None:
    """A run is killed after its verdicts were written: its ratio was on the disk before them."""
    run = tmp_path / "run"
    run.mkdir()
    content = {"registration": "other", "engine_seal": "e", "data": "d", "window": {"start": "2026-04-05"}}
    (run / "manifest.json").write_text(json.dumps(content))
    log = journal.start(tmp_path / "1", "demo", "exploratory", "run", lambda: 1)
    journal_judged(log, run, Decimal("1.5"))
    (run / "manifest.json").write_text(json.dumps({**content, "registration": "mine"}))
    assert trials_of(run) == (1.5,)  # read from the disk: the journal is still open
    log.end(137)


def test_other_configurations_of_the_same_window_and_data_are_counted_once_each(tmp_path: Path) -> None:
    """Repeats, other windows, other data and the run's own configuration add no trial."""
    run = tmp_path / "run"
    run.mkdir()
    content = {"registration": "mine", "data": "d", "window": {"start": "2026-04-05"}}
    (run / "manifest.json").write_text(json.dumps(content))
    assert trials_of(run) is None

    record(tmp_path, "1", "mine", 2.0)
    assert trials_of(run) == ()
    record(tmp_path, "2", "other", 0.5)
    record(tmp_path, "3", "other", 0.75)
    record(tmp_path, "4", "third", -1.0)
    record(tmp_path, "5", "fourth", 9.0, data="elsewhere")
    record(tmp_path, "6", "fifth", 9.0, window="2025_04_05")
    assert trials_of(run) == (0.75, -1.0)

    (tmp_path / "gone").mkdir()  # a run directory whose journal was removed
    (tmp_path / "gone" / "manifest.json").write_text(json.dumps({**content, "registration": "sixth"}))
    (tmp_path / "gone" / "verdicts.json").write_text(json.dumps({"H1": {"sharpe": 0.25}}))
    assert trials_of(run) == (0.75, 0.25, -1.0)
    (tmp_path / "gone" / "manifest.json").write_text(json.dumps({**content, "engine_seal": "e"}))
    assert trials_of(run) == (0.25, 0.75, -1.0)  # mine, under another engine

    with next(iter((tmp_path / "2").glob("*.jsonl"))).open("ab") as file:
        file.write(b"not a line\n")
    assert trials_of(run) is None
