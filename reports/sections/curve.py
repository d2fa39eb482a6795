"""What C5 reads and trades: the factors of the curve by fold, and the weights of its packages.  [S2.C5]"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any

from reports.base import Block, Note, Section, Table
from reports.citation import Cited, SourcedInt, sourced
from reports.load import Run
from reports.rows import SIGNALS, Rows
from reports.words import count, moment, number, share

FACTORS = ("level", "slope", "curvature")
LEGS = ("belly", "near wing", "far wing", "perp")
BOND_YIELDS = sourced("89.5, 8.5 and 2.0%", "reports/sections/curve.py: BOND_YIELDS")
LISTED = 12
"""Most packages that are listed; the signals tables hold all."""


def build(run: Run) -> Sequence[Block]:
    """Return the loadings with their shares of the variance, and the first packages; a note where C5 had no curve."""
    fits = [
        (count(fold["fold"]), coin, fit)
        for fold in run.folds["folds"]
        for coin, fit in sorted(fold["curve"].items())
        if fit["loadings"]
    ]
    if not fits:
        return [Note("plain", "No curve", "No fold had enough curves for a fit: C5 could not be judged.")]
    tenors = fits[0][2]["tenor_days"]
    factors = Table(
        # Orientation only, of another market.  [R9.8]
        Cited(
            "Factors of the curve by fold: share of the variance of training curves, and loadings by tenor (of bond "
            "yields Litterman and Scheinkman report {}; a curve of futures need not look like that)"
        ).format(BOND_YIELDS),
        ("fold", "coin", "factor", "share of variance", *(number(t, 0) + " d" for t in tenors), "identified"),
        tuple(
            (
                fold, coin, factor, share(fit["shares"][k], 2), *(number(x, 3) for x in fit["loadings"][k]),
                "yes" if fit["identified"] else fit["reason"],
            )
            for fold, coin, fit in fits
            for k, factor in enumerate(FACTORS)
        ),
        right=tuple(range(3, 4 + len(tenors))),
        folded=True,
    )  # fmt: skip
    signals = Rows(run.signals, SIGNALS).where(constraint="C5")
    shown = signals.by("t_ns", "signal_id")
    rows = []
    for place, row in enumerate(shown.records(LISTED)):
        detail = {
            name: sourced(value, shown.key(f"[{place}].detail.{name}"))
            for name, value in json.loads(row["detail"]).items()
        }
        weights = [
            sourced(float(of["quantity"]), shown.key(f"[{place}].legs[{leg}].quantity"))
            for leg, of in enumerate(row["legs"])
        ]
        coin_left, half_lots = _coin_left(row)
        rows.append(
            (
                moment(row["t_ns"]), row["underlying"], number(detail["z"], 1),
                *(number(weight, 3) for weight in weights),
                number(detail["score_bps"], 1), number(detail["residual_bps"], 1), number(row["gross_bps"], 1),
                number(sourced(coin_left, shown.key(f"coin_left([{place}])")), 2),
                "no lots" if half_lots is None else number(sourced(half_lots, shown.key(f"half_lots([{place}])")), 2),
            )
        )  # fmt: skip
    packages = Table(
        Cited("Packages of C5, the first {} of {}: base units of each leg, both readings of the gross").format(
            count(SourcedInt(len(rows), shown.key("count(listed)"))), count(signals.count())
        ),
        (
            "decided (UTC)",
            "coin",
            "z",
            *LEGS,
            "score, bps",
            "residual, bps",
            "gross, bps",
            "coin left, USD",
            "half lots, USD",
        ),
        tuple(rows),
        right=tuple(range(2, 12)),
        folded=True,
    )
    return [factors, packages]


def _coin_left(row: Mapping[str, Any]) -> tuple[float, float | None]:
    """Return the coin that rounding to lots leaves in a package, USD, and half a lot of each leg, the most it may be.

    The second is None where a leg has no lots.
    """
    usd = [float(row["size_usd"]) * float(leg["weight"]) for leg in row["legs"]]
    left = fsum(amount if leg["quantity"] > 0.0 else -amount for amount, leg in zip(usd, row["legs"], strict=True))
    lots = [leg.get("lots") for leg in row["legs"]]
    if any(n is None or n != n for n in lots):
        return left, None
    return left, fsum(0.5 * amount / n for amount, n in zip(usd, lots, strict=True))


SECTION = Section("curve", "The curve of C5", "S2.C5, statistics 9", build)
