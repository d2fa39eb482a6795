"""A panel made ready for judgement: what is usable, what it is worth in USD, what it costs to trade.  [S1.4-S1.7]"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.costs.charge import half_round_trip
from engine.costs.fees import FeeTable, fee_per_unit, fee_table
from engine.errors import UsageError
from engine.params import Params, UnderlyingParams
from engine.quality import close_to_median, not_skewed, quality_counts, quote_quality
from engine.records import (
    BoolArray,
    ByteArray,
    CurveHistory,
    Feed,
    FloatArray,
    IntArray,
    Kind,
    Panel,
    Quality,
)
from engine.units import NS_PER_DAY

DOLLARS = ("USD", "USDC")
"""The numeraire: USD is USDC.  [spec README, data and grid]"""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A panel with everything that all constraints share, computed once.  All arrays ``[T, N]`` unless said.

    Prices stay in the price currency of their instrument: a package quoted in one currency is detected in it.
    ``usd`` converts: 1 for USD and USDC, the inverse of the USDC/USDT mid for USDT, the venue's index of the same
    grid time for a premium in coin; NaN where the conversion is missing, and then the quote is not usable.
    Unusable quotes are NaN in ``mid`` and in all that follows; NaN never becomes zero.

    ``charge`` is half of the cheapest round trip without impact, hence ``2 * charge`` per base unit never exceeds
    what `engine.costs.total` charges for the leg: fee + half-spread + fallback slippage where depth is unknown, and
    for an expiring leg that is planned to be held the delivery fee in place of the exit.
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
    charge: FloatArray  # half a round trip: fee + half-spread (or fallback), price currency per base unit, no impact
    exit_fee: FloatArray  # the delivery fee of a leg held to its expiry, price currency per base unit


def prepare(panel: Panel, params: Params, curves: CurveHistory) -> View:
    """Return the view of ``panel``: usable masks, conversions, reference price and charges.  [S1.4-S1.7, S3]

    Each row depends on that row of the panel alone.  A quote without a conversion is not usable; so is one further
    than ``quarantine_mid`` from the median of the underlying's spots, perps and futures, all in USD, and one that is
    older than the newest usable quote of its venue and expiry by more than ``max_skew``.  Where the reference price
    is unknown, ``spot_usd`` is NaN.  Raises ``UsageError`` for an underlying or a fee that is not registered.
    """
    if panel.underlying not in params.underlyings:
        known = ", ".join(sorted(params.underlyings)) or "none"
        raise UsageError(f"expected a registered underlying, was {panel.underlying!r} (registered: {known})")
    market = params.underlyings[panel.underlying]
    table, code = panel.instruments, panel.code
    feed, expiry = table.feed[code], table.expiry_ns[code]

    quality = quote_quality(panel, expiry, _max_age(panel, params))
    mid = 0.5 * (panel.bid + panel.ask)
    mid[quality != Quality.USABLE] = np.nan

    usd = _dollar_columns(panel, params, mid)
    _quarantine(panel, params, quality, mid, usd)
    spot_usd = _reference(panel, market, mid, usd)
    underlying_usd = _coin_columns(panel, spot_usd, usd)
    no_conversion = (quality == Quality.USABLE) & np.isnan(usd)
    quality[no_conversion] = Quality.NO_CONVERSION
    _mark_skewed(panel, params, quality)

    usable = quality == Quality.USABLE
    mid[~usable] = np.nan
    half_spread = 0.5 * (panel.ask - panel.bid)
    half_spread[~usable] = np.nan
    half_spread[:, (feed == Feed.BAR) | (feed == Feed.MARK)] = np.nan

    fees = fee_table(params.fees, table, code, _day_text(panel))
    fee_base = _fee_base(mid, usd, underlying_usd, fees, _in_coin(panel))
    fee = fee_per_unit(fees.taker, fees.cap, mid, fee_base)
    exit_fee = fee_per_unit(fees.delivery, fees.delivery_cap, mid, fee_base)
    charge = half_round_trip(panel, params, mid, half_spread, fee, exit_fee)
    arrays = (spot_usd, usd, usable, quality, mid, half_spread, fee, charge, exit_fee)
    for array in arrays:
        array.setflags(write=False)
    return View(panel, params, market, curves, *arrays)


def quality_of(view: View) -> IntArray:
    """Return the counts of each column's `Quality` over the block, ``[N, len(Quality)]``, for the report.  [S1.4]"""
    return quality_counts(view.quality)


def _max_age(panel: Panel, params: Params) -> IntArray:
    """The oldest a quote may be, ``[N]``: by kind, and a bar's own length for a bar."""
    table, code = panel.instruments, panel.code
    by_kind = np.array([params.max_age_ns[Kind(k)] for k in table.kind[code].tolist()], dtype=np.int64)
    bar = table.bar_ns[code]
    return np.where(bar > 0, bar, by_kind)


