"""A panel made ready for judgement: what is usable, what it is worth in USD, what it costs to trade.  [S1.4-S1.7]"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.errors import UsageError
from engine.market.chunks import alike, column_chunks, flat, piece
from engine.market.fees import FeeTable, fee_per_unit, fee_table
from engine.market.leg_charge import held_to_expiry, one_side, slippage
from engine.market.multi_day import MultiDayPanel
from engine.market.quality import close_to_median, is_skewed, judge, quality_counts
from engine.params import Params, UnderlyingParams
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
from engine.units import NEVER_NS, NS_PER_DAY

DOLLARS = ("USD", "USDC")
"""The numeraire: USD is USDC.  [spec README, data and grid]"""
_DOLLAR, _TETHER, _COIN, _OTHER = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPanel:
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
    fees: FeeTable  # in force for the columns
    spot_usd: FloatArray  # [T] reference price S  [S1.7]
    usd: FloatArray  # USD per unit of the price currency
    usable: BoolArray
    quality: ByteArray  # Quality
    mid: FloatArray  # price currency
    half_spread: FloatArray  # price currency; NaN where the feed has no spread
    charge: FloatArray  # half a round trip: fee + half-spread (or fallback), price currency per base unit, no impact
    coin_usd: FloatArray | None = None  # [T] the conversion of every premium in coin, where they all share one
    days: MultiDayPanel | None = None  # what the panel was laid from; None: it is judged as one day
    memo: dict[Any, Any] = field(init=False, repr=False, default_factory=dict)  # what was derived once, by its name

    def fee(self, at: Any) -> FloatArray:
        """Return one side's taker fee, price currency per base unit, at the cells ``at`` = (rows, columns)."""
        return fee_per_unit(self.fees.taker[at[1]], self.fees.cap[at[1]], self.mid[at], self._fee_base(at))

    def exit_fee(self, at: Any) -> FloatArray:
        """Return the delivery fee of a leg held to its expiry, price currency per base unit, at the cells ``at``."""
        return fee_per_unit(self.fees.delivery[at[1]], self.fees.delivery_cap[at[1]], self.mid[at], self._fee_base(at))

    def _fee_base(self, at: Any) -> FloatArray:
        """What the fee is a share of, price currency per base unit: the leg's mid, for an option the underlying."""
        option = self.fees.on_underlying[at[1]] > 0.0
        mid: FloatArray = self.mid[at]
        if not option.any():
            return mid
        index = self.panel.index[at]
        spot = self.spot_usd[:, None] if isinstance(at[0], slice) else self.spot_usd[at[0]]
        underlying = np.where(index > 0.0, index, spot) / self.usd[at]
        base = np.where(option, underlying, mid)
        # A premium in coin is converted by the very price the fee is a share of: the quotient is 1.
        return np.where(self.fees.on_coin[at[1]] > 0.0, 1.0, base)


def prepare(panel: Panel, params: Params, curves: CurveHistory) -> PreparedPanel:
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
    fees = fee_table(params.fees, panel.instruments, panel.code, panel.underlying, _day_text(panel))
    columns = _columns(panel, params)
    dollar, spot_usd, far = _linear(panel, params, market, columns)
    shape = panel.shape[::-1]
    usd, mid, half_spread, charge = (np.empty(shape).T for _ in range(4))
    quality, usable = np.empty(shape, dtype=np.uint8).T, np.empty(shape, dtype=np.bool_).T
    view = PreparedPanel(panel, params, market, curves, fees, spot_usd, usd, usable, quality, mid, half_spread, charge)
    old = [_fill(view, columns, own, dollar, far) for own in column_chunks(*panel.shape[::-1])]
    _hold(view, columns)
    _mark_skewed(view, np.concatenate([np.empty(0, dtype=np.int64), *old]))
    for array in (spot_usd, usd, usable, quality, mid, half_spread, charge):
        array.setflags(write=False)
    return replace(view, coin_usd=_shared(view, columns))


def quality_of(view: PreparedPanel) -> IntArray:
    """Return the counts of each column's `Quality` over the block, ``[N, len(Quality)]``, for the report.  [S1.4]"""
    return quality_counts(view.quality)


@dataclass(frozen=True, slots=True)
class _Columns:
    """What is the same for a column at all grid times, ``[N]``."""

    max_age_ns: IntArray
    gone_from: IntArray  # first row at or after the expiry
    currency: ByteArray  # of the price
    slip: FloatArray  # fallback slippage of one side, a share
    spreadless: BoolArray  # the feed knows no spread


