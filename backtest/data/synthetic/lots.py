"""Whole lots, written a second time: whether a package can be traded at its target size, and at which.  [venues V4]"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from backtest.data.synthetic.draws import IntArray
from backtest.data.synthetic.elementary import FloatArray
from backtest.data.synthetic.fair import Move
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


def round_to_lots(spec: SynthSpec, listings: Sequence[SyntheticListing], sizes: FloatArray) -> None:
    """Round displayed sizes, ``[N, S]`` base units, to whole lots in place; an inverse contract's are no decimals."""
    for n, listing in enumerate(listings):
        if spec.lots and not listing.inverse:
            lot = lot_of(spec, listing, 1.0)
            sizes[n] = np.round(lot * np.maximum(1.0, np.rint(sizes[n] / lot)), 8)


def show_one_lot(
    spec: SynthSpec,
    listings: Sequence[SyntheticListing],
    moves: Sequence[tuple[int, Move]],
    steps: IntArray,
    price: FloatArray,
    sizes: FloatArray,
) -> None:
    """Set ``sizes [2, T, N]`` of thin moves, each with its column, to one lot at the ``price [T, N]``, in place."""
    for n, move in moves:
        if move.thin:
            rows = (steps >= move.from_step) & (steps < move.to_step)
            sizes[:, rows, n] = [lot_of(spec, listings[n], each) for each in price[rows, n].tolist()]
