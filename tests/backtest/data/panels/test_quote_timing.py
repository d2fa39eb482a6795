"""Two times of a recorded quote: known from its receipt on, as old as its event says, unless refreshed.  [live L0.4]"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.schema import LAG, RECORDED_SCHEMA, REFRESHED, Channel
from backtest.data.format.validate import canonical_rows
from backtest.data.format.writer import DatasetWriter
from backtest.data.panels import reader
from backtest.data.panels.asof import MAX_LAG_NS
from backtest.folds.registered_panels import registered_panels
from backtest.live.digest import rows_digest
from engine.market.quality import quote_quality
from engine.records import IntArray, Quality
from engine.units import NEVER_NS, NS_PER_SECOND
from tests.backtest.data.markets import DAY, START, instrument, instruments
from tests.helpers.small_run import Tiny

S = NS_PER_SECOND
GRID = 60 * S
LISTED = instruments(instrument("deribit:BTC-PERPETUAL"), instrument("hyperliquid:BTC-PERP"))
Row = tuple[int, int, float, int | None, bool]
"""Receipt after the start of the day in s, code, bid, lag in s, whether refreshed."""


def table(*rows: Row, channel: Channel = Channel.QUOTE) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {"channel": int(channel), "t_ns": START + t * S, "code": code, "bid": bid, "ask": bid + 1,
             LAG: None if lag is None else lag * S, REFRESHED: again}
            for t, code, bid, lag, again in rows
        ],
        RECORDED_SCHEMA,
    )  # fmt: skip


def stored(folder: Path, *rows: Row) -> Dataset:
    with DatasetWriter(folder, "recorded", GRID, synthetic=True, sources=[]) as writer:
        writer.set_instruments(LISTED)
        writer.write_day("BTC", DAY, table(*rows), "test", "none")
        return open_dataset(writer.finish())


def ages(dataset: Dataset, column: int, **timing: object) -> list[int]:
    """Ages in s at the first four grid times."""
    (panel,) = reader.panels(dataset, "BTC", START, START + 4 * GRID, **timing)  # type: ignore[arg-type]
    return [-1 if age == NEVER_NS else int(age // S) for age in panel.age_ns[:, column].tolist()]


def test_the_age_of_a_quote_counts_from_its_event_and_it_is_known_from_its_receipt_on(tmp_path: Path) -> None:
    dataset = stored(tmp_path / "d", (61, 0, 100.0, 2, False), (130, 0, 101.0, None, False))
    assert ages(dataset, 0) == [-1, -1, 120 - 59, 180 - 130]


def test_a_late_quote_takes_the_place_of_the_one_before_and_is_too_old_for_any_limit(tmp_path: Path) -> None:
    dataset = stored(tmp_path / "d", (50, 0, 100.0, 0, False), (110, 0, 101.0, 3, False))
    found = ages(dataset, 0)
    assert found[:2] == [-1, 10]
    assert found[2] > 86_400
    assert ages(dataset, 0, max_lag_ns=3 * S)[2] == 13  # the limit is a key of the plan
    assert MAX_LAG_NS == 2 * S
    limit = np.array([60 * S], dtype=np.int64)
    age: IntArray = np.array([found[2] * S], dtype=np.int64)
    one = np.array([100.0])
    assert quote_quality(one, one + 1, one, one, age, limit)[0] == Quality.STALE


def test_a_refreshed_quote_is_as_fresh_as_its_connection_where_the_plan_says_so(tmp_path: Path) -> None:
    """Both ages: with the refresh, without it, and for a venue that the plan does not name."""
    rows = ((5, 0, 100.0, 1, False), (119, 0, 100.0, 115, True), (5, 1, 50.0, 0, False), (119, 1, 50.0, 114, True))
    dataset = stored(tmp_path / "d", *rows)
    assert ages(dataset, 0, refreshed=("deribit",)) == [-1, 56, 1, 61]
    assert ages(dataset, 0) == [-1, 56, 116, 176]
    assert ages(dataset, 1, refreshed=("deribit",)) == [-1, 55, 115, 175]


def test_the_lag_goes_along_into_the_next_day(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "d", "recorded", GRID, synthetic=True, sources=[]) as writer:
        writer.set_instruments(LISTED)
        writer.write_day("BTC", DAY, table((86_390, 0, 100.0, 2, False)), "test", "none")
        dataset = open_dataset(writer.finish())
    (panel,) = reader.panels(dataset, "BTC", START + 86_400 * S, START + 86_400 * S + GRID)
    assert panel.age_ns[0, 0] == 12 * S


def test_a_plan_reads_by_its_own_keys(tiny: Tiny, tmp_path: Path) -> None:
    dataset = stored(tmp_path / "d", (5, 0, 100.0, 1, False), (119, 0, 100.0, 115, True), (110, 1, 9.0, 4, False))
    params = tiny.registration.params
    for refreshed, limit, expected in (((), 2, (116, False)), (("deribit",), 5, (1, True))):
        plan = replace(params, refreshed=refreshed, max_lag_ns=limit * S)
        (panel,) = registered_panels(dataset, plan, "BTC", START + 2 * GRID, START + 3 * GRID)
        assert panel.age_ns[0, 0] == expected[0] * S
        assert (panel.age_ns[0, 1] < 60 * S) == expected[1]


@pytest.mark.parametrize(
    ("rows", "channel", "says"),
    [
        ((1, 0, 100.0, -1, False), Channel.QUOTE, "a lag_ns of 0 or more"),
        ((1, 0, 100.0, 0, True), Channel.QUOTE, "a lag_ns over 0 in a row that is refreshed"),
        ((1, 0, 100.0, None, True), Channel.QUOTE, "a lag_ns over 0 in a row that is refreshed"),
        ((1, 0, 100.0, 3, False), Channel.MARK, "no lag_ns and not refreshed in channel MARK"),
    ],
)
def test_a_lag_that_cannot_be_is_refused(rows: Row, channel: Channel, says: str) -> None:
    made = table(rows, channel=channel)
    if channel == Channel.MARK:
        none = pa.nulls(1, pa.float64())
        for name in ("bid", "ask"):
            made = made.set_column(made.schema.get_field_index(name), name, none)
        made = made.set_column(made.schema.get_field_index("mark"), "mark", pa.array([1.0]))
    with pytest.raises(Exception, match=says):
        canonical_rows(made, DAY, 2, "test")


def test_the_digest_of_a_day_holds_both_times() -> None:
    """Else a day sealed with other ages would pass for the same."""
    row: Row = (5, 0, 100.0, 1, False)
    seen = {
        rows_digest(table(one), LISTED)
        for one in (row, (5, 0, 100.0, 2, False), (5, 0, 100.0, 1, True), (5, 0, 100.0, None, False))
    }
    assert len(seen) == 4
