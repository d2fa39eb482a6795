"""Taker and delivery fees by venue and product, as of a date.  [S3.4, risk.md 5]

A spot, perp or future pays a share of the leg's own notional.  An option pays a share of the *underlying's* notional,
at most a share of its premium, on each side; at expiry the delivery fee with its own cap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from engine.arguments import require_columns
from engine.convention_rows import FeeRate
from engine.errors import UsageError
from engine.market.dated_rows import fitting_rows, once_a_contract, row_in_force
from engine.records import CodeArray, FloatArray, Instruments, Kind, Panel
from engine.units import BPS


@dataclass(frozen=True, slots=True)
class FeeTable:
    """The fees in force for the columns of a panel, each ``[N]``; a missing cap is infinite."""

    taker: FloatArray  # share of the leg's notional; of the underlying's for an option
    cap: FloatArray  # share of the premium
    delivery: FloatArray
    delivery_cap: FloatArray
    on_underlying: FloatArray  # 1.0 for an option, else 0.0
    on_coin: FloatArray  # 1.0 for an option whose premium is in coin: its underlying is worth one coin

    def __post_init__(self) -> None:
        require_columns(self, (np.size(self.taker),))


def rate_in_force(fees: Sequence[FeeRate], instruments: Instruments, code: int, day: str) -> FeeRate:
    """Return the fee of instrument ``code`` on the UTC ``day`` (``YYYY-MM-DD``): the latest row of its own keys.

    Of the rows in force that fit it, the one that names its symbol goes first, then its settlement currency, then its
    settlement period.  Raises ``UsageError`` where none is in force: a trade without a fee would be a made-up profit.
    [S3.4, venues V5]
    """
    venue, kind = instruments.venue[code], Kind(instruments.kind[code])
    known = [f for f in fees if f.venue == venue and f.kind == kind]
    if not known:
        registered = ", ".join(sorted({f"{f.venue} {Kind(f.kind).name.lower()}" for f in fees})) or "none"
        raise UsageError(
            f"expected a registered fee of venue {venue!r} for {kind.name.lower()}, was {registered}: "
            "add it to the fees of the configuration, with its date and source"
        )
    fitting = fitting_rows(known, instruments, code)
    fee = row_in_force(fitting, day)
    if fee is None:
        first = min((f.as_of for f in fitting), default="none")
        raise UsageError(
            f"expected a registered fee of {instruments.name[code]} ({kind.name.lower()}, settled in "
            f"{instruments.settle[code]}) on {day}, was none before {first}: add a row with its first day and source "
            f"to the fees of venue {venue}"
        )
    return fee


def fee_table(fees: Sequence[FeeRate], instruments: Instruments, code: CodeArray, coin: str, day: str) -> FeeTable:
    """Return the fees in force on the UTC ``day`` for the instruments ``code``, ``[N]``, of the underlying ``coin``.

    Raises ``UsageError`` if an instrument has no registered fee on that day.
    """
    rates = once_a_contract(lambda c: rate_in_force(fees, instruments, c, day), fees, instruments, code)
    # One row serves thousands of contracts: its numbers are looked up once.
    rows = list(dict.fromkeys(rates))
    number = {row: n for n, row in enumerate(rows)}
    which = [number[rate] for rate in rates]

    def column(values: list[float]) -> FloatArray:
        return np.array(values, dtype=np.float64)[which]

    option = column([1.0 if r.kind == Kind.OPTION else 0.0 for r in rows])
    return FeeTable(
        taker=column([r.taker_bps / BPS for r in rows]),
        cap=column([np.inf if r.cap is None else r.cap for r in rows]),
        delivery=column([r.delivery_bps / BPS for r in rows]),
        delivery_cap=column([np.inf if r.delivery_cap is None else r.delivery_cap for r in rows]),
        on_underlying=option,
        on_coin=option * np.array([instruments.quote[c] == coin for c in code.tolist()], dtype=np.float64),
    )


def without_fees(fees: FeeTable) -> FeeTable:
    """Return the table of somebody who pays none."""
    return replace(fees, taker=fees.taker * 0.0, delivery=fees.delivery * 0.0)


def fee_per_unit(
    share: FloatArray | float, cap: FloatArray | float, price: FloatArray, fee_base: FloatArray | float
) -> FloatArray:
    """Return one side's fee per base unit in price currency: ``min(share * fee_base, cap * price)``.

    Arguments of one shape, or broadcast to it.  ``fee_base`` is the leg's own price, or for an option the underlying's
    price in the option's price currency (1 for a premium in coin).  NaN in, NaN out.

    >>> fee_per_unit(np.array([3e-4]), np.array([0.125]), np.array([0.05, 0.001]), np.array([1.0])).tolist()
    [0.0003, 0.000125]
    """
    fee: FloatArray = np.minimum(share * fee_base, cap * price)
    return fee


class PricedQuotes(Protocol):
    """What fees of single cells are computed from: a prepared panel, or its arrays while they are built."""

    @property
    def panel(self) -> Panel: ...
    @property
    def fees(self) -> FeeTable: ...  # of the panel's columns
    @property
    def spot_usd(self) -> FloatArray: ...  # [T]
    @property
    def usd(self) -> FloatArray: ...  # [T, N] USDC per unit of the price currency
    @property
    def mid(self) -> FloatArray: ...  # [T, N] price currency


def taker_fee(quotes: PricedQuotes, at: Any) -> FloatArray:
    """Return one side's taker fee, price currency per base unit, at the cells ``at`` = (rows, columns).

    The shape is that of ``quotes.mid[at]``; NaN where the mid is.
    """
    fees = quotes.fees
    return fee_per_unit(fees.taker[at[1]], fees.cap[at[1]], quotes.mid[at], _fee_base(quotes, at))


def delivery_fee(quotes: PricedQuotes, at: Any) -> FloatArray:
    """Return the delivery fee of a leg held to its expiry, with the units, shape and NaN of `taker_fee`."""
    fees = quotes.fees
    return fee_per_unit(fees.delivery[at[1]], fees.delivery_cap[at[1]], quotes.mid[at], _fee_base(quotes, at))


def _fee_base(quotes: PricedQuotes, at: Any) -> FloatArray:
    """What the fee is a share of, price currency per base unit: the leg's mid, for an option the underlying."""
    option = quotes.fees.on_underlying[at[1]] > 0.0
    mid: FloatArray = quotes.mid[at]
    if not option.any():
        return mid
    index = quotes.panel.index[at]
    spot = quotes.spot_usd[:, None] if isinstance(at[0], slice) else quotes.spot_usd[at[0]]
    # An index is in the dollar of the option's price.
    underlying = np.where(index > 0.0, index, spot / quotes.usd[at])
    base = np.where(option, underlying, mid)
    # A premium in coin is converted by the very price the fee is a share of: the quotient is 1.
    return np.where(quotes.fees.on_coin[at[1]] > 0.0, 1.0, base)


def leg_fee_bps(fee: FloatArray, price: FloatArray) -> FloatArray:
    """Return a fee per base unit in bps of the leg's own notional, of the broadcast shape; NaN in, NaN out.  [S3.1]"""
    return BPS * fee / price
