"""Reallocation: reduce the breached leg first, release margin second, transfer last.  [covenants 6]

Margin that leaves a losing position alone brings its liquidation price nearer, so the transfer follows the fill and
never takes what the donor needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import Final

from engine.covenants.base import Book, Covenant, Leg
from engine.covenants.parameters import Parameters

COVENANT: Final = Covenant(
    "reallocation",
    "Reallocation",
    "close RR of the breached leg within depth; move f RR M, at most what it spares",
    "6",
)
LOT_DIGIT: Final = 1e-9
"""Absorbs the rounding of a quotient that is a whole number of lots."""


@dataclass(frozen=True)
class Fill:
    """What a reduction got: requested and filled size (base), average price (USD; 0 where nothing was filled)."""

    requested: float
    filled: float
    average_usd: float

    @property
    def fraction(self) -> float:
        return self.filled / self.requested if self.requested > 0 else 0.0


@dataclass(frozen=True)
class Reallocation:
    """One executed reallocation, both legs after it, and what could not be done.  Amounts in USD, sizes in base."""

    fill: Fill
    realised_usd: float
    fee_usd: float
    required_usd: float
    requested_transfer_usd: float
    transfer_usd: float
    donor: Leg
    recipient: Leg

    @property
    def status(self) -> str:
        """FULL iff the whole size was filled and the whole request moved; PARTIAL is flagged for manual review."""
        full = self.fill.fraction >= 1.0 and self.transfer_usd >= self.requested_transfer_usd
        return "FULL" if full else "PARTIAL"

    @property
    def residual_size(self) -> float:
        return self.fill.requested - self.fill.filled

    @property
    def residual_transfer_usd(self) -> float:
        return self.requested_transfer_usd - self.transfer_usd


def lots(size: float, lot: float) -> float:
    """Return ``size`` rounded down to whole lots."""
    return floor(size / lot + LOT_DIGIT) * lot


def walk(book: Book, wanted: float, mark_usd: float, slip: float, participation: float, lot: float) -> Fill:
    """Return the fill of ``wanted`` against displayed levels within ``slip`` of the mark, best first.

    At most ``participation`` of each displayed size is taken.  No admissible level: filled 0.  [covenants 6.3]
    """
    filled, paid = 0.0, 0.0
    for price_usd, size in book.levels:
        # Levels are best first: those behind are farther from the mark still.
        if abs(price_usd - mark_usd) > slip * mark_usd or filled >= wanted:
            break
        take = lots(min(participation * size, wanted - filled), lot)
        filled, paid = filled + take, paid + price_usd * take
    return Fill(wanted, filled, paid / filled if filled > 0 else 0.0)


def breached_is_a(size_a: float, size_b: float, moved_a_usd: float, moved_b_usd: float) -> bool:
    """Return whether A is the breached leg: the lower mark-to-market change since t0; the short where they tie.

    ``moved`` is the price change since the later of entry and the last bar at which S had the other sign.
    [covenants 6.2]
    """
    change_a, change_b = size_a * moved_a_usd, size_b * moved_b_usd
    return change_a < change_b or (change_a == change_b and size_a < 0)


def share_of(p: Parameters, spread_abs: float, band: float) -> float:
    """Return RR: the constant, or ``clip(0.15 |S| / SB, 0.05, 0.30)``.  [covenants 6.6]"""
    # A band of 0 or NaN gives no ratio.
    if p.rr_rule == "constant" or not band > 0:
        return p.rr
    return min(max(p.rr * spread_abs / band, 0.05), 0.30)


def reallocate(
    donor: Leg, recipient: Leg, mark_usd: float, book: Book, leverage_cap: float, rr: float, lot: float,
    taker_fee: float, p: Parameters, participation: float | None = None,
) -> Reallocation:  # fmt: skip
    """Return the reallocation of share ``rr`` from ``donor`` to ``recipient`` against ``book`` at ``mark_usd``.

    The released request is proportional to the fill; the donor keeps ``max(kappa MM, notional / LM)`` after its
    reduction.  Margins together change by realised profit less fee only.  [covenants 6.3]
    """
    wanted = lots(rr * abs(donor.size), lot)
    fill = walk(book, wanted, mark_usd, p.slip, p.participation if participation is None else participation, lot)
    side = 1.0 if donor.size > 0 else -1.0
    realised = side * fill.filled * (fill.average_usd - donor.entry_usd) if fill.filled > 0 else 0.0
    fee = taker_fee * fill.filled * fill.average_usd
    size = donor.size - side * fill.filled
    notional = abs(size) * mark_usd
    required = max(p.kappa * donor.maintenance * notional, notional / leverage_cap)
    # Of the margin before the reduction; what is not executed releases nothing.  [covenants 6.3]
    request = fill.fraction * rr * donor.margin_usd
    equity = donor.margin_usd + realised - fee + size * (mark_usd - donor.entry_usd)
    transfer = max(min(request, equity - required), 0.0)
    return Reallocation(
        fill, realised, fee, required, request, transfer,
        Leg(size, donor.entry_usd, donor.margin_usd + realised - fee - transfer, donor.maintenance),
        Leg(recipient.size, recipient.entry_usd, recipient.margin_usd + transfer, recipient.maintenance),
    )  # fmt: skip


def reduce_to_cap(
    leg: Leg, mark_usd: float, book: Book, leverage_cap: float, lot: float, taker_fee: float, p: Parameters,
    participation: float | None = None,
) -> Leg:  # fmt: skip
    """Return ``leg`` after the part above the cap is closed within depth; unchanged where it meets it.  [covenants 5.4]

    Equity at or below zero closes as much as depth allows.
    """
    taken = p.participation if participation is None else participation
    equity = leg.equity_usd(mark_usd)
    notional = abs(leg.size) * mark_usd
    share = 1.0 if equity <= 0 else max(0.0, 1.0 - leverage_cap * equity / notional) if notional > 0 else 0.0
    if share == 0.0:
        return leg
    fill = walk(book, lots(share * abs(leg.size), lot), mark_usd, p.slip, taken, lot)
    if fill.filled == 0.0:
        return leg
    side = 1.0 if leg.size > 0 else -1.0
    gained = side * fill.filled * (fill.average_usd - leg.entry_usd) - taker_fee * fill.filled * fill.average_usd
    return Leg(leg.size - side * fill.filled, leg.entry_usd, leg.margin_usd + gained, leg.maintenance)
