"""Twin of narrow.py: what is kept of a view has the values it had, and shares no memory with the rest."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from engine.market.multi_day import concatenate_days
from engine.market.narrow import with_columns
from engine.market.view import prepare
from tests.helpers import noisy_market
from tests.helpers.builders import curves


def test_a_kept_column_has_the_values_it_had() -> None:
    """Every array of panel, view and fees by column; what is by grid time alone, and the instruments, stand."""
    panel = noisy_market.panels(3, days=1)[0]
    view = prepare(panel, noisy_market.registered(), curves())
    columns = np.array([0, 2, len(panel.code) - 1])

    kept = with_columns(view, columns)

    assert kept.panel.code.tolist() == panel.code[columns].tolist()
    assert kept.panel.instruments is panel.instruments
    checked = 0
    for whole, part in ((panel, kept.panel), (view, kept)):
        for name, array in ((f.name, getattr(whole, f.name)) for f in fields(whole)):
            if isinstance(array, np.ndarray) and array.ndim == 2:
                np.testing.assert_array_equal(getattr(part, name), array[:, columns])
                assert not np.shares_memory(getattr(part, name), array)
                checked += 1
    assert checked > 20
    cells = (np.array([5, 7]), np.array([1, 2]))
    of_whole = (cells[0], columns[cells[1]])
    np.testing.assert_array_equal(kept.fee(cells), view.fee(of_whole))
    np.testing.assert_array_equal(kept.exit_fee(cells), view.exit_fee(of_whole))
    np.testing.assert_array_equal(kept.lots, view.lots[columns])
    np.testing.assert_array_equal(kept.ticks.tick, view.ticks.tick[:, columns])
    np.testing.assert_array_equal(kept.spot_usd, view.spot_usd)


def test_a_view_of_several_days_is_refused() -> None:
    """Its days would keep all columns."""
    days = concatenate_days(noisy_market.panels(3, days=2))
    view = prepare(days.whole, noisy_market.registered(), curves())
    object.__setattr__(view, "days", days)

    with pytest.raises(ValueError, match="view of one day"):
        with_columns(view, np.array([0]))
