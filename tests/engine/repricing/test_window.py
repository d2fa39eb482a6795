"""Twin of span.py: columns laid end to end, and the last quote and mark before a row."""

from __future__ import annotations

import numpy as np
import pytest

from engine.positions.price_path import profit_conversion
from engine.repricing.window import price_window
from tests.engine.repricing.placebo import blocks, views_of
from tests.helpers.noisy_market import rows_of


@pytest.mark.parametrize("seed", [0, 5])
def test_a_span_holds_what_the_views_hold(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cell by cell; a block that lacks an instrument gives no price of it."""
    views = views_of(blocks(seed, monkeypatch))
    code = views[0].panel.code[::3]

    span = price_window(views, code)

    row = 0
    for v, view in enumerate(views):
        for c, each in enumerate(code.tolist()):
            column = view.panel.column(each)
            rows = slice(row, row + len(view.panel.times_ns))
            assert span.column[c, v] == column
            if column < 0:
                assert np.isnan(span.mid[c, rows]).all()
                continue
            usd, mark, price = profit_conversion(view, column), view.panel.mark[:, column], view.mid[:, column]
            assert np.array_equal(span.conversion[c, rows], usd, equal_nan=True)
            assert np.array_equal(span.mark[c, rows], np.where(mark > 0.0, mark, price), equal_nan=True)
            assert np.array_equal(span.mid[c, rows], np.where(usd > 0.0, price, np.nan), equal_nan=True)
        row += len(view.panel.times_ns)
    assert row == len(span.times_ns) == len(span.spot_usd)


def test_the_last_quote_and_mark_are_found_by_looking_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell, by a loop; some have none before them."""
    panels = blocks(2, monkeypatch)
    span = price_window(views_of([rows_of(panels[0], 0, 24), panels[1]]), panels[0].code)
    c, row = (each.ravel() for each in np.indices(span.mid.shape))

    quote, mark, worth = span.last_quote(c, row), span.last_mark(c, row), span.last_conversion(c, row)

    for one, at, q, m, w in zip(*(each.tolist() for each in (c, row, quote, mark, worth)), strict=True):
        before = range(at + 1)
        assert q == max((r for r in before if span.mid[one, r] == span.mid[one, r]), default=-1)
        assert m == max((r for r in before if span.mark[one, r] > 0 and span.conversion[one, r] > 0), default=-1)
        assert w == max((r for r in before if span.conversion[one, r] > 0), default=-1)
    assert (quote == row).any()
    assert ((quote < row) & (quote >= 0)).any()
