"""The search for whole lots by the letter, in rational numbers.  [venues V4]"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

PARTS = 1_000_000


def whole_lots(weights: Sequence[Fraction], lots: Sequence[Fraction], size: Fraction) -> tuple[int, list[int]] | None:
    """The multiple of the coarsest leg and the lots of each leg; None where no size fits.

    ``weights`` and ``lots`` in one unit by unit of ``size``; amounts are counted in millionths of a lot.
    """
    coarsest = max(lot / weight for lot, weight in zip(lots, weights, strict=True))
    multiple = round(size / coarsest * PARTS) // PARTS
    while multiple > 0:
        exact = [round(multiple * coarsest * w / lot * PARTS) for lot, w in zip(lots, weights, strict=True)]
        counts = [(2 * parts + PARTS) // (2 * PARTS) for parts in exact]
        if all(abs(n * PARTS - parts) <= Fraction(parts, 100) for n, parts in zip(counts, exact, strict=True)):
            return multiple, counts
        multiple -= 1
    return None
