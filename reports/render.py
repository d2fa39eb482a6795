"""Renders the sections as one self-contained page and its Markdown twin.  [S10]

The page has no script and loads nothing: its content policy forbids every load.  Text is escaped here and only here;
figures are SVG that this package drew.  The same run gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from backtest.tasks.parallel import ParallelMap, serial_map
from engine.errors import escaped
from reports.base import Block, Figure, Heading, Note, Section, Table, Text
from reports.load import Run
from reports.registry import SECTIONS

TONES = {"good": "supported", "bad": "refuted", "unsure": "cannot tell", "warning": "mind this", "plain": "note"}
MARKUP = ("\\", "`", "*", "_", "<", "[", "]", "~", "&")
"""Markup that Markdown reads inside a line; the backslash first, so that later escapes are not escaped again."""
HERE = Path(__file__).resolve().parent


def render(run: Run, parallel_map: ParallelMap = serial_map) -> tuple[str, str]:
    """Return the HTML page and the Markdown text of ``run``; ``parallel_map`` may build sections in other processes."""
    built = list(zip(SECTIONS, parallel_map(_built, run, range(len(SECTIONS))), strict=True))
    return page(run, built), markdown(run, built)


def _built(run: Run, number: int) -> list[Block]:
    return list(SECTIONS[number].build(run))


def figures_of(run: Run) -> dict[str, str]:
    """Return the SVG text of every figure of ``run`` by its name, in the order of the page."""
    blocks = (block for section in SECTIONS for block in section.build(run))
    return {block.name: block.svg for block in blocks if isinstance(block, Figure)}


def title(run: Run) -> str:
    """Return the heading of the report."""
    return str(run.manifest["title"])


def page(run: Run, built: Sequence[tuple[Section, list[Block]]]) -> str:
    """Return the HTML page."""
    # StrictUndefined: a misspelt field of the template fails the build and prints no empty cell
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    # From the text: no loader, so the template can include no file.
    template = environment.from_string((HERE / "page.html.j2").read_text(encoding="utf-8"))
    rendered = template.render(
        title=title(run),
        run=run.manifest,
        synthetic=run.synthetic,
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704  # our own file
        sections=[(section, [_view(block) for block in blocks]) for section, blocks in built],
    )
    # a control character in a title, a name or a value reorders or hides what a reader sees
    return escaped(rendered, keep="\n")


def markdown(run: Run, built: Sequence[tuple[Section, list[Block]]]) -> str:
    """Return the Markdown twin: the same text and tables, figures by their words."""
    out = [f"# {_plain(title(run))}", ""]
    if run.synthetic:
        out += ["**Synthetic market: every number on this page was generated, none was observed.**", ""]
    for section, blocks in built:
        out += [f"## {section.title}", ""]
        for block in blocks:
            out += [*_markdown(block), ""]
    return escaped("\n".join(out).rstrip(), keep="\n") + "\n"


def _view(block: Block) -> dict[str, Any]:
    """Return a block as the template reads it; ``kind`` chooses its form."""
    match block:
        case Text(text):
            return {"kind": "text", "text": text}
        case Heading(text):
            return {"kind": "heading", "text": text}
        case Table(caption, rows=()):
            return {"kind": "text", "text": f"{caption}: none."}
        case Note(tone, head, text):
            return {"kind": "note", "tone": tone, "word": TONES[tone], "title": head, "text": text}
        case Table(caption, head, rows, right, folded):
            # columns of numbers are set to the right, so that digits line up
            cells = [[(cell, i in right) for i, cell in enumerate(row)] for row in rows]
            heads = [(cell, i in right) for i, cell in enumerate(head)]
            return {"kind": "table", "caption": caption, "head": heads, "rows": cells, "folded": folded}
        case Figure(name, caption, svg, words):
            # a screen reader reads the words of the figure in place of its shapes
            inline = svg.replace("<svg ", f'<svg role="img" aria-labelledby="{name}-words" ', 1)
            return {"kind": "figure", "name": name, "caption": caption, "svg": Markup(inline), "words": words}  # noqa: S704


def _markdown(block: Block) -> list[str]:
    match block:
        case Text(text):
            return [_paragraph(text)]
        case Heading(text):
            return [f"### {_plain(text)}"]
        case Table(caption, rows=()):
            return [_paragraph(f"{caption}: none.")]
        case Note(tone, head, text):
            return [f"> **{_plain(head)}** ({TONES[tone]}). {_plain(text)}"]
        case Table(caption, head, rows, right, _):
            rule = ["---:" if i in right else "---" for i in range(len(head))]
            lines = [_row(head), _row(rule), *(_row(row) for row in rows)]
            return [f"*{_plain(caption)}*", "", *lines]
        case Figure(_, caption, _, words):
            return [f"*Figure: {_plain(caption)}* {_plain(words)}"]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """Return text on one line with all Markdown markup escaped, so that a hostile name cannot become markup."""
    for mark in MARKUP:
        # In the order of MARKUP: the backslash first, or it would escape the escapes.
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())


def _paragraph(text: str) -> str:
    """Return a paragraph whose first character begins no heading, list, quote or rule."""
    plain = _plain(text)
    return "\\" + plain if plain[:1] in "#>-+=|" and plain else re.sub(r"^(\d+)([.)])", r"\1\\\2", plain)
