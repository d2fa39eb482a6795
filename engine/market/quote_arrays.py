"""The arrays of a prepared panel, built in place and then frozen: quality, mids, conversions, charges.  [S1.4-S1.7, S3]

They are filled some columns at a time, so that what is made on the way stays in the processor's cache, and each step
needs what the one before left: quality and mids, conversion, charges, legs held to expiry, skew.  Only this module sees
them writable.
"""

from __future__ import annotations

from ctypes import CDLL
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from engine.kernels.choose import compiled
from engine.kernels.quote_preparation import prepare_quotes
from engine.market.chunks import alike, column_chunks, flat, piece
from engine.market.column_terms import COIN, OTHER, Columns, columns_of, kernel_terms, skew_groups
from engine.market.dollars import DOLLARS, DollarRates, dollar_rates, index_dollar, paid_conversion
from engine.market.fees import FeeTable, delivery_fee, fee_per_unit, taker_fee
from engine.market.leg_charge import held_to_expiry, one_side
from engine.market.quality import close_to_median, is_skewed, judge
from engine.market.steps import Ticks
from engine.params import Params, UnderlyingParams
from engine.records import BoolArray, ByteArray, FloatArray, IntArray, Kind, Panel, Quality


@dataclass(frozen=True, slots=True, eq=False)
class QuoteArrays:
    """What `prepare` makes of each quote of a panel; ``[T, N]`` unless said, with the meaning of `PreparedPanel`."""

    panel: Panel
    fees: FeeTable
    spot_usd: FloatArray  # [T]
    dollars: DollarRates
    usd: FloatArray
    money: FloatArray
    usable: BoolArray
    quality: ByteArray
    mid: FloatArray
    half_spread: FloatArray
    charge: FloatArray


def quote_arrays(
    panel: Panel, params: Params, market: UnderlyingParams, fees: FeeTable, ticks: Ticks
) -> tuple[QuoteArrays, FloatArray | None]:
    """Return the arrays of a panel, read-only, and the conversion that all its premiums in coin share.

    The conversion has shape ``[T]``, USD per coin; None where there is no such option, or where they differ.
    ``market`` holds what is registered for the panel's underlying; ``fees`` and ``ticks`` are those of its columns,
    ``[N]``.
    """
    columns = columns_of(panel, params, ticks)
    rates, spot_usd, far = _linear(panel, params, market, columns)
    if (library := compiled()) is not None:
        return _compiled(library, panel, params, columns, fees, rates, spot_usd, far)
    shape = panel.shape[::-1]
    usd, mid, half_spread, charge = (np.empty(shape).T for _ in range(4))
    quality, usable = np.empty(shape, dtype=np.uint8).T, np.empty(shape, dtype=np.bool_).T
    _convert(panel, rates, spot_usd, columns.currency, usd)
    money = paid_conversion(panel, usd, rates)
    arrays = QuoteArrays(panel, fees, spot_usd, rates, usd, money, usable, quality, mid, half_spread, charge)
    old = [_fill(arrays, params, columns, own, far) for own in column_chunks(*shape)]
    _charge_held_legs(arrays, params, columns)
    # Last, since skew compares usable quotes and takes the charge of the late ones away again.
    _mark_skewed(arrays, params.max_skew_ns, np.concatenate([np.empty(0, dtype=np.int64), *old]))
    return _frozen(arrays), _shared(arrays, columns)


def _compiled(
    library: CDLL,
    panel: Panel,
    params: Params,
    columns: Columns,
    fees: FeeTable,
    rates: DollarRates,
    spot_usd: FloatArray,
    far: dict[int, IntArray],
) -> tuple[QuoteArrays, FloatArray | None]:
    """Return what `quote_arrays` returns, filled by the compiled kernel in one pass."""
    quotes = {name: piece(getattr(panel, name), slice(None)) for name in _QUOTES}
    terms = kernel_terms(panel, params, columns, fees, _dollars(rates, spot_usd), far)
    made = prepare_quotes(library, quotes, terms, skew_groups(panel))
    turned = {name: getattr(made, name).T for name in _FILLED}
    if made.money is made.usd:
        turned["money"] = turned["usd"]
    arrays = QuoteArrays(panel=panel, fees=fees, spot_usd=spot_usd, dollars=rates, **turned)
    return _frozen(arrays), made.coin_usd


