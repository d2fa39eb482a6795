"""The page of a simulation and its Markdown twin, from the files of its run directory alone.  [risk.md 21]

Every figure is marked with its layer: recomputed, read from a published table, or ours (a synthetic book's).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from reports.plain_page import Part, html, markdown, number
from reports.venue_risk.figures import PICTURES

MOST_ROWS = 40
LAYERS = {
    "recomputed": "computed here from published rows",
    "read": "a sum of a published table, not recomputed",
    "ours": "of synthetic accounts or of our own rule, claimed of no venue",
}


def write_page(run: Path) -> None:
    """Write report.html and report.md into the run directory ``run``."""
    manifest, figures, layers = (
        json.loads((run / f"{name}.json").read_text(encoding="utf-8")) for name in ("manifest", "figures", "layers")
    )
    tables = {path.stem: pd.read_csv(path) for path in sorted(run.glob("*.csv"))}
    parts: list[Part] = [("h1", manifest["title"]), ("p", _sentence(manifest)), *_figures(figures, layers)]
    for stem, table in tables.items():
        parts += [("h2", _heading(stem)), *_rows(table, stem)]
    parts += [("h2", "What this cannot say"), *(("p", text) for text in manifest["cannot_say"])]
    pictures = [(caption, draw(figures, tables)) for caption, draw in PICTURES.get(manifest["kind"], ())]
    (run / "report.md").write_text(markdown(parts), encoding="utf-8")
    (run / "report.html").write_text(html(manifest["title"], parts, pictures), encoding="utf-8")


def _sentence(manifest: dict[str, Any]) -> str:
    kind = "Every number on this page is synthetic" if manifest["synthetic"] else "A real event, from published files"
    return (
        f"{kind}; rules and numbers of {manifest['venue']}; seed {manifest['seed']}; exploratory; digest "
        f"{manifest['digest']}."
    )


def _figures(figures: dict[str, Any], layers: dict[str, str]) -> list[Part]:
    plain = {name: value for name, value in figures.items() if not isinstance(value, dict)}
    rows = [[name, number(value), layers.get(name, "ours")] for name, value in plain.items()]
    used = dict.fromkeys([*(row[2] for row in rows), *_layers_inside(figures)])
    parts: list[Part] = [("h2", "Figures"), ("table", [["figure", "value", "layer"], *rows])]
    parts += [("p", f"{layer}: {LAYERS[layer]}.") for layer in used if layer in LAYERS]
    for name, members in figures.items():
        if isinstance(members, dict) and members:
            parts += [("h3", _heading(name)), *_members(members, layers.get(name, "ours"))]
    return parts


def _layers_inside(figures: dict[str, Any]) -> list[str]:
    groups = [value for value in figures.values() if isinstance(value, dict)]
    return [str(m["layer"]) for group in groups for m in group.values() if isinstance(m, dict) and "layer" in m]


def _members(members: dict[str, Any], layer: str) -> list[Part]:
    """Return one table of members that are tables themselves, and one of those that are numbers."""
    deep = {name: row for name, row in members.items() if isinstance(row, dict)}
    flat = {name: value for name, value in members.items() if not isinstance(value, dict)}
    parts: list[Part] = []
    if flat:
        parts.append(("table", [["figure", "value", "layer"], *([n, number(v), layer] for n, v in flat.items())]))
    columns = list(dict.fromkeys(key for row in deep.values() for key, v in row.items() if not isinstance(v, dict)))
    if columns:
        head = ["", *columns]
        rows = [[name, *(number(row.get(column)) for column in columns)] for name, row in deep.items()]
        parts.append(("table", [head, *rows]))
    for name, row in deep.items():
        inner = {key: value for key, value in row.items() if isinstance(value, dict) and _is_of_tables(value)}
        parts += [part for key, value in inner.items() for part in (("p", f"{name}: {key}"), *_members(value, layer))]
    # A member such as ``policies`` may itself hold members.
    return parts


def _is_of_tables(value: dict[str, Any]) -> bool:
    return any(isinstance(item, dict) for item in value.values())


def _rows(table: pd.DataFrame, stem: str) -> list[Part]:
    head = [str(name) for name in table.columns]
    shown = table.head(MOST_ROWS)
    rows = [[number(value) for value in row] for row in shown.itertuples(index=False)]
    parts: list[Part] = [("table", [head, *rows])]
    if len(table) > len(shown):
        parts.append(("p", f"The first {len(shown)} of {len(table):,} rows; {stem}.csv has all of them."))
    return parts


def _heading(stem: str) -> str:
    return stem.replace("_", " ").capitalize()
