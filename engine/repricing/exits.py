"""Ends placebo positions: the exit rules of `engine.positions.exits` for many positions at once.  [S4.5]

The first row at which the stop or the convergence holds is searched; `engine.positions.exit_fills` fills it, as there.

Rows are searched in pieces of growing length, because many positions end early.  Positions whose legs are of the same
kinds are searched together, a few at a time, so that intermediate arrays stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from engine.market.chunks import CELLS
from engine.params import Params
from engine.positions.exit_fills import fill_rows
from engine.positions.forced_exits import forced_rows
from engine.positions.formulas import exit_micro_bps, has_converged, is_stopped, leg_profit, stop_micro_bps
from engine.records import LEGS, BoolArray, ExitReason, FloatArray, IntArray
from engine.repricing.base import SourceSignals
from engine.repricing.funding_payments import Payments
from engine.repricing.window import PriceWindow
from engine.units import BPS, MICRO, NEVER_NS

STEP: Final = 96
"""Rows of the first piece; each further piece is twice as long: 2 cover a day of 5 minutes, 4 a day of 1 minute."""
NO_ROW: Final = -1
ABSENT, LINEAR, INVERSE, PAYING = 0, 1, 2, 4
"""The kind of a leg: one of the first three, plus `PAYING` if it pays funding."""


@dataclass(frozen=True, slots=True)
class FilledEntries:
    """Filled entries, one a row; legs are padded with instrument -1."""

    request: IntArray  # [M] number of the requested entry
    signal: IntArray  # [M] row of the source signal
    t_ns: IntArray  # [M] decision time
    latency_ns: IntArray  # [M] least time from the decision to the fill
    exit_latency_ns: IntArray  # [M] least time from the trigger of the exit to its fill
    row: IntArray  # [M] row of the fill in the price window
    spot_usd: FloatArray  # [M] at the decision
    leg: IntArray  # [M, LEGS] the instrument's row in the price window
    quantity: FloatArray  # [M, LEGS] as filled
    price: FloatArray  # [M, LEGS] mid at the fill
    open_bps: FloatArray  # [M] entry gross


@dataclass(frozen=True, slots=True)
class Exits:
    """The exits of positions, ``[M]``."""

    row: IntArray  # row of the exit; the window's number of rows if the data end before
    expired: BoolArray
    forced: BoolArray  # the data end before any rule holds


Record = TypeVar("Record")


def select_rows(record: Record, which: BoolArray) -> Record:
    """Return the rows ``which [M]`` of a record whose fields are arrays ``[M, ...]``."""
    columns = {field.name: getattr(record, field.name)[which] for field in fields(record)}  # type: ignore[arg-type]
    return type(record)(**columns)


def find_exits(
    window: PriceWindow, entered: FilledEntries, sources: SourceSignals, params: Params, paid: Mapping[int, Payments]
) -> Exits:
    """Return the row at which each of the positions ends by S4.5, ``[M]``: where a triggered exit is filled, if that
    comes before expiry and horizon.
    """
    table, rows = window.views[0].panel.instruments, len(window.times_ns)
    expiry = np.where(entered.leg >= 0, table.expiry_ns[window.code[entered.leg]], NEVER_NS).min(axis=1)
    by_expiry = np.searchsorted(window.times_ns, expiry)
    by_time = np.searchsorted(window.times_ns, entered.t_ns + sources.life_ns[entered.signal])
    orders, codes, entry_ns = params.forced_exits, window.code, window.times_ns[entered.row]
    forced = forced_rows(orders, table, codes, window.times_ns, window.mid, entered.leg, entry_ns, entered.row)
    by_order = [forced.get(reason, np.full(len(entry_ns), rows)) for reason in (ExitReason.VENUE, ExitReason.COVENANT)]
    end_row = np.maximum(np.minimum.reduce([by_expiry, by_time, *by_order]), entered.row)
    final = np.minimum(end_row, rows - 1)
    trigger = np.full(len(end_row), NO_ROW)
    walk = _Walk.over(window, entered, final, sources.net_bps[entered.signal], params, paid)
    for kinds, open_ in walk.alike():
        begin, length = 0, STEP
        while len(open_):
            width = min(length, int((final - entered.row)[open_].max()) + 1 - begin)
            ends = walk.first(kinds, open_, begin, width)
            trigger[open_] = ends
            begin, length = begin + width, 2 * length
            open_ = open_[(ends == NO_ROW) & (entered.row[open_] + begin <= final[open_])]
    some = np.flatnonzero(trigger != NO_ROW)
    due_ns = window.times_ns[trigger[some]] + entered.exit_latency_ns[some]
    row = end_row.copy()
    row[some] = fill_rows(window.times_ns, window.mid, entered.leg[some], due_ns, trigger[some], end_row[some])
    # Within one row a venue comes before an expiry, and a covenant after it.
    return Exits(row, (by_expiry <= row) & (row < rows) & (by_order[0] > row), row >= rows)


@dataclass(frozen=True, slots=True)
class _Walk:
    """Open positions up to the row ``final``, and the levels at which the stop and the convergence are triggered.

    ``stop`` and ``level`` are whole micro-bps.  ``low_usd`` and ``high_usd`` are the same levels, wider by one
    micro-bp, as profit in USD per unit of base notional: a profit between them triggers neither rule, however it is
    rounded, if it is below 1e9 bps.  They are cheaper to compare, so only rows outside them are tested exactly.
    """

    window: PriceWindow
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
        window: PriceWindow,
        entered: FilledEntries,
        final: IntArray,
        net_bps: FloatArray,
        params: Params,
        paid: Mapping[int, Payments],
    ) -> _Walk:
        stop = stop_micro_bps(net_bps, params)
        level = exit_micro_bps(entered.open_bps, params)
        low_usd = (stop + 1.0) / MICRO * entered.spot_usd / BPS
        high_usd = (entered.open_bps - (level + 1.0) / MICRO) * entered.spot_usd / BPS
        return cls(window, entered, final, stop, level, low_usd, high_usd, _Funding.over(window, paid))

    def alike(self) -> Iterator[tuple[tuple[int, ...], IntArray]]:
        """Yield the kinds of legs that occur, each with the positions that have them."""
        leg = self.entered.leg
        kind = np.where(self.window.inverse[leg], INVERSE, LINEAR) + np.where(self.funding.number[leg] >= 0, PAYING, 0)
        kind[leg < 0] = ABSENT
        packed = np.zeros(len(kind), dtype=np.int64)
        for column in kind.T:
            # A kind is below 2 * PAYING, so the digits of one number tell the legs apart.
            packed = packed * 2 * PAYING + column
        for kinds in np.unique(packed).tolist():
            which = np.flatnonzero(packed == kinds)
            yield tuple(kind[which[0]].tolist()), which

    def first(self, kinds: tuple[int, ...], which: IntArray, begin: int, width: int) -> IntArray:
        """Return the first row at which a rule triggers the exit of each position of ``which``; `NO_ROW` if none does.

        Searched are ``width`` rows that start ``begin`` rows after its entry.
        """
        mid = sliding_window_view(self.window.mid, width, axis=1)
        conversion = sliding_window_view(self.window.conversion, width, axis=1)
        row = np.full(len(which), NO_ROW)
        # Few enough for the processor's cache (`market.chunks`).
        together = max(1, CELLS // width)
        for start in range(0, len(which), together):
            part = slice(start, start + together)
            row[part] = self._first(kinds, which[part], begin, mid, conversion)
        return row

    def _first(
        self, kinds: tuple[int, ...], which: IntArray, begin: int, mid: FloatArray, conversion: FloatArray
    ) -> IntArray:
        from_row = self.entered.row[which] + begin
        # A piece that would run over the end of the data starts earlier; rows before ``from_row`` are masked below.
        start = np.minimum(from_row, mid.shape[1] - 1)
        earned = _profit(self.entered, kinds, which, start, mid, conversion)
        received = self.funding.received(self.entered, kinds, which, start, mid.shape[2])
        near = earned + received < self.low_usd[which, None]
        near |= earned >= self.high_usd[which, None]
        row, some = np.full(len(which), NO_ROW), np.flatnonzero(near.any(axis=1))
        if len(some):
            tested = start[some, None] + np.arange(mid.shape[2])
            hit = self._holds(which[some], earned[some], received[some] if received.ndim else received)
            hit &= (tested >= from_row[some, None]) & (tested <= self.final[which[some], None])
            row[some] = np.where(hit.any(axis=1), start[some] + hit.argmax(axis=1), NO_ROW)
        return row

    def _holds(self, which: IntArray, earned_usd: FloatArray, received_usd: FloatArray) -> BoolArray:
        """Return where a position is stopped or has converged, ``[m, r]``; False where the profit is NaN."""
        spot_usd, open_bps = self.entered.spot_usd[which, None], self.entered.open_bps[which, None]
        earned, received = BPS * earned_usd / spot_usd, BPS * received_usd / spot_usd
        hit = is_stopped(earned, received, self.stop[which, None])
        hit |= has_converged(open_bps, earned, self.level[which, None])
        return hit


def _profit(
    entered: FilledEntries,
    kinds: tuple[int, ...],
    which: IntArray,
    start: IntArray,
    mid: FloatArray,
    conversion: FloatArray,
) -> FloatArray:
    """Return the profit since entry, USD per unit of base notional, ``[m, r]``; NaN where a leg has no usable quote.

    ``mid`` and ``conversion`` are sliding windows ``[C, start, r]`` over the price window's columns.
    """
    total = np.zeros((len(which), mid.shape[2]))
    for leg in range(LEGS):
        if kinds[leg] == ABSENT:
            continue
        c, entry = entered.leg[which, leg], entered.price[which, leg, None]
        quantity, inverse = entered.quantity[which, leg, None], bool(kinds[leg] & INVERSE)
        total += leg_profit(quantity, inverse, entry, mid[c, start], conversion[c, start])
    return total


@dataclass(frozen=True, slots=True)
class _Funding:
    """Running sums of the funding that one unit of each paying instrument pays."""

    number: IntArray  # [C] row of an instrument in these sums, -1 if it pays no funding
    inverse: BoolArray  # [P]
    before: FloatArray  # [P, R] sum of the payments before each row's time
    through: FloatArray  # [P, R] sum of the payments up to and with each row

    @classmethod
    def over(cls, window: PriceWindow, paid: Mapping[int, Payments]) -> _Funding:
        number, shape = np.full(len(window.code), -1), (len(paid), len(window.times_ns))
        before, through = np.zeros(shape), np.zeros(shape)
        for p, (c, payments) in enumerate(paid.items()):
            number[c] = p
            step = np.zeros(shape[1] + 1)
            # What accrued up to a row is received by a position that ends there; a settlement at its time is not.
            side: Literal["left", "right"] = "left" if payments.accrued else "right"
            np.add.at(step, np.searchsorted(window.times_ns, payments.t_ns, side=side), payments.unit_usd)
            before[p] = np.cumsum(step)[:-1]
            step = np.zeros(shape[1])
            np.add.at(step, payments.row, payments.unit_usd)
            through[p] = np.cumsum(step)
        inverse = np.array([payments.inverse for payments in paid.values()], dtype=np.bool_)
        return cls(number, inverse, before, through)

    def received(
        self, entered: FilledEntries, kinds: tuple[int, ...], which: IntArray, start: IntArray, width: int
    ) -> FloatArray:
        """Return the funding received from entry to before each of ``width`` rows from ``start`` on, USD per unit of
        base notional, ``[m, r]``; a single zero ``[]`` if no leg pays funding.
        """
        paying = [leg for leg in range(LEGS) if kinds[leg] & PAYING]
        total = np.zeros((len(which), width) if paying else ())
        entry = entered.row[which]
        row = start[:, None] + np.arange(width) if paying else NO_ROW
        for leg in paying:
            p = self.number[entered.leg[which, leg]]
            units = entered.quantity[which, leg]
            units = np.where(self.inverse[p], units * entered.price[which, leg], units)
            running = self.before[p[:, None], row] - self.through[p, entry][:, None]
            # No settlement lies between the entry and its own row.
            total -= units[:, None] * np.where(row > entry[:, None], running, 0.0)
        return total
