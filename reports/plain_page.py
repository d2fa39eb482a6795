"""A page of headings, paragraphs and tables, with pictures at its end, and its Markdown twin.

For runs that are no confirmatory run: studies of covenants, simulations.  Parts are (kind, content): ``h1``, ``h2``,
``h3`` and ``p`` hold a text, ``table`` holds rows of cells, the head first.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import escaped

CSS = Path(__file__).parent / "page.css"
Part = tuple[str, Any]


def number(value: Any) -> str:
    """Return a cell: text as it is, yes or no, numbers rounded for reading; empty for what is undefined."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    # None and NaN are undefined, and an empty cell claims nothing.
    if value is None:
        return ""
    return "" if value != value else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def markdown(parts: Sequence[Part]) -> str:
    """Return the Markdown text of a page."""
    lines = []
    for kind, content in parts:
        if kind == "table":
            head, *rows = content
            lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
            lines += ["| " + " | ".join(row) + " |" for row in rows]
        else:
            lines.append({"h1": "# ", "h2": "## ", "h3": "### ", "p": ""}[kind] + content)
        lines.append("")
    return escaped("\n".join(lines), keep="\n")


def html(title: str, parts: Sequence[Part], pictures: Sequence[tuple[str, str]]) -> str:
    """Return the self-contained HTML page; ``pictures`` are (caption, SVG) pairs at its end."""
    body = []
    for kind, content in parts:
        if kind == "table":
            head, *rows = content
            cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
            lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
            body.append(
                f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table></div>'
            )
        else:
            body.append(f"<{kind}>{escape(content)}</{kind}>")
    drawn = "".join(f"<figure><figcaption>{escape(name)}</figcaption>{svg}</figure>" for name, svg in pictures)
    style = CSS.read_text(encoding="utf-8")
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{style}</style></head><body>{''.join(body)}{'<h2>Pictures</h2>' if pictures else ''}{drawn}</body>"
        "</html>\n"
    )
    return escaped(page, keep="\n")
