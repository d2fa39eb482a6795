"""Which contract a moved leg becomes, once more: decision 0121 read aloud, one leg and one contract at a time."""

from __future__ import annotations

import numpy as np

from engine.market.view import PreparedPanel
from engine.positions.base import Signal
from engine.records import Kind
from engine.units import NEVER_NS


def contracts(signal: Signal, stood: PreparedPanel, stood_row: int, view: PreparedPanel, row: int) -> list[int] | None:
    """Return the codes which the legs of ``signal``, decided at ``stood_row``, become at ``row``; None: one lacks."""
    found = []
    for leg in signal.legs:
        code = leg.code if stood.panel.instruments.expiry_ns[leg.code] == NEVER_NS else None
        if code is None:
            code = dated(signal, leg.code, stood, stood_row, view, row)
        if code is None or view.panel.column(code) < 0:
            return None
        found.append(code)
    return found


def dated(signal: Signal, code: int, stood: PreparedPanel, stood_row: int, view: PreparedPanel, row: int) -> int | None:
    table = stood.panel.instruments
    family, expiry = (table.venue[code], table.settle[code]), int(table.expiry_ns[code])
    kinds = {
        "option" if table.kind[leg.code] == Kind.OPTION else "future"
        for leg in signal.legs
        if (table.venue[leg.code], table.settle[leg.code]) == family and table.expiry_ns[leg.code] == expiry
    }
    rank = sum(each < expiry for each in listed(stood, stood_row, family, kinds))
    there = listed(view, row, family, kinds)
    if rank >= len(there):
        if not there or "option" not in kinds:
            return None
        rank = len(there) - 1
    if table.kind[code] != Kind.OPTION:
        return next(iter(members(view, family, there[rank], {Kind.FUTURE})), None)
    wanted = table.strike[code] / forward(stood, stood_row, family, expiry)
    at = forward(view, row, family, there[rank])
    options = [
        each
        for each in members(view, family, there[rank], {Kind.OPTION})
        if table.right[each] == table.right[code] and view.usable[row, view.panel.column(each)]
    ]
    return min(options, key=lambda each: (abs(table.strike[each] / at - wanted), table.strike[each]), default=None)


def members(view: PreparedPanel, family: tuple[str, str], expiry: int, kinds: set[Kind]) -> list[int]:
    table = view.panel.instruments
    return [
        code
        for code in view.panel.code.tolist()
        if (table.venue[code], table.settle[code]) == family
        and table.underlying[code] == view.panel.underlying
        and table.expiry_ns[code] == expiry
        and Kind(int(table.kind[code])) in kinds
    ]


def listed(view: PreparedPanel, row: int, family: tuple[str, str], kinds: set[str]) -> list[int]:
    """Return the expiries at which every one of ``kinds`` was quoted before and has not expired, ascending."""
    table, now = view.panel.instruments, int(view.panel.times_ns[row])
    every = {int(table.expiry_ns[code]) for code in view.panel.code.tolist() if table.expiry_ns[code] != NEVER_NS}
    return sorted(
        expiry
        for expiry in every
        if now < expiry
        and all(
            any(
                view.panel.age_ns[row, view.panel.column(code)] != NEVER_NS
                for code in members(view, family, expiry, {Kind.OPTION if kind == "option" else Kind.FUTURE})
            )
            for kind in kinds
        )
    )


def forward(view: PreparedPanel, row: int, family: tuple[str, str], expiry: int) -> float:
    """Return the future of the expiry in USD where it is quoted, else the reference price."""
    for code in members(view, family, expiry, {Kind.FUTURE})[:1]:
        column = view.panel.column(code)
        price = float(view.mid[row, column] * view.usd[row, column])
        if np.isfinite(price) and price > 0.0:
            return price
    return float(view.spot_usd[row])
