"""Counts from packages examined to trades resolved, with the reason of each zero."""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, fsum, sqrt
from typing import Any

from reports.base import Block, Figure, Section, Table, Text
from reports.citation import Cited, SourcedFloat, SourcedInt, ratio, sourced
from reports.figures import funnel as figure
from reports.load import Counts, Run, read_document
from reports.words import CODES, NAMES, count, number, plural, share

STAGES = ("examined", "usable", "violations", "over_threshold", "episodes", "traded", "resolved")
MEANING = (
    "Examined counts packages of listed instruments at grid times; usable those with every leg usable; violations the "
    "best package of each key with gross above zero (of C5 while |z| has not re-armed); over threshold those whose net "
    "reaches the registered threshold; episodes the signals emitted; traded those that passed the margin screen; "
    "resolved those that ended. All bars share one logarithmic scale."
)


NEVER = (
    "no judged package had a gross above zero",
    "at every judged grid time |z| was under the re-arm share of its threshold or the package's gross not above zero",
)
"""The sentence for a constraint without a violation: of C5, whose gate is z, the second."""
LOT_TOLERANCE = sourced(0.01, "one_part_in(engine/costs/lots.py: ALLOWED)")
RECOVERY = "recovery.json"
REASONS = ("skew", "quarantine", "peg", "depth", "threshold", "untradable")
"""Why a package does not fire, in the order in which the first one is kept.  [interface "cme detect"]"""


def build(run: Run) -> Sequence[Block]:
    """Return the funnel as a picture and a table, and the rule that stopped each constraint."""
    stages = [stage.replace("_", " ") for stage in STAGES]
    counts = {code: {s.replace("_", " "): int(run.funnel[code][s]) for s in STAGES} for code in CODES}
    rows = tuple(
        (
            code,
            NAMES[code],
            *(count(run.funnel[code][stage]) for stage in STAGES),
            number(run.funnel[code]["threshold_bps"], 0),
        )
        for code in CODES
    )
    return [
        Figure(
            "funnel",
            "From packages to trades, by constraint.",
            figure.draw(CODES, NAMES, stages, counts),
            MEANING,
            "funnel.json: " + ", ".join(STAGES),
        ),
        Table(
            "The funnel in numbers",
            ("code", "constraint", *stages, "threshold bps"),
            rows,
            right=tuple(range(2, 3 + len(STAGES))),
        ),
        Table(
            "Where each constraint ends, and what stopped it",
            ("code", "constraint", "where it ends, and why"),
            tuple((code, NAMES[code], stopped(run, code)) for code in CODES),
        ),
        *_by_chance(run),
        *_left_out(run),
        *_in_lots(run),
        Table(
            "Packages within re-arming distance that did not fire, by the first rule against them",
            ("code", "constraint", *REASONS),
            tuple((code, NAMES[code], *(count(run.stopped_by(code, reason)) for reason in REASONS)) for code in CODES),
            right=tuple(range(2, 2 + len(REASONS))),
        ),
        *_recovery(run),
    ]


def _recovery(run: Run) -> list[Block]:
    """Return what of the plants of a synthetic market was found; nothing for a run without a planted truth."""
    if not (run.path / RECOVERY).is_file():
        return []
    of_code = read_document(run.path, RECOVERY)["constraints"]
    rows = tuple(
        (
            code,
            NAMES[code],
            count(of["planted"]),
            count(of["expected"]),
            count(of["found"]),
            count(SourcedInt(len(of["missed"]), f"{RECOVERY}: count(constraints.{code}.missed)")),
            *(
                Cited("{} of {}").format(count(of[kind]["found"]), count(of[kind]["planted"]))
                for kind in ("below", "untradable")
            ),
            count(of["signals"]),
            count(of["elsewhere"]),
        )
        for code, of in of_code.items()
    )
    missed = Cited("; ").join(
        Cited("{} {}").format(code, Cited(", ").join(of["missed"])) for code, of in of_code.items() if of["missed"]
    )
    return [
        Table(
            "Violations planted in this synthetic market that begin in the window, and those that the run found "
            "(file recovery.json, field constraints)",
            (
                "code",
                "constraint",
                "planted",
                "over threshold, whole lots",
                "found",
                "missed",
                "found below threshold",
                "found at no whole lots",
                "signals",
                "at no plant",
            ),
            rows,
            right=tuple(range(2, 10)),
        ),
        Text(
            "A plant is found by a signal of its own constraint, coin, venue, side and sold leg while it "
            "stands. Those over their threshold that are whole lots are expected; a run trades no plant because it is "
            "one, and the truth (truth.parquet of the data set) is read when the window is over. Missed, as the truth "
            "names them (field missed): " + (missed or "none") + "."
        ),
    ]


def _left_out(run: Run) -> list[Block]:
    """Return how many packages the two-sided rule leaves out whose bought legs have an ask and no bid.  [S1.4]"""
    left = {code: run.funnel[code].get("one_sided") for code in CODES}
    known = {code: n for code, n in left.items() if n is not None}
    if not known:
        return []
    counted = Cited(", ").join(Cited("{} of {}").format(count(n), code) for code, n in known.items())
    return [
        Text(
            Cited(
                "A leg needs a bid and an ask to be usable (S1.4), though a wing that is only bought needs no bid. The "
                "rule leaves out packages whose sold legs are usable and whose bought ones have an ask alone: {}; they "
                "are examined and not usable above."
            ).format(counted)
        )
    ]


