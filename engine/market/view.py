"""A panel made ready for judgement: what is usable, what it is worth in USD, what it costs to trade.  [S1.4-S1.7]"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from engine.arguments import require_columns
from engine.errors import UsageError
from engine.market.dollars import DollarRates
from engine.market.fees import FeeTable, delivery_fee, fee_table, taker_fee
from engine.market.multi_day import MultiDayPanel
from engine.market.quality import quality_counts
from engine.market.quote_arrays import quote_arrays
from engine.market.steps import Ticks, lot_sizes, option_ticks
from engine.params import Params, UnderlyingParams
from engine.records import BoolArray, ByteArray, CurveHistory, FloatArray, IntArray, Panel
from engine.units import NS_PER_DAY

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class PreparedPanel:
    """A panel with everything that all constraints share, computed once.  All arrays ``[T, N]`` unless said.

    Prices stay in the price currency of their instrument: a package quoted in one currency is detected in it.
    ``usd`` converts a price for comparison: 1 for USDC, the inverse of the USDC/USDT mid for USDT, what the plan says
    for USD, the venue's index of the same grid time for a premium in coin.  ``money`` converts what the contract pays
    for a unit of price: the same, but for a quanto that of its settlement currency.  [venues V1]  Both are NaN where
    the conversion is missing, and then the quote is not usable.
    Unusable quotes are NaN in ``mid`` and in all that follows; NaN never becomes zero.

    ``charge`` is half of the cheapest round trip without impact, hence ``2 * charge`` per base unit never exceeds
    what `engine.costs.total` charges for the leg: fee + half-spread + fallback slippage where depth is unknown, and
    for an expiring leg that is planned to be held the delivery fee in place of the exit.
    """

    panel: Panel
    params: Params
    market: UnderlyingParams
    curves: CurveHistory
    fees: FeeTable  # in force for the columns
    lots: FloatArray  # [N] in force: base units, of an inverse contract price currency; NaN where none is registered
    ticks: Ticks  # of the options
    spot_usd: FloatArray  # [T] reference price S  [S1.7]
    dollars: DollarRates
    usd: FloatArray  # USDC per unit of the price currency
    money: FloatArray  # USDC per unit of price as it is paid; an inverse contract is paid in coin: `price_path`
    usable: BoolArray
    quality: ByteArray  # Quality
    mid: FloatArray  # price currency
    half_spread: FloatArray  # price currency; NaN where the feed has no spread
    charge: FloatArray  # half a round trip: fee + half-spread (or fallback), price currency per base unit, no impact
    coin_usd: FloatArray | None = None  # [T] the conversion of every premium in coin, where they all share one
    days: MultiDayPanel | None = None  # what the panel was laid from; None: it is judged as one day

    def __post_init__(self) -> None:
        cells = self.panel.shape
        require_columns(self, cells, {"lots": cells[1:], "spot_usd": cells[:1], "coin_usd": cells[:1]})

    def fee(self, at: Any) -> FloatArray:
        """Return one side's taker fee, price currency per base unit, at the cells ``at`` = (rows, columns)."""
        return taker_fee(self, at)

    def exit_fee(self, at: Any) -> FloatArray:
        """Return the delivery fee of a leg held to its expiry, price currency per base unit, at the cells ``at``."""
        return delivery_fee(self, at)


def cached_on_panel(
    function: Callable[Concatenate[PreparedPanel, Arguments], Result],
) -> Callable[Concatenate[PreparedPanel, Arguments], Result]:
    """Return ``function`` with its results kept for each panel and its other arguments, which must be hashable.

    Several constraints read the same chains, pairs and synthetics of a block.  The results are kept outside the record,
    which stays frozen, and die with it: they must not refer to the panel itself.  A panel made by
    `dataclasses.replace` is another one and starts with none.
    """
    kept: WeakKeyDictionary[PreparedPanel, dict[Hashable, Result]] = WeakKeyDictionary()

    @wraps(function)
    def cached(panel: PreparedPanel, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        results = kept.setdefault(panel, {})
        key: Hashable = (args, tuple(sorted(kwargs.items())))
        if key not in results:
            results[key] = function(panel, *args, **kwargs)
        return results[key]

    return cached


def prepare(panel: Panel, params: Params, curves: CurveHistory) -> PreparedPanel:
    """Return the view of ``panel``: usable masks, conversions, reference price and charges.  [S1.4-S1.7, S3]

    Each row depends on that row of the panel alone.  A quote without a conversion is not usable; so is one further
    than ``quarantine_mid`` from the median of the underlying's spots, perps and futures, in one dollar, and one that is
    older than the newest usable quote of its venue and expiry by more than ``max_skew``.  Where the reference price
    is unknown, ``spot_usd`` is NaN.  Raises ``UsageError`` for an underlying or a fee that is not registered.
    """
    if panel.underlying not in params.underlyings:
        known = ", ".join(sorted(params.underlyings)) or "none"
        raise UsageError(f"expected a registered underlying, was {panel.underlying!r} (registered: {known})")
    market = params.underlyings[panel.underlying]
    fees = fee_table(params.fees, panel.instruments, panel.code, panel.underlying, _day_text(panel))
    ticks = option_ticks(params.ticks, panel.instruments, panel.code, _day_text(panel))
    arrays, coin_usd = quote_arrays(panel, params, market, fees, ticks)
    return PreparedPanel(
        panel=panel,
        params=params,
        market=market,
        curves=curves,
        fees=fees,
        lots=lot_sizes(params.lots, panel.instruments, panel.code, _day_text(panel)),
        ticks=ticks,
        spot_usd=arrays.spot_usd,
        dollars=arrays.dollars,
        usd=arrays.usd,
        money=arrays.money,
        usable=arrays.usable,
        quality=arrays.quality,
        mid=arrays.mid,
        half_spread=arrays.half_spread,
        charge=arrays.charge,
        coin_usd=coin_usd,
    )


def quality_of(view: PreparedPanel) -> IntArray:
    """Return the counts of each column's `Quality` over the block, ``[N, len(Quality)]``, for the report.  [S1.4]"""
    return quality_counts(view.quality)


def _day_text(panel: Panel) -> str:
    """The UTC day of the block's first grid time, ``YYYY-MM-DD``."""
    # A block without grid times charges nothing, so any day's fees will do.
    first = int(panel.times_ns[0]) // NS_PER_DAY if len(panel.times_ns) else 0
    return str(np.datetime64(first, "D"))
