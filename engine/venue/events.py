"""The record of one transition of the venue.  [risk.md 0, 15]"""

from __future__ import annotations

from dataclasses import dataclass

from engine.venue.base import NOBODY, EventKind, Reason


@dataclass(frozen=True, slots=True)
class Event:
    """One transition.  ``quanta`` is money that moved, signed as seen by ``account``; 0 where none did.

    A deleveraging has many counterparties: ``winners``, with the lots > 0 that each closed and what each paid, by
    account.
    """

    time_ns: int
    kind: EventKind
    reason: Reason
    market: int = 0
    account: int = NOBODY
    counterparty: int = NOBODY
    lots: int = 0
    price_ticks: int = 0
    quanta: int = 0
    winners: tuple[int, ...] = ()
    winner_lots: tuple[int, ...] = ()
    winner_quanta: tuple[int, ...] = ()
