"""A venue that changes a field of an instrument becomes a gap of it until an amendment says what is meant.  [live L1]

A canonical data set has one row an instrument.  Rows of one whose tick, size or interval is another than when it was
first sealed would be read with fields that they were not recorded under, so they are left out, and the gap says why.
"""

from __future__ import annotations

from dataclasses import replace

from backtest.data.format.dataset import open_dataset
from backtest.live.day_chain import DayChain
from backtest.live.day_source import Gap, SourcedDay
from backtest.live.recode import Listing, instruments_of, listings, recoded
from backtest.live.seal_rows import occurring
from engine.units import NS_PER_DAY


def first_listings(chain: DayChain) -> dict[str, Listing]:
    """Return name -> fields of every instrument of the sealed days, as it was first sealed."""
    known: dict[str, Listing] = {}
    for row in chain.rows:
        for name, fields in listings(open_dataset(chain.folder / row["day"]).instruments).items():
            known.setdefault(name, fields)
    return known


def without_changed(sourced: SourcedDay, chain: DayChain) -> SourcedDay:
    """Return ``sourced`` with the instruments that occur in it, without those whose fields are not as first sealed."""
    known, listed = first_listings(chain), listings(sourced.instruments)
    names = sorted(occurring(sourced.instruments, sourced.tables))
    changed = {name: _difference(known[name], listed[name]) for name in names if name in known}
    kept = [listed[name] for name in names if not changed.get(name)]
    instruments = instruments_of(kept)
    span = (sourced.day * NS_PER_DAY, (sourced.day + 1) * NS_PER_DAY)
    gaps = [Gap(name, *span, f"changed by the venue: {why}", "listing") for name, why in changed.items() if why]
    tables = {name: recoded(table, sourced.instruments, instruments) for name, table in sourced.tables.items()}
    return replace(sourced, instruments=instruments, tables=tables, gaps=(*sourced.gaps, *gaps))


def _difference(before: Listing, now: Listing) -> str:
    return ", ".join(f"{key} {before[key]} -> {now[key]}" for key in before if before[key] != now[key])
