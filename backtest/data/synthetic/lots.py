"""Whole lots, written a second time: whether a package can be traded at its target size, and at which.  [venues V4]"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from backtest.data.synthetic.spec import SynthSpec
from backtest.data.synthetic.universe import FUTURE, OPTION, PERP, SPOT, SyntheticListing

PARTS: Final = 1_000_000
_NAME: Final = {SPOT: "spot", PERP: "perp", FUTURE: "future", OPTION: "option"}


def product_keys(x: SyntheticListing) -> tuple[str, str, str]:
    """Return the keys under which a listing's lot or tick may stand, the one that names most first."""
    kind = f"{x.venue}.{_NAME[x.kind]}.{x.base}"
    return f"{x.venue}.{x.symbol}", f"{kind}.{x.settle}", kind


def lot_of(spec: SynthSpec, x: SyntheticListing, price: float) -> float:
    """Return the base units of one lot of a listing at a price; raises ``StopIteration`` where it has none."""
    lot = next(spec.lots[key] for key in product_keys(x) if key in spec.lots)
    return lot / price if x.inverse else lot


def whole_lots(amounts: Sequence[float], lots: Sequence[float]) -> tuple[float, tuple[float, ...]] | None:
    """Return the share of the size and the amounts at which every leg is whole lots, None where there is no such size.

    ``amounts`` are the base units of each leg at the largest size, unsigned, ``lots`` the base units of their lots.
    """
    wanted = [amount / lot for amount, lot in zip(amounts, lots, strict=True)]
    fewest = min(wanted)
    for multiple in range(round(fewest * PARTS) // PARTS, 0, -1):
        parts = [round(multiple * (each / fewest) * PARTS) for each in wanted]
        counts = [(part + PARTS // 2) // PARTS for part in parts]
        if all(100 * abs(n * PARTS - part) <= part for n, part in zip(counts, parts, strict=True)):
            return multiple / fewest, tuple(n * lot for n, lot in zip(counts, lots, strict=True))
    return None
