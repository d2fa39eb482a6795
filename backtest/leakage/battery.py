"""Runs the leak checks: compares the facts of a market up to a time with those of the market altered later.  [S8.8]

    cut       what is knowable after t is gone
    nan, scaled, shuffled      it is poisoned
    late      one venue arrives a grid step later from t on
    start     the data are read, and curves known, from an earlier day on
    rows      the rows of the files come in another order
    codes     the instruments have other codes

The first five must leave every fact up to t as it was, the others every fact.  Nothing is tolerated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa

from backtest.data.format.dataset import Dataset, day_of
from backtest.data.format.validate import canonical_rows
from backtest.data.panels import reader
from backtest.leakage import alter
from backtest.leakage.alter import RowColumns
from backtest.leakage.observables import Facts, Observation, Observe
from engine.constraints.codes import CODES
from engine.records import IntArray, Panel
from engine.units import NEVER_NS, NS_PER_DAY

CHECKS: Final = ("cut", "nan", "scaled", "shuffled", "late", "start", "rows", "codes")
FUTURE: Final = CHECKS[:5]
"""Checks that alter the time after t and nothing else."""

Write = Callable[[pa.Table, int, int, str], pa.Table]
"""What puts the rows of a day in the form of a quote file: `backtest.data.format.validate.canonical_rows`."""

Read = Callable[[Dataset, str, int, int], Panel | None]
"""(data set, underlying, first day, last day) -> the panel of the last day, read from the first; None: no grid time."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A fact of time ``t_ns`` that changed, although only data after ``until_ns`` was altered."""

    check: str
    subject: str
    underlying: str
    until_ns: int
    t_ns: int


@dataclass(slots=True)
class Result:
    """Cases tried, by (subject, check), and the leaks found."""

    cases: dict[tuple[str, str], int] = field(default_factory=dict)
    leaks: list[Leak] = field(default_factory=list)

    def add(self, check: str, underlying: str, until_ns: int, plain: Observation, other: Observation) -> None:
        """Compare two observations up to ``until_ns``, both included."""
        for subject in plain.keys() | other.keys():
            place = (subject, check)
            self.cases[place] = self.cases.get(place, 0) + 1
            leak_ns = first_difference(plain.get(subject, ()), other.get(subject, ()), until_ns)
            if leak_ns is not None:
                self.leaks.append(Leak(check, subject, underlying, until_ns, leak_ns))

    def count(self, subject: str, check: str) -> int:
        """Return the number of leaks of one subject under one check."""
        return sum(leak.subject == subject and leak.check == check for leak in self.leaks)


def first_difference(plain: Facts, other: Facts, until_ns: int) -> int | None:
    """Return the time of the first fact up to ``until_ns`` in which two observations differ, None where they agree."""
    ours, theirs = ([fact for fact in facts if fact[0] <= until_ns] for facts in (plain, other))
    for plain_fact, other_fact in zip(ours, theirs, strict=False):
        if plain_fact != other_fact:
            return min(plain_fact[0], other_fact[0])
    # Equal as far as both go: the first fact that only one has is the leak.
    longer = max(ours, theirs, key=len)[min(len(ours), len(theirs)) :]
    return longer[0][0] if longer else None


def check_panel(
    result: Result, observe: Observe, panel: Panel, row: int, draw: np.random.Generator, until_ns: int | None = None
) -> None:
    """Alter ``panel`` from grid time ``row`` >= 1 on, and its codes, and compare the facts before ``row``."""
    # Once for all checks: the plain market does not depend on what is altered.
    plain = observe(panel)
    last_ns = int(panel.times_ns[row - 1]) if until_ns is None else until_ns
    for check, other in panel_alterations(panel, row, draw):
        result.add(check, panel.underlying, last_ns, plain, observe(other))
    result.add("codes", panel.underlying, NEVER_NS, plain, observe(alter.other_codes(panel, draw)))


def panel_alterations(panel: Panel, row: int, draw: np.random.Generator) -> Iterator[tuple[str, Panel]]:
    """Yield ``panel`` under each check of the future, altered from grid time ``row`` on."""
    venues = sorted({panel.instruments.venue[c] for c in panel.code.tolist()})
    yield "cut", alter.cut_rows(panel, row)
    yield "nan", alter.change_rows(panel, row, alter.nan_values)
    yield "scaled", alter.change_rows(panel, row, lambda values: values * 3)
    yield "shuffled", alter.change_rows(panel, row, lambda values: draw.permutation(values, axis=0))
    yield "late", alter.late_rows(panel, row, venues[int(draw.integers(len(venues)))])


@dataclass(frozen=True, slots=True)
class BatteryCell:
    """One underlying's day under test, and the time after which the market is altered."""

    underlying: str
    day: int
    t_ns: int


