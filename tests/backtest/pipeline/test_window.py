"""One window end to end: spans kept apart, folds fitted on training labels only, any number of workers.  [S8.3, S8.4]

Rules: [R2.4].
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from backtest.folds.curve_study import CurveStudy
from backtest.pipeline.emission import fitted_of
from backtest.pipeline.window import folds_of, run_window, with_capture
from backtest.results.tables import frame, signals_table, trades_table
from engine.params import CurveFit
from engine.units import NS_PER_DAY
from tests.helpers.small_run import FOLDS, Tiny

GAP_NS = NS_PER_DAY


def all_trades(tiny: Tiny) -> pd.DataFrame:
    """Every label of history and window, read from the run directory."""
    files = [tiny.folder / "folds/history/trades.parquet", *sorted(tiny.folder.glob("folds/[0-9]*/trades.parquet"))]
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def test_every_constraint_trades_on_the_tiny_market(tiny: Tiny) -> None:
    """The run that the other tests read is not empty: each of the seven has signals in history or window."""
    assert {trade.position.signal.constraint for trade in (*tiny.run.history, *tiny.run.trades)} == {
        f"C{n}" for n in range(1, 8)
    }
    assert len(tiny.run.trades) > 20
    assert len(tiny.run.history) > 50


def test_history_ends_before_the_window_begins(tiny: Tiny) -> None:
    """No label of history reaches into the window, and the window starts flat.  [R1.8]"""
    plan = tiny.run.plan

    assert all(trade.position.exit_ns <= plan.t0_ns for trade in tiny.run.history)
    assert all(trade.position.signal.fold == -1 for trade in tiny.run.history)
    assert all(plan.t0_ns <= signal.t_ns < plan.t1_ns for signal in tiny.run.signals)
    assert all(trade.position.exit_ns <= plan.t1_ns for trade in tiny.run.trades)


def test_a_signal_belongs_to_the_fold_of_its_decision(tiny: Tiny) -> None:
    """Folds are cut by the decision's time: fold = floor((t - start) / length), ten of them."""
    plan = tiny.run.plan

    assert [signal.fold for signal in tiny.run.signals] == [
        (signal.t_ns - plan.t0_ns) // plan.fold_ns for signal in tiny.run.signals
    ]
    assert len(tiny.run.fitted) == len(tiny.run.folds) == FOLDS


def test_each_signal_is_resolved_exactly_once(tiny: Tiny) -> None:
    """Silence is not allowed: the ids of signals and trades are the same set, none twice.  [S4.5]"""
    emitted = [signal.signal_id for signal in tiny.run.signals]
    resolved = [trade.position.signal.signal_id for trade in tiny.run.trades]

    assert len(set(emitted)) == len(emitted)
    assert sorted(emitted) == sorted(resolved)


def test_capture_is_what_training_labels_alone_realised(tiny: Tiny) -> None:
    """c_k = (sum realised_k + n0 cbar vbar)/(sum modelled_k + n0 vbar) over labels that ended before start - gap,

    recomputed with pandas from the tables on disk, in floats.  [S4.8]
    """
    labels = all_trades(tiny)
    prior = tiny.registration.params.capture_prior
    for fit in tiny.run.fitted:
        known = labels[(labels.exit_ns < fit.from_ns - GAP_NS) & ~labels.forced & (labels.status == "traded")]
        vbar = known.modelled_usd_micro.mean()
        cbar = known.net_usd_micro.sum() / known.modelled_usd_micro.sum()
        assert len(known) > 0
        for code, found in fit.capture.items():
            own = known[known.constraint == code]
            expected = (own.net_usd_micro.sum() + prior * cbar * vbar) / (own.modelled_usd_micro.sum() + prior * vbar)
            assert found == pytest.approx(min(max(expected, 0.0), 1.0), rel=1e-12)


