"""Turns a part of `sensitivities.json` into blocks: its label, its tables by the unit of each column, its notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from reports.base import Block, Heading, Table, Text
from reports.citation import Cited, sources_of
from reports.load import SENSITIVITIES, Run
from reports.rows import Rows
from reports.words import NONE, count, interval, number, p_value, rounded, share, text

LABELS = {
    "sensitivity": "Sensitivity, listed in the protocol",
    "exploratory": "Exploratory",
}


def parts(run: Run, names: Sequence[str]) -> list[Block]:
    """Return the blocks of the named parts in that order; one sentence if there is no file, none for a missing part."""
    content = _parts_by_name(run)
    if content is None:
        return [Text(f"Not computed for this run: `cme judge` writes {SENSITIVITIES}.")]
    blocks: list[Block] = []
    for name in names:
        if name in content:
            blocks += _part(content[name])
    return blocks


def part_of(run: Run, name: str) -> dict[str, Any] | None:
    """Return one part of the file; None if the file or the part is missing."""
    return (_parts_by_name(run) or {}).get(name)


def _parts_by_name(run: Run) -> dict[str, dict[str, Any]] | None:
    document = run.sensitivities
    return None if document is None else {str(part["name"]): part for part in document["parts"]}


def frame_table(frame: pd.DataFrame, file: str, caption: str, limit: int | None = None) -> Table:
    """Return the first rows of a table of ``file`` as they are, numbers rounded for reading."""
    rows = tuple(
        tuple(rounded(value) for value in row.values()) for row in Rows(frame, file).records(limit or len(frame))
    )
    return mixed_table(caption, [str(name) for name in frame.columns], rows)


def mixed_table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table in which a column of figures alone, or of empty cells beside them, is set to the right."""
    columns = list(zip(*rows, strict=True))
    right = tuple(i for i, column in enumerate(columns) if all(not cell or sources_of(cell) for cell in column))
    return Table(caption, tuple(head), tuple(tuple(row) for row in rows), right)


def not_asked(run: Run) -> list[Block]:
    """Return a sentence for each member left out because it reads the market again."""
    names = run.sensitivities["not_asked"] if run.sensitivities is not None else []
    return [
        Text(name + ": not computed here; `cme judge RUN --sensitivities` reads the market again.") for name in names
    ]


def _part(part: dict[str, Any]) -> list[Block]:
    lead = Text(Cited("{}: it informs and decides nothing ({}).").format(LABELS[part["label"]], part["rule"]))
    return [
        Heading(part["title"]),
        lead,
        *(table_of(table) for table in part["tables"]),
        *(Text(note) for note in part["notes"]),
    ]


def table_of(table: dict[str, Any]) -> Table:
    """Return the table without its empty text columns."""
    rows = table["rows"]
    # A column of remarks that is empty throughout says nothing.
    columns = [
        column for column in table["columns"] if column["unit"] != "text" or any(row[column["key"]] for row in rows)
    ]
    return Table(
        table["caption"],
        tuple(column["title"] for column in columns),
        tuple(tuple(_cell(row[column["key"]], column["unit"]) for column in columns) for row in rows),
        right=tuple(i for i, column in enumerate(columns) if column["unit"] not in ("text", "flag")),
        folded=table["folded"],
    )


def _cell(value: Any, unit: str) -> str:
    """Return a value as its unit is written; null and the empty text give the dash."""
    if value is None or value == "":
        return NONE
    match unit:
        case "text":
            return text(value)
        case "flag":
            return "yes" if value else "no"
        case "interval":
            return interval(value)
        case "p":
            return p_value(value)
        case "share":
            return share(value)
        case "count":
            return count(value)
        case "hours" | "bps":
            return number(value, 1)
        case _:
            return number(value)