def _columns(panel: Panel, params: Params) -> _Columns:
    table, code = panel.instruments, panel.code
    by_kind = np.array([params.max_age_ns[kind] for kind in Kind], dtype=np.int64)[table.kind[code]]
    bar = table.bar_ns[code]  # a bar's max age is its own length
    named = dict.fromkeys(DOLLARS, _DOLLAR) | {"USDT": _TETHER}
    if (table.kind[code] == Kind.OPTION).any():
        named[panel.underlying] = _COIN  # only options have their premiums in coin
    return _Columns(
        # Never quoted is older than any age allowed.
        max_age_ns=np.minimum(np.where(bar > 0, bar, by_kind), NEVER_NS - 1),
        gone_from=np.searchsorted(panel.times_ns, table.expiry_ns[code]),
        currency=np.array([named.get(table.quote[c], _OTHER) for c in code.tolist()], dtype=np.uint8),
        slip=slippage(params, table.kind[code]),
        spreadless=np.isin(table.feed[code], (Feed.BAR, Feed.MARK)),
    )


def _linear(
    panel: Panel, params: Params, market: UnderlyingParams, columns: _Columns
) -> tuple[FloatArray, FloatArray, dict[int, IntArray]]:
    """Return USD per USDT and the reference price, ``[T]``, and the rows of each corner that is far from the median.

    The corners are the spots, perps and futures of the underlying; their mids are compared in USD.  [S1.5-S1.7]
    """
    table, rows = panel.instruments, len(panel.times_ns)
    mid, quality = np.empty(rows), np.empty((1, rows), dtype=np.uint8)

    def own_mid(column: int) -> FloatArray:
        at = slice(column, column + 1)
        judge(panel, at, columns.max_age_ns[at], params.max_skew_ns, columns.gone_from[at], quality, mid[None])
        return mid.copy()

    pair = panel.column(table.code_of(params.fx))
    dollar = 1.0 / own_mid(pair) if pair >= 0 else np.full(rows, np.nan)
    in_usd = {_DOLLAR: 1.0, _TETHER: dollar, _COIN: np.nan, _OTHER: np.nan}
    others = np.flatnonzero(table.kind[panel.code] != Kind.OPTION).tolist()
    corners = [n for n in others if table.underlying[panel.code[n]] == panel.underlying]
    price = np.empty((rows, len(corners)))
    for n, column in enumerate(corners):
        price[:, n] = own_mid(column) * in_usd[columns.currency[column]]
    close = close_to_median(price, params.quarantine_mid) | np.isnan(price)
    far = {column: np.flatnonzero(~close[:, n]) for n, column in enumerate(corners)}

    at = panel.column(table.code_of(market.reference))
    if at < 0:
        return dollar, np.full(rows, np.nan), far
    if market.reference_is_index:
        index = panel.index[:, at]
        return dollar, np.where(index > 0.0, index, np.nan), far
    spot_usd = own_mid(at) * in_usd[columns.currency[at]]
    if at in far:
        spot_usd[far[at]] = np.nan
    return dollar, spot_usd, far


def _fill(view: PreparedPanel, columns: _Columns, own: slice, dollar: FloatArray, far: dict[int, IntArray]) -> IntArray:
    """Fill the arrays of ``view`` for some columns, but for skew and for what is held to its expiry.

    Returns the cells, as flat numbers in ``[N, T]``, of quotes older than ``max_skew``.
    """
    panel, fees = view.panel, view.fees
    quality, usable = view.quality.T[own], view.usable.T[own]
    usd, mid, half, charge = (array.T[own] for array in (view.usd, view.mid, view.half_spread, view.charge))
    max_skew_ns = view.params.max_skew_ns
    judged = judge(panel, own, columns.max_age_ns[own], max_skew_ns, columns.gone_from[own], quality, mid)
    for column in [n for n in range(own.start, own.stop) if n in far]:
        quality[column - own.start, far[column]] = Quality.FAR_FROM_MEDIAN
    if _convert(view, columns.currency, own, dollar):
        quality[(quality == Quality.USABLE) & np.isnan(usd)] = Quality.NO_CONVERSION
    np.equal(quality, Quality.USABLE, out=usable)

    np.subtract(piece(panel.ask, own), piece(panel.bid, own), out=half)
    half *= 0.5
    # What lacks a side is NaN by itself.
    bad = np.flatnonzero((quality != Quality.USABLE) & (quality != Quality.ONE_SIDED))
    flat(mid)[bad] = np.nan
    flat(half)[bad] = np.nan
    half[columns.spreadless[own]] = np.nan
    if fees.on_coin[own].all():
        fee = fee_per_unit(alike(fees.taker[own]), alike(fees.cap[own]), mid, 1.0)
    else:
        fee = np.ascontiguousarray(view.fee((slice(None), own)).T)
    if not judged.sized or columns.spreadless[own].any():
        half = one_side(panel, own, columns.slip[own], mid, half)
    np.add(half, fee, out=charge)
    return np.asarray(judged.old + own.start * mid.shape[1])


