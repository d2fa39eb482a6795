"""Closes positions: at a grid time, at the window's end, or without a fill.  [S4.5, R1.8]"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.market.view import PreparedPanel
from engine.params import Params
from engine.positions.base import LegQuote, OpenPosition, Position, Signal
from engine.positions.expiry import delivered
from engine.positions.leg_quotes import requote
from engine.positions.marks import day_marks
from engine.positions.price_path import PricePath
from engine.records import ExitReason


def last_quotes(
    open_: OpenPosition, view: PreparedPanel, params: Params, path: PricePath, start: int, last_row: int
) -> tuple[LegQuote, ...]:
    """Return each leg's last usable quote, in the direction of the exit, at or before ``last_row``."""
    quotes, life_ns = list(open_.last), params.rules[open_.signal.constraint].life_ns
    usable = np.isfinite(path.mid[start : last_row + 1])
    legs = np.flatnonzero(usable.any(axis=0)).tolist()
    if legs:
        rows = (last_row - usable[::-1, legs].argmax(axis=0)).tolist()
        columns = [path.column[leg] for leg in legs]
        requoted = requote(view, rows, columns, [open_.entry[leg] for leg in legs], life_ns, closing=True)
        for leg, quote in zip(legs, requoted, strict=True):
            quotes[leg] = quote
    return tuple(quotes)


def closed_at(open_: OpenPosition, view: PreparedPanel, path: PricePath, row: int, reason: ExitReason) -> Position:
    """Return ``open_`` closed at ``row``: expired legs at their settlement, others at their mid or last usable mid.

    ``open_`` has been carried up to ``row``.
    """
    now = int(view.panel.times_ns[row])
    quotes, prices, usd = list(open_.last), [leg.mid for leg in open_.last], [mark.usd for mark in open_.seen]
    expired, gap, flags = [False] * len(prices), [False] * len(prices), []
    for number, leg in enumerate(open_.entry):
        if reason is ExitReason.EXPIRED and view.panel.instruments.expiry_ns[leg.code] <= now:
            expired[number] = True
            delivery = delivered(view, leg, open_.seen[number], row)
            quotes[number], prices[number], usd[number] = delivery.quote, delivery.price, delivery.usd
            flags += [delivery.flag] if delivery.flag else []
        elif np.isfinite(path.mid[row, number]):
            prices[number] = float(path.mid[row, number])
            usd[number] = float(path.conversion[row, number])
        else:
            gap[number] = True
    return _position(
        open_, now, reason, tuple(quotes), tuple(prices), tuple(usd), tuple(expired), tuple(gap), tuple(flags)
    )


def forced(open_: OpenPosition, now: int, params: Params) -> Position:
    """Return a filled ``open_`` closed at its last marks at ``now``, the end of the window.  [R1.8]"""
    marks = day_marks(open_, lambda _: open_.seen, now, params.mark_max_age_ns)
    open_ = replace(open_, marks=open_.marks + marks)
    prices, usd = tuple(mark.price for mark in open_.seen), tuple(mark.usd for mark in open_.seen)
    none = (False,) * len(prices)
    # The window's end stands for the horizon; `forced` tells the two apart.  [R1.8]
    closed = _position(open_, now, ExitReason.HORIZON, open_.last, prices, usd, none, none, ())
    return replace(closed, forced=True)


def void(signal: Signal, now: int, *, forced: bool) -> Position:
    """Return the position of a ``signal`` that was not filled by ``now``."""
    empty = OpenPosition(signal, now, (), (), 0.0, (), (), now, (), (), 0.0)
    return replace(_position(empty, now, ExitReason.VOID, (), (), (), (), (), ()), forced=forced)


def _position(
    open_: OpenPosition,
    exit_ns: int,
    reason: ExitReason,
    quotes: tuple[LegQuote, ...],
    prices: tuple[float, ...],
    usd: tuple[float, ...],
    expired: tuple[bool, ...],
    gap: tuple[bool, ...],
    flags: tuple[str, ...],
) -> Position:
    missing = any(payment.rate != payment.rate for payment in open_.funding)
    replaced = any(payment.flagged and payment.rate == payment.rate for payment in open_.funding)
    flags += ("funding_missing",) * missing + ("funding_price",) * replaced
    return Position(
        signal=open_.signal,
        entry_ns=open_.entry_ns,
        exit_ns=exit_ns,
        reason=reason,
        entry=open_.entry,
        entry_usd=open_.entry_usd,
        exit=quotes,
        exit_price=prices,
        exit_usd=usd,
        expired=expired,
        gap=gap,
        entry_gross_bps=open_.entry_gross_bps,
        marks=open_.marks,
        funding=open_.funding,
        forced=False,
        flags=tuple(sorted(set(flags))),
        trigger=open_.trigger,
    )
