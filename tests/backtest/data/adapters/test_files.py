"""Surprises in files and options become errors that say where."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest import limits
from backtest.data.adapters import files, times
from backtest.data.adapters.base import SourceSpec
from engine.errors import DataError, MissingError, UsageError


def spec(path: str = "*.csv", **options: object) -> SourceSpec:
    return SourceSpec("candles_csv", path, options, "a test", "none")


def test_stamps_in_another_unit_than_declared_are_an_error() -> None:
    """A change from ms to us would be a time in the year 57000."""
    ms = pd.Series([1_735_689_600_000, 1_735_693_200_000])
    assert times.epoch_ns(ms, "ms", "x")[0] == 1_735_689_600_000_000_000
    for wrong in ("s", "us", "ns"):
        with pytest.raises(DataError, match=r"row 1, .* from 2008 to 2100"):
            times.epoch_ns(ms, wrong, "x")
    assert times.epoch_ns(ms.astype("float64"), "ms", "x").tolist() == times.epoch_ns(ms, "ms", "x").tolist()
    for no_stamp in (ms + 0.5, pd.Series([1_735_689_600_000, None]), pd.Series(["soon", "1735689600000"])):
        with pytest.raises(DataError, match=r"row \d, column .*: expected a whole number"):
            times.epoch_ns(no_stamp, "ms", "x")


def test_labels_keep_their_microseconds_and_need_a_value_each() -> None:
    """Text times become exact nanoseconds; a zone is converted, none means UTC."""
    labels = pd.Series(["2025-12-30T17:31:15.944181+00:00", "2025-12-30 18:31:15.944181+01:00"])
    assert times.utc_ns(labels, "x").tolist() == [1_767_115_875_944_181_000] * 2
    assert times.utc_ns(pd.Series(["1970-01-01 00:00:01"]), "x").tolist() == [1_000_000_000]
    for bad in (["2025-12-30", "soon"], ["2025-12-30", None]):
        with pytest.raises(DataError, match="time"):
            times.utc_ns(pd.Series(bad), "x")


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/London"])
@pytest.mark.parametrize("late", ["12000-01-01", "2263-01-01"])
def test_a_stamp_beyond_nanoseconds_is_named_with_its_row(late: str, zone: str | None) -> None:
    """Pandas keeps it in seconds; a year beyond 9999 it refuses to print by itself, and with a zone within a column."""
    labels = pd.Series(np.array(["2026-01-01", late], dtype="datetime64[s]"), name="date")
    if zone is not None:
        labels = labels.dt.tz_localize("UTC").dt.tz_convert(zone)
    with pytest.raises(DataError, match=rf"f\.feather, row 2, column date: expected a time .*, was '{late}"):
        times.utc_ns(labels, "f.feather")
    with pytest.raises(DataError, match=rf"f\.csv, row 2, column date: expected a time .*, was '{late}"):
        times.utc_ns(pd.Series(["2026-01-01", late], name="date"), "f.csv")


def test_a_pattern_that_leaves_the_folder_or_finds_nothing_is_refused(tmp_path: Path) -> None:
    """A configuration names files inside the data folder only."""
    for path in ("../x.csv", "/etc/passwd"):
        with pytest.raises(UsageError, match="inside the data folder"):
            files.matching(tmp_path, spec(path))
    with pytest.raises(MissingError, match="found none"):
        files.matching(tmp_path, spec("*.csv"))


def test_options_are_complete_known_and_of_their_type() -> None:
    """There are no silent defaults and no silently ignored words."""
    with pytest.raises(UsageError, match="missing: bar"):
        files.check_options(spec(), ("bar",))
    with pytest.raises(UsageError, match="unknown options colour"):
        files.check_options(spec(bar="1h", colour="red"), ("bar",))
    files.check_options(spec(bar="1h", label_shift_ns=5), ("bar",))
    for bad in (True, -1, "3", 1.5):
        with pytest.raises(UsageError, match="integer"):
            files.whole(spec(n=bad), "n")
    with pytest.raises(UsageError, match="one of"):
        files.bar_ns(spec(bar="7m"))


def test_a_broken_archive_is_an_error_and_a_bomb_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Truncated gzip, a zip of two members and one that unpacks too large all say what was expected."""
    whole = gzip.compress(b"a,b\n1,2\n" * 1000)
    (tmp_path / "cut.gz").write_bytes(whole[:-20])
    with pytest.raises(DataError, match="whole compressed"):
        files.read_json(tmp_path / "cut.gz", "cut.gz")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a", "1")
        archive.writestr("b", "2")
    with pytest.raises(DataError, match="one member"):
        list(files.csv_parts(tmp_path / "two.zip", "two.zip"))
    monkeypatch.setattr(limits, "JSON_BYTES", 100)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"0" * 101))
    with pytest.raises(DataError, match="at most 100"):
        files.read_json(tmp_path / "bomb.gz", "bomb.gz")


def test_a_long_file_comes_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than a fixed number of rows is in memory."""
    (tmp_path / "x.csv").write_text("a\n" + "".join(f"{k}\n" for k in range(25)))
    monkeypatch.setattr(files, "ROWS_AT_A_TIME", 10)
    parts = list(files.csv_parts(tmp_path / "x.csv", "x.csv"))
    assert [len(part) for part in parts] == [10, 10, 5]
    assert np.array_equal(pd.concat(parts)["a"].to_numpy(), np.arange(25))
