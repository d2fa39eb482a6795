"""A panel made ready for judgement: what is usable, what it is worth in USD, what it costs to trade.  [S1.4-S1.7]"""

from __future__ import annotations

from dataclasses import dataclass

from engine.params import Params, UnderlyingParams
from engine.records import BoolArray, ByteArray, CurveHistory, FloatArray, Panel


@dataclass(frozen=True, slots=True)
class View:
    """A panel with everything that all constraints share, computed once.  All arrays ``[T, N]`` unless said.

    Prices stay in the price currency of their instrument: a package quoted in one currency is detected in it.
    ``usd`` converts: 1 for USD and USDC, the inverse of the USDC/USDT mid for USDT, the venue's index of the same
    grid time for a premium in coin; NaN where the conversion is missing, and then the quote is not usable.
    Unusable quotes are NaN in ``mid`` and in all that follows; NaN never becomes zero.
    """

    panel: Panel
    params: Params
    market: UnderlyingParams
    curves: CurveHistory
    spot_usd: FloatArray  # [T] reference price S  [S1.7]
    usd: FloatArray  # USD per unit of the price currency
    usable: BoolArray
    quality: ByteArray  # Quality
    mid: FloatArray  # price currency
    half_spread: FloatArray  # price currency; NaN where the feed has no spread
    fee: FloatArray  # one side's taker fee, price currency per base unit (option cap applied)
    charge: FloatArray  # one side's fee + half-spread (or fallback), price currency per base unit, no impact
