"""A data set is whole, is what its manifest says, or is refused with the right exit code.  [audit 9.4, 8.3]

Rules: [S1.8].
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backtest.data.format import atomic_write, manifest
from backtest.data.format import writer as writer_module
from backtest.data.format.atomic_write import write_whole
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.schema import Channel, instruments_from_table, instruments_to_table
from backtest.data.format.writer import DatasetWriter
from backtest.data.panels import reader
from engine.errors import DataError, GateError, MissingError, UsageError, WriteError
from engine.ledger.format.canonical_json import canonical, parse
from engine.records import Kind
from engine.units import NEVER_NS, NS_PER_DAY
from tests.backtest.data.markets import DAY, START, instrument, instruments, quote, store, table

LISTED = instruments(instrument("binance:A"), instrument("binance:B"))
ROWS = [quote(START + k, k % 2, 1.0 + k, 2.0 + k) for k in range(6)]
DAY_FILE = "quotes/BTC/2024-10-04.parquet"


def small(folder: Path) -> Dataset:
    return store(folder / "d", LISTED, ROWS)


def rewrite_manifest(dataset: Dataset, path: str, data: bytes) -> None:
    """Replace a file together with its hash: an honest manifest of other bytes."""
    (dataset.path / path).write_bytes(data)
    content = dict(dataset.manifest)
    content["files"] = [
        item | {"sha256": sha256(data).hexdigest(), "size": len(data)} if item["path"] == path else item
        for item in content["files"]  # type: ignore[attr-defined]
    ]
    (dataset.path / "manifest.json").write_bytes(canonical(content))


def test_writing_and_opening_gives_back_what_was_written(tmp_path: Path) -> None:
    """Instruments, days, rows, spans and the name of the data set by its manifest's hash."""
    dataset = small(tmp_path)
    entry = dataset.files[DAY_FILE]

    assert dataset.instruments.name == ("binance:A", "binance:B")
    assert dataset.underlyings == ("BTC",)
    assert (entry.rows, entry.min_us, entry.max_us) == (6, START // 1000, START // 1000)
    assert dataset.dataset_hash == manifest.hash_of(parse((dataset.path / "manifest.json").read_bytes()))
    assert dataset.manifest["cutoff_us"] == START // 1000


def test_the_same_rows_in_another_order_are_the_same_bytes(tmp_path: Path) -> None:
    """Order of input, NaN against null, and the folder's name do not enter the hash."""
    first = store(tmp_path / "a", LISTED, ROWS)
    second = store(tmp_path / "b", LISTED, ROWS[::-1])

    assert first.dataset_hash == second.dataset_hash


def test_instruments_survive_the_disk() -> None:
    """Every field, NaN strikes and all, through Arrow and back."""
    listed = instruments(
        instrument("deribit:C", Kind.OPTION, expiry_ns=START),
        instrument("binance:A", tick=0.1),
        instrument("okx:S", Kind.SPOT),
    )
    back = instruments_from_table(instruments_to_table(listed), "here")

    assert listed.name == back.name == ("binance:A", "deribit:C", "okx:S")
    for field in ("strike", "tick", "expiry_ns", "kind", "inverse", "funding_interval_ns"):
        np.testing.assert_array_equal(getattr(listed, field), getattr(back, field))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "binance:B"}, "venue:symbol"),
        ({"name": "bin ance:A", "venue": "bin ance"}, "venue:symbol"),
        ({"kind": 7}, "known kind"),
        ({"expiry_ns": 5}, "expected no expiry"),
        ({"contract_size": 0.0}, "contract size"),
        ({"funding_interval_ns": -1}, ">= 0"),
        ({"strike": 3.0}, "no strike"),
        ({"bar_ns": 60}, "bar_ns"),
        ({"tick": "x"}, "column tick"),
        ({"expiry_ns": 1.5}, "column expiry_ns"),
    ],
)
def test_an_instrument_out_of_form_is_refused_with_its_name(changes: dict[str, object], message: str) -> None:
    """Each field that cannot be is named, with what was found."""
    with pytest.raises(DataError, match=message):
        instruments(instrument("binance:A") | changes)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"bid": -1.0}, "row 7 of this file of the data set .*finite bid of 0 or more, was -1.0"),
        ({"ask": float("inf")}, "finite ask"),
        ({"bid_size": -2.0}, "bid_size"),
        ({"mark": 2.0}, "no mark in a row of channel QUOTE"),
        ({"t_ns": START + NS_PER_DAY}, "UTC day"),
        ({"code": 2}, "a code under 2"),
        ({"channel": 9}, "channel 0 to 5"),
        ({"channel": Channel.FUNDING, "bid": None, "ask": None, "rate": 1.5}, "funding rate"),
        ({"channel": Channel.DELIVERY, "bid": None, "ask": None}, "a value in every row"),
        ({"t_ns": START + 1, "code": 1}, "one row a"),
    ],
)
def test_rows_out_of_schema_range_or_unit_are_refused_and_leave_nothing(
    tmp_path: Path, bad: dict, message: str
) -> None:
    """The message names file, row, expected and found; no folder, hidden or not, is left."""
    rows = table([*ROWS, quote(START + 99, 0, 1.0, 2.0) | bad])
    with DatasetWriter(tmp_path / "d", "n", 1, True, []) as writer:
        writer.set_instruments(LISTED)
        with pytest.raises(DataError, match=message) as refused:
            writer.write_day("BTC", DAY, rows, "s", "l")

    assert DAY_FILE in str(refused.value)
    assert "row" in str(refused.value)
    assert refused.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_column_or_type_is_refused(tmp_path: Path) -> None:
    """Missing and unknown columns and other types are named."""
    good = table(ROWS)
    for bad, message in (
        (good.drop_columns(["bid"]), "missing"),
        (good.append_column("volume", pa.nulls(6)), "unknown"),
        (good.set_column(1, "t_ns", good.column("t_ns").cast(pa.string())), "expected int64, was string"),
    ):
        with DatasetWriter(tmp_path / "d", "n", 1, True, []) as writer:
            writer.set_instruments(LISTED)
            with pytest.raises(DataError, match=message):
                writer.write_day("BTC", DAY, bad, "s", "l")


