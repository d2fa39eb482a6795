"""A label ends when its resolution is known."""

from __future__ import annotations

import pandas as pd
import pytest

from backtest.folds.label_spans import label_spans
from backtest.folds.walk_forward import UNRESOLVED_NS
from engine.errors import DataError

SIGNALS = pd.DataFrame({"signal_id": ["b", "a", "c"], "t_ns": [20, 10, 30]})


def test_labels_follow_the_order_of_the_signals():
    """t1 is the exit; none yet, or one after the time of knowledge, is infinite."""
    trades = pd.DataFrame({"signal_id": ["a", "b"], "exit_ns": [15, 99]})
    t0, t1 = label_spans(SIGNALS, trades, known_ns=50)
    assert t0.tolist() == [20, 10, 30]
    assert t1.tolist() == [UNRESOLVED_NS, 15, UNRESOLVED_NS]
    assert label_spans(SIGNALS, trades, known_ns=99)[1].tolist()[0] == 99


@pytest.mark.parametrize(("ids", "says"), [(["a", "a"], "twice"), (["a", "x"], "never emitted")])
def test_trades_that_do_not_fit_the_signals_are_refused(ids, says):
    """Twice, or of no signal."""
    with pytest.raises(DataError, match=says):
        label_spans(SIGNALS, pd.DataFrame({"signal_id": ids, "exit_ns": [1, 2]}), known_ns=50)
