"""The page of a simulation and its Markdown twin, from the files of its run directory alone.  [risk.md 21]

Every figure is marked with its layer: recomputed, read from a published table, or ours (a synthetic book's).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from reports.base import Block, Figure, Frame, Heading, Section, Text
from reports.citation import Cited, SourcedInt
from reports.load import read_document
from reports.render import Built, markdown, page
from reports.tables import frame_table, mixed_table
from reports.venue_risk.figures import PICTURES
from reports.words import count, rounded, text

MOST_ROWS = 40
LAYERS = {
    "recomputed": "computed here from published rows",
    "read": "a sum of a published table, not recomputed",
    "ours": "of synthetic accounts or of our own rule, claimed of no venue",
}


def write_page(run: Path) -> None:
    """Write report.html and report.md into the run directory ``run``."""
    manifest, figures, layers = (read_document(run, f"{name}.json") for name in ("manifest", "figures", "layers"))
    tables = {path.stem: pd.read_csv(path) for path in sorted(run.glob("*.csv"))}
    built: list[Built] = [_section("figures", "Figures", _figures(figures, layers))]
    built += [_section(stem, _heading(stem), _rows(table, stem)) for stem, table in tables.items()]
    built.append(_section("cannot", "What this cannot say", [Text(said) for said in manifest["cannot_say"]]))
    if pictures := PICTURES.get(manifest["kind"], ()):
        drawn_from = ", ".join(["figures.json", *(f"{stem}.csv" for stem in tables)])
        built.append(
            _section(
                "pictures",
                "Pictures",
                [
                    Figure(f"picture-{n}", f"{caption}.", draw(figures, tables), "Its numbers are above.", drawn_from)
                    for n, (caption, draw) in enumerate(pictures)
                ],
            )
        )
    frame = _frame(manifest)
    (run / "report.md").write_text(markdown(frame, built), encoding="utf-8")
    (run / "report.html").write_text(page(frame, built), encoding="utf-8")


def _section(anchor: str, title: str, blocks: list[Block]) -> Built:
    return Section(f"section-{anchor}", title, "", lambda _: blocks), blocks


def _frame(manifest: dict[str, Any]) -> Frame:
    kind = "Every number on this page is synthetic" if manifest["synthetic"] else "A real event, from published files"
    facts = Cited("{}; rules and numbers of {}; seed {}; exploratory; digest {}.").format(
        kind, manifest["venue"], text(manifest["seed"]), manifest["digest"]
    )
    return Frame(manifest["title"], "", facts, "Made by `cme simulate` from the files of the run directory.")


def _figures(figures: dict[str, Any], layers: dict[str, str]) -> list[Block]:
    plain = {name: value for name, value in figures.items() if not isinstance(value, dict)}
    rows = [(name, rounded(value), layers.get(name, "ours")) for name, value in plain.items()]
    used = dict.fromkeys([*(row[2] for row in rows), *_layers_inside(figures)])
    blocks: list[Block] = [mixed_table("The figures, each with its layer", ("figure", "value", "layer"), rows)]
    blocks += [Text(f"{layer}: {LAYERS[layer]}.") for layer in used if layer in LAYERS]
    for name, members in figures.items():
        if isinstance(members, dict) and members:
            blocks += [Heading(_heading(name)), *_members(_heading(name), members, layers.get(name, "ours"))]
    return blocks


def _layers_inside(figures: dict[str, Any]) -> list[str]:
    groups = [value for value in figures.values() if isinstance(value, dict)]
    return [str(m["layer"]) for group in groups for m in group.values() if isinstance(m, dict) and "layer" in m]


def _members(title: str, members: dict[str, Any], layer: str) -> list[Block]:
    """Return one table of members that are tables themselves, and one of those that are numbers."""
    deep = {name: row for name, row in members.items() if isinstance(row, dict)}
    flat = {name: value for name, value in members.items() if not isinstance(value, dict)}
    blocks: list[Block] = []
    if flat:
        listed = [(name, rounded(value), layer) for name, value in flat.items()]
        blocks.append(mixed_table(title, ("figure", "value", "layer"), listed))
    columns = list(dict.fromkeys(key for row in deep.values() for key, v in row.items() if not isinstance(v, dict)))
    if columns:
        rows = [(name, *(rounded(row.get(column)) for column in columns)) for name, row in deep.items()]
        blocks.append(mixed_table(title, ("member", *columns), rows))
    for name, row in deep.items():
        inner = {key: value for key, value in row.items() if isinstance(value, dict) and _is_of_tables(value)}
        # A member such as ``policies`` may itself hold members.
        blocks += [block for key, value in inner.items() for block in _members(f"{name}: {key}", value, layer)]
    return blocks


def _is_of_tables(value: dict[str, Any]) -> bool:
    return any(isinstance(item, dict) for item in value.values())


def _rows(table: pd.DataFrame, stem: str) -> list[Block]:
    file = f"{stem}.csv"
    if len(table) <= MOST_ROWS:
        return [frame_table(table, file, f"{_heading(stem)}, as in {file}")]
    shown, of = SourcedInt(MOST_ROWS, f"{file}: count(listed)"), SourcedInt(len(table), f"{file}: count()")
    caption = Cited("{}: the first {} of {} rows of {}").format(_heading(stem), count(shown), count(of), file)
    return [frame_table(table, file, caption, MOST_ROWS)]


def _heading(stem: str) -> str:
    return stem.replace("_", " ").capitalize()
