"""Where the rows of a day come from before it is sealed: a recording, or a canonical data set in a rehearsal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa

from backtest.data.format.dataset import Dataset, SourceNote, parse_parquet, quote_path
from backtest.data.format.funding_intervals import IntervalSteps
from backtest.data.format.schema import Channel
from backtest.environment import ROOT
from backtest.live.dated_intervals import changing, of_day
from engine.freeze import tree_hash
from engine.ledger.format.canonical_json import canonical, tagged_hash
from engine.records import Instruments, IntArray
from engine.units import NS_PER_DAY, NS_PER_SECOND

NS_PER_MINUTE = 60 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Gap:
    """A span ``[from_ns, to_ns)`` in which an instrument (``*``: every one of a venue) has no usable row, and why."""

    instrument: str
    from_ns: int
    to_ns: int
    why: str
    proof: str  # how it is known: sequence, silence, clock, source


@dataclass(frozen=True, slots=True)
class SourcedDay:
    """One UTC day as its source has it.

    ``tables`` maps an underlying to rows of ``QUOTE_SCHEMA`` whose codes are those of ``instruments``; ``up_share`` a
    feed to the share of the day's minutes in which it was up; ``segments`` are the recording's files (name, SHA-256),
    ``segments_head`` the head of their chain; both are empty or None for a source without a recording.
    ``funding_steps`` has, by name, the instruments whose funding interval changes inside the day; that of
    ``instruments`` is what is in force at its end.  ``unknown_interval`` names those whose interval the source does not
    say on this day: they keep that of the day before.
    """

    day: int  # days since 1970-01-01
    instruments: Instruments
    tables: Mapping[str, pa.Table]
    gaps: tuple[Gap, ...]
    up_share: Mapping[str, float]
    segments: tuple[tuple[str, str], ...] = ()
    segments_head: str | None = None
    clock_bound_ns: int | None = None
    funding_steps: Mapping[str, IntervalSteps] = field(default_factory=dict)
    unknown_interval: frozenset[str] = frozenset()


class DaySource(Protocol):
    """A source of days, read once a day and in order."""

    @property
    def name(self) -> str:
        """What it is, for the row of a day."""

    @property
    def synthetic(self) -> bool:
        """Whether its rows were drawn, not observed."""

    @property
    def notes(self) -> tuple[SourceNote, ...]:
        """Where its rows come from."""

    def span(self) -> tuple[int, int] | None:
        """Return the first and the last day (since 1970-01-01) it can tell of; None where there is none."""

    def read(self, day: int) -> SourcedDay:
        """Return one day of the span; a day without a row is a gap."""


@dataclass(frozen=True, slots=True)
class CanonicalSource:
    """The days of a canonical data set: a rehearsal, whose rows nobody recorded."""

    dataset: Dataset

    @property
    def name(self) -> str:
        return f"data set {self.dataset.name}"

    @property
    def synthetic(self) -> bool:
        return self.dataset.synthetic

    @property
    def notes(self) -> tuple[SourceNote, ...]:
        return self.dataset.sources

    def span(self) -> tuple[int, int] | None:
        """Return the first and the last day with a quote file."""
        return self.dataset.day_span

    def read(self, day: int) -> SourcedDay:
        """Return the rows of ``day``; a venue without a row for longer than two grid steps or minutes has a gap."""
        dataset, tables = self.dataset, {}
        for path in sorted(dataset.files):
            underlying = path.split("/")[1] if path.startswith("quotes/") else ""
            if underlying and path == quote_path(underlying, day):
                tables[underlying] = parse_parquet(dataset.read(path), dataset.path / path).read()
        slot_ns = max(dataset.grid_ns, NS_PER_MINUTE)
        gaps, up = [], {}
        for venue in sorted(set(dataset.instruments.venue)):
            spans, up[venue] = _silences(_times_of(venue, tables, dataset.instruments), day, slot_ns)
            gaps += [Gap(f"{venue}:*", start, end, "no row", "silence") for start, end in spans]
        steps = {dataset.instruments.name[code]: of_day(known, day) for code, known in dataset.funding_steps.items()}
        return SourcedDay(day, dataset.instruments_on(day), tables, tuple(gaps), up, funding_steps=changing(steps))


def converter_hash() -> str:
    """Return the version of what makes a day of a recording: a hash of the code of adapters, data format and live."""
    parts = {name: tree_hash(ROOT / "backtest" / name) for name in ("data", "live")}
    return tagged_hash("tree", canonical(parts))


def _times_of(venue: str, tables: Mapping[str, pa.Table], instruments: Instruments) -> IntArray:
    """Return the times of all quotes of a venue, ascending."""
    of_venue = np.array([name == venue for name in instruments.venue])
    times = [np.empty(0, np.int64)]
    for table in tables.values():
        own = of_venue[table.column("code").to_numpy()] & (table.column("channel").to_numpy() == Channel.QUOTE)
        times.append(table.column("t_ns").to_numpy()[own])
    return np.sort(np.concatenate(times))


def _silences(times: IntArray, day: int, slot_ns: int) -> tuple[list[tuple[int, int]], float]:
    """Return the spans of a day without a row for two slots or longer, and the share of slots with one."""
    start, end = day * NS_PER_DAY, (day + 1) * NS_PER_DAY
    edges = np.concatenate([[start], times, [end]])
    long = np.flatnonzero(np.diff(edges) > 2 * slot_ns)
    slots = -(-NS_PER_DAY // slot_ns)
    up = len(np.unique((times - start) // slot_ns)) / slots
    return [(int(edges[at]), int(edges[at + 1])) for at in long], up
