"""The family of sensitivities: a pure function from a judged run to tables, labelled, that decides nothing.

A member is listed in `registry`; its result goes into `sensitivities.json` and from there into the report, so a new
member needs no other line.  Everything here is float tier: shown, never hashed.  [audit 10.1, statistics R12.5]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from backtest.records import Plan, Registration
from hypotheses.base import RunData, Streams
from hypotheses.records import Verdicts

Label = Literal["sensitivity", "exploratory"]
"""``sensitivity``: listed in the protocol.  ``exploratory``: anything else.  [statistics R12.5]"""

Unit = Literal["text", "ratio", "p", "share", "usd", "bps", "count", "hours", "interval", "flag"]
"""The unit in which a column is printed; ``interval`` is a pair of ratios or null."""

QUICK_DRAWS = 1_999
"""Draws where a sensitivity is computed with every run; with ``--sensitivities`` it takes the registered number."""


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """A judged window and its folder.  ``draws`` is the number of resamples a member takes.

    ``data`` is the folder of the data set; None leaves out the members that need the market.
    """

    folder: Path
    run: RunData
    registration: Registration
    plan: Plan
    streams: Streams
    verdicts: Verdicts
    draws: int
    data: Path | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its key in the rows, its heading, its unit."""

    key: str
    title: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class SensitivityTable:
    """Rows of plain values by column key; None is undefined, and ``note`` of the row or the part says why."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[dict[str, Any], ...]
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """The result of one member: tables, and sentences a reader needs beside them."""

    tables: tuple[SensitivityTable, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """One member of the family.  ``market``: it reads the data set again, so it runs only when asked."""

    name: str
    title: str
    label: Label
    rule: str
    build: Callable[[JudgedRun], Part]
    market: bool = False
