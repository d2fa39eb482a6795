"""Prepares a chunk for merging: checked, shifted, cut to the window, its rows in order of underlying and day.

    files of a source -> adapter -> chunk -> part          on any worker: a part depends on its files alone

Sources whose adapter reads file by file are read by several processes; parts come back in the order of the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from glob import escape
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from joblib import Parallel, delayed

from backtest.data.adapters.base import INTERVAL, Adapter, BarBreak, Chunk, ExpiryPrice, SourceSpec
from backtest.data.adapters.files import matching, shown
from backtest.data.build.findings import rates_of
from backtest.data.build.normalise import check_instruments, label_shift_ns, rows_of, snap_settlements
from backtest.data.format.schema import QUOTE_SCHEMA, Channel
from engine.records import FloatArray, IntArray
from engine.units import NS_PER_DAY

BuildWindow = tuple[int, int]
"""Knowable times [from, to) in ns; rows outside are checked and left out."""
Span = tuple[int, int] | None
"""First and last time of rows in ns; None where there are none."""


@dataclass(frozen=True, slots=True)
class SortedChunk:
    """One chunk's instruments and rows.

    ``first_quote`` is the first time of each quoted instrument, ``last_quote`` the last of each underlying.  ``table``
    has ``QUOTE_SCHEMA``; its codes are row numbers of ``instruments``.  ``spans`` are its stretches of one (underlying,
    day): the first row, and the row after the last.  ``read_ns`` is the first and the last time of all rows read, those
    outside the window too; None where the chunk has none.  ``intervals`` has (time, interval) in ns, shape (n, 2), of
    each settlement of an instrument whose rows state it, those outside the window among them.
    """

    file: str
    instruments: pd.DataFrame
    first_quote: Mapping[str, int]
    last_quote: Mapping[str, int]
    table: pa.Table
    spans: Mapping[tuple[str, int], tuple[int, int]]
    passed_over: Mapping[str, int]
    rates: Mapping[str, FloatArray]
    breaks: tuple[BarBreak, ...]  # at the shifted times, inside the window
    read_ns: Span
    intervals: Mapping[str, IntArray]
    deliveries: tuple[ExpiryPrice, ...] = ()


def parts_of(
    adapter: Adapter, root: Path, spec: SourceSpec, window: BuildWindow | None, workers: int
) -> Iterator[SortedChunk]:
    """Yield the parts of one source in the order of its files; the number of ``workers`` changes nothing."""
    ready = partial(part_of, spec=spec, ordered=adapter.ordered, window=window)
    # a chunk may depend on the file before it, and one worker needs no pool
    if not adapter.by_file or workers < 2:
        yield from map(ready, adapter.read(root, spec))
        return
    # the name of one file as a pattern: brackets in it are no wildcard
    files = (replace(spec, path=escape(shown(root, path))) for path in matching(root, spec))
    for parts in Parallel(n_jobs=workers, return_as="generator")(
        delayed(_read)(adapter, root, file_spec, window) for file_spec in files
    ):
        yield from parts


def _read(adapter: Adapter, root: Path, spec: SourceSpec, window: BuildWindow | None) -> Sequence[SortedChunk]:
    return [part_of(chunk, spec, adapter.ordered, window) for chunk in adapter.read(root, spec)]


def part_of(chunk: Chunk, spec: SourceSpec, ordered: bool, window: BuildWindow | None) -> SortedChunk:
    """Return ``chunk`` checked and in order.  Raises ``DataError`` (4): see `backtest.data.build.normalise`."""
    instruments = check_instruments(chunk)
    rows = rows_of(chunk, spec, ordered)
    code = instruments.index.get_indexer(pd.Index(rows["name"]))
    stated_ns = rows[INTERVAL].to_numpy()
    snap_settlements(
        rows, np.where(stated_ns > 0, stated_ns, instruments["funding_interval_ns"].to_numpy()[code]), chunk.file
    )
    intervals = _stated_intervals(rows)
    read_ns = (int(rows["t_ns"].min()), int(rows["t_ns"].max())) if len(rows) else None
    if window is not None:
        instruments, rows, code = _cut(instruments, rows, code, window)
    t_ns, channel = rows["t_ns"].to_numpy(), rows["channel"].to_numpy()
    rows["code"], rows["channel"] = code.astype(np.int32), channel.astype(np.uint8)
    table = pa.Table.from_pandas(rows[QUOTE_SCHEMA.names], schema=QUOTE_SCHEMA, preserve_index=False)
    which, names = pd.factorize(instruments["underlying"])
    quoted = channel == Channel.QUOTE
    first, last = np.full(len(instruments), np.iinfo(np.int64).max), np.full(len(names), -1)
    np.minimum.at(first, code[quoted], t_ns[quoted])
    np.maximum.at(last, which[code[quoted]], t_ns[quoted])
    seen = np.unique(code[quoted])
    order, spans = _spans(which[code], t_ns // NS_PER_DAY)
    return SortedChunk(
        file=chunk.file,
        instruments=instruments,
        first_quote=dict(zip(instruments.index[seen], first[seen].tolist(), strict=True)),
        last_quote={str(name): int(t) for name, t in zip(names, last, strict=True) if t >= 0},
        table=table.take(pa.array(order)),
        spans={(str(names[number]), day): span for (number, day), span in spans.items()},
        passed_over=dict(chunk.passed_over),
        rates=rates_of(rows),
        breaks=_breaks_of(chunk, spec, window),
        read_ns=read_ns,
        intervals=intervals,
        deliveries=chunk.deliveries,
    )


def _stated_intervals(rows: pd.DataFrame) -> dict[str, IntArray]:
    of = rows[(rows["channel"] == Channel.SETTLE) & (rows[INTERVAL] > 0)]
    return {str(name): part[["t_ns", INTERVAL]].to_numpy(np.int64) for name, part in of.groupby("name")}


def _breaks_of(chunk: Chunk, spec: SourceSpec, window: BuildWindow | None) -> tuple[BarBreak, ...]:
    """Return the breaks of the chunk at the times of its rows: shifted as labels are, and cut to the window."""
    shift_ns = label_shift_ns(spec)
    shifted = (replace(gap, close_ns=gap.close_ns + shift_ns) for gap in chunk.breaks)
    return tuple(gap for gap in shifted if window is None or window[0] <= gap.close_ns < window[1])


def span_of_both(left: Span, right: Span) -> Span:
    """Return the first and the last time of both spans; None where neither has any."""
    spans = [span for span in (left, right) if span is not None]
    return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None


def no_rows(read_ns: Span, window: BuildWindow | None) -> str:
    """Return why a build ended without a row: its files hold none, or none of the days that the plan reads."""
    if read_ns is None or window is None:
        return "expected at least one row in the files of the sources, was none: every file that matches is empty"
    begin, end, first, last = (str(np.datetime64(t_ns // 10**9, "s")) for t_ns in (*window, *read_ns))
    return (
        f"expected rows from {begin} to {end} UTC, which the plan reads (its windows, their history and a day before), "
        f"was none: the files hold {first} to {last} UTC; name files of those days, or change split.windows"
    )


def _cut(
    instruments: pd.DataFrame, rows: pd.DataFrame, code: IntArray, window: BuildWindow
) -> tuple[pd.DataFrame, pd.DataFrame, IntArray]:
    """Return all three without the rows outside the window and the instruments that had no others."""
    t_ns = rows["t_ns"].to_numpy()
    inside = (t_ns >= window[0]) & (t_ns < window[1])
    # an instrument that the chunk lists without any row is kept: a listing is knowledge of its own
    kept = np.ones(len(instruments), dtype=bool)
    kept[code] = False
    kept[code[inside]] = True
    return instruments[kept], rows[inside].reset_index(drop=True), (np.cumsum(kept) - 1)[code[inside]]


def _spans(which: IntArray, day: IntArray) -> tuple[IntArray, dict[tuple[int, int], tuple[int, int]]]:
    """Return the order of rows by (which, day), stable, and where each pair begins and ends in it."""
    # stable, so rows of one day keep the order in which the source has them
    order = np.lexsort((day, which))
    which, day = which[order], day[order]
    starts = np.flatnonzero((np.diff(which, prepend=-1) != 0) | (np.diff(day, prepend=-1) != 0))
    stops = np.append(starts, len(order))[1:]
    return order, {
        (int(which[start]), int(day[start])): (int(start), int(stop)) for start, stop in zip(starts, stops, strict=True)
    }
