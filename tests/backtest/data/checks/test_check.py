"""The check finds what is wrong, describes what is there, and says so with the right exit code.  [audit 8.3]"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from backtest.commands.data import data
from backtest.data.checks.check import check
from backtest.data.checks.lag import Lag
from backtest.data.checks.report import text_of
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.schema import Channel
from engine.records import Kind
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND
from tests.backtest.data.format.test_dataset import DAY_FILE, rewrite_manifest
from tests.backtest.data.markets import START, instrument, instruments, quote, store, table

HOUR = NS_PER_HOUR
LISTED = instruments(
    instrument("binance:A"), instrument("deribit:C", Kind.OPTION, expiry_ns=START + 9 * NS_PER_DAY, base="BTC")
)


def market(folder: Path, extra: list[dict[str, object]] | None = None) -> Dataset:
    rows = [quote(START + k * HOUR, 0, 100.0 + k % 3, 101.0 + k % 3, bid_size=1.0, ask_size=1.0) for k in range(48)]
    rows += [
        {"channel": Channel.SETTLE, "t_ns": START + k * 8 * HOUR, "code": 0, "rate": 1e-4} for k in (0, 1, 2, 4, 5)
    ]
    return store(folder / "d", LISTED, [*rows, *(extra or [])])


def test_a_good_data_set_is_described_in_numbers(tmp_path: Path) -> None:
    """Counts, span, ages and the one settlement that is missing from the schedule."""
    report = check(market(tmp_path))
    one = report.instruments[0]

    assert (report.exit_code, report.rows, report.problems) == (0, 53, ())
    assert (one.quotes, one.days, one.longest_gap_ns, one.coverage) == (48, 2, HOUR, 1.0)
    assert (one.settlements, one.settlements_missing, one.settlements_off_schedule) == (5, 1, 0)
    assert report.warnings == ("binance:A: 1 settlements of the declared schedule missing",)
    assert report.instruments[1].coverage is None


def test_ages_are_the_quantiles_of_the_time_since_the_last_quote(tmp_path: Path) -> None:
    """Against a dense sampling of the same clock, within the width of a bin; the gap over midnight counts."""
    rng = np.random.default_rng(2)
    at = START + np.sort(rng.choice(2 * 86_400, 300, replace=False)) * NS_PER_SECOND
    report = check(store(tmp_path / "d", LISTED, [quote(int(t), 0, 1.0, 2.0) for t in at]), lags=False)
    moments = np.arange(at[0], at[-1], 10 * NS_PER_SECOND)
    age = moments - at[np.searchsorted(at, moments, side="right") - 1]
    one = report.instruments[0]

    for share, found in ((0.5, one.age_p50_ns), (0.95, one.age_p95_ns)):
        assert np.quantile(age, share) * 0.98 <= found <= np.quantile(age, share) * 1.45
    assert one.coverage == pytest.approx((age < HOUR).mean(), abs=1e-3)
    assert one.longest_gap_ns == np.diff(at).max()


def test_books_that_are_wrong_are_counted(tmp_path: Path) -> None:
    """Crossed, one-sided, empty, zero, without size, and a price ten times the one before."""
    extra = [
        quote(START + 1, 0, 3.0, 2.0), quote(START + 2, 0, None, 2.0), quote(START + 3, 0, None, None),
        quote(START + 4, 0, 0.0, 2.0), quote(START + 5, 0, 1005.0, 1006.0, bid_size=1.0),
    ]  # fmt: skip
    one = check(market(tmp_path, extra), lags=False).instruments[0]

    assert (one.crossed, one.one_sided, one.empty, one.zero, one.unsized) == (1, 1, 1, 1, 2)
    assert one.jumps >= 2


@pytest.mark.parametrize("damage", ["bytes", "missing", "both"])
def test_damaged_files_give_their_exit_codes(tmp_path: Path, damage: str) -> None:
    """21 for other bytes, 3 for a missing file, and 3 before 21; all of them are listed."""
    dataset = market(tmp_path)
    if damage in ("bytes", "both"):
        (dataset.path / DAY_FILE).write_bytes(b"x")
    if damage in ("missing", "both"):
        (dataset.path / DAY_FILE.replace("04", "05")).unlink()
    report = check(dataset)

    assert report.exit_code == {"bytes": 21, "missing": 3, "both": 3}[damage]
    assert len(report.problems) == (2 if damage == "both" else 1)


def test_an_honest_manifest_of_bad_rows_is_exit_4(tmp_path: Path) -> None:
    """Unsorted rows, a wrong span in the manifest, or a file that is no Parquet."""
    dataset = market(tmp_path)
    sink = pa.BufferOutputStream()
    pq.write_table(table([quote(START + 9, 0, 1.0, 2.0), quote(START, 0, 1.0, 2.0)]), sink)
    for data_bytes, message in ((sink.getvalue().to_pybytes(), "sorted"), (b"PAR1", "whole Parquet")):
        rewrite_manifest(dataset, DAY_FILE, data_bytes)
        report = check(open_dataset(dataset.path))
        assert report.exit_code == 4
        assert message in report.problems[0].message


def test_files_outside_the_manifest_are_pointed_out(tmp_path: Path) -> None:
    """They are never read; a person should know."""
    dataset = market(tmp_path)
    (dataset.path / "notes.txt").write_text("x")

    assert any("notes.txt" in text for text in check(dataset, lags=False).warnings)


def test_the_command_prints_a_table_or_one_json_document(tmp_path: Path) -> None:
    """Options are one line; --json is JSON and nothing else; the exit code is the report's."""
    dataset = market(tmp_path, [quote(START, 1, 0.1, 0.2)])
    plain = CliRunner().invoke(data, ["check", str(dataset.path)])
    as_json = CliRunner().invoke(data, ["check", str(dataset.path), "--json"])
    (dataset.path / DAY_FILE).write_bytes(b"x")
    broken = CliRunner().invoke(data, ["check", str(dataset.path)])

    assert plain.exit_code == 0
    assert "deribit: 1 BTC options" in plain.stdout
    assert json.loads(as_json.stdout)["dataset_hash"] == dataset.dataset_hash
    assert broken.exit_code == 21
    assert "problem (21)" in broken.stdout
    assert "warning:" in text_of(check(open_dataset(market(tmp_path / "again").path)))