def test_zero_and_crossed_prices_are_kept_for_the_engine_to_quarantine(tmp_path: Path) -> None:
    """They are facts of the market, counted later; they are not defects of the file."""
    dataset = store(tmp_path / "d", LISTED, [quote(START, 0, 0.0, 1.0), quote(START, 1, 3.0, 2.0)])
    (panel,) = reader.panels(dataset, "BTC", START, START + 1)

    np.testing.assert_array_equal([[0.0, 3.0]], panel.bid)


@pytest.mark.parametrize("path", [DAY_FILE, "instruments.parquet", "dataset.json"])
def test_changed_bytes_are_found_before_they_are_parsed(tmp_path: Path, path: str) -> None:
    """One flipped bit anywhere in a listed file is exit 21, whatever it would have parsed to."""
    dataset = small(tmp_path)
    data = bytearray((dataset.path / path).read_bytes())
    data[len(data) // 2] ^= 1
    (dataset.path / path).write_bytes(bytes(data))

    with pytest.raises(GateError) as refused:
        list(reader.panels(open_dataset(dataset.path), "BTC", START, START + 1))
    assert refused.value.exit_code == 21


def test_missing_files_unknown_versions_and_no_data_set_are_exit_3(tmp_path: Path) -> None:
    """Nothing there, a listed file gone, or a format this program does not know."""
    with pytest.raises(MissingError):
        open_dataset(tmp_path)
    dataset = small(tmp_path)
    (dataset.path / DAY_FILE).unlink()
    with pytest.raises(MissingError, match="which the manifest lists"):
        list(reader.panels(dataset, "BTC", START, START + 1))
    about = parse((dataset.path / "dataset.json").read_bytes())
    assert isinstance(about, dict)
    rewrite_manifest(dataset, "dataset.json", canonical(about | {"schema": "cme-dataset/2"}))
    with pytest.raises(MissingError, match="cme-dataset/2"):
        open_dataset(dataset.path)


def test_truncated_parquet_with_an_honest_hash_is_out_of_form(tmp_path: Path) -> None:
    """A file that was cut before it was listed is exit 4 and names the file."""
    dataset = small(tmp_path)
    whole = (dataset.path / DAY_FILE).read_bytes()
    for length in (0, 4, len(whole) // 2, len(whole) - 1):
        rewrite_manifest(dataset, DAY_FILE, whole[:length])
        with pytest.raises(DataError, match="whole Parquet file"):
            list(reader.panels(open_dataset(dataset.path), "BTC", START, START + 1))


def test_mixed_row_groups_are_refused(tmp_path: Path) -> None:
    """A hand-made file whose channels share a row group would be read with the wrong columns."""
    dataset = small(tmp_path)
    sink = pa.BufferOutputStream()
    pq.write_table(table([*ROWS, {"channel": Channel.MARK, "t_ns": START, "code": 0, "mark": 1.0}]), sink)
    rewrite_manifest(dataset, DAY_FILE, sink.getvalue().to_pybytes())

    with pytest.raises(DataError, match="one known channel a row group"):
        list(reader.panels(open_dataset(dataset.path), "BTC", START, START + 1))


def test_a_full_disk_is_exit_5_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both for a data set and for a single file; the file that was there before stays as it was."""
    kept = tmp_path / "kept.json"
    write_whole(kept, b"before")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic_write.os, "fsync", full)
    with pytest.raises(WriteError, match="No space left") as refused:
        small(tmp_path)
    with pytest.raises(WriteError):
        write_whole(kept, b"after")
    with pytest.raises(WriteError):
        write_whole(tmp_path / "new" / "file", b"x")
    assert refused.value.exit_code == 5
    assert kept.read_bytes() == b"before"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["kept.json"]
    assert not (tmp_path / "d").exists()


def test_a_killed_writer_leaves_no_data_set_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    """Kill without warning in the middle: the target is absent, and writing it again leaves only the target."""
    code = (
        "import os, sys; from pathlib import Path; from backtest.data.format.writer import DatasetWriter;"
        "w = DatasetWriter(Path(sys.argv[1]) / 'd', 'n', 1, True, []); w.add_file('a', b'x', 's', 'l');"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, cwd=Path(__file__).parents[4])

    assert not (tmp_path / "d").exists()
    assert len(list(tmp_path.iterdir())) == 1
    small(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_a_disk_that_fills_under_several_threads_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread is refused and takes the folder away; another, still writing, brings it back: the end removes it."""
    gone, real = threading.Event(), writer_module.write_synced

    def full(path: Path, data: bytes) -> None:
        if path.name == "first":
            raise OSError(errno.ENOSPC, "No space left on device")
        if path.name == "second":
            gone.wait(10)
            path.parent.mkdir(parents=True, exist_ok=True)
        real(path, data)

    monkeypatch.setattr(writer_module, "write_synced", full)

    def two() -> None:
        with DatasetWriter(tmp_path / "d", "n", 1, True, []) as writer, ThreadPoolExecutor(2) as pool:
            pool.submit(writer.add_file, "second", b"x", "s", "l")
            try:
                pool.submit(writer.add_file, "first", b"x", "s", "l").result()
            finally:
                gone.set()

    with pytest.raises(WriteError, match="No space left"):
        two()

    assert list(tmp_path.iterdir()) == []


def test_a_data_set_is_never_overwritten_by_another(tmp_path: Path) -> None:
    """The same again is no error; other content, or a folder of something else, is refused and stays."""
    first = small(tmp_path)
    assert small(tmp_path).dataset_hash == first.dataset_hash
    with pytest.raises(UsageError, match="no other data set"):
        store(tmp_path / "d", LISTED, ROWS[:3])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError):
        store(tmp_path / "mine", LISTED, ROWS)

    assert open_dataset(tmp_path / "d").dataset_hash == first.dataset_hash
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "mine"]


def test_description_and_manifest_are_json_anyone_can_read(tmp_path: Path) -> None:
    """Plain sorted JSON with the fields of the audit text."""
    dataset = small(tmp_path)
    content = json.loads((dataset.path / "manifest.json").read_text())

    assert sorted(content) == ["cutoff_us", "files", "name", "schema"]
    assert [item["path"] for item in content["files"]] == ["dataset.json", "instruments.parquet", DAY_FILE]
    assert LISTED.expiry_ns[0] == NEVER_NS
