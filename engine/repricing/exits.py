"""When placements end: the rules of `engine.positions.exits` over many positions at once.  [S4.5]

The rules are searched in pieces of growing length, since some positions end early, and a piece is worked through by
positions whose legs are of the same kinds, a few at a time, so that what is made on the way stays in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from engine.market.chunks import CELLS
from engine.params import Params
from engine.records import LEGS, BoolArray, FloatArray, IntArray
from engine.repricing.base import SourceSignals
from engine.repricing.funding_payments import Payments
from engine.repricing.window import PriceWindow
from engine.units import BPS, MICRO, NEVER_NS

STEP: Final = 96
"""Rows of the first piece; each further piece is twice as long: after 2, or 4, a day of 5, or 1, minutes is through."""
NO_ROW: Final = -1
ABSENT, LINEAR, INVERSE, PAYING = 0, 1, 2, 4
"""What a leg is: one of the first three, and whether funding is paid on it."""


@dataclass(frozen=True, slots=True)
class FilledEntries:
    """Positions that were filled, one a row; legs padded with instrument -1.

    ``leg`` is the instrument's row in the span; ``quantity`` and ``price`` as filled; ``open_bps`` the entry gross.
    """

    move: IntArray  # [M] row of the moves asked for
    signal: IntArray
    t_ns: IntArray  # the moved decision time
    latency_ns: IntArray  # from there to the fill, at least
    row: IntArray  # of the entry
    spot_usd: FloatArray  # at the decision
    leg: IntArray  # [M, LEGS]
    quantity: FloatArray
    price: FloatArray
    open_bps: FloatArray


@dataclass(frozen=True, slots=True)
class Exits:
    """Where positions end: the row, whether by expiry, and whether the data end before (closed by force)."""

    row: IntArray
    expired: BoolArray
    forced: BoolArray


Record = TypeVar("Record")


def select_rows(record: Record, which: BoolArray) -> Record:
    """Return the rows ``which`` of a record of columns."""
    columns = {field.name: getattr(record, field.name)[which] for field in fields(record)}  # type: ignore[arg-type]
    return type(record)(**columns)


def find_exits(
    span: PriceWindow, entered: FilledEntries, movables: SourceSignals, params: Params, paid: Mapping[int, Payments]
) -> Exits:
    """Return the first row at which a rule of S4.5 holds for each position."""
    table, rows = span.views[0].panel.instruments, len(span.times_ns)
    expiry = np.where(entered.leg >= 0, table.expiry_ns[span.code[entered.leg]], NEVER_NS).min(axis=1)
    by_expiry = np.searchsorted(span.times_ns, expiry)
    by_time = np.searchsorted(span.times_ns, entered.t_ns + movables.life_ns[entered.signal])
    row = np.maximum(np.minimum(by_expiry, by_time), entered.row)
    final = np.minimum(row, rows - 1)
    walk = _Walk.over(span, entered, final, movables.net_bps[entered.signal], params, paid)
    for kinds, open_ in walk.alike():
        begin, length = 0, STEP
        while len(open_):
            width = min(length, int((final - entered.row)[open_].max()) + 1 - begin)
            found = walk.first(kinds, open_, begin, width)
            row[open_] = np.where(found == NO_ROW, row[open_], found)
            begin, length = begin + width, 2 * length
            open_ = open_[(found == NO_ROW) & (entered.row[open_] + begin <= final[open_])]
    return Exits(row, (by_expiry <= row) & (row < rows), row >= rows)


@dataclass(frozen=True, slots=True)
class _Walk:
    """Positions on their way to the row ``final``, and the levels at which the stop and the convergence end them.

    ``stop`` and ``level`` are micro-bps; ``low_usd`` and ``high_usd`` the same, a micro-bp wider, in what a unit of
    base notional earns: what stays between them is ended by neither, however it is rounded below 1e9 bps.
    """

    span: PriceWindow
    entered: FilledEntries
    final: IntArray  # [M]
    stop: FloatArray
    level: FloatArray
    low_usd: FloatArray
    high_usd: FloatArray
    funding: _Funding

    @classmethod
    def over(
        cls,
        span: PriceWindow,
        entered: FilledEntries,
        final: IntArray,
        net_bps: FloatArray,
        params: Params,
        paid: Mapping[int, Payments],
    ) -> _Walk:
        stop = np.rint(-params.stop_multiple * net_bps * MICRO)
        level = np.rint(params.exit_share * entered.open_bps * MICRO)
        low_usd = (stop + 1.0) / MICRO * entered.spot_usd / BPS
        high_usd = (entered.open_bps - (level + 1.0) / MICRO) * entered.spot_usd / BPS
        return cls(span, entered, final, stop, level, low_usd, high_usd, _Funding.over(span, paid))

    def alike(self) -> Iterator[tuple[tuple[int, ...], IntArray]]:
        """Yield the positions whose legs are of the same kinds, with these kinds."""
        leg = self.entered.leg
        kind = np.where(self.span.inverse[leg], INVERSE, LINEAR) + np.where(self.funding.number[leg] >= 0, PAYING, 0)
        kind[leg < 0] = ABSENT
        each = np.zeros(len(kind), dtype=np.int64)
        for column in kind.T:
            each = each * 2 * PAYING + column
        for one in np.unique(each).tolist():
            which = np.flatnonzero(each == one)
            yield tuple(kind[which[0]].tolist()), which

    def first(self, kinds: tuple[int, ...], which: IntArray, begin: int, width: int) -> IntArray:
        """Return the first row at which a rule ends each of some positions, of ``width`` rows from ``begin`` rows after
        their entry on; `NO_ROW` where none does.
        """
        mid = sliding_window_view(self.span.mid, width, axis=1)
        conversion = sliding_window_view(self.span.conversion, width, axis=1)
        found = np.full(len(which), NO_ROW)
        some = max(1, CELLS // width)
        for at in range(0, len(which), some):
            part = slice(at, at + some)
            found[part] = self._first(kinds, which[part], begin, mid, conversion)
        return found

    def _first(
        self, kinds: tuple[int, ...], which: IntArray, begin: int, mid: FloatArray, conversion: FloatArray
    ) -> IntArray:
        from_row = self.entered.row[which] + begin
        start = np.minimum(from_row, mid.shape[1] - 1)  # a window that would leave the span begins before ``from_row``
        earned = _profit(self.entered, kinds, which, start, mid, conversion)
        received = self.funding.received(self.entered, kinds, which, start, mid.shape[2])
        near = earned + received < self.low_usd[which, None]
        near |= earned >= self.high_usd[which, None]
        found, some = np.full(len(which), NO_ROW), np.flatnonzero(near.any(axis=1))
        if len(some):
            at = start[some, None] + np.arange(mid.shape[2])
            hit = self._holds(which[some], earned[some], received[some] if received.ndim else received)
            hit &= (at >= from_row[some, None]) & (at <= self.final[which[some], None])
            found[some] = np.where(hit.any(axis=1), start[some] + hit.argmax(axis=1), NO_ROW)
        return found

    def _holds(self, which: IntArray, earned_usd: FloatArray, received_usd: FloatArray) -> BoolArray:
        """Return where a position is stopped or has converged, ``[m, r]``; NaN is neither."""
        spot_usd, open_bps = self.entered.spot_usd[which, None], self.entered.open_bps[which, None]
        earned, received = BPS * earned_usd / spot_usd, BPS * received_usd / spot_usd
        hit = np.rint((earned + received) * MICRO) < self.stop[which, None]
        hit |= np.rint((open_bps - earned) * MICRO) <= self.level[which, None]
        return hit


def _profit(
    entered: FilledEntries,
    kinds: tuple[int, ...],
    which: IntArray,
    start: IntArray,
    mid: FloatArray,
    conversion: FloatArray,
) -> FloatArray:
    """Return the USD earned per unit of base notional since entry, ``[m, r]``; NaN where a leg has no price.

    ``mid`` and ``conversion`` are windows ``[C, start, r]`` of the span's.
    """
    total = np.zeros((len(which), mid.shape[2]))
    for leg in range(LEGS):
        if kinds[leg] == ABSENT:
            continue
        c, entry = entered.leg[which, leg], entered.price[which, leg, None]
        earned = mid[c, start]
        if kinds[leg] & INVERSE:
            np.divide(entry, earned, out=earned)
            np.subtract(1.0, earned, out=earned)
        else:
            earned -= entry
        earned *= entered.quantity[which, leg, None]
        earned *= conversion[c, start]
        total += earned
    return total


@dataclass(frozen=True, slots=True)
class _Funding:
    """Running sums of what one unit of each paying instrument pays, ``[P, R]``: before a row, and up to and with it."""

    number: IntArray  # [C] row of an instrument in these sums, -1 where it pays none
    by_contract: BoolArray  # [P]
    before: FloatArray
    through: FloatArray

    @classmethod
    def over(cls, span: PriceWindow, paid: Mapping[int, Payments]) -> _Funding:
        number, shape = np.full(len(span.code), -1), (len(paid), len(span.times_ns))
        before, through = np.zeros(shape), np.zeros(shape)
        for p, (c, payments) in enumerate(paid.items()):
            number[c] = p
            step = np.zeros(shape[1] + 1)
            np.add.at(step, np.searchsorted(span.times_ns, payments.t_ns, side="right"), payments.unit_usd)
            before[p] = np.cumsum(step)[:-1]
            step = np.zeros(shape[1])
            np.add.at(step, payments.row, payments.unit_usd)
            through[p] = np.cumsum(step)
        return cls(number, np.array([each.by_contract for each in paid.values()], dtype=np.bool_), before, through)

    def received(
        self, entered: FilledEntries, kinds: tuple[int, ...], which: IntArray, start: IntArray, width: int
    ) -> FloatArray:
        """Return the USD received since entry before each of ``width`` rows from ``start`` on, per unit of base
        notional, ``[m, r]``; one zero where no leg pays.
        """
        paying = [leg for leg in range(LEGS) if kinds[leg] & PAYING]
        total = np.zeros((len(which), width) if paying else ())
        entry = entered.row[which]
        at = start[:, None] + np.arange(width) if paying else NO_ROW
        for leg in paying:
            p = self.number[entered.leg[which, leg]]
            units = entered.quantity[which, leg]
            units = np.where(self.by_contract[p], units * entered.price[which, leg], units)
            running = self.before[p[:, None], at] - self.through[p, entry][:, None]
            total -= units[:, None] * np.where(at > entry[:, None], running, 0.0)
        return total
