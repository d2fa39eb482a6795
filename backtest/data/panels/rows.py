"""Rows of a quote file by channel: read, merged in time order, and reduced to what the next day needs.  [S1.8]"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from backtest.data.format.dataset import Dataset, parse_parquet, quote_path
from backtest.data.format.schema import CHANNEL_COLUMNS, FX, LAG, REFRESHED, Channel, quote_schema
from engine.arguments import require_columns
from engine.errors import DataError
from engine.records import BoolArray, CodeArray, FloatArray, IntArray
from engine.units import NS_PER_DAY

# Channels whose every row matters later: averages and sums reach back into the day before.
_KEPT_WHOLE: Final = (Channel.FUNDING, Channel.SETTLE)

MANY_ROWS: Final = 200_000
"""Above it a file is decoded by several threads; below, starting them takes longer than the work."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one channel, in time order for each code; every column has shape (n,).

    Raises ``DataError`` if a column is of another dtype or length.
    """

    t_ns: IntArray  # when the row was knowable, ns UTC
    code: CodeArray
    value: Mapping[str, FloatArray]  # by value column of the channel, recorded quotes also lag and refreshed; NaN: none

    def __post_init__(self) -> None:
        require_columns(self, (len(self.t_ns),))

    def __len__(self) -> int:
        return len(self.t_ns)

    def where(self, keep: BoolArray | IntArray) -> Rows:
        return Rows(self.t_ns[keep], self.code[keep], {name: column[keep] for name, column in self.value.items()})


DayRows = Mapping[Channel, Rows]


class DayBounds(NamedTuple):
    """The UTC day, as days since 1970-01-01, and the number of instruments that the rows of a quote file belong to."""

    day: int
    instruments: int


def load_day(dataset: Dataset, underlying: str, day: int, wanted: BoolArray | None) -> tuple[DayRows, ...]:
    """Return the rows of one day of ``underlying`` and then those of ``FX``, part by part as they are stored.

    ``wanted``, shape (instruments,), restricts the codes (None: all).  The result is empty if there is no file.  Of one
    channel and file the later part is later in time.  Raises ``DataError``
    (4), naming the file, for what :func:`read_parts` refuses and for rows out of order, outside the day or without an
    instrument.
    """
    bounds = DayBounds(day, len(dataset.instruments))
    paths = (quote_path(name, day) for name in (underlying, FX))
    return tuple(
        part
        for path in paths
        if path in dataset.files
        for part in read_parts(dataset.read(path), dataset.path / path, wanted, bounds)
    )


def read_channels(data: bytes, where: object) -> DayRows:
    """Return the rows of a quote file's bytes, each channel with its own columns.

    Raises ``DataError`` (4) as :func:`read_parts` does.
    """
    parts = read_parts(data, where, None)
    return merge(parts, {channel for part in parts for channel in part})


def read_parts(data: bytes, where: object, wanted: BoolArray | None, bounds: DayBounds | None = None) -> list[DayRows]:
    """Return the rows of a quote file's bytes, a part each row group, so that they are not copied together.

    ``wanted``, shape (instruments,), restricts the codes (None: all); ``bounds`` is what the rows have to lie in (None:
    not checked).  Raises ``DataError`` (4) naming ``where`` for a truncated file, other columns, a row group of mixed
    channels, and rows out of order, outside the day or without an instrument.
    """
    file = parse_parquet(data, where)
    schema = quote_schema(file.schema_arrow.names)
    if not file.schema_arrow.equals(schema):
        raise DataError(
            f"{where}: expected the columns {', '.join(schema.names)} of their types, "
            f"was {'; '.join(str(field) for field in file.schema_arrow)}"
        )
    channel_column = file.schema_arrow.get_field_index("channel")
    # decided for the file: its groups are of like size
    threads = file.metadata.num_rows > MANY_ROWS
    parts: list[DayRows] = []
    last_ns: dict[Channel, int] = {}
    for number in range(file.num_row_groups):
        statistics = file.metadata.row_group(number).column(channel_column).statistics
        if statistics is None or statistics.min != statistics.max or statistics.min > max(Channel):
            raise DataError(f"{where}: expected one known channel a row group, was {statistics}")
        channel = Channel(statistics.min)
        columns = CHANNEL_COLUMNS[channel]
        if channel == Channel.QUOTE and LAG in schema.names:
            columns = (*columns, LAG, REFRESHED)
        table = file.read_row_group(number, columns=["t_ns", "code", *columns], use_threads=threads)
        t_ns, code, *values = (table.column(name).to_numpy() for name in ("t_ns", "code", *columns))
        # lags of days are whole in a double
        doubles = (value.astype(np.float64, copy=False) for value in values)
        rows = Rows(t_ns, code, dict(zip(columns, doubles, strict=True)))
        # statistics of the file are the word of its writer: the rows themselves are checked
        if bounds is not None and len(rows):
            _check_rows(rows, bounds, last_ns.get(channel, t_ns[0]), f"{where}, channel {channel.name}")
            last_ns[channel] = t_ns[-1]
        parts.append({channel: rows if wanted is None else rows.where(np.flatnonzero(wanted[code]))})
    return parts


def _check_rows(rows: Rows, bounds: DayBounds, after_ns: int, where: str) -> None:
    """Refuse rows that the as-of join would take for others: another program may have written the file."""
    t_ns, code, day_ns = rows.t_ns, rows.code, bounds.day * NS_PER_DAY
    if t_ns[0] < after_ns or (t_ns[1:] < t_ns[:-1]).any():
        raise DataError(f"{where}: expected rows in the order of time, was another order")
    if t_ns[0] < day_ns or t_ns[-1] >= day_ns + NS_PER_DAY:
        raise DataError(f"{where}: expected t_ns inside UTC day {bounds.day}, was {t_ns[0]} to {t_ns[-1]}")
    if code.min() < 0 or code.max() >= bounds.instruments:
        raise DataError(f"{where}: expected codes under {bounds.instruments}, was {code.min()} to {code.max()}")


def merge(parts: Sequence[DayRows], channels: Collection[Channel]) -> DayRows:
    """Concatenate each of ``channels``; of any one code the later part is later in time."""
    merged: dict[Channel, Rows] = {}
    for channel in sorted(channels):
        columns = CHANNEL_COLUMNS[channel]
        some = [part[channel] for part in parts if channel in part]
        merged[channel] = (
            some[0]
            if len(some) == 1
            else Rows(
                np.concatenate([np.empty(0, np.int64), *(rows.t_ns for rows in some)]),
                np.concatenate([np.empty(0, np.int32), *(rows.code for rows in some)]),
                {name: np.concatenate([np.empty(0), *(rows.value[name] for rows in some)]) for name in columns},
            )
        )
    return merged


def tail_of(rows: DayRows) -> DayRows:
    """Return what a day hands to the next: for each code the last row, and the last value of each mark column."""
    kept: dict[Channel, Rows] = {}
    for channel, of_channel in rows.items():
        if channel in _KEPT_WHOLE:
            kept[channel] = of_channel
        elif channel == Channel.MARK:
            last = [_last(of_channel.code, np.flatnonzero(~np.isnan(column))) for column in of_channel.value.values()]
            kept[channel] = of_channel.where(np.unique(np.concatenate(last)))
        else:
            kept[channel] = of_channel.where(_last(of_channel.code, np.arange(len(of_channel))))
    return kept


def _last(code: CodeArray, numbers: IntArray) -> IntArray:
    """Return, ascending, the last row of each code among the ``numbers`` of rows, which ascend."""
    if not len(numbers):
        return numbers
    last = np.full(int(code.max()) + 1, -1, dtype=np.int64)
    # assigned in order: the last one stays
    last[code[numbers] if len(numbers) < len(code) else code] = numbers
    return np.sort(last[last >= 0])