def check_cells(
    result: Result,
    dataset: Dataset,
    cells: Sequence[BatteryCell],
    observer_of: Callable[[BatteryCell], Observe],
    flat_observer_of: Callable[[BatteryCell], Observe],
    short_observer_of: Callable[[BatteryCell], Observe],
    draw: np.random.Generator,
    read: Read | None = None,
    progress: Callable[[int, int], None] | None = None,
    write: Write = canonical_rows,
) -> None:
    """Run every check on each of ``cells`` of a data set, altering its files as they are read.

    ``tell_of`` knows the state the days before have left; ``tell_flat`` starts flat, for codes that change;
    ``tell_short`` starts flat with no curve older than the registered look-back, for days that begin earlier.
    ``write`` puts rows in form, in whatever order they come.
    """
    look = read or read_day
    for number, cell in enumerate(cells):
        name, day = cell.underlying, cell.day
        panel = look(dataset, name, day, day)
        if panel is None:
            continue
        observe, observe_flat = observer_of(cell), flat_observer_of(cell)
        plain = observe(panel)
        for check, change in file_changes(dataset, cell, draw):
            other = look(alter.altered(dataset, change), name, day, day)
            result.add(check, name, cell.t_ns, plain, observe(other) if other is not None else {})
        skipped = []
        for mix in (False, True) if write is not canonical_rows else (True,):
            again = partial(_written_again, write=write, codes=len(dataset.instruments), draw=draw if mix else None)
            other = look(alter.altered(dataset, again), name, day, day)
            skipped.append(observe(other) if other is not None else {})
        result.add("rows", name, NEVER_NS, skipped[0] if len(skipped) == 2 else plain, skipped[-1])
        earlier = look(dataset, name, day - int(draw.integers(1, 4)), day)
        whole = observe_flat(panel)
        if earlier is not None:
            result.add("start", name, NEVER_NS, short_observer_of(cell)(panel), observe_flat(earlier))
        result.add("codes", name, NEVER_NS, whole, observe_flat(alter.other_codes(panel, draw)))
        if progress is not None:
            progress(number + 1, len(cells))


def file_changes(
    dataset: Dataset, cell: BatteryCell, draw: np.random.Generator
) -> Iterator[tuple[str, Callable[[str, RowColumns], RowColumns]]]:
    """Yield a change of the quote files for each check of the future."""
    t_ns, table = cell.t_ns, dataset.instruments
    # A data set on its own snapshot times has no step.
    step_ns = dataset.grid_ns or 60 * 60 * 10**9
    venues = sorted(set(table.venue))
    venue = venues[int(draw.integers(len(venues)))]
    of_venue = np.array([name == venue for name in table.venue], dtype=np.bool_)
    yield "cut", lambda _path, rows: alter.cut(rows, t_ns)
    yield "nan", lambda _path, rows: alter.nan(rows, t_ns)
    yield "scaled", lambda _path, rows: alter.scaled(rows, t_ns)
    yield "shuffled", lambda _path, rows: alter.shuffled(rows, t_ns, draw)
    yield "late", lambda path, rows: alter.late(rows, t_ns, step_ns, _end_of(path), of_venue)


def read_day(
    dataset: Dataset,
    underlying: str,
    first: int,
    last: int,
    average_ns: int | None = None,
    windows_ns: IntArray | None = None,
) -> Panel | None:
    """Return the panel of day ``last`` as the reader gives it when it begins with day ``first``."""
    begin, end = first * NS_PER_DAY, (last + 1) * NS_PER_DAY
    # Only the last day is looked at; the days before it are read for what they carry into it.
    days = reader.panels(dataset, underlying, begin, end, funding_average_ns=average_ns, delivery_windows_ns=windows_ns)
    panels = deque(days, maxlen=1)
    return panels[0] if panels and int(panels[0].times_ns[-1]) // NS_PER_DAY == last else None


def subjects_of(result: Result) -> list[str]:
    """Return the subjects seen: quotes, costs, each constraint, the whole, and what else there is, in this order."""
    known = ["quotes", "costs", *CODES, "whole", "fits", "capture"]
    seen = {subject for subject, _ in result.cases}
    return [*(name for name in known if name in seen), *sorted(seen - set(known))]


def checks_of(result: Result, among: Iterable[str] = (*CHECKS, "gap")) -> list[str]:
    """Return the checks made, in the order of the method."""
    seen = {check for _, check in result.cases}
    return [check for check in among if check in seen]


def _end_of(path: str) -> int:
    """Return the end of the UTC day of a quote file."""
    return (day_of(path) + 1) * NS_PER_DAY


def _written_again(
    path: str, rows: RowColumns, write: Write, codes: int, draw: np.random.Generator | None
) -> RowColumns:
    """Return rows after ``write`` has put them in form: as they stand, or shuffled where there is a ``draw``."""
    mixed = rows if draw is None else alter.in_any_order(rows, draw)
    written = write(alter.table_of(mixed), day_of(path), codes, path)
    return {name: written.column(name).to_numpy() for name in written.column_names}
