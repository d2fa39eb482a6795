"""When placements end: the rules of `engine.signals.resolve` over many positions at once.  [S4.5]

The rules are searched in pieces of growing length, since most positions end early.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, TypeVar

import numpy as np

from engine.moves.base import Movables
from engine.moves.span import Payments, Span
from engine.params import Params
from engine.records import LEGS, BoolArray, FloatArray, IntArray
from engine.units import BPS, MICRO, NEVER_NS

STEP: Final = 24
"""Rows of the first piece; each further piece is twice as long."""


@dataclass(frozen=True, slots=True)
class Entered:
    """Positions that were filled, one a row; legs padded with instrument -1.

    ``leg`` is the instrument's row in the span; ``quantity`` and ``price`` as filled; ``open_bps`` the entry gross.
    """

    move: IntArray  # [M] row of the moves asked for
    signal: IntArray
    t_ns: IntArray  # the moved decision time
    row: IntArray  # of the entry
    spot_usd: FloatArray  # at the decision
    leg: IntArray  # [M, LEGS]
    quantity: FloatArray
    price: FloatArray
    open_bps: FloatArray


@dataclass(frozen=True, slots=True)
class Ends:
    """Where positions end: the row, whether by expiry, and whether the data end before (closed by force)."""

    row: IntArray
    expired: BoolArray
    forced: BoolArray


Record = TypeVar("Record")


def chosen(record: Record, which: BoolArray) -> Record:
    """Return the rows ``which`` of a record of columns."""
    columns = {field.name: getattr(record, field.name)[which] for field in fields(record)}  # type: ignore[arg-type]
    return type(record)(**columns)


def ends_of(span: Span, entered: Entered, movables: Movables, params: Params, paid: Mapping[int, Payments]) -> Ends:
    """Return the first row at which a rule of S4.5 holds for each position."""
    table = span.views[0].panel.instruments
    expiry = np.where(entered.leg >= 0, table.expiry_ns[span.code[entered.leg]], NEVER_NS).min(axis=1)
    by_expiry = np.searchsorted(span.times_ns, expiry)
    by_time = np.searchsorted(span.times_ns, entered.t_ns + movables.life_ns[entered.signal])
    limit = np.maximum(np.minimum(by_expiry, by_time), entered.row)
    row = limit.copy()
    funding = _Funding.over(span, paid)
    stop = np.rint(-params.stop_multiple * movables.net_bps[entered.signal] * MICRO)
    level = np.rint(params.exit_share * entered.open_bps * MICRO)
    final = np.minimum(limit, len(span.times_ns) - 1)
    open_ = np.arange(len(row))
    begin, length = 0, STEP
    while len(open_):
        at = entered.row[open_, None] + np.arange(begin, begin + length)[None, :]
        inside = at <= final[open_, None]
        at = np.minimum(at, len(span.times_ns) - 1)
        earned = BPS * _profit(span, entered, open_, at) / entered.spot_usd[open_, None]
        received = BPS * funding.received(entered, open_, at) / entered.spot_usd[open_, None]
        hit = np.rint((earned + received) * MICRO) < stop[open_, None]
        hit |= np.rint((entered.open_bps[open_, None] - earned) * MICRO) <= level[open_, None]
        hit &= inside
        found = hit.any(axis=1)
        row[open_[found]] = at[found, hit[found].argmax(axis=1)]
        open_ = open_[~found & (entered.row[open_] + begin + length <= final[open_])]
        begin, length = begin + length, 2 * length
    return Ends(row, (by_expiry <= row) & (row < len(span.times_ns)), row >= len(span.times_ns))


def _profit(span: Span, entered: Entered, which: IntArray, at: IntArray) -> FloatArray:
    """Return the USD earned per unit of base notional since entry, ``[m, r]``; NaN where a leg has no price."""
    rows = len(span.times_ns)
    total = np.zeros(at.shape)
    mid, conversion = span.mid.ravel(), span.conversion.ravel()
    for leg in range(LEGS):
        instrument = entered.leg[which, leg]
        has = instrument >= 0
        if not has.any():
            continue
        flat = np.maximum(instrument, 0)[:, None] * rows + at
        price, entry = mid.take(flat), entered.price[which, leg, None]
        quantity = entered.quantity[which, leg, None]
        inverse = span.inverse[instrument] & has
        earned = quantity * (price - entry)
        if inverse.any():
            earned[inverse] = quantity[inverse] * (1.0 - entry[inverse] / price[inverse])
        earned *= conversion.take(flat)
        if not has.all():
            earned[~has] = 0.0
        total += earned
    return total


@dataclass(frozen=True, slots=True)
class _Funding:
    """Running sums of what one unit of each instrument pays, ``[C, R]``: before a row, and up to and with it."""

    pays: BoolArray  # [C]
    by_contract: BoolArray
    before: FloatArray
    through: FloatArray

    @classmethod
    def over(cls, span: Span, paid: Mapping[int, Payments]) -> _Funding:
        before, through = np.zeros(span.mid.shape), np.zeros(span.mid.shape)
        pays, by_contract = (np.zeros(len(span.code), dtype=np.bool_) for _ in range(2))
        for c, payments in paid.items():
            pays[c], by_contract[c] = len(payments.t_ns) > 0, payments.by_contract
            step = np.zeros(span.mid.shape[1] + 1)
            np.add.at(step, np.searchsorted(span.times_ns, payments.t_ns, side="right"), payments.unit_usd)
            before[c] = np.cumsum(step)[:-1]
            step = np.zeros(span.mid.shape[1])
            np.add.at(step, payments.row, payments.unit_usd)
            through[c] = np.cumsum(step)
        return cls(pays, by_contract, before, through)

    def received(self, entered: Entered, which: IntArray, at: IntArray) -> FloatArray:
        """Return the USD received before each row since entry, per unit of base notional, ``[m, r]``."""
        total = np.zeros(at.shape)
        start = entered.row[which]
        for leg in range(LEGS):
            instrument = entered.leg[which, leg]
            some = np.flatnonzero((instrument >= 0) & self.pays[instrument])
            if not len(some):
                continue
            c = instrument[some]
            units = entered.quantity[which[some], leg]
            units = np.where(self.by_contract[c], units * entered.price[which[some], leg], units)
            running = self.before[c[:, None], at[some]] - self.through[c, start[some]][:, None]
            total[some] -= units[:, None] * np.where(at[some] > start[some, None], running, 0.0)
        return total
