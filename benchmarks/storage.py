"""How a day of quotes is best stored: bytes a row and decode rate of the same rows under different writings.

    python benchmarks/storage.py              one day of the full-size market of BTC, 1.6 million rows

Decoding is what a reader does: the columns of the quote channel, from bytes in memory to NumPy arrays, one thread.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest import seeds
from backtest.config import load_registration
from backtest.data.schema import CHANNEL_COLUMNS, QUOTE_SCHEMA, Channel
from backtest.data.synth import day_table, spec_of
from backtest.data.synthetic.market import build_market
from backtest.data.writer import quote_bytes
from benchmarks.market import ROOT
from benchmarks.measure import cpu_seconds, machine

READ = ("t_ns", "code", *CHANNEL_COLUMNS[Channel.QUOTE])
TURNS = 5


@dataclass(frozen=True, slots=True)
class Writing:
    """One way of writing the rows: their order, the rows of a group, and the options of the Parquet writer."""

    name: str
    order: tuple[str, ...] = ("t_ns", "code")
    group: int = 262_144
    options: Mapping[str, Any] = field(default_factory=dict)


def _zstd(level: int, **options: Any) -> dict[str, Any]:
    return {"compression": "zstd", "compression_level": level, **options}


def _encoded(encoding: str, *columns: str) -> dict[str, Any]:
    """Return the options of a writing with ``encoding`` for ``columns``; all others have dictionaries."""
    others = [name for name in QUOTE_SCHEMA.names if name not in columns]
    return {"use_dictionary": others, "column_encoding": dict.fromkeys(columns, encoding)}


MILLION = 1_048_576
WIDE = {"dictionary_pagesize_limit": 1 << 23}
WRITINGS = (
    Writing("dictionary, zstd 3", options=_zstd(3)),
    Writing("dictionary, zstd 1", options=_zstd(1)),
    Writing("dictionary, lz4", options={"compression": "lz4"}),
    Writing("dictionary, snappy", options={"compression": "snappy"}),
    Writing("dictionary, not compressed", options={"compression": "none"}),
    Writing("plain, zstd 1", options=_zstd(1, use_dictionary=False)),
    Writing(
        "times and codes as differences, zstd 1", options=_zstd(1, **_encoded("DELTA_BINARY_PACKED", "t_ns", "code"))
    ),
    Writing("prices split by byte, zstd 1", options=_zstd(1, **_encoded("BYTE_STREAM_SPLIT", "bid", "ask"))),
    Writing("by code, then time, zstd 1", ("code", "t_ns"), options=_zstd(1)),
    Writing("groups of 64 k rows, zstd 1", group=65_536, options=_zstd(1)),
    Writing("groups of 1 M rows, zstd 1", group=MILLION, options=_zstd(1)),
    Writing("groups of 1 M rows, lz4", group=MILLION, options={"compression": "lz4"}),
    Writing("same, dictionaries up to 8 MB", group=MILLION, options={"compression": "lz4", **WIDE}),
)
"""Each differs from the second in what its name says; groups are of 256 k rows where nothing is said."""


def quotes() -> pa.Table:
    """Return the quote rows of one day in the middle of the full-size market."""
    plan = load_registration(ROOT / "configs" / "scale" / "full.toml")
    spec = spec_of(plan.data.synthetic, "full.toml")
    market = build_market(spec, seeds.load(ROOT / "seeds.lock").generator)
    table = day_table(market, "BTC", market.days[len(market.days) // 2])
    return table.filter(pa.array(table.column("channel").to_numpy() == Channel.QUOTE))


def written(table: pa.Table, writing: Writing) -> bytes:
    """Return the Parquet bytes of ``table`` under ``writing``."""
    keys = [table.column(name).to_numpy() for name in reversed(writing.order)]
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, QUOTE_SCHEMA, **writing.options) as writer:
        writer.write_table(table.take(pa.array(np.lexsort(keys))), row_group_size=writing.group)
    return bytes(sink.getvalue().to_pybytes())


def decode(data: bytes) -> None:
    """Read what a panel needs into arrays."""
    read = pq.ParquetFile(pa.BufferReader(data)).read(columns=list(READ), use_threads=False)
    for name in READ:
        read.column(name).to_numpy()


def main() -> None:
    """Print one line a writing: bytes a row, the rates of writing and decoding, a CPU second."""
    table = quotes()
    print(f"{table.num_rows:,} quote rows of one day\n")
    print(f"{'writing':40} {'bytes a row':>12} {'write, M rows/s':>16} {'decode, M rows/s':>17}")
    count = table.num_rows / 1e6
    held = [(writing, written(table, writing)) for writing in WRITINGS]
    times: dict[str, list[float]] = {writing.name: [] for writing in WRITINGS}
    for _ in range(TURNS):  # the writings take turns, so that all meet the same neighbours
        for writing, data in held:
            times[writing.name].append(cpu_seconds(lambda data=data: decode(data)))
    for writing, data in held:
        write = cpu_seconds(lambda writing=writing: written(table, writing))
        rate = count / median(times[writing.name])
        print(f"{writing.name:40} {len(data) / table.num_rows:12.2f} {count / write:16.2f} {rate:17.1f}")
    print(f"\nin use: {len(quote_bytes(table)) / table.num_rows:.2f} bytes a row")
    print(machine())


if __name__ == "__main__":
    main()
