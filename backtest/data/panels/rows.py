"""Rows of a quote file by channel: read, merged in time order, and reduced to what the next day needs.  [S1.8]"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from backtest.data.format.dataset import Dataset, parse_parquet, quote_path
from backtest.data.format.quote_file import LINEAR_FILE, LinearPart
from backtest.data.format.schema import CHANNEL_COLUMNS, FX, LAG, REFRESHED, Channel, quote_schema
from engine.arguments import require_columns
from engine.errors import DataError
from engine.records import BoolArray, CodeArray, FloatArray, IntArray, Kind
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
    """What the rows of a quote file belong to: the UTC day since 1970-01-01, and by code whether it is an option."""

    day: int
    option: BoolArray


def load_day(dataset: Dataset, underlying: str, day: int, wanted: BoolArray | None) -> tuple[DayRows, ...]:
    """Return the rows of one day of ``underlying`` and then those of ``FX``, part by part as they are stored.

    ``wanted``, shape (instruments,), restricts the codes (None: all); where no option is wanted, only the part of a
    file without options is read, if it has one.  The result is empty if there is no file.  Of one
    channel, file and instrument the later part is later in time.  Raises ``DataError``
    (4), naming the file, for what :func:`read_parts` refuses and for rows out of order, outside the day or without an
    instrument.
    """
    bounds = DayBounds(day, dataset.instruments.kind == Kind.OPTION)
    linear_only = wanted is not None and not wanted[bounds.option].any()
    read = dataset.read_linear if linear_only else dataset.read
    paths = (quote_path(name, day) for name in (underlying, FX))
    return tuple(
        rows
        for path in paths
        if path in dataset.files
        for rows in read_parts(
            read(path), dataset.path / path, wanted, bounds, dataset.linear_parts.get(path), linear_only
        )
    )


def read_channels(
    data: bytes, where: object, bounds: DayBounds | None = None, linear: LinearPart | None = None
) -> DayRows:
    """Return the rows of a quote file's bytes, each channel with its own columns.

    ``bounds`` and ``linear`` are checked as :func:`read_parts` does, which says what raises ``DataError`` (4).
    """
    parts = read_parts(data, where, None, bounds, linear)
    return merge(parts, {channel for part in parts for channel in part})


def read_parts(
    data: bytes | bytearray,
    where: object,
    wanted: BoolArray | None,
    bounds: DayBounds | None = None,
    linear: LinearPart | None = None,
    linear_only: bool = False,
) -> list[DayRows]:
    """Return the rows of a quote file's bytes, a part each row group, so that they are not copied together.

    ``wanted``, shape (instruments,), restricts the codes (None: all); ``bounds`` is what the rows have to lie in (None:
    not checked).  ``linear`` is the part of the file that is listed as having no options (None: none); with
    ``linear_only`` the rest is not parsed.  Raises ``DataError`` (4) naming ``where`` for a truncated file, other
    columns, a row group of mixed
    channels, and rows out of order, outside the day, without an instrument or in the wrong part.
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
    before: dict[Channel, list[Rows]] = {}
    for number in range(file.num_row_groups):
        column = file.metadata.row_group(number).column(channel_column)
        in_linear = linear is not None and column.data_page_offset < linear.head
        if linear_only and linear is not None and not in_linear:
            continue
        statistics = column.statistics
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
            of_channel = before.setdefault(channel, [])
            _check_rows(rows, bounds, of_channel, f"{where}, channel {channel.name}")
            of_option = bounds.option[code]
            if linear is not None and (of_option.any() if in_linear else not of_option.all()):
                raise DataError(
                    f"{where}: expected options in the row groups from byte {linear.head} on and in no other, as "
                    f"{LINEAR_FILE} says, was another file; build the data set again"
                )
            of_channel.append(rows)
        parts.append({channel: rows if wanted is None else rows.where(np.flatnonzero(wanted[code]))})
    return parts


def _check_rows(rows: Rows, bounds: DayBounds, before: Sequence[Rows], where: str) -> None:
    """Refuse rows that the as-of join would take for others: another program may have written the file.

    ``before`` are the earlier row groups of the channel.
    """
    t_ns, code, day_ns = rows.t_ns, rows.code, bounds.day * NS_PER_DAY
    if t_ns[0] < day_ns or t_ns.max() >= day_ns + NS_PER_DAY:
        raise DataError(f"{where}: expected t_ns inside UTC day {bounds.day}, was {t_ns[0]} to {t_ns[-1]}")
    if code.min() < 0 or code.max() >= len(bounds.option):
        raise DataError(f"{where}: expected codes under {len(bounds.option)}, was {code.min()} to {code.max()}")
    earlier = bool(before) and t_ns[0] < before[-1].t_ns[-1]
    if (t_ns[1:] < t_ns[:-1]).any() or (earlier and not _begins_options(rows, bounds, before)):
        raise DataError(f"{where}: expected rows in the order of time, was another order")


def _begins_options(rows: Rows, bounds: DayBounds, before: Sequence[Rows]) -> bool:
    """Return whether ``rows`` are options and ``before`` are none: each of the two has an order of its own."""
    return bool(bounds.option[rows.code].all()) and not any(bounds.option[each.code].any() for each in before)


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
