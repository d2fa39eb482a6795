"""The page of a blinded run and its Markdown twin, from ``blinded.json``.  [live L0.7]"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from reports.base import Block, Frame, Section, Table, Text
from reports.citation import Cited
from reports.commands import write as write_report
from reports.commands import write_whole
from reports.load import read_document
from reports.render import Built, markdown, page
from reports.tables import mixed_table
from reports.words import count, rounded, text

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
    document = read_document(folder, "blinded.json")
    title = Cited("Blinded run of {}").format(document["analysis_id"])
    frame = Frame(title, "", _registered(document), "Made by `cme run --blinded` from the file blinded.json.")
    built = sections_of(document)
    return {
        "html": write_whole(folder / "blinded.html", page(frame, built)),
        "markdown": write_whole(folder / "blinded.md", markdown(frame, built)),
    }


def sections_of(document: dict[str, Any]) -> list[Built]:
    """Return the sections of the page of ``blinded.json``."""
    h1, h3 = document["answers"]["H1"], document["answers"]["H3"]
    ratio = Cited("{}; Sharpe ratio {}, p(N1) {}, p(N2) {}, p(N3) {}").format(
        h1["verdict"], *(_known(h1[name]) for name in ("sharpe", "p_n1", "p_n2", "p_n3"))
    )
    answers = (
        ("H1", ratio),
        ("H2", document["answers"]["H2"]),
        ("H3", Cited(", ").join(Cited("{} {}").format(code, status) for code, status in h3.items())),
    )
    hashes = ("freeze_hash", "config_hash", "engine_hash", "dataset_hash", "seeds_hash")
    return [
        _section(
            "rehearsal",
            "A rehearsal",
            Text(
                "A rehearsal of the whole pipeline on the true window, and no result: every settled amount of a signal "
                "is that of one placement on another day of its fold, drawn from the stream blinded of seeds.lock. No "
                "outcome of a signal was read, written or fitted."
            ),
            Text(_ledger(document)),
        ),
        _section(
            "counts",
            "What anybody may see",
            mixed_table(
                "Operational counts of the window",
                ("count", "value"),
                [(name, rounded(document["counts"][key])) for key, name in COUNTS.items()],
            ),
        ),
        _section(
            "answers",
            "The pipeline on replaced amounts",
            Text("These figures are of other days than the signals': they show that each step runs, and nothing else."),
            Table("Answers on replaced amounts", ("answer", "on replaced amounts"), answers),
        ),
        _section(
            "withheld",
            "What is withheld",
            Table(
                "What is withheld, and in what form it is shown",
                ("what", "shown as"),
                tuple(document["withheld"].items()),
            ),
        ),
        _section(
            "inputs",
            "What was run",
            Table(
                "Hashes of the inputs",
                ("input", "hash"),
                tuple((key.removesuffix("_hash"), document[key] or "none") for key in hashes),
            ),
        ),
    ]


def _section(anchor: str, title: str, *blocks: Block) -> Built:
    return Section(anchor, title, "", lambda _: blocks), list(blocks)


def _registered(document: dict[str, Any]) -> str:
    if not document["look_registered"]:
        return "There is no freeze beside the plan, so no registry of looks: the run is on record in the journal alone."
    return Cited(
        "The registry of looks has it as a row of its own (event blinded; {} in all). It uses no look. Every later "
        "amendment says after_blinded = true."
    ).format(text(document["blinded_runs"]))


def _ledger(document: dict[str, Any]) -> str:
    emitted = document["emitted"]
    if emitted is None:
        return (
            "No emitted ledger was given: the thresholds of z were fitted on what training trades earn on other days, "
            "so the ids are not the true ones, and nothing was compared."
        )
    return Cited(
        "The replayed signals are those emitted, id for id: ledger {}, {} rows, root {}. The thresholds of z were read "
        "from its rows and not fitted."
    ).format(emitted["ledger_id"], count(emitted["size"]), emitted["root"])


def _known(value: Any) -> str:
    return rounded(value) or "undefined"


PAGES: Final = (write_report, write)
"""The functions that write the pages of a blinded run: the full report, which is removed, and the page that stays."""