def test_the_clocks_of_two_venues_are_one_line(tmp_path: Path) -> None:
    """Nine pairs that say the same are said once, with the middle of them; the JSON keeps every pair."""
    report = check(market(tmp_path, [quote(START, 1, 0.1, 0.2)]), lags=False)
    names = report.instruments[0].name, report.instruments[1].name
    late = [Lag(names[0], names[1], 1, 99, 0.5, 0.5, 0, -lag, 1, 0.0, f"late by {lag}") for lag in (5, 3, 4)]
    told = replace(report, lags=(*late,), warnings=("another", *(lag.warning for lag in late)))

    lines = [line for line in text_of(told).splitlines() if line.startswith("warning")]

    assert lines[0] == "warning: another"
    assert len(lines) == 2
    assert "3 pairs" in lines[1]
    assert lines[1].endswith("late by 4")


def test_a_series_that_stops_early_covers_only_its_part(tmp_path: Path) -> None:
    """Two days of hourly quotes in a plan of ten, beside one of all ten: cover, settlements and a warning say so.

    The share is counted by hand on every minute: a quote is good for an hour, the last one of the short series too.
    """
    two = instruments(instrument("binance:A"), instrument("binance:B"))
    rows = [quote(START + k * HOUR, 0, 100.0, 101.0, bid_size=1.0, ask_size=1.0) for k in range(48)]
    rows += [quote(START + k * HOUR, 1, 100.0, 101.0, bid_size=1.0, ask_size=1.0) for k in range(240)]
    rows += [{"channel": Channel.SETTLE, "t_ns": START + k * 8 * HOUR, "code": 1, "rate": 1e-4} for k in range(1, 10)]
    dataset = store(tmp_path / "d", two, rows)
    own = check(dataset, lags=False)
    planned = check(dataset, lags=False, plan_ns=(START - NS_PER_DAY, START + 12 * NS_PER_DAY))

    minutes = np.arange(START - NS_PER_DAY, START + 12 * NS_PER_DAY, HOUR // 60)
    share = [((minutes >= START) & (minutes < START + hours * HOUR)).mean() for hours in (48, 240)]
    assert [one.coverage for one in planned.instruments] == pytest.approx(share)
    assert [one.coverage for one in own.instruments] == pytest.approx([48 / 239, 1.0])
    # due are those of 8 h to 232 h, 29 in all
    assert own.instruments[1].settlements_missing == 20
    assert [text for text in own.warnings if "end " in text] == [
        "binance:A: quotes end 2024-10-05 23:00, 8.0 days before the data set ends",
        "binance:B: settlements end 2024-10-07 00:00, 7.0 days before the data set ends",
    ]
    assert sum("3.0 days before the plan ends" in text for text in planned.warnings) == 0
    assert sum("days before the plan ends" in text for text in planned.warnings) == 3


def test_what_expires_counts_to_its_expiry_and_a_late_beginning_is_named(tmp_path: Path) -> None:
    """A future that is quoted to its expiry covers all; one that stops two days before it and a late perp do not."""
    listed = instruments(
        instrument("binance:F1", Kind.FUTURE, expiry_ns=START + 3 * NS_PER_DAY),
        instrument("binance:F2", Kind.FUTURE, expiry_ns=START + 4 * NS_PER_DAY),
        instrument("binance:P"),
        instrument("binance:S", Kind.SPOT),
    )
    spans = ((24, 72), (24, 48), (48, 240), (0, 240))
    rows = [quote(START + k * HOUR, code, 1.0, 1.1) for code, span in enumerate(spans) for k in range(*span)]
    report = check(store(tmp_path / "d", listed, rows), lags=False)

    assert [one.coverage for one in report.instruments] == pytest.approx([1.0, 24 / 72, 191 / 239, 1.0])
    assert [text for text in report.warnings if " days " in text] == [
        "binance:F2: quotes end 2024-10-05 23:00, 2.0 days before its expiry",
        "binance:P: quotes begin 2024-10-06 00:00, 2.0 days after the data set begins",
    ]


def test_a_price_in_the_wrong_dollar_is_said_in_text_and_json(tmp_path: Path) -> None:
    """Two perps priced in USDT, declared in USDC, beside a spot: one line for both, and the slope of each in JSON."""
    hours, rng = 24 * 24, np.random.default_rng(3)
    listed = instruments(
        instrument("binance:A", Kind.SPOT),
        instrument("binance:USDCUSDT", Kind.SPOT, underlying="FX", base="USDC"),
        instrument("hyperliquid:B", quote="USDC", settle="USDC"),
        instrument("hyperliquid:C", quote="USDC", settle="USDC"),
    )
    spot = 30_000.0 * np.exp(np.cumsum(rng.normal(0.0, 40e-4, hours)))
    peg = 1.0 + np.cumsum(rng.normal(0.0, 2e-4, hours))
    prices = np.array([spot, peg, *(spot * np.exp(rng.normal(0.0, 3e-4, (2, hours))))])
    rows = [quote(START + k * HOUR, code, p, p) for k in range(hours) for code, p in enumerate(prices[:, k].tolist())]
    dataset = store(tmp_path / "d", listed, rows)
    plain = CliRunner().invoke(data, ["check", str(dataset.path), "--quiet"])
    document = json.loads(CliRunner().invoke(data, ["check", str(dataset.path), "--json", "--quiet"]).stdout)
    said = [line for line in plain.stdout.splitlines() if "USDC/USDT" in line]

    assert plain.exit_code == 0
    assert "3 pairs compared in level, 2 follow a peg, funding or a tick" in plain.stdout
    assert len(said) == 1
    assert said[0].startswith("warning: BTC, 2 pairs of hyperliquid and binance, among them: hyperliquid:")
    assert "is the price currency right (declared USDC and USDT)?" in said[0]
    by_pair = {(level["first"], level["second"]): level for level in document["levels"]}
    assert set(by_pair) == {("binance:A", "hyperliquid:B"), ("binance:A", "hyperliquid:C"),
                            ("hyperliquid:B", "hyperliquid:C")}  # fmt: skip
    for pair, level in by_pair.items():
        (peg_of,) = (found for found in level["follows"] if found["driver"] == "USDC/USDT")
        assert peg_of["slope"] == pytest.approx(1.0 if "binance:A" in pair else 0.0, abs=0.1)
        assert (level["warning"] in document["warnings"]) == peg_of["alarm"]
    assert check(dataset, lags=False).levels == ()
