"""Checks the chunk of an adapter and puts its times right.  [S1.1, S1.5, S8.2]"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters.base import INTERVAL, Chunk, SourceSpec
from backtest.data.format.schema import INSTRUMENT_SCHEMA, VALUE_COLUMNS, VENUES, Channel, instruments_from_frame
from backtest.data.format.validate import out_of_range, range_text
from engine.errors import DataError, UsageError
from engine.records import BoolArray, Feed, IntArray
from engine.units import NS_PER_HOUR, NS_PER_SECOND

EARLIEST_NS: Final = int(np.datetime64("2009-01-03", "ns").astype(np.int64))
LATEST_NS: Final = int(np.datetime64("2100-01-01", "ns").astype(np.int64))
"""No market of this kind has a quote outside; a stamp that falls outside was read in the wrong unit."""

SETTLE_JITTER_NS: Final = 60 * NS_PER_SECOND
"""Venues stamp a settlement some milliseconds to seconds late; further off the schedule, the labels are wrong."""

_CONSTANT: Final = [
    f.name for f in INSTRUMENT_SCHEMA if f.name not in ("tick", "feed", "bar_ns", "funding_interval_ns")
]


def rows_of(chunk: Chunk, spec: SourceSpec, ordered: bool) -> pd.DataFrame:
    """Return the chunk's rows with all columns, checked and shifted by the registered ``label_shift_ns``.

    ``interval_ns`` is 0 where no interval is stated.
    Raises ``DataError`` (4), naming file, instrument, time and value, for a stamp outside 2009 to 2100, an unknown
    channel, a name without instrument, a value out of range, a mark or rate without a value, or times that run
    backwards where the adapter promises order (``ordered``).
    """
    where = chunk.file
    rows = chunk.rows.reset_index(drop=True)
    known = ["channel", "t_ns", "name", INTERVAL, *VALUE_COLUMNS]
    for name in VALUE_COLUMNS:
        if name not in rows:
            rows[name] = np.nan
    if INTERVAL not in rows:
        rows[INTERVAL] = 0
    rows = rows[known].astype(dict.fromkeys(VALUE_COLUMNS, "float64"))
    rows["t_ns"] = rows["t_ns"].astype("int64") + label_shift_ns(spec)
    _refuse(rows, (rows.t_ns < EARLIEST_NS) | (rows.t_ns >= LATEST_NS), "t_ns",
            "a time in 2009 to 2100 (is the source's unit ms, us or ns?)", where)  # fmt: skip
    _refuse(rows, ~rows.channel.isin(list(Channel)), "channel", f"a channel 0 to {max(Channel)}", where)
    _refuse(rows, ~rows["name"].isin(chunk.instruments["name"]), "name", "an instrument of the same chunk", where)
    if ordered:
        _refuse(rows, _backwards(rows), "t_ns", "times of one instrument and channel in order", where)
    for name in VALUE_COLUMNS:
        _refuse(rows, out_of_range(name, rows[name].to_numpy()), name, range_text(name), where)
    # a quote without any value is an empty book
    lacking = rows.channel.ne(Channel.QUOTE) & rows[list(VALUE_COLUMNS)].isna().all(axis=1)
    _refuse(rows, lacking, "channel", "a value", where)
    return rows


def snap_settlements(rows: pd.DataFrame, interval_ns: IntArray, where: str) -> None:
    """Put each ``SETTLE`` row on its schedule, multiples of its interval since 1970-01-01, in place.  [S1.5]

    ``interval_ns``, shape (n,), holds the interval of each row, which it states or its instrument has.  Raises
    ``DataError`` (4) if a row is more than a minute off (its labels are shifted, or the interval is not the declared
    one) or its interval is 0.
    """
    settle_rows = np.flatnonzero((rows.channel == Channel.SETTLE).to_numpy())
    if not len(settle_rows):
        return
    t_ns, step = rows.t_ns.to_numpy()[settle_rows], interval_ns[settle_rows]
    # Before the division below.
    if (step <= 0).any():
        name = rows["name"].iloc[settle_rows[np.argmin(step)]]
        raise DataError(
            f"{where}: expected a funding interval of {name}, whose settlements are given, was none: set "
            "funding_h of the source"
        )
    # the nearest multiple, not the one before: a stamp may be early as well as late
    due = (t_ns + step // 2) // step * step
    off = np.abs(t_ns - due)
    if (off > SETTLE_JITTER_NS).any():
        worst = int(np.argmax(off))
        name = rows["name"].iloc[settle_rows[worst]]
        raise DataError(
            f"{where}: expected settlements of {name} each {step[worst] / NS_PER_HOUR:g} h from 00:00 UTC on, "
            f"was {np.datetime64(int(t_ns[worst]), 'ns')}, {off[worst] // NS_PER_SECOND} s off; declare "
            f"label_shift_ns if the labels are shifted"
        )
    rows.loc[rows.index[settle_rows], "t_ns"] = due


def label_shift_ns(spec: SourceSpec) -> int:
    """Return the registered shift of a source's labels in ns, 0 by default; raise ``UsageError`` (2) for no integer."""
    shift = spec.options.get("label_shift_ns", 0)
    # a bool is an int in Python, and True would be a shift of one nanosecond
    if isinstance(shift, bool) or not isinstance(shift, int):
        raise UsageError(f"source {spec.path}: expected label_shift_ns as an integer, was {shift!r}")
    return shift


