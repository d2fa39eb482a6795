"""Which packages wait while the dollars have come apart.  [venues V1]

A package whose legs do not all have one dollar as price and one as money gains or loses with USDC/USDT.  While that
pair is far from 1 such a package is a bet on it: it is kept, counted and shown with the reason ``peg``, never traded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.market.dollars import DOLLARS
from engine.market.view import PreparedPanel
from engine.records import BoolArray, FloatArray, Instruments, Packages
from engine.units import BPS, micro_bps


def off_peg(view: PreparedPanel, packages: Packages) -> BoolArray:
    """Return which packages have legs in two dollars at a grid time at which USDC/USDT is off its peg, ``[M]``."""
    dollars = view.params.dollars
    guarded = is_off_peg(view.dollars.usdt_per_usdc, dollars.peg_bps)[packages.row]
    known: dict[tuple[int, ...], bool] = {}
    for m in np.flatnonzero(guarded).tolist():
        column = packages.column[m]
        legs = tuple(view.panel.code[column[column >= 0]].tolist())
        if legs not in known:
            known[legs] = has_two_dollars(view.panel.instruments, legs, dollars.usd_is)
        guarded[m] = known[legs]
    return guarded


def has_two_dollars(instruments: Instruments, codes: Sequence[int], usd_is: str) -> bool:
    """Return whether the legs ``codes`` of a package have more than one dollar as price, or more than one as money.

    A coin is no dollar, neither as a premium nor as the money of an inverse contract.  USD counts as ``usd_is`` where
    that is not empty.
    """
    for currencies in (instruments.quote, instruments.settle):
        named = {currencies[code] for code in codes if currencies[code] in DOLLARS}
        if len({usd_is if name == "USD" and usd_is else name for name in named}) > 1:
            return True
    return False


def is_off_peg(usdt_per_usdc: FloatArray, peg_bps: float) -> BoolArray:
    """Return where USDC/USDT is more than ``peg_bps`` from 1, of the input's shape, and where it is not known.

    Compared as whole micro-bps: exactly the registered distance is on the peg.

    >>> is_off_peg(np.array([1.0025, 0.9975, 1.00250001, np.nan]), 25.0).tolist()
    [False, False, True, True]
    """
    unknown = np.isnan(usdt_per_usdc)
    distance = micro_bps(BPS * np.abs(np.where(unknown, 1.0, usdt_per_usdc) - 1.0))
    off: BoolArray = unknown | (distance > micro_bps(np.array(peg_bps)))
    return off