_QUOTES: Final = ("bid", "ask", "bid_size", "ask_size", "index", "age_ns")
_FILLED: Final = ("usd", "money", "usable", "quality", "mid", "half_spread", "charge")


def _frozen(arrays: QuoteArrays) -> QuoteArrays:
    rates = arrays.dollars
    converted = (rates.usd, rates.usdt, rates.usdt_per_usdc, arrays.spot_usd, arrays.usd, arrays.money)
    for array in (*converted, arrays.usable, arrays.quality, arrays.mid, arrays.half_spread, arrays.charge):
        array.setflags(write=False)
    return arrays


def _dollars(rates: DollarRates, spot_usd: FloatArray) -> list[FloatArray]:
    """Return what a unit of each currency of `Columns` is worth, ``[T]`` each: the coin by S, what is unknown NaN."""
    return [*(rates.of(name) for name in DOLLARS), spot_usd, np.full(len(spot_usd), np.nan)]


def _linear(
    panel: Panel, params: Params, market: UnderlyingParams, columns: Columns
) -> tuple[DollarRates, FloatArray, dict[int, IntArray]]:
    """Return the dollars and the reference price, ``[T]``, and the rows of each corner that is far from the median.

    The corners are the spots, perps and futures of the underlying; their mids are compared in one dollar.  [S1.5-S1.7]
    """
    table, rows = panel.instruments, len(panel.times_ns)
    mid, quality = np.empty(rows), np.empty((1, rows), dtype=np.uint8)

    def own_mid(column: int) -> FloatArray:
        at = slice(column, column + 1)
        judge(panel, at, columns.max_age_ns[at], params.max_skew_ns, columns.gone_from[at], quality, mid[None])
        return mid.copy()

    rates = dollar_rates(panel, params.dollars, own_mid)
    in_usd: dict[int, Any] = {number: rates.of(name) for number, name in enumerate(DOLLARS)}
    in_usd |= {COIN: np.nan, OTHER: np.nan}
    others = np.flatnonzero(table.kind[panel.code] != Kind.OPTION).tolist()
    corners = [n for n in others if table.underlying[panel.code[n]] == panel.underlying]
    price = np.empty((rows, len(corners)))
    for n, column in enumerate(corners):
        price[:, n] = own_mid(column) * in_usd[columns.currency[column]]
    # A corner that is not usable has a reason already, and is not called far as well.
    close = close_to_median(price, params.quarantine_mid) | np.isnan(price)
    far = {column: np.flatnonzero(~close[:, n]) for n, column in enumerate(corners)}

    at = panel.column(table.code_of(market.reference))
    if at < 0:
        return rates, np.full(rows, np.nan), far
    if market.reference_is_index:
        index = panel.index[:, at] * rates.of(index_dollar(table, int(panel.code[at])))
        return rates, np.where(index > 0.0, index, np.nan), far
    spot_usd = own_mid(at) * in_usd[columns.currency[at]]
    # A reference far from the median is no reference.  [S1.5, S1.7]
    if at in far:
        spot_usd[far[at]] = np.nan
    return rates, spot_usd, far


