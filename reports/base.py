"""Records of a report: sections of plain blocks, so that the page and its Markdown twin have the same content.  [S10]

A section is a pure function from a loaded run to blocks.  Blocks hold text, never HTML: escaping happens in one place,
when the page is rendered.  No number in a block's prose is typed by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reports.load import Run


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """Paragraphs, one a line, in a box; ``tone`` is shown in words as well as in colour."""

    tone: str  # "good", "bad", "unsure", "warning", "plain"
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``right`` are the columns of numbers.  ``folded`` tables are closed until a reader opens them."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with a caption; ``words`` describe it for a reader who cannot see it."""

    name: str
    caption: str
    svg: str
    words: str


Block = Text | Heading | Note | Table | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page: a heading, where the method says it, and a function from a run to its blocks."""

    anchor: str
    title: str
    rule: str
    build: Callable[[Run], Sequence[Block]]
