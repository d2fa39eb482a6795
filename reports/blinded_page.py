"""The page of a blinded run and its Markdown twin, from ``blinded.json``.  [live L0.7]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from reports.commands import write as write_report
from reports.commands import write_whole
from reports.plain_page import Part, html, markdown, number

COUNTS: Final = {
    "days": "days of the window",
    "days_without_data": "days without data",
    "gaps": "gaps in the recorded feeds",
    "signals": "signals",
    "ledger_rows": "rows of the emit ledger",
    "ledger_intact": "ledger intact",
}
"""The operational counts by key, as they are called on the page; no other figure of the window is shown.  [R12.1]"""


def write(folder: Path) -> dict[str, Path]:
    """Write ``blinded.html`` and ``blinded.md`` into ``folder`` and return their paths.

    Raises ``WriteError`` (5) if the disk refuses.
    """
    document = json.loads((folder / "blinded.json").read_text(encoding="utf-8"))
    parts = page(document)
    title = f"Blinded run of {document['analysis_id']}"
    return {
        "html": write_whole(folder / "blinded.html", html(title, parts, ())),
        "markdown": write_whole(folder / "blinded.md", markdown(parts)),
    }


def page(document: dict[str, Any]) -> list[Part]:
    """Return the parts of the page of ``blinded.json``."""
    h1, h3 = document["answers"]["H1"], document["answers"]["H3"]
    return [
        ("h1", f"Blinded run of {document['analysis_id']}"),
        (
            "p",
            "A rehearsal of the whole pipeline on the true window, and no result: every settled amount of a signal is "
            "that of one placement on another day of its fold, drawn from the stream blinded of seeds.lock. No outcome "
            "of a signal was read, written or fitted.",
        ),
        ("p", _registered(document)),
        ("p", _ledger(document)),
        ("h2", "What anybody may see"),
        (
            "table",
            [("count", "value"), *((name, number(document["counts"][key])) for key, name in COUNTS.items())],
        ),
        ("h2", "The pipeline on replaced amounts"),
        ("p", "These figures are of other days than the signals': they show that each step runs, and nothing else."),
        (
            "table",
            [
                ("answer", "on replaced amounts"),
                ("H1", f"{h1['verdict']}; Sharpe ratio {_known(h1['sharpe'])}, p(N1) {_known(h1['p_n1'])}, "
                       f"p(N2) {_known(h1['p_n2'])}, p(N3) {_known(h1['p_n3'])}"),
                ("H2", document["answers"]["H2"]),
                ("H3", ", ".join(f"{code} {status}" for code, status in h3.items())),
            ],
        ),
        ("h2", "What is withheld"),
        ("table", [("what", "shown as"), *document["withheld"].items()]),
        ("h2", "What was run"),
        (
            "table",
            [
                ("input", "hash"),
                *((key.removesuffix("_hash"), document[key] or "none")
                  for key in ("freeze_hash", "config_hash", "engine_hash", "dataset_hash", "seeds_hash")),
            ],
        ),
    ]  # fmt: skip


def _registered(document: dict[str, Any]) -> str:
    if not document["look_registered"]:
        return "There is no freeze beside the plan, so no registry of looks: the run is on record in the journal alone."
    return (
        f"The registry of looks has it as a row of its own (event blinded; {document['blinded_runs']} in all). It uses "
        "no look. Every later amendment says after_blinded = true."
    )


def _ledger(document: dict[str, Any]) -> str:
    emitted = document["emitted"]
    if emitted is None:
        return (
            "No emitted ledger was given: the thresholds of z were fitted on what training trades earn on other days, "
            "so the ids are not the true ones, and nothing was compared."
        )
    return (
        f"The replayed signals are those emitted, id for id: ledger {emitted['ledger_id']}, {emitted['size']} rows, "
        f"root {emitted['root']}. The thresholds of z were read from its rows and not fitted."
    )


def _known(value: Any) -> str:
    return number(value) or "undefined"


PAGES: Final = (write_report, write)
"""The functions that write the pages of a blinded run: the full report, which is removed, and the page that stays."""
