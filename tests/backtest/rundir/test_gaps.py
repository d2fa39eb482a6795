"""The gaps of a recorded window by instrument and cause, counted again minute by minute, and shown.  [live L1]"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.writer import DatasetWriter
from backtest.data.raw.gap_ledger import GAPS_FILE, GapRow, gap_lines
from backtest.records import Plan
from backtest.rundir.gaps import declared
from engine.errors import DataError
from engine.units import NS_PER_DAY, NS_PER_SECOND
from reports.load import load
from reports.sections import coverage
from reports.words import share
from tests.backtest.data.markets import START, instrument, instruments, quote, table
from tests.helpers.small_run import Tiny

MINUTE = 60 * NS_PER_SECOND
PLAN = Plan(START, START + 2 * NS_PER_DAY, START, 1, 2 * NS_PER_DAY, 0, 0)
A, B = "deribit:BTC-PERPETUAL", "hyperliquid:BTC-PERP"


def gap(name: str, from_min: int, to_min: int | None, why: str = "closed") -> GapRow:
    to_ns = None if to_min is None else START + to_min * MINUTE
    return GapRow(name, name.partition(":")[0], "", START + from_min * MINUTE, to_ns, why, "x")


GAPS = (
    gap(A, -60, 5), gap(A, 10, 20), gap(A, 15, 40), gap(A, 30, 50, "silence"), gap(B, 2_870, None, "off"),
    gap(B, 3_000, 3_010),
)  # fmt: skip


def recorded(folder: Path, *gaps: GapRow) -> Dataset:
    with DatasetWriter(folder, "recorded", MINUTE, synthetic=True, sources=[]) as writer:
        writer.set_instruments(instruments(instrument(A)))
        writer.write_day("BTC", START // NS_PER_DAY, table([quote(START, 0, 1.0, 2.0)]), "test", "none")
        writer.add_file(GAPS_FILE, gap_lines(gaps), "days", "")
        return open_dataset(writer.finish())


def test_gaps_are_counted_by_instrument_and_cause_within_the_window(tmp_path: Path) -> None:
    """A loop over minutes agrees; what ends before or begins after the window is none of it."""
    found = declared(recorded(tmp_path / "d", *GAPS), PLAN)
    assert found is not None
    assert found["window_ms"] == 2 * 86_400_000
    counted: dict[tuple[str, str], set[int]] = {}
    for row in GAPS:
        end = 2_880 if row.to_ns is None else (row.to_ns - START) // MINUTE
        inside = {minute for minute in range((row.from_ns - START) // MINUTE, end) if 0 <= minute < 2_880}
        if inside:
            counted.setdefault((row.instrument, row.why), set()).update(inside)
    assert {(r["instrument"], r["why"]): r["ms"] // 60_000 for r in found["rows"]} == {
        key: len(minutes) for key, minutes in counted.items()
    }
    assert [(r["why"], r["gaps"]) for r in found["rows"]] == [("closed", 3), ("silence", 1), ("off", 1)]
    assert found["ms_of_instrument"] == {A: 45 * 60_000, B: 10 * 60_000}  # 30 to 40 once


def test_data_without_a_gap_ledger_have_none_and_another_form_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    assert declared(tiny.dataset, tiny.run.plan) is None
    assert declared(recorded(tmp_path / "none"), PLAN) == {
        "window_ms": 2 * 86_400_000, "rows": [], "ms_of_instrument": {}}  # fmt: skip
    wrong = recorded(tmp_path / "d", gap(A, 1, 2, "bad luck"))
    with pytest.raises(DataError, match="line 0"):
        declared(wrong, PLAN)


def test_the_report_shows_them_and_says_nothing_of_data_that_were_not_recorded(tiny: Tiny, tmp_path: Path) -> None:
    run = load(tiny.folder)
    assert "gap ledger" not in str(coverage.build(run))
    beside = replace(run, path=tmp_path)
    found = declared(recorded(tmp_path / "d", *GAPS), PLAN)
    (tmp_path / "gaps.json").write_text(json.dumps(found))
    text = str(coverage.build(beside))
    # 0 to 5 and 10 to 40 of 2,880 minutes
    for word in (A, "silence", "5 gaps of 2 instruments", "'35.0'", share(35 / 2_880)):
        assert word in text, word
    (tmp_path / "gaps.json").write_text(json.dumps({**found, "rows": []}))  # type: ignore[dict-item]
    assert "declares no gap in the test window" in str(coverage.build(beside))
