"""What must be true after every bar, checked by one call.  [covenants 11]"""

from __future__ import annotations

from engine.covenants.base import Leg
from engine.covenants.parameters import ALPHA_RANGE, BETA_RANGE, Parameters
from engine.covenants.reallocation import Reallocation
from engine.covenants.spread_band import CLIP_PP

CENT = 1e-6
"""USD by which sums of floats may differ."""


def broken_by_revision(band_pp: float, leverage_cap: float, alpha: float, beta: float, p: Parameters) -> list[str]:
    """Return what a published revision breaks, in words; an empty list where it breaks nothing."""
    problems = []
    low, high = CLIP_PP if p.post_processed else (0.0, float("inf"))
    # The initial band is a registered number, which no clip has touched.
    if not (low <= band_pp <= high or band_pp == p.sb_0_pp):
        problems.append(f"band {band_pp} pp outside [{low}, {high}]")
    if not ALPHA_RANGE[0] <= alpha <= ALPHA_RANGE[1]:
        problems.append(f"alpha {alpha} outside {ALPHA_RANGE}")
    if not BETA_RANGE[0] <= beta <= BETA_RANGE[1]:
        problems.append(f"beta {beta} outside {BETA_RANGE}")
    if not p.l_min <= leverage_cap <= p.l_max:
        problems.append(f"leverage cap {leverage_cap} outside [{p.l_min}, {p.l_max}]")
    return problems


def broken_by_reallocation(donor: Leg, recipient: Leg, done: Reallocation, mark_usd: float, p: Parameters) -> list[str]:
    """Return what a reallocation breaks, in words: size, sign of the transfer, the donor's need, conservation."""
    problems = []
    if abs(done.donor.size) > abs(donor.size) or done.donor.size * donor.size < 0:
        problems.append("the donor's size grew or changed its sign")
    if done.recipient.size != recipient.size:
        problems.append("the recipient's size changed")
    if not 0.0 <= done.transfer_usd <= max(done.requested_transfer_usd, 0.0):
        problems.append(f"transfer {done.transfer_usd} outside [0, {done.requested_transfer_usd}]")
    need = p.kappa * donor.maintenance * abs(done.donor.size) * mark_usd
    if done.transfer_usd > 0 and done.donor.equity_usd(mark_usd) < need - CENT:
        problems.append("the donor is left below kappa times its maintenance margin")
    before = donor.margin_usd + recipient.margin_usd + done.realised_usd - done.fee_usd
    if abs(before - done.donor.margin_usd - done.recipient.margin_usd) > CENT:
        problems.append("margins are not conserved")
    return problems
