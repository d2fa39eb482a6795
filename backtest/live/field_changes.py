"""A venue that changes a field of an instrument becomes a gap of it until an amendment says what is meant.  [live L1]

A canonical data set has one row an instrument.  Rows of one whose tick or size is another than when it was first sealed
would be read with fields that they were not recorded under, so they are left out, and the gap says why.  A funding
interval has dates in a data set: another one is no gap.
"""

from __future__ import annotations

from dataclasses import replace

from backtest.data.format.dataset import open_dataset
from backtest.live.dated_intervals import DATED
from backtest.live.day_chain import DayChain, day_number
from backtest.live.day_source import Gap, SourcedDay
from backtest.live.recode import Listing, instruments_of, listings, recoded
from backtest.live.seal_rows import occurring
from engine.units import NS_PER_DAY


def known_listings(chain: DayChain, day: int) -> tuple[dict[str, Listing], dict[str, Listing]]:
    """Return name -> fields of every instrument as it was first sealed, and as it was last before the UTC ``day``."""
    first: dict[str, Listing] = {}
    last: dict[str, Listing] = {}
    for row in chain.rows:
        of_day = listings(open_dataset(chain.folder / row["day"]).instruments)
        first = of_day | first
        if day_number(row["day"]) < day:
            last |= of_day
    return first, last


def without_changed(sourced: SourcedDay, chain: DayChain) -> SourcedDay:
    """Return ``sourced`` with the instruments that occur in it, without those whose fields are not as first sealed.

    A funding interval that its source does not say is that of the last day before.
    """
    first, last = known_listings(chain, sourced.day)
    listed = listings(sourced.instruments)
    for name in sourced.unknown_interval & last.keys():
        listed[name] = {**listed[name], DATED: last[name][DATED]}
    names = sorted(occurring(sourced.instruments, sourced.tables))
    changed = {name: _difference(first[name], listed[name]) for name in names if name in first}
    kept = [listed[name] for name in names if not changed.get(name)]
    instruments = instruments_of(kept)
    span = (sourced.day * NS_PER_DAY, (sourced.day + 1) * NS_PER_DAY)
    gaps = [Gap(name, *span, f"changed by the venue: {why}", "listing") for name, why in changed.items() if why]
    tables = {name: recoded(table, sourced.instruments, instruments) for name, table in sourced.tables.items()}
    steps = {name: of_name for name, of_name in sourced.funding_steps.items() if name in instruments.name}
    return replace(sourced, instruments=instruments, tables=tables, gaps=(*sourced.gaps, *gaps), funding_steps=steps)


def _difference(before: Listing, now: Listing) -> str:
    return ", ".join(f"{key} {before[key]} -> {now[key]}" for key in before if key != DATED and before[key] != now[key])
