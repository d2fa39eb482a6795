"""A power statement as Markdown, as JSON, and as one page that needs nothing else: no script, no network."""

from __future__ import annotations

import json
from dataclasses import asdict
from html import escape

from backtest.registration.acknowledged import SCHEMA
from engine.errors import escaped
from hypotheses.planning.base import Curve, PlanningTable, Statement

NONE = "–"
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 300, 52, 40, 12
COLOURS = ("#1b5e9e", "#b3541e", "#2f7d4f", "#7a3e8e")

STYLE = (
    "body{font:16px/1.5 Georgia,serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;"
    "overflow-wrap:anywhere}"
    "table{border-collapse:collapse;margin:.5rem 0 1rem;font-size:.9rem}"
    "caption{text-align:left;font-weight:bold;padding-bottom:.3rem}"
    "td,th{padding:.15rem .6rem;border-bottom:1px solid #ddd;text-align:right}"
    "td:first-child,th:first-child{text-align:left}code{font-size:.85em;word-break:break-all}"
    "svg{width:100%;height:auto}text{font:12px Georgia,serif;fill:#444}"
)


def as_json(statement: Statement) -> str:
    """Return the statement as one JSON document; figures rounded to six places."""

    def rounded(value: object) -> object:
        if isinstance(value, float):
            # Beyond six places floats of other machines may differ.
            return round(value, 6)
        if isinstance(value, dict):
            return {key: rounded(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [rounded(item) for item in value]
        return value

    document = {"schema": SCHEMA, **asdict(statement)}
    return json.dumps(rounded(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_markdown(statement: Statement) -> str:
    """Return the statement as Markdown, tables only; a pipe in a text of the plan is written as its escape."""
    lines = [f"# What {_plain(statement.study)} can show", "", _plain(statement.title), "", *_facts(statement), ""]
    for table in statement.tables:
        lines += [f"## {table.title}", ""]
        lines += ["| " + " | ".join(table.head) + " |", "|" + "---|" * len(table.head)]
        lines += ["| " + " | ".join(_cell(table, value) for value in row) + " |" for row in table.rows]
        lines += ["", *(f"{note}\n" for note in table.notes)]
    return escaped("\n".join(lines).rstrip(), keep="\n") + "\n"


def as_html(statement: Statement) -> str:
    """Return the statement as one self-contained page: curves first, then the tables."""
    facts = "".join(f"<p>{escape(line)}</p>" for line in _facts(statement) if line)
    curves = "".join(_figure(curve) for curve in statement.curves)
    tables = "".join(_table(table) for table in statement.tables)
    title = escape(f"What {statement.study} can show")
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{STYLE}</style></head><body><h1>{title}</h1><p>{escape(statement.title)}</p>"
        f"{facts}{curves}{tables}</body></html>\n"
    )
    return escaped(page, keep="\n")


def _facts(statement: Statement) -> list[str]:
    windows = "one window" if statement.windows == 1 else f"{statement.windows} windows, each"
    acknowledged = "the plan acknowledges it" if statement.acknowledged else "the plan does not acknowledge it yet"
    return [
        f"{windows} of {statement.days} days in {statement.folds} folds.".capitalize(),
        "",
        *(line for sentence in statement.sentences for line in (sentence, "")),
        f"Name of this statement: {statement.name} ({acknowledged}; power.acknowledged of the registration).",
    ]


def _cell(table: PlanningTable, value: str | float | None) -> str:
    if value is None:
        return NONE
    if isinstance(value, str):
        return value
    return f"{100 * value:.1f}%" if table.unit == "share" else f"{value:,.0f}"


def _plain(text: str) -> str:
    # A pipe would end the cell, and a bracket could begin markup.
    return text.replace("|", "&#124;").replace("<", "&lt;")


def _table(table: PlanningTable) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.head)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(_cell(table, value))}</td>" for value in row) + "</tr>" for row in table.rows
    )
    notes = "".join(f"<p>{escape(note)}</p>" for note in table.notes)
    return f"<table><caption>{escape(table.title)}</caption><thead><tr>{head}</tr></thead>{rows}</table>{notes}"


def _figure(curve: Curve) -> str:
    """Return one figure: axes with four ticks, a line and a name for each entry."""
    span, right = curve.x[-1] - curve.x[0], WIDTH - 8

    def at(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - curve.x[0]) / span * (right - LEFT)
        return across, TOP + (1 - y / curve.top) * (HEIGHT - BOTTOM - TOP)

    parts = []
    for tick in range(5):
        y = curve.top * tick / 4
        x = curve.x[0] + span * tick / 4
        (_, up), (across, _) = at(curve.x[0], y), at(x, 0.0)
        # Only shares end at 1.
        label = f"{100 * y:.0f}%" if curve.top <= 1 else f"{y:.1f}"
        parts.append(f'<line x1="{LEFT}" y1="{up:.1f}" x2="{right}" y2="{up:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{up + 4:.1f}" text-anchor="end">{label}</text>')
        parts.append(f'<text x="{across:.1f}" y="{HEIGHT - 22}" text-anchor="middle">{x:g}</text>')
    for number, (name, values) in enumerate(curve.lines.items()):
        points = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in zip(curve.x, values, strict=True))
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{LEFT + 12}" y="{TOP + 14 + 16 * number}" style="fill:{colour}">{escape(name)}</text>')
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 5}" text-anchor="middle">{escape(curve.x_title)}</text>')
    title = escape(curve.title)
    return (
        f'<figure><figcaption><b>{title}</b></figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{title}">{"".join(parts)}</svg></figure>'
    )
