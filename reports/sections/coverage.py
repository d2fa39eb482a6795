"""Coverage of the constraints, quarantined quotes, and missing inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reports.base import Block, Figure, Note, Section, Table, Text
from reports.citation import Cited, SourcedInt, key_name, ratio, sourced, total
from reports.figures import coverage as figure
from reports.load import Run, read_document
from reports.words import CODES, NAMES, NONE, count, minutes, plural, share, text

GAPS_SHOWN = 40
"""Rows of the table of gaps: an outage of a venue is a row for each of its options."""
DELIVERIES, GAPS = "deliveries.json", "gaps.json"
WAYS = {
    "venue": "by the venue's price",
    "mean": "by the mean of its index",
    "gap": "by neither: ended before",
    "first_index": "by the first index after (an older plan)",
}


def build(run: Run) -> Sequence[Block]:
    """Return coverage by constraint and day, missing inputs, and quotes by the reason why they are unusable."""
    shares = np.array([[np.nan if v is None else v for v in run.coverage_days["share"][code]] for code in CODES])
    missing = {code: _lacking(run.funnel[code]) for code in CODES}
    rows = tuple(
        (code, NAMES[code], share(run.verdicts["window"]["coverage"].get(code)), missing[code] or NONE)
        for code in CODES
    )
    window = run.verdicts["window"]
    return [
        Text(
            Cited("{} of the {} days of the test window hold data. A day without data stays in every series.").format(
                count(window["days_with_data"]), count(window["days"])
            )
        ),
        Figure(
            "coverage",
            "Share of grid times at which a constraint could be judged, by day.",
            figure.draw(np.asarray(run.coverage_days["day"]), CODES, shares),
            "White is a day on which the constraint could not be judged once.",
            "coverage_days.json: share, day",
        ),
        Table(
            "Coverage by constraint over the test window",
            ("code", "constraint", "grid times judged", "input that is lacking"),
            rows,
            right=(2,),
        ),
        _inputs(run),
        _quality(run),
        *_expiries(run),
        *_gaps(run),
    ]


def _inputs(run: Run) -> Table:
    """Return one row a registered pair, triangle or venue: none vanishes while another of its coin is judged."""
    rows = tuple(
        (
            code,
            row["underlying"],
            row["name"],
            count(row["rows"]),
            share(ratio(row["judged"], row["rows"])),
            count(row["over_threshold"]),
            count(row["fires"]),
            # What the constraint lacks as a whole stands in the table above.
            _lacking({**row, "missing": None}) or NONE,
        )
        for code in CODES
        for row in run.funnel[code].get("inputs", ())
    )
    return Table(
        "Each registered pair, triangle and venue: what was judged of it, and what it lacked",
        (
            "code",
            "coin",
            "pair or venue",
            "grid times",
            "judged",
            "over threshold",
            "not stopped",
            "input that is lacking",
        ),
        rows,
        right=(3, 4, 5, 6),
    )


def _gaps(run: Run) -> list[Block]:
    """Return the gaps of a recording by instrument and cause; none for data that were not recorded."""
    if not (run.path / GAPS).is_file():
        return []
    document = read_document(run.path, GAPS)
    window, rows, of_instrument = document["window_ms"], document["rows"], document["ms_of_instrument"]
    if not rows:
        return [Text("The gap ledger of the recording declares no gap in the test window.")]
    longest = sorted(rows, key=lambda row: (-row["ms"], row["instrument"], row["why"]))
    shown = SourcedInt(GAPS_SHOWN, "reports/sections/coverage.py: GAPS_SHOWN")
    return [
        Table(
            "Gaps of the recorded feeds over the test window, by instrument and cause",
            ("instrument", "cause", "gaps", "minutes", "share of the window"),
            tuple(
                (row["instrument"], row["why"], count(row["gaps"]), minutes(row["ms"]), share(ratio(row["ms"], window)))
                for row in longest[:GAPS_SHOWN]
            ),
            right=(2, 3, 4),
        ),
        Text(
            Cited(
                "{} of {} in all, the longest {} rows shown; the instrument that lacks most lacks {} of the window. No "
                "row of a gap is in the data; an instant with two causes counts in the row of each."
            ).format(
                plural(total(row["gaps"] for row in rows), "gap"),
                plural(SourcedInt(len(of_instrument), f"{GAPS}: count(ms_of_instrument)"), "instrument"),
                count(shown),
                share(ratio(max(of_instrument.values()), window)),
            )
        ),
    ]


def _expiries(run: Run) -> list[Block]:
    """Return by what the expiries that traded positions met were settled; none for a run that does not say."""
    if not (run.path / DELIVERIES).is_file():
        return []
    document = read_document(run.path, DELIVERIES)
    rows = []
    for row in document["expiries"]:
        total = row["met"]
        ways = (Cited("{} ({})").format(count(row[way]), share(ratio(row[way], total))) for way in WAYS)
        rows.append((row["at"], count(total), *ways))
    blocks: list[Block] = [
        Table(
            "Expiries that traded positions met, by what settled them",
            ("venue", "expiries", *WAYS.values()),
            tuple(rows),
            right=tuple(range(1, 2 + len(WAYS))),
        )
    ]
    if document["gaps"]:
        blocks.append(
            Note(
                "warning",
                "Figures that rest on expiries without a settlement price",
                plural(SourcedInt(len(document["gaps"]), f"{DELIVERIES}: count(gaps)"), "trade")
                + " ended at the last grid time before an averaging window, as no settlement price is known. What each "
                "figure would be by the first index after the hour of settlement stands under the sensitivities, with "
                "the measured error of that index.",
            )
        )
    return blocks


def _lacking(row: dict[str, Any]) -> str:
    """Return the input that a constraint lacked always, or those it lacked on some days of a coin."""
    if row["missing"]:
        return text(row["missing"])
    return Cited("; ").join(
        Cited("{} ({})").format(why, plural(n, "coin-day")) for why, n in row.get("lacking", {}).items()
    )


def _quality(run: Run) -> Table:
    # Sorted: the order of a set of text changes from run to run, and the page must not.
    reasons = sorted({reason for row in run.quality["rows"] for reason in row["counts"]})
    rows = tuple(
        (
            row["underlying"],
            row["venue"],
            row["kind"],
            # A run written by an earlier version does not say.
            count(row.get("days_without_usable")),
            *(
                count(sourced(row["counts"].get(reason, 0), f"quality.json: rows[{n}].counts.{key_name(reason)}"))
                for reason in reasons
            ),
        )
        for n, row in enumerate(run.quality["rows"])
    )
    return Table(
        "Quotes at grid times by venue and kind: usable, or the first reason why not",
        (
            "underlying",
            "venue",
            "kind",
            "days without a usable quote",
            *(reason.replace("_", " ") for reason in reasons),
        ),
        rows,
        right=tuple(range(3, 4 + len(reasons))),
        folded=True,
    )


SECTION = Section("coverage", "Coverage, quarantine and missing data", "S1.4, S1.5", build)