def test_folds_hold_the_labels_that_pandas_counts(tiny: Tiny) -> None:
    """Training: ended strictly before the gap, not closed by force.  Test: decided inside the fold."""
    labels = all_trades(tiny)
    for fold in tiny.run.folds:
        train = (labels.exit_ns < fold.start_ns - GAP_NS) & ~labels.forced
        test = (labels.t_ns >= fold.start_ns) & (labels.t_ns < fold.end_ns)
        assert (len(fold.train), len(fold.test)) == (int(train.sum()), int(test.sum()))
    assert sum(len(fold.test) for fold in tiny.run.folds) == len(tiny.run.trades)


def test_what_happens_later_changes_no_fit(tiny: Tiny) -> None:
    """Trades that end after the cut may earn anything: the fold's capture does not move.  [S8.4, S8.8]"""
    trades = [*tiny.run.history, *tiny.run.trades]
    folds = folds_of(trades, tiny.run.plan)
    bare = [replace(fit, capture={}) for fit in tiny.run.fitted]
    for at in (0, 5):
        cut = tiny.run.fitted[at].from_ns - GAP_NS
        poisoned = [
            replace(trade, net=-(10**12), modelled=1) if trade.position.exit_ns >= cut else trade for trade in trades
        ]
        found = with_capture(bare, folds, poisoned, tiny.registration)[at].capture
        assert found == tiny.run.fitted[at].capture
        kept = [replace(t, net=0) if t.position.exit_ns < cut else t for t in trades]
        assert with_capture(bare, folds, kept, tiny.registration)[at].capture != found


def test_a_label_closed_by_force_never_trains(tiny: Tiny) -> None:
    """What the end of a span closed is unresolved; it may be tested but trains nothing.  [R2.2]"""
    first = tiny.run.history[0]
    forced = replace(first, position=replace(first.position, forced=True))

    assert [len(fold.train) for fold in folds_of([first], tiny.run.plan)] == [1] * FOLDS
    assert [len(fold.train) for fold in folds_of([forced], tiny.run.plan)] == [0] * FOLDS


def test_a_fold_without_an_identified_curve_keeps_the_registered_threshold(tiny: Tiny) -> None:
    """Nothing is fitted where nothing can be: z is the default, and no trial is priced.  [statistics 2.6, R9.7]"""
    fit = replace(tiny.run.fitted[0].curve["BTC"], identified=False, reason="too few")
    study = CurveStudy("BTC", None, (fit,) * FOLDS, {})  # type: ignore[arg-type]  # its curves are not read
    found = fitted_of(3, tiny.run.plan, [study], tiny.registration, tiny.run.instruments)

    assert found.curve["BTC"].z_threshold == tiny.registration.params.default_z
    assert (found.from_ns, found.to_ns - found.from_ns) == (
        tiny.run.plan.t0_ns + 3 * tiny.run.plan.fold_ns,
        tiny.run.plan.fold_ns,
    )


def test_thresholds_of_z_come_from_the_registered_grid(tiny: Tiny) -> None:
    """A fitted threshold is one of the registered values."""
    fits: list[CurveFit] = [fit.curve["BTC"] for fit in tiny.run.fitted]

    assert all(fit.identified for fit in fits)
    assert {fit.z_threshold for fit in fits} <= set(tiny.registration.params.z_grid)


def test_the_number_of_workers_changes_nothing(tiny: Tiny) -> None:
    """Two processes return what one returns: signals, trades, fits, in the same order.  [S8.5]"""
    seen: list[tuple[int, int]] = []
    again = run_window(
        tiny.dataset, tiny.registration, tiny.run.plan, workers=2, report=lambda n, of: seen.append((n, of))
    )
    capture = {fit.fold: fit.capture for fit in tiny.run.fitted}

    assert trades_table(again.trades) == trades_table(tiny.run.trades)
    assert trades_table(again.history) == trades_table(tiny.run.history)
    tables = [signals_table(run.signals, run.instruments, capture) for run in (again, tiny.run)]
    pd.testing.assert_frame_equal(*map(frame, tables))
    assert again.fitted == tiny.run.fitted
    assert [block.quality.tolist() for block in again.blocks] == [block.quality.tolist() for block in tiny.run.blocks]
    assert seen[-1] == (28, 28)
    assert np.all(np.diff([n for n, _ in seen]) >= 0)
