"""Files of whole tables: what they become in memory is known, and bounded, before anything is unpacked.  [S8.2]"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from backtest import limits
from backtest.data.adapters.arrow_size import feather_size, parquet_size
from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.registry import adapter
from backtest.data.adapters.tables import whole_table
from engine.errors import DataError
from tests.helpers.small_run import ROOT

ROWS = 10_000


def table() -> pa.Table:
    """Numbers, texts, a column of codes and lists."""
    return pa.table(
        {
            "x": np.arange(ROWS, dtype=np.float64),
            "name": [f"n{k % 7}" for k in range(ROWS)],
            "code": pa.array(["a", "b"] * (ROWS // 2)).dictionary_encode(),
            "list": [[1.0, 2.0, 3.0]] * ROWS,
        }
    )


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
@pytest.mark.parametrize("batch", [100, ROWS])
def test_the_size_of_a_feather_file_is_that_of_its_table(tmp_path: Path, compression: str, batch: int) -> None:
    """Pyarrow counts the buffers once it has them; each is padded to 64 bytes at most, dictionaries come once."""
    feather.write_feather(table(), tmp_path / "x.feather", compression=compression, chunksize=batch)
    size, read = feather_size(tmp_path / "x.feather"), feather.read_table(tmp_path / "x.feather")

    assert size.rows == ROWS
    assert size.cells == 4 * ROWS + 3 * ROWS + 2
    buffers = 10 * (ROWS // batch) + 10
    assert read.get_total_buffer_size() <= size.bytes + 64 * buffers
    assert size.bytes <= read.get_total_buffer_size() + 64 * buffers


def test_the_size_of_a_parquet_file_counts_repeated_values(tmp_path: Path) -> None:
    """A column of one value takes some bytes and has all its cells; lists have theirs."""
    pq.write_table(table().append_column("zero", [np.zeros(ROWS)]), tmp_path / "x.parquet")
    size = parquet_size(tmp_path / "x.parquet")

    assert (size.rows, size.cells) == (ROWS, 5 * ROWS + 2 * ROWS)


@pytest.mark.parametrize("ending", ["feather", "arrow", "parquet", "csv"])
@pytest.mark.parametrize(
    ("limit", "word"), [("TABLE_ROWS", "rows"), ("TABLE_CELLS", "cells"), ("TABLE_BYTES", "bytes")]
)
def test_a_table_beyond_a_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, limit: str, word: str
) -> None:
    """Each limit, each form; up to the limit the table is read."""
    path = tmp_path / f"x.{ending}"
    small = pa.table({"a": [1.5] * 10, "b": ["text"] * 10})
    if ending == "parquet":
        pq.write_table(small, path)
    elif ending == "csv":
        small.to_pandas().to_csv(path, index=False)
    else:
        feather.write_feather(small, path)
    assert whole_table(path, "x").shape == (10, 2)
    if (ending, limit) == ("csv", "TABLE_BYTES"):
        return  # the bytes of a CSV file are those of the disk
    monkeypatch.setattr(limits, limit, 9)
    with pytest.raises(DataError, match=rf"^x: expected a table of at most 9 {word}.*, was \d+: cut the file"):
        whole_table(path, "x")


TEXT = 2**20


@pytest.mark.parametrize("ending", ["feather", "parquet"])
def test_a_small_file_that_becomes_gigabytes_takes_no_memory(tmp_path: Path, ending: str) -> None:
    """4 GB of zeros in Feather are refused; a text of 1 MB that Parquet stores once is once in memory."""
    path = tmp_path / f"x.{ending}"
    if ending == "parquet":
        text = pa.DictionaryArray.from_arrays(pa.array([0] * 4_000, pa.int32()), ["y" * TEXT])
        pq.write_table(pa.table({"a": text}), path)
    else:
        batch = pa.record_batch({"a": ["0" * 2**23]})
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema, options=options) as writer:
            for _ in range(512):
                writer.write_batch(batch)
    assert path.stat().st_size < 2 * TEXT
    code = (
        "import json, resource, sys\nfrom pathlib import Path\nfrom backtest.data.adapters.tables import whole_table\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    said = str(len(whole_table(Path(sys.argv[1]), 'x')))\n"
        "except Exception as error:\n    said = str(error)\n"
        "print(json.dumps([said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=True)
    said, grown_kb = json.loads(done.stdout)

    assert ("4000" if ending == "parquet" else "bytes when unpacked, was 4294") in said
    assert grown_kb < 100_000


@pytest.mark.parametrize("cut", [0, 3, 9, 20, 200, 600])
@pytest.mark.parametrize("ending", ["feather", "parquet"])
def test_a_file_that_is_cut_off_is_refused_by_name(tmp_path: Path, ending: str, cut: int) -> None:
    """At any place: the metadata too are outside data."""
    path = tmp_path / f"x.{ending}"
    if ending == "parquet":
        pq.write_table(table(), path)
    else:
        feather.write_feather(table(), path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"^x: expected a whole \w+ file, was .*; fetch it again"):
        whole_table(path, "x")


@pytest.mark.parametrize("name", ["hyperliquid_l2book", "hyperliquid_book_summary", "hyperliquid_ws"])
def test_a_long_line_of_json_is_refused_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Recordings and JSON lines of every adapter; the line is not read to its end."""
    monkeypatch.setattr(limits, "JSON_LINE_BYTES", 100)
    (tmp_path / "x.jsonl").write_text('{"a": "' + "9" * 100 + '"}\n')
    spec = SourceSpec(name, "x.jsonl", {"latency_ns": 0} if name.endswith("l2book") else {}, "a test", "none")
    with pytest.raises(DataError, match=r"^x\.jsonl, line 1: expected a line of at most 100 bytes"):
        list(adapter(name).read(tmp_path, spec))


@pytest.mark.parametrize("name", ["funding_history", "hyperliquid_contexts"])
def test_a_large_value_of_json_is_refused_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As objects it takes ten times the memory."""
    monkeypatch.setattr(limits, "JSON_BYTES", 100)
    (tmp_path / "x.json").write_text("[" * 101)
    perp = {"venue": "okx", "kind": "linear_perp", "base": "BTC", "quote": "USDT", "feed": "book", "funding_h": 8}
    options = {"time_ns": 10**18, "positions": {"BTC": 0}} if name == "hyperliquid_contexts" else perp
    with pytest.raises(DataError, match=r"^x\.json: expected at most 100 bytes"):
        list(adapter(name).read(tmp_path, SourceSpec(name, "x.json", options, "a test", "none")))