def _convert(view: PreparedPanel, currency: ByteArray, own: slice, dollar: FloatArray) -> bool:
    """Fill ``usd`` of some columns, a premium in coin by the option's own index, else S; return whether any is NaN."""
    block, index = view.usd.T[own], piece(view.panel.index, own)
    if (currency[own] == _COIN).all():
        np.copyto(block, index)
        known = index > 0.0
        if known.all():
            return False
        np.copyto(block, view.spot_usd, where=~known)
    else:
        same: dict[int, Any] = {_DOLLAR: 1.0, _TETHER: dollar, _OTHER: np.nan}
        for n, which in enumerate(currency[own].tolist()):
            block[n] = np.where(index[n] > 0.0, index[n], view.spot_usd) if which == _COIN else same[which]
    return bool(np.isnan(block).any())


def _shared(view: PreparedPanel, columns: _Columns) -> FloatArray | None:
    """Return the conversion that all premiums in coin share, ``[T]``; None where there is none or it is not known."""
    coin = np.flatnonzero(columns.currency == _COIN)
    if not len(coin):
        return None
    first = view.usd[:, coin[0]]
    same = all(bool((view.usd.T[own] == first).all()) for own in coin.tolist())
    return first if same else None


def _hold(view: PreparedPanel, columns: _Columns) -> None:
    """Lower the charge of legs that may be held to their expiry: one crossing, entry and delivery fee, all halved."""
    near, from_ns = held_to_expiry(view.panel, view.params)
    if not len(near):
        return
    cells = (slice(None), near)
    side = one_side(view.panel, near, columns.slip[near], view.mid.T[near], view.half_spread.T[near])
    once = 0.5 * (side + view.fee(cells).T + view.exit_fee(cells).T)
    twice = view.charge.T[near]
    view.charge.T[near] = np.where(view.panel.times_ns >= from_ns[:, None], np.minimum(once, twice), twice)


def _mark_skewed(view: PreparedPanel, old: IntArray) -> None:
    """Forget quotes that are too old beside the newest of their venue and expiry.  The dollar pair belongs to none.

    No quote is newer than now: only the cells ``old``, older than ``max_skew`` themselves, can be.
    """
    panel, table = view.panel, view.panel.instruments
    groups: dict[tuple[str, int], list[int]] = {}
    for n, (c, expiry) in enumerate(zip(panel.code.tolist(), table.expiry_ns[panel.code].tolist(), strict=True)):
        if table.underlying[c] == panel.underlying:
            groups.setdefault((table.venue[c], expiry), []).append(n)
    group = np.full(len(panel.code), -1, dtype=np.int64)
    for number, members in enumerate(groups.values()):
        group[members] = number
    column, row = np.divmod(old, max(panel.shape[0], 1))
    kept = np.flatnonzero(view.usable[row, column])
    for number, members in enumerate(groups.values()):
        mine = kept[group[column[kept]] == number]
        if not len(mine):
            continue
        late = is_skewed(panel.age_ns.T, view.usable.T, members, column[mine], row[mine], view.params.max_skew_ns)
        cells = row[mine[late]], column[mine[late]]
        view.quality[cells] = Quality.SKEWED
        view.usable[cells] = False
        for array in (view.mid, view.half_spread, view.charge):
            array[cells] = np.nan


def _day_text(panel: Panel) -> str:
    """The UTC day of the block's first grid time, ``YYYY-MM-DD``."""
    first = int(panel.times_ns[0]) // NS_PER_DAY if len(panel.times_ns) else 0
    return str(np.datetime64(first, "D"))
