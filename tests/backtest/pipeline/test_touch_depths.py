"""Twin of touch_depths.py: the deepest touch of each book, against every panel of the window kept whole.

Rules: [spec README "H2 read upwards"].
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from backtest.folds.curve_study import empty_history
from backtest.folds.registered_panels import registered_panels
from backtest.pipeline import placements, touch_depths
from engine.errors import DataError, MissingError
from engine.market.view import prepare
from engine.units import NS_PER_DAY
from tests.helpers.small_run import Tiny


def hit(tiny: Tiny) -> set[str]:
    """Return the books of the signals, from their tables."""
    files = sorted((tiny.folder / "folds").glob("[0-9]*/signals.parquet"))
    return {leg["book"] for file in files for legs in pd.read_parquet(file)["legs"] for leg in legs}


def every_touch(tiny: Tiny, book: str) -> list[float]:
    """Return all usable touch notionals of a book: size times price in USDC, cell by cell."""
    name, side = book.rsplit("/", 1)
    params, plan, values = tiny.registration.params, tiny.run.plan, []
    for panel in registered_panels(tiny.dataset, params, "BTC", plan.t0_ns, plan.t1_ns):
        view = prepare(panel, params, empty_history(params, "BTC"))
        column = panel.column(panel.instruments.code_of(name))
        if column < 0:
            continue
        for t in range(len(panel.times_ns)):
            sizes = panel.bid_size[t, column], panel.ask_size[t, column]
            if view.usable[t, column] and not any(math.isnan(v) for v in (*sizes, view.half_spread[t, column])):
                size, price = (sizes[1], panel.ask) if side == "ask" else (sizes[0], panel.bid)
                values.append(float(size * price[t, column] * view.money[t, column]))
    return sorted(values)


def test_the_point_is_the_order_statistic_of_every_usable_touch_of_the_window(tiny: Tiny) -> None:
    """At most one in a thousand is deeper; every book that a signal hits has its row."""
    table = pq.read_table(tiny.folder / touch_depths.TOUCH).to_pandas()

    known = table.to_dict("records")
    assert {row["book"] for row in known} <= hit(tiny)
    assert len(known) > 10
    for row in known[:: max(1, len(known) // 6)]:
        values = every_touch(tiny, row["book"])
        assert row["quotes"] == len(values)
        assert row["depth_usd"] == values[math.ceil(0.999 * len(values)) - 1]


def test_a_book_without_known_depth_has_no_row(tiny: Tiny) -> None:
    """Its signals have a fixed cost, and no depth to be read upwards."""
    table = pq.read_table(tiny.folder / touch_depths.TOUCH).to_pandas()

    blind = hit(tiny) - set(table["book"])
    assert all(every_touch(tiny, book) == [] for book in blind)


@pytest.mark.parametrize("piece_d", [1, 7])
def test_how_the_window_is_cut_changes_nothing(piece_d: int, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces keep their largest values: the table is that of the run."""
    monkeypatch.setattr(placements, "PIECE_NS", piece_d * NS_PER_DAY)

    placed, again = placements.place_and_touch(tiny.dataset, tiny.run, 1, None)
    alone = placements.place_window(tiny.dataset, tiny.run, 1, None)

    assert again == pq.read_table(tiny.folder / touch_depths.TOUCH)
    assert placed.placed.equals(alone.placed)
    assert placed.unplaced.equals(alone.unplaced)
    assert placed.delayed.equals(alone.delayed)


def test_the_table_is_read_by_name_and_a_cut_one_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    """A run without the stage has none."""
    assert touch_depths.read_touch(tmp_path) is None
    found = touch_depths.read_touch(tiny.folder)
    assert found is not None
    assert min(found.values()) >= 0

    whole = (tiny.folder / touch_depths.TOUCH).read_bytes()
    (tmp_path / touch_depths.TOUCH).write_bytes(whole[: len(whole) // 2])
    with pytest.raises((DataError, MissingError)):
        touch_depths.read_touch(tmp_path)
