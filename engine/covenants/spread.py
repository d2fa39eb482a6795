"""The spread of a pair: percentage deviation of the price ratio from an anchor of earlier bars.  [covenants 1]"""

from __future__ import annotations

from typing import Final

import numpy as np

from engine.covenants.base import Covenant
from engine.covenants.elementary import decay, exp, ln
from engine.exact.rounded import Floats

COVENANT: Final = Covenant(
    "spread", "Spread", "S = 100 (exp(ln P_A - h ln P_B - m) - 1), m an average of earlier bars", "1"
)


def spread_pp(
    price_a: Floats, price_b: Floats, half_life_bars: float, hedge: Floats | float = 1.0, anchor: float | None = None
) -> tuple[Floats, Floats]:
    """Return ``(S, m)``: the signed spread in pp and the anchor used at each bar, both of the prices' shape (n,).

    S > 0 where A is rich.  NaN where either price is missing; the anchor does not move there.  ``anchor`` is the first
    anchor, the first ratio where it is not given.  A change of ``hedge`` shifts the anchor by the same amount as the
    ratio, so it moves no spread.  [covenants 1.2, 1.3]
    """
    h = np.broadcast_to(np.asarray(hedge, dtype=np.float64), price_b.shape)
    ln_b = ln(price_b)
    z = ln(price_a) - h * ln_b
    anchors = _anchors(z, ln_b, h, decay(half_life_bars), anchor)
    return 100.0 * (exp(z - anchors) - 1.0), anchors


def _anchors(z: Floats, ln_b: Floats, h: Floats, keep: float, start: float | None) -> Floats:
    anchors = np.full(z.size, np.nan)
    m = start
    last_h = float(h[0]) if z.size else 1.0
    for t, (value, price, ratio) in enumerate(zip(z.tolist(), ln_b.tolist(), h.tolist(), strict=True)):
        if value != value:
            continue
        m = value if m is None else m - (ratio - last_h) * price
        last_h = ratio
        anchors[t] = m
        m = keep * m + (1.0 - keep) * value
    return anchors


def spread_log_pp(price_a: Floats, price_b: Floats, anchors: Floats, hedge: float = 1.0) -> Floats:
    """Return ``100 |z - m|``, the distance that does not change when A and B change places.  [covenants 11]"""
    return 100.0 * np.abs(ln(price_a) - hedge * ln(price_b) - anchors)


def mirrored_pp(spread: Floats | float) -> Floats | float:
    """Return the spread of the pair with A and B exchanged (h = 1): ``100 (1 / (1 + S/100) - 1)``.  [covenants 11]"""
    return 100.0 * (1.0 / (1.0 + spread / 100.0) - 1.0)
