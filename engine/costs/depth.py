"""Half-spread, and what a trade pays beyond it for the share of the touch it consumes.  [S3.1]

Almgren and Chriss (2001); Cont, Kukanov and Stoikov (2014).  The money form and the bps form are one formula: the
decision evaluates it at an untouched book, the settlement at the depth that earlier signals have left.  [S3.6]
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from engine.records import FloatArray
from engine.units import BPS

Number = TypeVar("Number", float, FloatArray)


def touch_usd(size: FloatArray, price: FloatArray, usd: FloatArray) -> FloatArray:
    """Return the notional at the touch, USD, in the shape the arguments broadcast to.

    ``size`` is in base units, ``price`` in the price currency, ``usd`` the USD of one unit of it; NaN in, NaN out.
    """
    return size * price * usd


def impact_usd(spread_bps: Number, depth_usd: Number, before_usd: Number, after_usd: Number) -> Number:
    """Return what one side pays for taking a book's consumed depth from ``before_usd`` to ``after_usd``, USD.

    Numbers or arrays that broadcast; NaN in, NaN out.

    ``(s / D) * (after**2 - before**2)`` with s the touch spread as a share: the marginal price moves by 2 s a unit of
    D consumed, so that a first trade of X pays X * s * X / D.  [S3.1, spec README "Shared depth"]

    >>> impact_usd(2.0, 100_000.0, 0.0, 25_000.0)  # a quarter of the touch: 0.5 bps of 25,000
    1.25
    """
    return spread_bps * (after_usd * after_usd - before_usd * before_usd) / depth_usd / BPS


def impact_bps(spread_bps: Number, weight: Number, size_usd: Number, depth_usd: Number) -> Number:
    """Return one side's impact at an untouched book, bps of the package's notional.

    ``weight * spread_bps * (size_usd * weight / depth_usd)``: the leg's notional is ``size_usd * weight``.  Numbers or
    arrays that broadcast; NaN in, NaN out.

    >>> impact_bps(2.0, 1.0, 25_000.0, 100_000.0)
    0.5
    """
    return weight * spread_bps * (size_usd * weight / depth_usd)


def depth_share_size(
    target_usd: float, share: float, touch_size: FloatArray, quantity: FloatArray, spot_usd: FloatArray
) -> FloatArray:
    """Return the notional of each package, ``[M]``: ``min(target, share * min_l touch_size_l * S / |q_l|)``.  [S4.3]

    ``touch_size`` is ``[M, L]`` base units on the side hit, NaN where the depth is not known: such a leg does not limit
    the size.  ``quantity`` is ``[M, L]`` base units a unit of the package, ``spot_usd`` the reference price, ``[M]``.

    >>> size, quantity = np.array([[0.5, 2.0]]), np.array([[-1.0, 1.0]])
    >>> depth_share_size(50_000.0, 0.25, size, quantity, np.array([100_000.0])).tolist()  # a quarter of half a coin
    [12500.0]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        room = share * touch_size * spot_usd[:, None] / np.abs(quantity)
    # Unknown depth must not limit the size to 0: such legs pay the fallback slippage instead.
    room = np.where(np.isnan(room), np.inf, room)
    limit: FloatArray = np.minimum(room.min(axis=1, initial=np.inf), target_usd)
    return limit
