"""Checks the declared length of bars against what a file says of it.  [S1.1, S1.5]

A bar is known at its opening label plus its length.  A length declared too short makes closes known before they were:
so the name of the file, the spacing of its labels and its closing times are each compared with the declared length.
Decision 0410.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells
from backtest.data.adapters.base import BarBreak, SourceSpec
from backtest.data.adapters.files import BAR_NS, flag
from engine.errors import DataError
from engine.records import BoolArray, FloatArray, IntArray
from engine.units import BPS, NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND

NO_TRADE: Final = "bars of volume 0"
"""What `Chunk.passed_over` calls a bar in which nothing was traded."""

_UNITS: Final = {"s": 1, "m": 60, "min": 60, "h": 3_600, "H": 3_600, "d": 86_400, "D": 86_400, "w": 604_800}
_INTERVAL: Final = re.compile(r"(?<![A-Za-z0-9])(\d{1,3})(s|min|mo|m|M|h|H|d|D|w)(?![A-Za-z0-9])")
_MONTH_NS: Final = 30 * NS_PER_DAY  # only ever shown and compared with lengths of at most a day
_CLOSES: Final = ("close_time", "closeTime", "Close time", "Close Time", "end_time", "endTime", "T")
# A closing time is the last millisecond or microsecond inside the bar, or the next bar's opening.
_LAST_TICK_NS: Final = NS_PER_SECOND
# Venues east of Greenwich open bars of half a day and a day at their own midnight; shorter ones on every clock's grid.
_OWN_MIDNIGHT_NS: Final = 12 * NS_PER_HOUR
# Of the stored 1 h perps one close in 10,000 is further from the next open; real gaps are as large on the spot market.
_BREAK_BPS: Final = 30.0
_FEW: Final = 3  # gaps, from which on the most frequent one is the length of a bar


def check_bars(
    open_ns: IntArray,
    bar_ns: int,
    spec: SourceSpec,
    file: str,
    where: str,
    close_ns: IntArray | None = None,
    labels: pd.Series | None = None,
) -> None:
    """Raise ``DataError`` (4), with both values, if a file's bars are not of the declared length ``bar_ns``.

    ``open_ns``, shape (n,), are the opening labels of one series in ascending order, before any label shift;
    ``close_ns``, shape (n,), its closing times, if the file has them; ``file`` is the file's name; ``labels``, shape
    (n,), a column of these rows, has the index that numbers them, 1, 2 ... without it.  Refused are another
    interval in the name, a closing time after the label plus the length or usually of another length, labels that come
    closer than the length or usually at another distance, and labels off the grid of the length.  Bars that are left
    out of a file are no fault.
    """
    lengths = [_length_ns(*match) for match in _INTERVAL.findall(file.rpartition("/")[2])]
    if lengths and bar_ns not in lengths:
        raise DataError(_message(where, bar_ns, lengths[0], "by the file's name"))
    if close_ns is not None and len(close_ns):
        _check_closes(close_ns - open_ns, bar_ns, where, labels)
    _check_gaps(open_ns, bar_ns, where, labels)
    shifted = bool(spec.options.get("label_shift_ns", 0))
    phase = open_ns % bar_ns
    # shifted labels are off the grid by what was declared and measured, but all by the same
    grid = NS_PER_HOUR if bar_ns >= _OWN_MIDNIGHT_NS else bar_ns
    off = (phase != phase[:1]) | ((phase % grid != 0) & (not shifted))
    if off.any():
        at = int(np.argmax(off))
        raise DataError(
            f"{where}, row {_row(labels, at)}: expected labels on the grid of bars of {length_text(bar_ns)}, was "
            f"{np.datetime64(int(open_ns[at]), 'ns')}; is the label the opening of the bar?  If all labels are "
            f"shifted alike, declare label_shift_ns"
        )


def traded(volume: pd.Series, drop: bool, where: str) -> BoolArray:
    """Return which bars hold a trade, shape (n,); a bar without one repeats an older price and is no quote.

    ``volume``, shape (n,), is in any unit; NaN: unknown, which is not zero.  ``drop`` is what the source declares:
    where it is False no bar may have volume 0, else ``DataError`` (4) is raised.
    """
    frame = volume.to_frame(str(volume.name))
    none = cells.numbers(frame, str(volume.name), where) == 0
    if none.any() and not drop:
        row = cells.row_of(frame, int(np.argmax(none)))
        raise DataError(
            f"{where}, row {row}: expected a trade in every bar as drop_zero_volume = false says, was "
            f"volume 0 in {int(none.sum())} bars, whose close is an older price; declare drop_zero_volume = true"
        )
    return np.asarray(~none)


def breaks(open_ns: IntArray, open_: FloatArray, close: FloatArray, bar_ns: int, name: str) -> tuple[BarBreak, ...]:
    """Return the bars of ``name`` that end 30 bps or more from where the next bar begins.

    ``open_ns``, ``open_``, ``close`` have shape (n,), prices above 0; a bar that no bar follows at once has no next
    one.  A market that trades on has no such place: such bars may be cut off before their end, unless another market
    of the coin has a break at the same time (`backtest.data.build.findings`).
    """
    next_ = np.flatnonzero(np.diff(open_ns) == bar_ns)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap_bps = BPS * (open_[next_ + 1] / close[next_] - 1.0)
    far = next_[np.abs(gap_bps) >= _BREAK_BPS]
    by_bar = dict(zip(next_.tolist(), gap_bps.tolist(), strict=True))
    return tuple(BarBreak(name, int(open_ns[bar]) + bar_ns, by_bar[int(bar)]) for bar in far)


def closing_labels(frame: pd.DataFrame) -> str | None:
    """Return the name of the column of closing times, None where there is none."""
    return next((name for name in _CLOSES if name in frame.columns), None)


def drops(spec: SourceSpec) -> bool:
    """Return the option ``drop_zero_volume``, True where a format that always has volumes leaves it out."""
    return flag(spec, "drop_zero_volume") if "drop_zero_volume" in spec.options else True


def left_out(count: int) -> dict[str, int]:
    """Return ``count`` bars without a trade as the ``passed_over`` of a chunk."""
    return {NO_TRADE: count} if count else {}


def length_text(ns: int) -> str:
    """Return a length in the largest unit that divides it, for example ``4h``, ``90s``.

    >>> length_text(4 * 3_600 * 10**9), length_text(90 * 10**9), length_text(28_800 * 10**9)
    ('4h', '90s', '8h')
    """
    for unit, step in (("d", NS_PER_DAY), ("h", NS_PER_HOUR), ("m", 60 * NS_PER_SECOND), ("s", NS_PER_SECOND)):
        if ns and ns % step == 0:
            return f"{ns // step}{unit}"
    return f"{ns} ns"


def _row(labels: pd.Series | None, at: int) -> int:
    return at + 1 if labels is None else cells.row_of(labels, at)


def _check_closes(length: IntArray, bar_ns: int, where: str, labels: pd.Series | None) -> None:
    # up to the next full second, so that 3,599,999 ms count as the hour they mean
    whole = -(-length // _LAST_TICK_NS) * _LAST_TICK_NS
    values, counts = np.unique(whole, return_counts=True)
    usual = int(values[np.argmax(counts)])
    if usual != bar_ns:
        raise DataError(_message(where, bar_ns, usual, "from opening to closing time"))
    if (whole > bar_ns).any():
        at = int(np.argmax(whole > bar_ns))
        place = f"{where}, row {_row(labels, at)}"
        raise DataError(_message(place, bar_ns, int(whole[at]), "from opening to closing time"))


def _check_gaps(open_ns: IntArray, bar_ns: int, where: str, labels: pd.Series | None) -> None:
    steps = np.diff(open_ns)
    gaps = steps[steps > 0]
    if not len(gaps):
        return
    values, counts = np.unique(gaps, return_counts=True)
    least, usual = int(values[0]), int(values[np.argmax(counts)])
    tied = counts[values == bar_ns].sum() == counts.max()
    # of one or two gaps a hole cannot be distinguished from a length, unless it is a length that candles come in
    other = usual != bar_ns and not tied and (len(gaps) >= _FEW or (len(values) == 1 and usual in BAR_NS.values()))
    if other:
        raise DataError(_message(where, bar_ns, usual, "from one label to the next"))
    if least < bar_ns:
        place = f"{where}, row {_row(labels, int(np.flatnonzero(steps == least)[0]) + 1)}"
        raise DataError(_message(place, bar_ns, least, "from the label before to this one"))


def _length_ns(number: str, unit: str) -> int:
    return int(number) * (_MONTH_NS if unit in ("M", "mo") else _UNITS[unit] * NS_PER_SECOND)


def _message(where: str, declared_ns: int, found_ns: int, how: str) -> str:
    return (
        f"{where}: expected bars of {length_text(declared_ns)} as declared, was {length_text(found_ns)} {how}; a bar "
        f"is known at its close, so declare its real length or give the file of the declared one"
    )
