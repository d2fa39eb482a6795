"""What trading a base unit costs before its size is known: the part of the cost a scan can see.  [S3.1, S3.3]"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.params import Params
from engine.records import BoolArray, FloatArray, Kind, Panel
from engine.units import BPS, NEVER_NS

OPTION_RULES = ("C3", "C4", "C6", "C7")
"""The constraints whose packages hold options."""


def depth_known(panel: Panel, at: Any = ...) -> BoolArray:
    """Return where both sides of the touch show a size, at the cells ``at`` (all): only then is impact computed."""
    known: BoolArray = ~(np.isnan(panel.bid_size[at]) | np.isnan(panel.ask_size[at]))
    return known


def half_round_trip(
    panel: Panel,
    params: Params,
    mid: FloatArray,
    half_spread: FloatArray,
    fee: FloatArray,
    exit_fee: FloatArray,
) -> FloatArray:
    """Return half of the cheapest round trip without impact, price currency per base unit, ``[T, N]``.  [S3.1, S3.3]

    fee + half-spread where it is known + fallback slippage where depth is not; for a leg that may be held to its
    expiry within the longest life of a rule that uses it, entry and delivery fee halved if that is less.
    """
    table, code = panel.instruments, panel.code
    slip = np.array([params.fallback_bps[Kind(k)] / BPS for k in table.kind[code].tolist()], dtype=np.float64)
    known = depth_known(panel) & ~np.isnan(half_spread)
    side = np.where(known, 0.0, slip[None, :] * mid)
    np.add(side, np.where(np.isnan(half_spread), 0.0, half_spread), out=side)
    charge: FloatArray = side + fee
    expiry = table.expiry_ns[code]
    dated = np.flatnonzero(expiry != NEVER_NS)
    longest = max((rule.life_ns for rule in params.rules.values()), default=0)
    lives = {
        Kind.FUTURE: longest,
        Kind.OPTION: max((r.life_ns for r in params.rules.values() if r.code in OPTION_RULES), default=0),
    }
    if len(dated) and len(panel.times_ns):
        life = np.array([lives.get(Kind(k), 0) for k in table.kind[code][dated].tolist()], dtype=np.int64)
        soon = expiry[dated] - life <= panel.times_ns[-1]
        near, life = dated[soon], life[soon]
        if len(near):
            held = panel.times_ns[:, None] >= (expiry[near] - life)[None, :]
            once = 0.5 * (side[:, near] + fee[:, near] + exit_fee[:, near])
            charge[:, near] = np.where(held, np.minimum(once, charge[:, near]), charge[:, near])
    return charge