def check_instruments(chunk: Chunk) -> pd.DataFrame:
    """Return the chunk's instruments by name; raise ``DataError`` (4) for a wrong form or an unknown venue."""
    try:
        instruments_from_frame(chunk.instruments)
    except DataError as error:
        raise DataError(f"{chunk.file}: {error}") from error
    strange = sorted(set(chunk.instruments["venue"]) - set(VENUES))
    if strange:
        raise DataError(f"{chunk.file}: expected a venue of {', '.join(VENUES)}, was {strange}")
    return chunk.instruments.set_index("name", drop=False)


def merge_instrument(known: dict[str, object], new: dict[str, object], quoted: bool, where: str) -> dict[str, object]:
    """Return one row for an instrument of which two sources have one each.

    What an instrument *is* must agree.  A missing tick or funding interval is filled.  ``quoted``: the new source
    brings quotes, so its feed counts; ``known["quoted"]`` is the same of the other.  Of two feeds the poorer one is
    taken, but bars never mix with quotes, nor bars of two lengths: their close would be carried as if it were a touch.
    Raises ``DataError`` (4) naming ``where`` if the two contradict each other.
    """
    merged = dict(known)
    for name in _CONSTANT:
        if known[name] != new[name] and not (known[name] != known[name] and new[name] != new[name]):
            raise DataError(
                f"{where}: expected {name} = {known[name]!r} of {known['name']} as in another source, was "
                f"{new[name]!r}; give both sources the same options"
            )
    if known["tick"] != known["tick"]:
        merged["tick"] = new["tick"]
    intervals = {int(str(row["funding_interval_ns"])) for row in (known, new)} - {0}
    if len(intervals) > 1:
        hours = " and ".join(f"{ns / NS_PER_HOUR:g} h" for ns in sorted(intervals))
        raise DataError(
            f"{where}: expected one funding interval of {known['name']}, was {hours}: give its sources "
            "the same funding_h"
        )
    merged["funding_interval_ns"] = intervals.pop() if intervals else 0
    if quoted and known["quoted"]:
        feeds = {int(str(known["feed"])), int(str(new["feed"]))}
        if known["bar_ns"] != new["bar_ns"] or (Feed.BAR in feeds and len(feeds) > 1):
            raise DataError(
                f"{where}: expected quotes or bars of one length for {known['name']}, was both: drop one source"
            )
        # feeds are ordered by what they know: the poorer one decides the cost model
        merged["feed"] = max(feeds)
    elif quoted:
        merged.update(feed=new["feed"], bar_ns=new["bar_ns"], quoted=True)
    return merged


def _backwards(rows: pd.DataFrame) -> pd.Series:
    """Mark each row that is earlier than the one before it of its channel and instrument.

    In integers: pandas takes differences within groups in floating point, which swallows nanoseconds.
    """
    group = rows.groupby(["channel", "name"], sort=False).ngroup().to_numpy()
    order = np.argsort(group, kind="stable")
    t_ns = rows.t_ns.to_numpy()[order]
    back = np.zeros(len(rows), dtype=bool)
    back[order[1:]] = (group[order[1:]] == group[order[:-1]]) & (t_ns[1:] < t_ns[:-1])
    return pd.Series(back, index=rows.index)


def _refuse(rows: pd.DataFrame, bad: pd.Series | BoolArray, column: str, expected: str, where: str) -> None:
    """Raise for the first bad row, by instrument and time: its number is that of no file that anybody has."""
    bad = np.asarray(bad)
    if not bad.any():
        return
    row = int(np.flatnonzero(bad)[0])
    t_ns, code = int(rows["t_ns"].to_numpy()[row]), int(rows["channel"].to_numpy()[row])
    value = rows[column].to_numpy()[row]
    when = np.datetime64(t_ns, "ns")
    kind = Channel(code).name if code in list(Channel) else "a row"
    shown = f"{when} ({t_ns} ns)" if column == "t_ns" else "none" if expected == "a value" else str(value)
    raise DataError(
        f"{where}, {kind} of {rows['name'].to_numpy()[row]!r} known at {when} UTC, {column}: expected {expected}, "
        f"was {shown} ({int(bad.sum())} such rows); repair the file"
    )
