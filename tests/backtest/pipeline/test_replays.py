"""Which fit is in force when, and what each replay is given.  [S8.4, statistics R1.8]"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backtest.data.panels import reader
from backtest.folds.curve_study import empty_history
from backtest.pipeline.replays import (
    HISTORY,
    ReplayTask,
    fold_at,
    in_force,
    join_days,
    replay_segment,
    run_tasks,
    tasks_of,
)
from backtest.tasks.serialization import encode
from engine.ledger.identify import identify_by_provenance
from engine.market.curve import days_between
from engine.market.multi_day import MultiDayPanel
from engine.params import Fitted, Params
from engine.records import CurveHistory, Panel
from engine.replay import replay, start
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.backtest.data.markets import instrument, instruments, quote, store
from tests.helpers.small_run import FOLDS, HISTORY_DAYS, Tiny

FITS = tuple(Fitted(fold, 100 + 10 * fold, 110 + 10 * fold, {}, {}) for fold in range(3))


@pytest.mark.parametrize(
    ("t_ns", "fit", "fold"),
    [(0, 0, HISTORY), (99, 0, HISTORY), (100, 0, 0), (109, 0, 0), (110, 1, 1), (119, 1, 1), (120, 2, 2), (500, 2, 2)],
)
def test_a_fit_is_in_force_from_its_first_instant_to_the_next(t_ns: int, fit: int, fold: int) -> None:
    """Half-open spans; history is replayed with the first fit, and belongs to no test fold."""
    found = in_force(FITS, t_ns)

    assert found is not None
    assert (found.fold, fold_at(FITS, t_ns)) == (fit, fold)


def test_without_fits_everything_is_history() -> None:
    """No fit: nothing in force, no fold."""
    assert in_force((), 5) is None
    assert fold_at((), 5) == HISTORY


def tasks(tiny: Tiny, days: np.ndarray) -> tuple[ReplayTask, ...]:
    history = CurveHistory(days, np.zeros((len(days), 3)))
    return tasks_of(tiny.run.plan, tiny.registration.params, tiny.run.fitted, {"BTC": history})


def test_the_window_gets_curves_before_it_and_history_gets_none(tiny: Tiny) -> None:
    """Two replays an underlying; the curve of the window's first day and later ones are not handed in."""
    plan = tiny.run.plan
    first = plan.t0_ns // NS_PER_DAY
    history, window = tasks(tiny, np.arange(first - 5, first + 5))

    assert (history.from_ns, history.to_ns) == (plan.history_ns, plan.t0_ns)
    assert (window.from_ns, window.to_ns) == (plan.t0_ns, plan.t1_ns)
    assert len(history.curves.day) == 0
    assert window.curves.day.tolist() == list(range(first - 5, first))


def test_replays_come_back_in_the_order_of_their_tasks(tiny: Tiny) -> None:
    """The window first and history second gives the window first and history second; repeated, the same."""
    asked = tasks(tiny, np.empty(0, dtype=np.int64))[::-1]
    window, history = run_tasks(tiny.dataset, tiny.registration, asked, 1, None)

    assert (len(window.blocks), len(history.blocks)) == (FOLDS, HISTORY_DAYS)
    assert {signal.fold for signal in history.signals} == {HISTORY}
    assert [p.signal.signal_id for p in history.positions] == [
        p.signal.signal_id for p in run_tasks(tiny.dataset, tiny.registration, asked[1:], 1, None)[0].positions
    ]


def test_nothing_is_open_after_a_replay(tiny: Tiny) -> None:
    """The end of a span closes what is open, at that instant, and says that it was forced."""
    plan = tiny.run.plan
    early = tuple(
        ReplayTask(task.underlying, task.from_ns, task.from_ns + 5 * NS_PER_DAY, task.fitted, task.curves)
        for task in tasks(tiny, np.empty(0, dtype=np.int64))[:1]
    )
    (done,) = run_tasks(tiny.dataset, tiny.registration, early, 1, None)

    assert done.state.decide.open == ()
    assert len(done.positions) == len(done.signals)
    for position in done.positions:
        assert position.exit_ns <= plan.history_ns + 5 * NS_PER_DAY
        assert position.forced == (position.exit_ns == plan.history_ns + 5 * NS_PER_DAY and position.forced)


def test_a_segment_is_the_replay_of_its_days_one_by_one(tiny: Tiny) -> None:
    """Judged in runs of days, told by day: every block to the bit, and each is observed."""
    plan, registration, fitted = tiny.run.plan, tiny.registration, tiny.run.fitted
    registered, params = registration.params.underlyings["BTC"].curve, registration.params
    before = days_between(tiny.run.curves["BTC"], 0, plan.t0_ns // NS_PER_DAY - 1)
    span, told = ("BTC", plan.t0_ns, plan.t1_ns, True), []
    found = replay_segment(tiny.dataset, registration, lambda: told.append(None), span, fitted, start(before))
    panels = reader.panels(tiny.dataset, "BTC", plan.t0_ns, plan.t1_ns, funding_average_ns=registered.perp_average_ns)
    slow = replay(
        panels,
        params,
        start(before),
        lambda t_ns: in_force(fitted, t_ns),
        lambda t_ns: fold_at(fitted, t_ns),
        identify_by_provenance(tiny.dataset.instruments, params, registration.judging_hash),
        lambda _: None,
        end_ns=plan.t1_ns,
    )

    assert len(told) == len(slow.blocks)
    assert any(isinstance(each, MultiDayPanel) for each in join_days(slow_panels(tiny), params))
    assert encode(found) == encode(slow)


def slow_panels(tiny: Tiny) -> list[Panel]:
    return list(reader.panels(tiny.dataset, "BTC", tiny.run.plan.t0_ns, tiny.run.plan.t1_ns))


def test_days_of_other_fees_are_not_laid_together(tiny: Tiny) -> None:
    """A fee that comes into force on a day begins another run with that day."""
    panels, params = slow_panels(tiny)[:6], tiny.registration.params
    fourth = str(np.datetime64(int(panels[3].times_ns[0]) // NS_PER_DAY, "D"))
    changed = replace(params, fees=(*params.fees, replace(params.fees[0], as_of=fourth)))

    def runs(params: Params) -> list[int]:
        return [len(each.panels) if isinstance(each, MultiDayPanel) else 1 for each in join_days(panels, params)]

    assert runs(params) == [6]
    assert runs(changed) == [3, 3]


def test_a_span_without_days_and_segments_without_snapshots_are_replays_without_blocks(
    tiny: Tiny, tmp_path: Path
) -> None:
    """No history (it starts with the window), and a collector that is down for a whole segment."""
    plan, params = tiny.run.plan, tiny.registration.params
    listed = instruments(instrument("binance:A"))
    times = [plan.t0_ns, plan.t0_ns + 5 * NS_PER_HOUR, plan.t0_ns + 70 * NS_PER_DAY]
    dataset = store(tmp_path / "d", listed, [quote(t, 0, 1, 2) for t in times], grid_ns=0, grids={"BTC": times})
    later = replace(plan, history_ns=plan.t0_ns, t1_ns=plan.t0_ns + 90 * NS_PER_DAY, folds=9, fold_ns=10 * NS_PER_DAY)
    curves = {"BTC": empty_history(params, "BTC")}
    history, window = run_tasks(dataset, tiny.registration, tasks_of(later, params, (), curves), 1, None)

    assert (history.blocks, history.state.decide.open) == ((), ())
    assert [(block.first_ns, block.last_ns) for block in window.blocks] == [(times[0], times[1]), (times[2], times[2])]