def _dollar_columns(panel: Panel, params: Params, mid: FloatArray) -> FloatArray:
    """USD per unit of price currency for dollar quotes, ``[T, N]``; other columns NaN.  [S1.6]"""
    table = panel.instruments
    usd = np.full(panel.shape, np.nan)
    quotes = [table.quote[c] for c in panel.code.tolist()]
    dollars = np.array([q in DOLLARS for q in quotes], dtype=np.bool_)
    usd[:, dollars] = 1.0
    tether = np.array([q == "USDT" for q in quotes], dtype=np.bool_)
    pair = panel.column(table.code_of(params.fx))
    if pair >= 0 and tether.any():
        usd[:, tether] = (1.0 / mid[:, pair])[:, None]
    return usd


def _corners(panel: Panel) -> IntArray:
    """Columns whose mids are compared with each other: spots, perps and futures of the underlying."""
    table = panel.instruments
    return np.array(
        [
            n
            for n, c in enumerate(panel.code.tolist())
            if table.kind[c] != Kind.OPTION and table.underlying[c] == panel.underlying
        ],
        dtype=np.int64,
    )


def _quarantine(panel: Panel, params: Params, quality: ByteArray, mid: FloatArray, usd: FloatArray) -> None:
    """Mark the mids that are far from the median of the corners, and forget them.  [S1.5]"""
    corners = _corners(panel)
    price = mid[:, corners] * usd[:, corners]
    far = ~np.isnan(price) & ~close_to_median(price, params.quarantine_mid)
    if far.any():
        row, at = np.nonzero(far)
        quality[row, corners[at]] = Quality.FAR_FROM_MEDIAN
        mid[row, corners[at]] = np.nan


def _reference(panel: Panel, market: UnderlyingParams, mid: FloatArray, usd: FloatArray) -> FloatArray:
    """The reference price S in USD, ``[T]``: the venue's index, else the mid of the registered spot.  [S1.7]"""
    at = panel.column(panel.instruments.code_of(market.reference))
    if at < 0:
        return np.full(len(panel.times_ns), np.nan)
    if market.reference_is_index:
        index = panel.index[:, at]
        return np.where(index > 0.0, index, np.nan)
    spot: FloatArray = mid[:, at] * usd[:, at]
    return spot


def _in_coin(panel: Panel) -> BoolArray:
    """Columns whose price is in the underlying coin itself."""
    quote = panel.instruments.quote
    return np.array([quote[c] == panel.underlying for c in panel.code.tolist()], dtype=np.bool_)


def _coin_columns(panel: Panel, spot_usd: FloatArray, usd: FloatArray) -> FloatArray | None:
    """Fill ``usd`` for premiums in coin with the option's own index, else S; return the underlying's price in USD
    under each option, ``[T, N]`` (None where there is no option).  [S1.6]
    """
    table = panel.instruments
    options = table.kind[panel.code] == Kind.OPTION
    if not options.any():
        return None
    underlying_usd = np.where(panel.index > 0.0, panel.index, spot_usd[:, None])
    coin = _in_coin(panel)
    usd[:, coin] = underlying_usd[:, coin]
    return underlying_usd


def _mark_skewed(panel: Panel, params: Params, quality: ByteArray) -> None:
    """Mark quotes that are too old beside the newest of their venue and expiry.  The dollar pair belongs to none."""
    table = panel.instruments
    oldest = _max_age(panel, params)
    groups: dict[tuple[str, int], list[int]] = {}
    for n, c in enumerate(panel.code.tolist()):
        if table.underlying[c] == panel.underlying:
            groups.setdefault((table.venue[c], int(table.expiry_ns[c])), []).append(n)
    for columns in groups.values():
        if len(columns) < 2 or oldest[columns].max() <= params.max_skew_ns:
            continue  # ages of usable quotes cannot differ by more than the largest age allowed
        at = np.array(columns)
        usable = quality[:, at] == Quality.USABLE
        fresh = not_skewed(panel.age_ns[:, at], usable, params.max_skew_ns)
        row, where = np.nonzero(usable & ~fresh)
        quality[row, at[where]] = Quality.SKEWED


def _day_text(panel: Panel) -> str:
    """The UTC day of the block's first grid time, ``YYYY-MM-DD``."""
    first = int(panel.times_ns[0]) // NS_PER_DAY if len(panel.times_ns) else 0
    return str(np.datetime64(first, "D"))


def _fee_base(
    mid: FloatArray, usd: FloatArray, underlying_usd: FloatArray | None, fees: FeeTable, coin: BoolArray
) -> FloatArray:
    """What the fee is a share of, price currency per base unit: the leg's mid, for an option the underlying."""
    if underlying_usd is None:
        return mid
    base = mid.copy()
    # A premium in coin is converted by the very price the fee is a share of: the quotient is 1, and is not computed.
    in_coin = (fees.on_underlying > 0.0) & coin
    base[:, in_coin] = 1.0
    in_dollars = np.flatnonzero((fees.on_underlying > 0.0) & ~coin)
    base[:, in_dollars] = underlying_usd[:, in_dollars] / usd[:, in_dollars]
    return base
