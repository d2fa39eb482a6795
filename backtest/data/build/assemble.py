"""Builds a canonical data set from sources: read, check, shift, merge, sort, write.  [S1.8, S8.2]

    part of a source (checked, shifted, cut) -> rows by (underlying, day) -> merged -> writer (sort, validate, hash)

Rows wait in memory up to a limit and then on disk inside the writer's hidden folder, so that memory is bounded by one
day, and an error leaves nothing half-written behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from backtest.data.adapters.base import Adapter, SourceSpec
from backtest.data.adapters.files import check_fit
from backtest.data.build.chunk import BuildWindow, SortedChunk, Span, no_rows, parts_of, span_of_both
from backtest.data.build.deliveries import StatedDeliveries
from backtest.data.build.findings import SourceFindings, with_findings
from backtest.data.build.intervals import StatedIntervals
from backtest.data.build.normalise import merge_instrument
from backtest.data.build.waiting import DayKey, WaitingRows
from backtest.data.format.dataset import SourceNote
from backtest.data.format.schema import QUOTE_SCHEMA, VALUE_COLUMNS, Channel, instruments_from_frame
from backtest.data.format.writer import DatasetWriter
from engine.errors import DataError, UsageError
from engine.records import Instruments

BuildProgress = Callable[[str, int, int | None], None]
"""Called with what is being done, how much of it is done, and of how much (None: unknown)."""


@dataclass(slots=True)
class _Market:
    """What the chunks so far contain: instruments by name, their provisional numbers, first quotes, grid times."""

    instruments: dict[str, dict[str, object]] = field(default_factory=dict)
    seen: set[tuple[Any, ...]] = field(default_factory=set)
    number: dict[str, int] = field(default_factory=dict)
    first_quote: dict[str, int] = field(default_factory=dict)
    grids: dict[str, set[int]] = field(default_factory=dict)
    intervals: StatedIntervals = field(default_factory=StatedIntervals)
    deliveries: StatedDeliveries = field(default_factory=StatedDeliveries)
    read_ns: Span = None  # first and last time of every row read, inside the window or not


def build(
    specs: Sequence[SourceSpec],
    data_root: Path,
    out: Path,
    name: str,
    grid_ns: int,
    grid_from: str = "",
    progress: BuildProgress | None = None,
    adapters: Sequence[Adapter] | None = None,
    registration_text: str | None = None,
    window: BuildWindow | None = None,
    workers: int = 1,
) -> Path:
    """Build the data set ``out`` from ``specs`` and return its folder.

    Parameters
    ----------
    specs : sequence of SourceSpec
        The sources: adapter, files, options.
    data_root : Path
        The folder under which the paths of the sources lie.
    out : Path
        The folder to write: new, empty, or a data set of the same content.
    name : str
        The name of the data set.
    grid_ns : int
        The step of a regular grid in ns; 0 makes one of snapshot times: of each underlying the time of the last quote
        of each chunk of a source whose adapter is ``grid_from`` or whose options hold ``grid = true``.
    grid_from : str, optional
        Name of an adapter, for ``grid_ns`` 0.
    progress : callable, optional
        Called with what is being done, steps done and steps in all.
    adapters : sequence of Adapter, optional
        Those of :mod:`backtest.data.adapters.registry` by default.
    registration_text : str, optional
        The plan, stored in the data set as ``registration.toml``.
    window : (int, int), optional
        Knowable times [from, to) in ns; rows outside, and instruments that have no others, are left out.
    workers : int, optional
        Processes; their number changes no byte.

    Returns
    -------
    Path
        The folder of the data set, for :func:`backtest.data.format.dataset.open_dataset`.

    Raises
    ------
    UsageError
        If a source names an unknown adapter, lacks an option or has one that does not fit (2), or ``out`` holds
        something else.
    MissingError
        If no file matches a source (3).
    DataError
        If a file is not in the form of its adapter, or two sources contradict each other (4).
    WriteError
        If the disk refuses (5).  After any error nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> from backtest.data.adapters.base import SourceSpec
    >>> from backtest.data.format.dataset import open_dataset
    >>> temporary = tempfile.TemporaryDirectory()
    >>> folder = Path(temporary.name)
    >>> _ = (folder / "btc.csv").write_text("ts,close\\n1767225600000,90000\\n1767229200000,90100\\n")
    >>> options = {"venue": "binance", "kind": "spot", "base": "BTC", "quote": "USDT", "feed": "bar", "bar": "1h"}
    >>> options |= {"label": "ms", "drop_zero_volume": False, "drop_last": False}
    >>> source = SourceSpec("candles_csv", "btc.csv", options, "an example", "none")
    >>> dataset = open_dataset(build([source], folder, folder / "set", "example", grid_ns=3_600_000_000_000))
    >>> dataset.instruments.name, dataset.underlyings, sorted(dataset.files)[-1]
    (('binance:BTCUSDT',), ('BTC',), 'quotes/BTC/2026-01-01.parquet')
    >>> temporary.cleanup()
    """
    known = {adapter.name: adapter for adapter in (_registered() if adapters is None else adapters)}
    report = progress or (lambda _what, _done, _of: None)
    for spec in specs:
        if spec.adapter not in known:
            names = ", ".join(sorted(known))
            raise UsageError(f"source {spec.path}: expected an adapter of {names}, was {spec.adapter!r}")
        check_fit(spec, grid_ns == 0, "grid", "a grid of snapshot times")
    notes = [
        SourceNote(f"{s.adapter}:{s.path}", s.adapter, known[s.adapter].verification_note, (s.reason,)) for s in specs
    ]
    with DatasetWriter(out, name, grid_ns, synthetic=False, sources=notes) as writer:
        waiting, market, findings = WaitingRows(writer.scratch()), _Market(), [SourceFindings() for _ in specs]
        for spec, of_source in zip(specs, findings, strict=True):
            is_grid = grid_ns == 0 and (spec.adapter == grid_from or spec.options.get("grid") is True)
            for number, part in enumerate(parts_of(known[spec.adapter], data_root, spec, window, workers)):
                report(f"read {part.file}", number + 1, None)
                _take_in(part, spec, is_grid, market, waiting)
                of_source.add(part.passed_over, part.rates, part.breaks)
        if not waiting.sources:
            raise DataError(no_rows(market.read_ns, window))
        for key, table, source in market.deliveries.tables(market.instruments, market.number):
            if key in waiting.sources:
                waiting.add(key, table, source)
        writer.set_sources(with_findings(notes, findings, market.instruments))
        writer.set_funding_steps(market.intervals.put_into(market.instruments))
        instruments = _instruments(market)
        writer.set_instruments(instruments)
        for underlying, times in market.grids.items():
            writer.set_grid(underlying, np.array(sorted(times), dtype=np.int64))
        # rows carry provisional codes until all names are known, as final codes follow the order of names
        code = np.empty(len(market.number), dtype=np.int32)
        for final, name_of_code in enumerate(instruments.name):
            code[market.number[name_of_code]] = final

        def write(key: DayKey) -> None:
            sources, licences = (list(dict.fromkeys(text)) for text in zip(*waiting.sources[key], strict=True))
            table = _merged(waiting.take(key), code, instruments)
            writer.write_day(*key, table, "; ".join(sources)[:1024], "; ".join(licences)[:1024])

        keys = sorted(waiting.sources)
        # threads, as Parquet encoding releases the interpreter lock and rows need not be copied
        with ThreadPoolExecutor(max(1, workers)) as pool:
            for number, _ in enumerate(pool.map(write, keys), 1):
                report("write days", number, len(keys))
        if registration_text is not None:
            writer.add_registration(registration_text)
        return writer.finish()


def _take_in(part: SortedChunk, spec: SourceSpec, is_grid: bool, market: _Market, waiting: WaitingRows) -> None:
    """Remember the instruments of one part, and put its rows where they wait, under provisional codes."""
    for statement in _statements(part):
        # Snapshots list the same instrument hundreds of times, and merging an equal row again adds nothing.
        if statement in market.seen:
            continue
        market.seen.add(statement)
        name, quoted, *values = statement
        fresh: dict[str, object] = {
            "quoted": quoted,
            **{str(key): np.nan if v is None else v for key, v in zip(part.instruments, values, strict=True)},
        }
        known = market.instruments.get(name)
        market.instruments[name] = fresh if known is None else merge_instrument(known, fresh, quoted, part.file)
        market.number.setdefault(name, len(market.number))
    for name, t_ns in part.first_quote.items():
        market.first_quote[name] = min(t_ns, market.first_quote.get(name, t_ns))
    for underlying, t_ns in part.last_quote.items() if is_grid else ():
        market.grids.setdefault(underlying, set()).add(t_ns)
    table = _coded(part.table, np.array([market.number[str(name)] for name in part.instruments.index], dtype=np.int32))
    market.read_ns = span_of_both(market.read_ns, part.read_ns)
    market.intervals.add(part.file, part.intervals)
    market.deliveries.add(part.deliveries, (part.file, spec.licence))
    for key, (start, stop) in part.spans.items():
        waiting.add(key, table.slice(start, stop - start), (part.file, spec.licence))


def _statements(part: SortedChunk) -> Iterator[tuple[Any, ...]]:
    """Yield for each instrument of the part: name, whether it is quoted, and its row with None for NaN (comparable)."""
    columns = []
    for name in part.instruments:
        values = part.instruments[name].tolist()
        columns.append([None if value != value else value for value in values])
    names = [str(name) for name in part.instruments.index]
    return zip(names, (name in part.first_quote for name in names), *columns, strict=True)


def _coded(table: pa.Table, number: np.ndarray) -> pa.Table:
    """Return the rows with ``number[code]`` for each code."""
    return table.set_column(2, QUOTE_SCHEMA.field("code"), pa.array(number[table.column("code").to_numpy()]))


def _instruments(market: _Market) -> Instruments:
    """Return the instruments of all sources; refuse an expiry before the first quote."""
    for name, t_ns in market.first_quote.items():
        expiry = int(str(market.instruments[name]["expiry_ns"]))
        if expiry < t_ns:
            raise DataError(
                f"instrument {name}: expected an expiry after its first quote ({np.datetime64(t_ns, 'ns')}), "
                f"was {np.datetime64(expiry, 'ns')}"
            )
    return instruments_from_frame(pd.DataFrame(list(market.instruments.values())).drop(columns="quoted"))


def _merged(table: pa.Table, code: np.ndarray, instruments: Instruments) -> pa.Table:
    """Return the rows under their final codes, complementary rows of one moment joined.

    Mark and index may come from two files: rows of one (channel, t_ns, code) are joined if no value column is given
    twice.  Raises ``DataError`` (4) if one is: two sources hold the same value of the same time.
    """
    table = _coded(table, code)
    keys = [table.column(name).to_numpy() for name in ("code", "t_ns", "channel")]
    # equal keys become neighbours
    order = np.lexsort(keys)
    equal = np.logical_and.reduce([key[order[1:]] == key[order[:-1]] for key in keys])
    if not equal.any():
        return table
    twice = np.zeros(len(order), dtype=bool)
    twice[order[1:][equal]] = twice[order[:-1][equal]] = True
    groups = table.filter(pa.array(twice)).to_pandas().groupby(["channel", "t_ns", "code"])
    counts = groups[list(VALUE_COLUMNS)].count().max(axis=1)
    if (counts > 1).any():
        channel, t_ns, of_code = counts.index[int(np.argmax(counts.to_numpy() > 1))]
        raise DataError(
            f"expected one row a (channel, time, instrument), was two or more of {Channel(channel).name} "
            f"{np.datetime64(int(t_ns), 'ns')} {instruments.name[of_code]} ({int((counts > 1).sum())} such rows): "
            f"two sources overlap, or one repeats itself; drop one"
        )
    joined = groups[list(VALUE_COLUMNS)].first().reset_index()
    # only rows that occur twice go through pandas: they are few
    kept = table.filter(pa.array(~twice))
    return pa.concat_tables([kept, pa.Table.from_pandas(joined, schema=QUOTE_SCHEMA, preserve_index=False)])


def _registered() -> Sequence[Adapter]:
    # every adapter's imports, only when a build needs them
    from backtest.data.adapters.registry import ADAPTERS

    return ADAPTERS