def _fill(arrays: QuoteArrays, params: Params, columns: Columns, own: slice, far: dict[int, IntArray]) -> IntArray:
    """Fill the arrays for some columns, but for skew and for what is held to its expiry.

    Returns the cells, as flat numbers in ``[N, T]``, of quotes older than ``max_skew``.
    """
    panel, fees = arrays.panel, arrays.fees
    quality, usable = arrays.quality.T[own], arrays.usable.T[own]
    mid, half, charge = (array.T[own] for array in (arrays.mid, arrays.half_spread, arrays.charge))
    max_skew_ns = params.max_skew_ns
    judged = judge(panel, own, columns.max_age_ns[own], max_skew_ns, columns.gone_from[own], quality, mid)
    for column in [n for n in range(own.start, own.stop) if n in far]:
        quality[column - own.start, far[column]] = Quality.FAR_FROM_MEDIAN
    for conversion in (arrays.usd.T[own], arrays.money.T[own]):
        unknown = np.isnan(conversion)
        if unknown.any():
            quality[(quality == Quality.USABLE) & unknown] = Quality.NO_CONVERSION
    np.equal(quality, Quality.USABLE, out=usable)

    np.subtract(piece(panel.ask, own), piece(panel.bid, own), out=half)
    half *= 0.5
    # What lacks a side is NaN by itself.
    bad = np.flatnonzero((quality != Quality.USABLE) & (quality != Quality.ONE_SIDED))
    flat(mid)[bad] = np.nan
    flat(half)[bad] = np.nan
    # A bar or a mark repeats one price: bid = ask says nothing of the spread.  [S3.3]
    half[columns.spreadless[own]] = np.nan
    if fees.on_coin[own].all():
        fee = fee_per_unit(alike(fees.taker[own]), alike(fees.cap[own]), mid, 1.0)
    else:
        fee = np.ascontiguousarray(taker_fee(arrays, (slice(None), own)).T)
    if not judged.sized or columns.spreadless[own].any():
        half = one_side(panel, own, columns.slip, mid, half)
    np.add(half, fee, out=charge)
    return np.asarray(judged.old + own.start * mid.shape[1])


def _convert(panel: Panel, rates: DollarRates, spot_usd: FloatArray, currency: ByteArray, usd: FloatArray) -> None:
    """Fill ``usd``, ``[T, N]``: a premium in coin by the option's own index, else S; what is no currency is NaN."""
    dollars = _dollars(rates, spot_usd)
    for own in column_chunks(*panel.shape[::-1]):
        block = usd.T[own]
        if not (currency[own] == COIN).all():
            for n, which in enumerate(currency[own].tolist()):
                block[n] = dollars[which]
        coin = np.flatnonzero(currency[own] == COIN)
        if len(coin):
            index = panel.index.T[own][coin] * rates.usd
            block[coin] = np.where(index > 0.0, index, spot_usd)


def _shared(arrays: QuoteArrays, columns: Columns) -> FloatArray | None:
    """Return the conversion that all premiums in coin share, ``[T]``; None where there is none or it is not known."""
    coin = np.flatnonzero(columns.currency == COIN)
    if not len(coin):
        return None
    first = arrays.usd[:, coin[0]]
    same = all(bool((arrays.usd.T[own] == first).all()) for own in coin.tolist())
    return first if same else None


def _charge_held_legs(arrays: QuoteArrays, params: Params, columns: Columns) -> None:
    """Lower the charge of legs that may be held to their expiry: one crossing, entry and delivery fee, all halved."""
    near, from_ns = held_to_expiry(arrays.panel, params)
    if not len(near):
        return
    cells = (slice(None), near)
    side = one_side(arrays.panel, near, columns.slip, arrays.mid.T[near], arrays.half_spread.T[near])
    once = 0.5 * (side + taker_fee(arrays, cells).T + delivery_fee(arrays, cells).T)
    twice = arrays.charge.T[near]
    arrays.charge.T[near] = np.where(arrays.panel.times_ns >= from_ns[:, None], np.minimum(once, twice), twice)


def _mark_skewed(arrays: QuoteArrays, max_skew_ns: int, old: IntArray) -> None:
    """Forget quotes that are too old beside the newest of their venue and expiry.  The dollar pair belongs to none.

    No quote is newer than now: only the cells ``old``, older than ``max_skew`` themselves, can be.
    """
    panel, groups = arrays.panel, skew_groups(arrays.panel)
    group = np.full(len(panel.code), -1, dtype=np.int64)
    for number, members in enumerate(groups):
        group[members] = number
    column, row = np.divmod(old, max(panel.shape[0], 1))
    kept = np.flatnonzero(arrays.usable[row, column])
    for number, members in enumerate(groups):
        quotes = kept[group[column[kept]] == number]
        if not len(quotes):
            continue
        late = is_skewed(panel.age_ns.T, arrays.usable.T, members, column[quotes], row[quotes], max_skew_ns)
        cells = row[quotes[late]], column[quotes[late]]
        arrays.quality[cells] = Quality.SKEWED
        arrays.usable[cells] = False
        for array in (arrays.mid, arrays.half_spread, arrays.charge):
            array[cells] = np.nan
