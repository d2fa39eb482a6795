"""What the rows of a day hold: which instruments occur, and which settlements and deliveries never will."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from backtest.data.format.schema import REFRESHED, Channel
from backtest.live.dated_intervals import constant
from backtest.live.day_source import NS_PER_MINUTE, SourcedDay
from engine.records import Instruments, Kind
from engine.units import NS_PER_DAY, NS_PER_HOUR


def missing_rows(sourced: SourcedDay) -> list[str]:
    """Return the settlements and deliveries of a day that are not in it and never will be, in words, by instrument.

    A perp with a settlement interval settles at each multiple of the one in force, a dated contract at its expiry; only
    instruments with a row on that day are asked of.
    """
    instruments, start = sourced.instruments, sourced.day * NS_PER_DAY
    present, settled, delivered = _present(sourced)
    missing = []
    for code in sorted(present):
        interval, expiry = int(instruments.funding_interval_ns[code]), int(instruments.expiry_ns[code])
        if instruments.kind[code] == Kind.PERP and interval >= NS_PER_HOUR:
            steps = sourced.funding_steps.get(instruments.name[code], constant(interval))
            times = steps.due(start - 1, start + NS_PER_DAY - 1).tolist()
            lost = [t for t in times if (code, t) not in settled]
            missing += [f"SETTLE {instruments.name[code]} {np.datetime64(t, 'ns').astype('datetime64[m]')}"
                        for t in lost]  # fmt: skip
        elif start <= expiry < start + NS_PER_DAY and code not in delivered:
            missing.append(f"DELIVERY {instruments.name[code]}")
    return missing


def _present(sourced: SourcedDay) -> tuple[set[int], set[tuple[int, int]], set[int]]:
    """Return the codes with a row, the (code, time) of each settlement, and the codes that were delivered."""
    present: set[int] = set()
    settled: set[tuple[int, int]] = set()
    delivered: set[int] = set()
    for table in sourced.tables.values():
        channel, code, t_ns = (table.column(name).to_numpy() for name in ("channel", "code", "t_ns"))
        present.update(np.unique(code).tolist())
        of = channel == Channel.SETTLE
        settled.update(zip(code[of].tolist(), t_ns[of].tolist(), strict=True))
        delivered.update(np.unique(code[channel == Channel.DELIVERY]).tolist())
    return present, settled, delivered


def quoted_shares(sourced: SourcedDay) -> dict[str, dict[str, float]]:
    """Return by venue the share of minutes of the day with a quote, with and without refreshed rows.

    It is the mean over the instruments of the venue that have a quote on the day.  [live L0.4]
    """
    of_day = NS_PER_DAY // NS_PER_MINUTE
    counted: dict[str, list[tuple[int, int]]] = {}
    for table in sourced.tables.values():
        quote = table.column("channel").to_numpy() == Channel.QUOTE
        code, t_ns = (table.column(name).to_numpy()[quote].astype(np.int64) for name in ("code", "t_ns"))
        again = np.zeros(len(code), dtype=bool)
        if REFRESHED in table.column_names:
            again = table.column(REFRESHED).to_numpy()[quote]
        cell = code * of_day + t_ns % NS_PER_DAY // NS_PER_MINUTE
        both = [np.bincount(np.unique(cell[rows]) // of_day, minlength=len(sourced.instruments))
                for rows in (slice(None), ~again)]  # fmt: skip
        for one in np.flatnonzero(both[0]).tolist():
            counted.setdefault(sourced.instruments.venue[one], []).append((int(both[0][one]), int(both[1][one])))
    return {
        venue: {name: round(sum(one[at] for one in minutes) / len(minutes) / of_day, 6)
                for at, name in enumerate(("with_refresh", "without_refresh"))}
        for venue, minutes in sorted(counted.items())
    }  # fmt: skip


def occurring(instruments: Instruments, tables: Mapping[str, pa.Table]) -> set[str]:
    """Return the names of the instruments that have a row in ``tables``."""
    codes = {int(code) for table in tables.values() for code in np.unique(table.column("code").to_numpy())}
    return {instruments.name[code] for code in codes}
