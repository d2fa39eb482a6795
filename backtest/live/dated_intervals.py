"""Funding intervals of the sealed days: as a recording has them, of one day, and of all days together.  [venues V3]

A venue moves a contract from one interval to another after a settlement.  A day has what is in force at its end and,
where it changes inside the day, the steps; a joined data set has the steps of all days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from backtest.data.adapters import cells
from backtest.data.adapters.instruments import InstrumentListing
from backtest.data.adapters.schedule import DAY_HOURS
from backtest.data.format.dataset import Dataset
from backtest.data.format.funding_intervals import IntervalSteps
from engine.errors import DataError
from engine.records import Instruments, Kind
from engine.units import NS_PER_DAY, NS_PER_HOUR

IntervalAnswer = tuple[int, Mapping[str, int]]
"""Receipt of an answer of Binance's ``fundingInfo``, ns UTC, and the interval in ns of each symbol in it."""
DATED: Final = "funding_interval_ns"
"""The field of an instrument that has dates: another value on a later day is no other instrument."""


def intervals_of_answer(contracts: Iterable[Any], where: str) -> dict[str, int]:
    """Return symbol -> interval in ns of the entries of ``fundingInfo``, which has the contracts that are adjusted.

    Raises ``DataError`` (4) naming ``where`` and the field for an entry of another form, hours that do not divide a
    day, or a symbol with two intervals.
    """
    intervals: dict[str, int] = {}
    for entry in contracts:
        symbol = cells.text(entry, "symbol", where)
        hours = cells.whole(entry, "fundingIntervalHours", where)
        if hours < 1 or DAY_HOURS % hours:
            raise DataError(
                f"{where}, field fundingIntervalHours of {symbol!r:.100}: expected a number of hours that divides "
                f"{DAY_HOURS}, was {hours}"
            )
        if intervals.setdefault(symbol, hours * NS_PER_HOUR) != hours * NS_PER_HOUR:
            raise DataError(
                f"{where}, field fundingIntervalHours of {symbol!r:.100}: expected one interval, was "
                f"{intervals[symbol] // NS_PER_HOUR} and {hours} hours"
            )
    return intervals


def of_recorded_day(
    listings: Mapping[str, InstrumentListing], answers: Iterable[IntervalAnswer], day: int
) -> tuple[dict[str, InstrumentListing], dict[str, IntervalSteps], frozenset[str]]:
    """Return what the ``answers`` of a UTC day (since 1970-01-01) say of the perps of Binance in ``listings``, by name.

    First the listings, with the interval in force at the end of the day; then the steps of those whose interval changes
    inside it; last the names whose interval no answer of the day says, with the interval of their listing.
    """
    perps = {name for name, listing in listings.items() if (listing.venue, listing.kind) == ("binance", Kind.PERP)}
    of_the_day = sorted((answer for answer in answers if answer[0] // NS_PER_DAY == day), key=lambda answer: answer[0])
    if not of_the_day:
        return dict(listings), {}, frozenset(perps)
    steps = {name: _steps_of_answers(listings[name], of_the_day) for name in perps}
    in_force = {name: int(known.interval_ns[-1]) for name, known in steps.items()}
    dated = {
        name: replace(listing, funding_interval_ns=in_force.get(name, listing.funding_interval_ns))
        for name, listing in listings.items()
    }
    return dated, changing(steps), frozenset()


def _steps_of_answers(listing: InstrumentListing, answers: Sequence[IntervalAnswer]) -> IntervalSteps:
    """Return the interval of a contract by time on the day of ``answers``, which has one at least.

    An answer without it means the interval of the listing.  One that differs from the answer before says that the
    interval changed at the hour before its receipt: changes come at settlements, and those are on the hour.
    """
    symbol, otherwise_ns = listing.base + listing.quote, listing.funding_interval_ns
    (_, first), *later = answers
    changes = [(t_ns // NS_PER_HOUR * NS_PER_HOUR, known.get(symbol, otherwise_ns)) for t_ns, known in later]
    return _steps([(0, first.get(symbol, otherwise_ns)), *changes])


def of_day(steps: IntervalSteps, day: int) -> IntervalSteps:
    """Return the interval by time on one UTC day: what is in force after its start, and its changes until its end."""
    start, end = day * NS_PER_DAY, (day + 1) * NS_PER_DAY
    inside = (steps.from_ns > start) & (steps.from_ns < end)
    changes = zip(steps.from_ns[inside].tolist(), steps.interval_ns[inside].tolist(), strict=True)
    return _steps([(0, int(steps.at(np.array([start + 1]))[0])), *changes])


def over_days(parts: Iterable[tuple[int, Dataset]]) -> dict[str, IntervalSteps]:
    """Return the interval by time of each instrument of sealed days (UTC day, data set), in order of days, by name.

    An interval other than that of the day before is in force from the start of its day on.
    """
    pairs: dict[str, list[tuple[int, int]]] = {}
    for day, part in parts:
        for code, name in enumerate(part.instruments.name):
            steps = part.funding_steps.get(code, constant(int(part.instruments.funding_interval_ns[code])))
            since_ns = day * NS_PER_DAY if name in pairs else 0
            of_part = zip(steps.from_ns.tolist(), steps.interval_ns.tolist(), strict=True)
            pairs.setdefault(name, []).extend((max(from_ns, since_ns), interval_ns) for from_ns, interval_ns in of_part)
    return {name: _steps(of_name) for name, of_name in pairs.items()}


def constant(interval_ns: int) -> IntervalSteps:
    """Return the steps of an interval that never changes."""
    return _steps([(0, interval_ns)])


def changing(steps: Mapping[str, IntervalSteps]) -> dict[str, IntervalSteps]:
    """Return those of ``steps`` that have more than one interval: a data set lists no others."""
    return {name: of_name for name, of_name in steps.items() if len(of_name.from_ns) > 1}


def with_intervals_of(instruments: Instruments, of_part: Instruments) -> Instruments:
    """Return ``instruments`` with the funding intervals of a sealed day's table, matched by name, where it has one."""
    known = dict(zip(of_part.name, of_part.funding_interval_ns.tolist(), strict=True))
    whole = zip(instruments.name, instruments.funding_interval_ns.tolist(), strict=True)
    interval_ns = np.array([known.get(name, interval_ns) for name, interval_ns in whole], dtype=np.int64)
    interval_ns.setflags(write=False)
    return replace(instruments, funding_interval_ns=interval_ns)


def _steps(pairs: Iterable[tuple[int, int]]) -> IntervalSteps:
    """Return the steps of (from, interval), in order of time; of one time the last counts, and no step repeats."""
    kept: list[tuple[int, int]] = []
    for from_ns, interval_ns in dict(pairs).items():
        if not kept or kept[-1][1] != interval_ns:
            kept.append((from_ns, interval_ns))
    from_ns_all, interval_ns_all = zip(*kept, strict=True)
    return IntervalSteps(np.array(from_ns_all, dtype=np.int64), np.array(interval_ns_all, dtype=np.int64))
