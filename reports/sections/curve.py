"""What C5 reads and trades: the factors of the curve by fold, and the weights of its packages.  [S2.C5]"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from math import fsum
from typing import Any

from reports.base import Block, Note, Section, Table
from reports.load import Run
from reports.words import moment, number, share

FACTORS = ("level", "slope", "curvature")
LEGS = ("belly", "near wing", "far wing", "perp")
LISTED = 12
"""Most packages that are listed; the signals tables hold all."""


def build(run: Run) -> Sequence[Block]:
    """Return the loadings with their shares of the variance, and the first packages; a note where C5 had no curve."""
    fits = [
        (str(fold["fold"]), coin, fit)
        for fold in run.folds["folds"]
        for coin, fit in sorted(fold["curve"].items())
        if fit["loadings"]
    ]
    if not fits:
        return [Note("plain", "No curve", "No fold had enough curves for a fit: C5 could not be judged.")]
    tenors = fits[0][2]["tenor_days"]
    factors = Table(
        # Orientation only, of another market.  [R9.8]
        "Factors of the curve by fold: share of the variance of training curves, and loadings by tenor (of bond yields "
        "Litterman and Scheinkman report 89.5, 8.5 and 2.0%; a curve of futures need not look like that)",
        ("fold", "coin", "factor", "share of variance", *(f"{number(t, 0)} d" for t in tenors), "identified"),
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
    signals = run.signals[run.signals["constraint"] == "C5"].sort_values(["t_ns", "signal_id"])
    shown = signals.head(LISTED)
    rows = []
    for row in shown.to_dict("records"):
        detail = json.loads(str(row["detail"]))
        weights = [float(leg["quantity"]) for leg in row["legs"]]
        rows.append(
            (
                moment(int(row["t_ns"])), str(row["underlying"]), number(detail["z"], 1),
                *(number(weight, 3) for weight in weights),
                number(detail["score_bps"], 1), number(detail["residual_bps"], 1), number(row["gross_bps"], 1),
                *_coin_left(row),
            )
        )  # fmt: skip
    packages = Table(
        f"Packages of C5, the first {len(rows)} of {len(signals)}: base units of each leg, both readings of the gross",
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


def _coin_left(row: Mapping[Hashable, Any]) -> tuple[str, str]:
    """Return the coin that rounding to lots leaves in a package, and half a lot of each leg, the most it may be."""
    usd = [float(row["size_usd"]) * float(leg["weight"]) for leg in row["legs"]]
    left = fsum(amount if leg["quantity"] > 0.0 else -amount for amount, leg in zip(usd, row["legs"], strict=True))
    lots = [leg.get("lots") for leg in row["legs"]]
    if any(n is None or n != n for n in lots):
        return number(left, 2), "no lots"
    return number(left, 2), number(fsum(0.5 * amount / n for amount, n in zip(usd, lots, strict=True)), 2)


SECTION = Section("curve", "The curve of C5", "S2.C5, statistics 9", build)