def _in_lots(run: Run) -> list[Block]:
    """Return how many packages over the threshold are whole lots at no size, and of how many another would be.  [V4]"""
    counts = {code: run.funnel[code].get("untradable", 0) for code in CODES}
    if not any(counts.values()):
        return []
    counted = Cited(", ").join(Cited("{} of {}").format(count(n), code) for code, n in counts.items() if n)
    others = sourced(int(run.funnel["C4"].get("other_fits", 0)), "funnel.json: C4.other_fits")
    return [
        Text(
            Cited(
                "Over their threshold, with every rule for data met, and never traded, because at no size up to the "
                "registered one all of their legs are whole lots within {}: {}. A package is chosen before its lots "
                "and no second best is tried: of {} of C4 another triple around the same belly was over the threshold "
                "and fits."
            ).format(share(LOT_TOLERANCE, 0), counted, plural(others, "package"))
        )
    ]


def _by_chance(run: Run) -> list[Block]:
    """Return C5's rate beside its nominal one: its gate is a z-score, which passes now and then on any market.  [R9.7]

    Nominal is P(|Z| >= z) of a standard normal at the folds' thresholds, the mean over folds and coins.
    """
    fits = [fit for fold in run.folds["folds"] for fit in fold["curve"].values() if fit["identified"]]
    judged = run.funnel["C5"]["usable"]
    # Without an identified curve or a judged grid time C5 has no gate to compare.
    if not fits or not judged:
        return []
    # erfc(z / sqrt 2) is both tails of the standard normal.
    nominal = fsum(erfc(float(fit["z_threshold"]) / sqrt(2.0)) for fit in fits) / len(fits)
    fired = run.funnel["C5"]["fires"]
    return [
        Text(
            Cited(
                "C5 is gated by a z-score, so it also fires where nothing is to be found: a standard normal z would "
                "pass the folds' thresholds at {} of grid times. Here the gate, a net above zero and the rules for "
                "data were met at {} of {} judged grid times, {}. Scores of neighbouring days hang together and their "
                "tails are not normal, so the two need not agree on a market without edge."
            ).format(
                share(SourcedFloat(nominal, "folds.json: both_tails(z_threshold)")),
                count(fired),
                count(judged),
                share(ratio(fired, judged)),
            )
        )
    ]


def stopped(run: Run | Counts, code: str) -> str:
    """Return the missing input, or the first empty stage with the counted reasons, in words."""
    row = run.funnel[code]
    # A constraint that is shown and never trades has packages, so its remark goes first.
    if row["remark"]:
        return Cited("{}; {} over threshold at mids{}").format(
            row["remark"], count(row["over_threshold"]), _ages(run, code)
        )
    if row["missing"]:
        return Cited("not evaluable: {}").format(row["missing"])
    empty = next((stage for stage in STAGES if not row[stage]), None)
    if empty is None:
        return Cited("{} of {}").format(plural(row["traded"], "trade"), plural(row["episodes"], "signal"))
    return Cited("no {}: {}").format(empty.replace("_", " "), _why(run, code, empty))


def _ages(run: Run | Counts, code: str) -> str:
    """Return the age of the oldest corner over the packages over the threshold, in words."""
    aged = [registered for registered in run.funnel[code].get("inputs", ()) if registered["over_threshold"]]
    if not aged:
        return ""
    n = sum(registered["over_threshold"] for registered in aged)
    mean = fsum(registered["oldest_leg_s"] * registered["over_threshold"] for registered in aged) / n
    most = max(registered["oldest_leg_most_s"] for registered in aged)
    return Cited(", their oldest corner {} s old on average, {} s at most").format(
        number(SourcedFloat(mean, f"funnel.json: mean_age({code}.inputs)"), 0), number(most, 0)
    )


def _why(run: Run | Counts, code: str, empty: str) -> str:
    """Return the rule that stopped the last package of a constraint, and its best net, in words."""
    row = run.funnel[code]
    against = Cited(", ").join(count(n) + f" {why}" for why, n in sorted(row["reasons"].items()) if n)
    best = row["best_net_bps"]
    match empty:
        case "examined":
            return "its instruments were never listed together"
        case "usable":
            return "no package had every leg usable (S1.4)"
        case "over_threshold" if best is not None and code != "C5":
            near = Cited("the best net before impact was {} bps of {} (S4.1)")
            return near.format(number(best, 1), number(row["threshold_bps"], 0)) + _after(against)
        case "over_threshold" if best is not None:
            near = Cited("costs stopped it: the best net before impact was {} bps and must be above zero (S2.C5)")
            return near.format(number(best, 1)) + _after(against)
        case "violations" | "over_threshold":
            return NEVER[code == "C5"] + _after(against)
        case "episodes":
            return _unsent(run, row, against)
        case _:
            turned = Cited(", ").join(count(n) + f" for {why}" for why, n in sorted(row["rejected"].items()))
            return Cited("turned away: {} (R1.3)").format(turned or "none ended inside the window")


def _after(against: str) -> str:
    return "; " + against if against else ""


def _unsent(run: Run | Counts, row: dict[str, Any], against: str) -> str:
    """Return why no package over the threshold became a signal, in words."""
    over = count(row["over_threshold"]) + " over threshold"
    # In the order of the rules: what stops a package first is named first.  [S4.1, S4.3]
    if not row["fires"]:
        return over + ", each stopped by its legs (S4.1): " + against
    if row["crowded"]:
        return Cited("{}, {} without depth left to take (S4.3)").format(over, count(row["crowded"]))
    best, lasting = row["best_net_bps"], run.registration["grid"]["persistence"]
    near = "" if best is None else Cited("; the best net before impact was {} bps").format(number(best, 1))
    return Cited("{}, none at {} consecutive grid times as registered (S4.1){}").format(over, count(lasting), near)


SECTION = Section("funnel", "Funnel by constraint", "S2.0, S4", build)
