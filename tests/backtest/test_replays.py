"""Which fit is in force when, and what each replay is given.  [S8.4, statistics R1.8]"""

from __future__ import annotations

import numpy as np
import pytest

from backtest.replays import HISTORY, Task, fold_at, in_force, run_tasks, tasks_of
from engine.params import Fitted
from engine.records import CurveHistory
from engine.units import NS_PER_DAY
from tests.tiny import FOLDS, HISTORY_DAYS, Tiny

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


def tasks(tiny: Tiny, days: np.ndarray) -> tuple[Task, ...]:
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
        Task(task.underlying, task.from_ns, task.from_ns + 5 * NS_PER_DAY, task.fitted, task.curves)
        for task in tasks(tiny, np.empty(0, dtype=np.int64))[:1]
    )
    (done,) = run_tasks(tiny.dataset, tiny.registration, early, 1, None)

    assert done.state.decide.open == ()
    assert len(done.positions) == len(done.signals)
    for position in done.positions:
        assert position.exit_ns <= plan.history_ns + 5 * NS_PER_DAY
        assert position.forced == (position.exit_ns == plan.history_ns + 5 * NS_PER_DAY and position.forced)
