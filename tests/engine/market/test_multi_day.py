"""Days laid end to end: what a day holds stands in its rows and its columns, all else is as if never quoted."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from backtest.data.panels import reader
from engine.market.multi_day import concatenate_days
from engine.records import Panel
from engine.units import NEVER_NS
from tests.helpers.small_run import Tiny


def test_every_day_stands_in_its_rows_and_the_rest_was_never_known(tiny: Tiny) -> None:
    """Each array cell by cell, by name of the instrument; the wholes share no memory that can be written."""
    plan = tiny.run.plan
    panels = list(reader.panels(tiny.dataset, "BTC", plan.history_ns, plan.t1_ns))[:9]
    laid = concatenate_days(panels)
    whole = laid.whole

    assert len({panel.code.tobytes() for panel in panels}) > 1
    assert whole.code.tolist() == sorted({code for panel in panels for code in panel.code.tolist()})
    assert whole.times_ns.tolist() == [t for panel in panels for t in panel.times_ns.tolist()]
    assert laid.first.tolist() == [sum(len(p.times_ns) for p in panels[:n]) for n in range(len(panels) + 1)]
    for field in fields(Panel):
        array = getattr(whole, field.name)
        if not isinstance(array, np.ndarray):
            assert array is getattr(panels[0], field.name)
            continue
        assert not array.flags.writeable
        if array.ndim < 2:
            continue
        never = {"age_ns": NEVER_NS, "funding_paid": 0.0}.get(field.name, np.nan)
        for number, panel in enumerate(panels):
            rows = slice(laid.first[number], laid.first[number + 1])
            values = getattr(panel, field.name)
            for column, code in enumerate(whole.code.tolist()):
                own = panel.column(code)
                expected = values[:, own] if own >= 0 else np.full(len(values), never, dtype=array.dtype)
                np.testing.assert_array_equal(array[rows, column], expected)
                assert own < 0 or laid.columns[number][own] == column
