"""Gathers what a build leaves out of a source or finds strange in it, as texts for `cme data check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters.base import BarBreak
from backtest.data.format.dataset import SourceNote
from backtest.data.format.schema import Channel
from engine.records import ACCRUAL_NS, FloatArray, Kind
from engine.units import NS_PER_HOUR

_CAP: Final = {"hyperliquid": 0.04}
_CAP_ELSE: Final = 0.03
"""The highest rate of one settlement that a venue publishes for any contract, as a fraction."""

USUAL_PER_8H: Final = 1e-3
"""A median above this (0.1% each 8 h, 110% a year) was never seen over weeks; a percentage read as a fraction shows."""


@dataclass(slots=True)
class SourceFindings:
    """Of one source: rows left out by what they were, rates by instrument, bars far from the next one's open."""

    passed_over: Counter[str] = field(default_factory=Counter)
    rates: dict[str, list[FloatArray]] = field(default_factory=dict)
    breaks: list[BarBreak] = field(default_factory=list)

    def add(self, passed: Mapping[str, int], rates: Mapping[str, FloatArray], breaks: Sequence[BarBreak]) -> None:
        """Take in what one part of the source holds."""
        self.passed_over.update(passed)
        self.breaks += breaks
        for name, rate in rates.items():
            self.rates.setdefault(name, []).append(rate)

    def texts(self, instruments: pd.DataFrame, elsewhere: frozenset[int]) -> tuple[str, ...]:
        """Return one text a finding; ``instruments`` by name, ``elsewhere`` the times of breaks of spot markets."""
        lines = [f"{count:,} {what} passed over" for what, count in sorted(self.passed_over.items())]
        for name, parts in sorted(self.rates.items()):
            if name not in instruments.index:
                continue
            row = instruments.loc[name]
            interval = int(str(row["funding_interval_ns"]))
            # What accrues is stated for eight hours; a minute's share of it is smaller, and no less plausible.
            interval = 8 * NS_PER_HOUR if interval == ACCRUAL_NS else interval
            lines += rate_findings(name, np.concatenate(parts), str(row["venue"]), interval)
        of_instrument: dict[str, list[BarBreak]] = {}
        for gap in self.breaks:
            if (
                gap.name in instruments.index
                and instruments.loc[gap.name, "kind"] != Kind.SPOT
                and gap.close_ns not in elsewhere
            ):
                of_instrument.setdefault(gap.name, []).append(gap)
        for name, gaps in sorted(of_instrument.items()):
            worst = max(gaps, key=lambda gap: abs(gap.gap_bps))
            lines.append(
                f"{name}: {len(gaps):,} bars close 30 bps or more from the next bar's open while no spot bar does; "
                f"they may be cut off before their end (worst {worst.gap_bps:+.1f} bps at "
                f"{np.datetime64(worst.close_ns, 'ns').astype('datetime64[m]')})"
            )
        return tuple(lines)


def rate_findings(name: str, rate: FloatArray, venue: str, interval_ns: int) -> list[str]:
    """Return what is not plausible in the rates of one perp, per settlement of ``interval_ns``, shape (n,).

    A median over 0.1% each 8 hours, which a percentage read as a fraction makes, and rates beyond the venue's cap.

    Examples
    --------
    >>> rate_findings("okx:A", np.array([1e-4, -2e-4]), "okx", 8 * NS_PER_HOUR)
    []
    >>> rate_findings("okx:A", np.array([1e-4, 0.05]), "okx", 8 * NS_PER_HOUR)[-1]
    'okx:A: 1 rates are beyond the highest cap of okx, 0.03 (largest 0.05)'
    """
    size = np.abs(rate[np.isfinite(rate)])
    if not len(size) or interval_ns <= 0:
        return []
    hours = interval_ns / NS_PER_HOUR
    lines, median, cap = [], float(np.median(size)), _CAP.get(venue, _CAP_ELSE)
    if median * 8.0 / hours > USUAL_PER_8H:
        lines.append(
            f"{name}: the median rate is {median:.6g} each {hours:g} h, {median * 100.0 * 24 * 365 / hours:,.0f}% a "
            f"year: is the source in percent?  A rate is a fraction per settlement"
        )
    if beyond := int((size > cap).sum()):
        lines.append(
            f"{name}: {beyond:,} rates are beyond the highest cap of {venue}, {cap:g} (largest {size.max():.6g})"
        )
    return lines


def with_findings(
    notes: Sequence[SourceNote], findings: Sequence[SourceFindings], rows: Mapping[str, Mapping[str, object]]
) -> list[SourceNote]:
    """Return the notes, each with what was found in its source after its reason; ``rows`` are instruments by name."""
    known = pd.DataFrame(list(rows.values())).set_index("name", drop=False)
    every = [gap for of_source in findings for gap in of_source.breaks if gap.name in known.index]
    spot = frozenset(gap.close_ns for gap in every if known.at[gap.name, "kind"] == Kind.SPOT)
    return [
        replace(note, notes=(*note.notes, *of_source.texts(known, spot)))
        for note, of_source in zip(notes, findings, strict=True)
    ]


def rates_of(rows: pd.DataFrame) -> dict[str, FloatArray]:
    """Return the settled rates of each instrument in ``rows``, shape (n,) each; of one without, its published rates."""
    rates: dict[str, FloatArray] = {}
    # The settled rates last: they replace the published ones of the same instrument.
    for channel in (Channel.FUNDING, Channel.SETTLE):
        of_channel = rows[rows["channel"] == int(channel)]
        rates.update({str(name): part["rate"].to_numpy(np.float64) for name, part in of_channel.groupby("name")})
    return rates
