"""Writes the synthetic market as a data set, with its planted truth.  [statistics 10]

    [data.synthetic] + streams of seeds.lock -> synthetic.market -> DatasetWriter -> DIR with truth.parquet, truth.json

The market imports neither engine nor harness: it receives its streams and returns plain columns.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.data.format.dataset import SYNTHETIC, SourceNote
from backtest.data.format.schema import FX, QUOTE_SCHEMA, instruments_from_frame
from backtest.data.format.writer import DatasetWriter, EncodedDay, encoded_day
from backtest.data.synthetic.draws import Streams
from backtest.data.synthetic.elementary import OutOfRangeError
from backtest.data.synthetic.fields import SpecError
from backtest.data.synthetic.market import SyntheticMarket, build_market
from backtest.data.synthetic.quotes import QuoteColumns
from backtest.data.synthetic.spec import SynthSpec, read_spec
from backtest.data.synthetic.truth import TRUTH_FIELDS, summary, truth_rows
from backtest.data.synthetic.universe import SyntheticListing
from engine.errors import UsageError
from engine.records import Feed, Instruments

QUOTES_A_TASK: Final = 600_000
"""About what a process makes before it returns it: few enough that what waits to be written stays small."""

SOURCE: Final = "synthetic"
LICENCE: Final = "drawn, not observed"

_LEGS: Final = pa.list_(pa.struct([("instrument", pa.string()), ("quantity", pa.float64())]))
_TYPES: Final = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), list: _LEGS}
TRUTH_SCHEMA: Final = pa.schema([(name, _TYPES[kind]) for name, kind in TRUTH_FIELDS.items()])
"""One row a planted violation, and one for every other package that the same quotes violate (``side_effect``)."""

SynthesisProgress = Callable[[str, int, int | None], None]


def spec_of(table: Mapping[str, object], where: str) -> SynthSpec:
    """Return the specification in the table ``data.synthetic`` of the file ``where``.

    Raises ``UsageError`` (2) that names ``where`` and every key that cannot be accepted.
    """
    try:
        return read_spec(table, where)
    except SpecError as problem:
        raise UsageError(str(problem)) from problem


def build_synthetic(
    spec: SynthSpec,
    streams: Streams,
    target: Path,
    name: str,
    workers: int = 1,
    progress: SynthesisProgress | None = None,
    registration_text: str | None = None,
) -> Path:
    """Write the market of ``spec`` as the data set ``target`` and return its folder.

    Parameters
    ----------
    spec : SynthSpec
        The market, from :func:`spec_of`.
    streams : callable
        ``streams(name, replicate)`` opens a named random stream at its beginning, as ``seeds.lock`` does.
    target : Path
        The folder to write: new, empty, or a data set of the same content.
    name : str
        The name of the data set.
    workers : int, optional
        Processes that make the days, which this one writes; their number changes no byte.
    progress : callable, optional
        Called with what is being done, steps done and steps in all.
    registration_text : str, optional
        The plan, stored in the data set as ``registration.toml``.

    Returns
    -------
    Path
        The folder: a data set with ``truth.parquet`` (one row for each planted violation) and ``truth.json`` (counts).

    Raises
    ------
    UsageError
        If the market has no room for its plants (2), or ``target`` holds something else.
    WriteError
        If the disk refuses (5).

    Examples
    --------
    >>> import tempfile, tomllib
    >>> from numpy.random import PCG64
    >>> table = tomllib.loads(Path("configs/demo.toml").read_text())["data"]["synthetic"]
    >>> table |= {"days": 2, "grid_s": 3600, "plants": table["plants"] | {"constraints": {}}}
    >>> spec = spec_of(table, "configs/demo.toml")
    >>> temporary = tempfile.TemporaryDirectory()
    >>> target = Path(temporary.name) / "set"
    >>> folder = build_synthetic(spec, lambda name, replicate: PCG64(replicate), target, "two days")
    >>> sorted(path.name for path in folder.glob("*.parquet"))
    ['instruments.parquet', 'linear_parts.parquet', 'truth.parquet']
    >>> temporary.cleanup()
    """
    try:
        return _written(build_market(spec, streams, workers), target, name, registration_text, workers, progress)
    except SpecError as problem:
        raise UsageError(f"{name}: {problem}") from problem
    except OutOfRangeError as problem:
        # each number is in bounds and together they leave the numbers: a volatility of e^700, a forward below zero
        raise UsageError(
            f"{name}: data.synthetic: expected a market whose prices are numbers above zero, was one that fails with "
            f"{problem}: take smaller deviations"
        ) from problem


def _written(
    market: SyntheticMarket,
    target: Path,
    name: str,
    registration_text: str | None,
    workers: int,
    progress: SynthesisProgress | None,
) -> Path:
    spec = market.spec
    report = progress or (lambda _what, _done, _of: None)
    note = SourceNote("synthetic market", SYNTHETIC, "", ("prices drawn from a model, violations planted",))
    with DatasetWriter(target, name, spec.grid_ns, synthetic=True, sources=[note]) as writer:
        instruments = instruments_of(market)
        writer.set_instruments(instruments)
        of = len(market.days) * (len(spec.underlyings) + 1)
        for number, day in enumerate(_encoded(market, instruments, workers), 1):
            writer.add_day(day, SOURCE, LICENCE)
            report("write days", number, of)
        rows = truth_rows(market)
        span = (spec.start_ns, spec.start_ns + (spec.points - 1) * spec.grid_ns)
        writer.add_file("truth.parquet", _truth_bytes(rows), SOURCE, LICENCE, len(rows), span)
        # ASCII and sorted keys: the file is listed by hash.
        text = json.dumps(summary(market, rows), indent=1, sort_keys=True, ensure_ascii=True)
        writer.add_file("truth.json", (text + "\n").encode("ascii"), SOURCE, LICENCE)
        if registration_text is not None:
            writer.add_registration(registration_text)
        return writer.finish()


def instruments_of(market: SyntheticMarket) -> Instruments:
    """Return the instruments of the market; their codes are those of its rows."""
    return instruments_from_frame(pd.DataFrame([_instrument(listing) for listing in market.listings]))


def _instrument(listing: SyntheticListing) -> dict[str, object]:
    return {
        "name": listing.name,
        "venue": listing.venue,
        "symbol": listing.symbol,
        "underlying": listing.underlying,
        "kind": listing.kind,
        "base": listing.base,
        "quote": listing.quote,
        "settle": listing.settle,
        "contract_size": 1.0,
        "inverse": listing.inverse,
        "expiry_ns": listing.expiry_ns,
        "strike": listing.strike,
        "right": listing.right,
        "tick": listing.tick,
        "feed": int(Feed.BOOK),
        "bar_ns": 0,
        "funding_interval_ns": listing.funding_interval_ns,
    }


def _encoded(market: SyntheticMarket, instruments: Instruments, workers: int) -> Iterator[EncodedDay]:
    """Yield every day of every underlying, made by ``workers`` processes, some days at a time."""
    # imported here: opening a data set needs no process pool
    from joblib import Parallel, delayed

    names = (*market.spec.underlyings, FX)
    a_day = market.spec.steps_a_day * max(len(universe.on(market.days[0])) for universe in market.universes.values())
    # at least one day, however large
    size = max(1, QUOTES_A_TASK // a_day)
    together = [market.days[at : at + size] for at in range(0, len(market.days), size)]
    tasks = (delayed(_encode)(market.of(name), instruments, name, days) for days in together for name in names)
    for made in Parallel(n_jobs=max(1, workers), return_as="generator")(tasks):
        yield from made


def _encode(
    market: SyntheticMarket, instruments: Instruments, underlying: str, days: Sequence[int]
) -> list[EncodedDay]:
    return [encoded_day(instruments, underlying, day, day_table(market, underlying, day)) for day in days]


def day_table(market: SyntheticMarket, underlying: str, day: int) -> pa.Table:
    """Return the rows of one (underlying, day) as a table of ``QUOTE_SCHEMA``, a chunk a channel, NaN as null."""
    return pa.concat_tables([_table(columns) for columns in market.channels(underlying, day)])


def _table(columns: QuoteColumns) -> pa.Table:
    """Return the rows of one channel; the columns it has not are null."""
    rows, arrays = len(columns["code"]), []
    for field in QUOTE_SCHEMA:
        if field.name not in columns:
            arrays.append(pa.nulls(rows, field.type))
            continue
        values = columns[field.name]
        arrays.append(pa.array(values, field.type, mask=np.isnan(values) if field.nullable else None))
    return pa.table(arrays, QUOTE_SCHEMA)


def _truth_bytes(rows: list[dict[str, object]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, TRUTH_SCHEMA), sink, compression="zstd")
    return sink.getvalue()
