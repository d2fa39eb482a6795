"""How a day of quotes is best stored: decode rate and size of the same 1.6 million rows under different writings.

Decoding is what a reader does: the columns of the quote channel, from bytes in memory to NumPy arrays, one thread.  The
day is one of BTC in the middle of the full-size market.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.data.build.synthesise import day_table, spec_of
from backtest.data.format.quote_file import quote_bytes
from backtest.data.format.schema import CHANNEL_COLUMNS, QUOTE_SCHEMA, Channel
from backtest.data.synthetic.market import build_market
from backtest.registration.load import load_registration
from backtest.seeds import streams
from benchmarks.market import ROOT
from benchmarks.measure import Row, against, machine, table

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
    spec = replace(spec, plants=replace(spec.plants, constraints={}))  # rows are as many, and placing takes longer
    market = build_market(spec, streams.load(ROOT / "seeds.lock").generator)
    day = day_table(market, "BTC", market.days[len(market.days) // 2])
    return day.filter(pa.array(day.column("channel").to_numpy() == Channel.QUOTE))


def written(day: pa.Table, writing: Writing) -> bytes:
    """Return the Parquet bytes of ``day`` under ``writing``."""
    keys = [day.column(name).to_numpy() for name in reversed(writing.order)]
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, QUOTE_SCHEMA, **writing.options) as writer:
        writer.write_table(day.take(pa.array(np.lexsort(keys))), row_group_size=writing.group)
    return bytes(sink.getvalue().to_pybytes())


def decode(data: bytes) -> None:
    """Read what a panel needs into arrays."""
    read = pq.ParquetFile(pa.BufferReader(data)).read(columns=list(READ), use_threads=False)
    for name in READ:
        read.column(name).to_numpy()


def rows() -> list[Row]:
    """Return a row a writing: its decoding against that of the writing in use, sizes in its name."""
    day = quotes()
    mine = quote_bytes(day)
    found = []
    for writing in WRITINGS:
        data = written(day, writing)
        found.append(
            against(
                f"decode {writing.name}: {len(data) / day.num_rows:.2f} bytes a row",
                lambda data=data: decode(data),
                f"as stored: {len(mine) / day.num_rows:.2f} bytes a row",
                lambda: decode(mine),
                day.num_rows,
                "rows",
                turns=TURNS,
            )
        )
    return found


if __name__ == "__main__":
    print(table(rows()))
    print(machine())
