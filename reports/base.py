"""Records of a report: sections of plain blocks, so that the page and its Markdown twin have the same content.  [S10]

A section is a pure function from a loaded run to blocks.  Blocks hold text, never HTML: escaping happens in one place,
when the page is rendered.  No number in a block's prose is typed by hand: each is cited (`reports.citation`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Subject = TypeVar("Subject")
"""What a section is made from: one loaded run, or several."""


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
    """A picture with a caption; ``words`` describe it for a reader who cannot see it.

    ``drawn_from`` has the keys of what is drawn: one for the whole picture, whose digits are those of its scales.
    """

    name: str
    caption: str
    svg: str
    words: str
    drawn_from: str


@dataclass(frozen=True, slots=True)
class AnswerCard:
    """One answer: a badge in words, the claim, the number that decides and its bounds, and a small picture of both."""

    tone: str
    badge: str
    claim: str
    number: str
    bounds: str
    svg: str
    words: str
    drawn_from: str


@dataclass(frozen=True, slots=True)
class Answers:
    """Cards side by side; one under the other where the window is narrow."""

    cards: tuple[AnswerCard, ...]


@dataclass(frozen=True, slots=True)
class Points:
    """A short list under a title."""

    title: str
    points: tuple[str, ...]


Block = Text | Heading | Note | Table | Figure | Answers | Points


@dataclass(frozen=True, slots=True)
class Section(Generic[Subject]):
    """One section of the page: a heading, where the method says it, and a function from its subject to its blocks."""

    anchor: str
    title: str
    rule: str
    build: Callable[[Subject], Sequence[Block]]


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the sections: title, a warning above it or none, a line of facts, a line at the end.

    In the two lines a pair of backticks sets code.  ``lead`` stands before the list of contents: the first screen.
    """

    title: str
    banner: str
    facts: str
    footer: str
    lead: tuple[Block, ...] = ()
