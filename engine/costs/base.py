"""Prices, sizes and fees of the legs of packages at their grid times, and the shape of a cost term.  [S3]"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.convention_rows import Lot, PriceTick
from engine.costs.depth import depth_share_size, touch_usd
from engine.errors import UsageError
from engine.market.fees import leg_fee_bps
from engine.market.leg_charge import fallback_bps
from engine.market.steps import missing_row
from engine.market.view import PreparedPanel
from engine.params import Params
from engine.records import BoolArray, ByteArray, CodeArray, FloatArray, Instruments, IntArray, Kind
from engine.units import BPS, NEVER_NS, NS_PER_DAY


@dataclass(frozen=True, slots=True)
class LegTerms:
    """What each leg of M packages is charged, ``[M, L]`` unless a comment gives another shape.

    An absent leg has weight 0, code -1 and NaN in what depends on a price.

    ``weight`` is |quantity| x mid x money / S, the leg's notional per unit of package notional; bps without ``of S`` in
    their name are bps of the *leg's* notional.  ``held`` is True where the plan is to hold the leg to its expiry: it
    is settled there, not traded.
    """

    instruments: Instruments
    params: Params
    code: CodeArray  # -1 where the package has fewer legs
    quantity: FloatArray
    weight: FloatArray
    fee_bps: FloatArray  # one side
    exit_fee_bps: FloatArray  # the same, or the delivery fee of a leg held to its expiry
    spread_bps: FloatArray  # NaN where unknown
    slip_bps: FloatArray  # registered fallback of one side where depth is unknown, else 0
    depth_usd: FloatArray  # touch notional on the side that is hit; NaN where unknown
    held: BoolArray
    life_ns: IntArray  # [M] planned: the rule's life, or less where a leg expires before
    size_usd: FloatArray  # [M] notional at which costs are evaluated
    lot: FloatArray  # base units of one lot at the mid; NaN where no lots are registered
    spot_usd: FloatArray  # [M]

    @property
    def present(self) -> BoolArray:
        """Where the package has a leg."""
        return np.not_equal(self.code, -1)

    @property
    def kind(self) -> ByteArray:
        """`Kind` of each leg; of no meaning where the leg is absent."""
        return self.instruments.kind[self.code]


@dataclass(frozen=True, slots=True)
class CostTerm:
    """One term of a package's cost: its name in the signal row, its rule, and its amount in bps of S.

    ``by_leg`` says whether ``amount`` is ``[M, L]`` or ``[M]``.
    """

    name: str
    rule: str
    by_leg: bool
    amount: Callable[[LegTerms], FloatArray]


def leg_terms(view: PreparedPanel, row: CodeArray, column: CodeArray, quantity: FloatArray, life_ns: int) -> LegTerms:
    """Return prices, sizes and fees of the legs of M packages at their grid times.  [S3.1-S3.3, S4.3]

    The notional of a package is ``min(target, depth_share * min_l touch_size_l * S / |q_l|)``; legs without depth do
    not limit it.

    Parameters
    ----------
    view : PreparedPanel
        The block, ``[T, N]``.
    row : CodeArray, shape (M,)
        Rows of the block.
    column : CodeArray, shape (M, L)
        Panel columns of the legs; -1 where a package has fewer.
    quantity : FloatArray, shape (M, L)
        Signed base units per unit of base notional of the package; 0 where there is no leg.
    life_ns : int
        Planned life of the rule, nanoseconds.

    Returns
    -------
    LegTerms
        One row a package, none where M is 0.  A leg whose quote is not usable has NaN in what depends on a price.

    Examples
    --------
    Sell a perp at 101,000 and buy the spot at 100,000, a coin of each:

    >>> from engine.market.view import prepare
    >>> from tests.contracts.planted import cash_carry
    >>> planted = cash_carry()
    >>> view = prepare(planted.market.block(), planted.params, planted.curves)
    >>> table = view.panel.instruments
    >>> legs = [view.panel.column(table.code_of(name)) for name in ("binance:BTCUSDC-PERP", "binance:BTCUSDC")]
    >>> column, quantity = np.array([legs], dtype=np.int32), np.array([[-1.0, 1.0]])
    >>> terms = leg_terms(view, np.zeros(1, dtype=np.int32), column, quantity, life_ns=24 * 3600 * 10**9)
    >>> terms.weight.round(6).tolist(), terms.fee_bps.round(6).tolist()
    ([[1.01, 1.0]], [[5.0, 10.0]])
    """
    panel, params, table = view.panel, view.params, view.panel.instruments
    present = column >= 0
    at = (row[:, None], np.maximum(column, 0))
    code = np.where(present, panel.code[at[1]], -1).astype(np.int32)
    kind = table.kind[code]

    mid = np.where(present, view.mid[at], np.nan)
    money, half = view.money[at], view.half_spread[at]
    spot = view.spot_usd[row]
    weight = np.where(present, np.abs(quantity) * mid * money / spot[:, None], 0.0)

    expiry = np.where(present, table.expiry_ns[code], NEVER_NS)
    # NEVER_NS less a time would pass for an expiry.
    left = np.where(expiry == NEVER_NS, NEVER_NS, expiry - panel.times_ns[row][:, None])
    # At the very end of the life too: a leg is settled at its expiry, not traded.
    held = left <= life_ns

    bid_size, ask_size = panel.bid_size[at], panel.ask_size[at]
    # Impact needs spread and both sizes: a size without a spread is charged the fallback, as no book is.
    known = present & ~(np.isnan(half) | np.isnan(bid_size) | np.isnan(ask_size))
    buys = quantity > 0.0
    touch_size = np.where(buys, ask_size, bid_size)
    touch_size = np.where(known, touch_size, np.nan)
    touch_price = np.where(buys, panel.ask[at], panel.bid[at])
    slip = np.zeros(known.shape)
    if not known.all():
        slip = np.where(present, fallback_bps(params, kind, view.ticks, at[1], mid), np.nan)
        _require_ticks(view, at, present & ~known)
    fee_bps = leg_fee_bps(view.fee(at), mid)
    exit_fee_bps = np.where(held, leg_fee_bps(view.exit_fee(at), mid), fee_bps) if held.any() else fee_bps
    return LegTerms(
        instruments=table,
        params=params,
        code=code,
        quantity=quantity,
        weight=weight,
        fee_bps=fee_bps,
        exit_fee_bps=exit_fee_bps,
        spread_bps=2.0 * BPS * half / mid,
        slip_bps=np.where(known, 0.0, slip),
        depth_usd=touch_usd(touch_size, touch_price, money),
        held=held,
        life_ns=np.minimum(left.min(axis=1), life_ns) if left.shape[1] else np.full(len(row), life_ns),
        size_usd=depth_share_size(params.target_notional_usd, params.depth_share, touch_size, quantity, spot),
        lot=_lot_units(view, at, present, mid),
        spot_usd=spot,
    )


def _lot_units(view: PreparedPanel, at: tuple[CodeArray, CodeArray], present: BoolArray, mid: FloatArray) -> FloatArray:
    """Return the base units of a lot of each leg, ``[M, L]``, at its mid; NaN where no lots are registered.

    Raises ``UsageError`` for a leg without a lot where others have one: its amount could not be said.
    """
    lot = view.lots[at[1]]
    if view.params.lots and bool(np.isnan(lot[present]).any()):
        raise _missing("lots", view.params.lots, view, at, present & np.isnan(lot))
    inverse = view.panel.instruments.inverse[view.panel.code[at[1]]]
    # A contract of dollars is worth fewer coins at a higher price.
    units: FloatArray = np.where(present, np.where(inverse, lot / mid, lot), np.nan)
    return units


def _require_ticks(view: PreparedPanel, at: tuple[CodeArray, CodeArray], blind: BoolArray) -> None:
    """Raise ``UsageError`` for an option of unknown depth that has no tick where others have one."""
    if view.params.ticks:
        option = view.panel.instruments.kind[view.panel.code[at[1]]] == Kind.OPTION
        lacking = blind & option & np.isnan(view.ticks.tick[0][at[1]])
        if lacking.any():
            raise _missing("ticks", view.params.ticks, view, at, lacking)


def _missing(
    table: str,
    rows: Sequence[Lot] | Sequence[PriceTick],
    view: PreparedPanel,
    at: tuple[CodeArray, CodeArray],
    where: BoolArray,
) -> UsageError:
    package, leg = np.argwhere(where)[0].tolist()
    code = int(view.panel.code[at[1][package, leg]])
    day = np.datetime64(int(view.panel.times_ns[at[0][package, 0]]) // NS_PER_DAY, "D")
    return missing_row(table, rows, view.panel.instruments, code, str(day))
