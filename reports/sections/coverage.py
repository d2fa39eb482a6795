"""Coverage of the constraints, quarantined quotes, and missing inputs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from reports.base import Block, Figure, Note, Section, Table, Text
from reports.figures import coverage as figure
from reports.load import Run
from reports.words import CODES, NAMES, NONE, count, plural, share

MS_PER_MINUTE = 60_000
GAPS_SHOWN = 40
"""Rows of the table of gaps: an outage of a venue is a row for each of its options."""
WAYS = {
    "venue": "by the venue's price",
    "mean": "by the mean of its index",
    "gap": "by neither: ended before",
    "first_index": "by the first index after (an older plan)",
}


def build(run: Run) -> Sequence[Block]:
    """Return coverage by constraint and day, missing inputs, and quotes by the reason why they are unusable."""
    shares = np.array([[np.nan if v is None else v for v in run.coverage_days["share"][code]] for code in CODES])
    days = len(run.coverage_days["day"])
    missing = {code: _lacking(run.funnel[code]) for code in CODES}
    rows = tuple(
        (code, NAMES[code], share(run.verdicts["window"]["coverage"].get(code)), missing[code] or NONE)
        for code in CODES
    )
    with_data = run.verdicts["window"]["days_with_data"]
    return [
        Text(
            f"{with_data:,} of the {days:,} days of the test window hold data. "
            "A day without data stays in every series."
        ),
        Figure(
            "coverage",
            "Share of grid times at which a constraint could be judged, by day.",
            figure.draw(np.asarray(run.coverage_days["day"]), CODES, shares),
            "White is a day on which the constraint could not be judged once.",
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
            share(row["judged"] / row["rows"] if row["rows"] else None),
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
    path = run.path / "gaps.json"
    if not path.is_file():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    window, rows = document["window_ms"], document["rows"]
    if not rows:
        return [Text("The gap ledger of the recording declares no gap in the test window.")]
    longest = sorted(rows, key=lambda row: (-row["ms"], row["instrument"], row["why"]))
    worst, number = max(document["ms_of_instrument"].values()), sum(row["gaps"] for row in rows)
    return [
        Table(
            "Gaps of the recorded feeds over the test window, by instrument and cause",
            ("instrument", "cause", "gaps", "minutes", "share of the window"),
            tuple(
                (row["instrument"], row["why"], count(row["gaps"]), f"{row['ms'] / MS_PER_MINUTE:,.1f}",
                 share(row["ms"] / window))
                for row in longest[:GAPS_SHOWN]
            ),
            right=(2, 3, 4),
        ),
        Text(
            f"{plural(number, 'gap')} of {plural(len(document['ms_of_instrument']), 'instrument')} in all, the longest "
            f"{GAPS_SHOWN} rows shown; the instrument that lacks most lacks {share(worst / window)} of the window. No "
            "row of a gap is in the data; an instant with two causes counts in the row of each."
        ),
    ]  # fmt: skip


def _expiries(run: Run) -> list[Block]:
    """Return by what the expiries that traded positions met were settled; none for a run that does not say."""
    path = run.path / "deliveries.json"
    if not path.is_file():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    rows = []
    for row in document["expiries"]:
        total = row["met"]
        rows.append((row["at"], count(total), *(f"{count(row[way])} ({share(row[way] / total)})" for way in WAYS)))
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
                f"{plural(len(document['gaps']), 'trade')} ended at the last grid time before an averaging window, as "
                "no settlement price is known. What each figure would be by the first index after 08:00 UTC stands "
                "under the sensitivities, with the measured error of that index.",
            )
        )
    return blocks


def _lacking(row: dict[str, Any]) -> str:
    """Return the input that a constraint lacked always, or those it lacked on some days of a coin."""
    if row["missing"]:
        return str(row["missing"])
    return "; ".join(f"{why} ({plural(n, 'coin-day')})" for why, n in row.get("lacking", {}).items())


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
            *(count(row["counts"].get(reason, 0)) for reason in reasons),
        )
        for row in run.quality["rows"]
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
