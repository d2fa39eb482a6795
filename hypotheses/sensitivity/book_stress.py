"""Stress on the book of the window: a venue that cannot be traded, a dollar off its peg, collateral by venue.  [14.4]

A package's leg counts with weight x notional, bought or sold, on [entry, exit).  At every instant at which something
opens or closes:

    outage      |net legs at the venue| x 10%: the other legs are closed, these move before they can be
    contagion   the same with every other venue out as well, its net moving half as far
    depeg       net sold legs priced in the dollar, spot apart, x 8.72%: their profit is paid in it
    collateral  gross legs at a venue: what each venue needs at its worst against what one pool needs at its worst

Sizes of the moves: risk.md 14.3 (a fall of 10% in five minutes), and USDC's low of 0.9128 on 2023-03-11.  Exploratory:
no position is ended by it and no verdict reads it.  A result with contagion off is not a sign of safety: see 14.4.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from engine.params import Params
from engine.records import FloatArray
from hypotheses.base import rows_of
from hypotheses.exposure import traded_signals
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable

MOVE: Final = 0.10
FOLLOWS: Final = 0.5
DEPEG: Final = 1.0 - 0.9128
DOLLARS: Final = ("USDT", "USDC")

OUTAGES: Final = (
    Column("venue", "venue", "text"),
    Column("net", "largest net, USD", "usd"),
    Column("loss", "loss, contagion off, USD", "usd"),
    Column("loss_on", "loss, contagion on, USD", "usd"),
    Column("share", "contagion on, share of capital", "share"),
)
DEPEGS: Final = (
    Column("dollar", "dollar", "text"),
    Column("net", "largest net sold, USD", "usd"),
    Column("loss", "loss, USD", "usd"),
    Column("share", "share of capital", "share"),
)
COLLATERAL: Final = (
    Column("venue", "venue", "text"),
    Column("gross", "largest gross, USD", "usd"),
    Column("share", "share of the sum of the largest", "share"),
)


@dataclass(frozen=True, slots=True)
class BookLeg:
    """A leg of a traded package: venue, dollar of its price or none, signed USD, open on [entry, exit)."""

    venue: str
    underlying: str
    dollar: str
    is_spot: bool
    usd: float
    entry_ns: int
    exit_ns: int


def build(judged: JudgedRun) -> Part:
    """Return losses by venue and by dollar, and collateral by venue; a sentence where nothing was traded."""
    legs = book_legs(judged)
    if not legs:
        return Part((), ("nothing was traded, so no stress meets the book.",))
    capital = float(judged.registration.params.capital_usd)
    venues = sorted({leg.venue for leg in legs})
    nets = net_by_venue(legs, venues)
    gross = {v: path((leg.entry_ns, leg.exit_ns, abs(leg.usd)) for leg in legs if leg.venue == v) for v in venues}
    peaks = {venue: float(values.max(initial=0.0)) for venue, values in gross.items()}
    pool = float(path((leg.entry_ns, leg.exit_ns, abs(leg.usd)) for leg in legs).max(initial=0.0))
    apart = float(np.array(list(peaks.values())).sum())
    tables = (
        SensitivityTable(
            "A venue cannot be traded while its price moves by 10% against the book", OUTAGES,
            tuple(_outage(venue, nets, capital) for venue in venues),
        ),
        SensitivityTable(
            "A dollar falls by 8.72%", DEPEGS, tuple(_depeg(dollar, legs, capital) for dollar in DOLLARS)
        ),
        SensitivityTable(
            "Collateral by venue", COLLATERAL,
            tuple({"venue": v, "gross": peak, "share": peak / apart} for v, peak in peaks.items()),
        ),
    )  # fmt: skip
    return Part(
        tables,
        (
            f"One pool over the venues needs {100 * pool / apart:.0f}% of what the venues need one by one at their "
            "worst: nothing is moved between venues inside the window.",
            "A result counts only with contagion on (risk.md 14.4): then every other venue is out too and follows half "
            "of the move.",
            "An option counts with its premium, not with its delta. The venue's own liquidation is not replayed: "
            "positions keep their exits.",
        ),
    )


def book_legs(judged: JudgedRun) -> list[BookLeg]:
    """Return the legs of the window's traded packages in the order of their signals."""
    spots = spot_names(judged.registration.params)
    legs = []
    for row in rows_of(traded_signals(judged.run.trades, judged.run.signals)):
        for leg in row["legs"]:
            venue, _, symbol = str(leg["instrument"]).partition(":")
            usd = float(np.copysign(leg["weight"], leg["quantity"])) * float(row["notional_usd"])
            dollar = next((name for name in DOLLARS if name in symbol), "")
            legs.append(
                BookLeg(venue, row["underlying"], dollar, leg["instrument"] in spots, usd, int(row["entry_ns"]),
                        int(row["exit_ns"]))
            )  # fmt: skip
    return legs


def spot_names(params: Params) -> frozenset[str]:
    """Return the spot instruments that the plan registers."""
    return frozenset(pair.spot for market in params.underlyings.values() for pair in market.cash_carry)


def path(changes: Iterable[tuple[int, int, float]]) -> FloatArray:
    """Return the sum that is open after each instant, of (entry ns, exit ns, amount); closings before openings."""
    steps: dict[int, float] = defaultdict(float)
    for entry_ns, exit_ns, amount in changes:
        steps[entry_ns] += amount
        steps[exit_ns] -= amount
    return np.cumsum(np.array([steps[t] for t in sorted(steps)], dtype=np.float64))


def net_by_venue(legs: Iterable[BookLeg], venues: list[str]) -> dict[str, FloatArray]:
    """Return the size of the net by venue after each instant, USD: nets of underlyings do not offset each other."""
    listed = list(legs)
    times = sorted({t for leg in listed for t in (leg.entry_ns, leg.exit_ns)})
    place = {t: k for k, t in enumerate(times)}
    nets: dict[tuple[str, str], FloatArray] = {}
    for leg in listed:
        steps = nets.setdefault((leg.venue, leg.underlying), np.zeros(len(times)))
        steps[place[leg.entry_ns]] += leg.usd
        steps[place[leg.exit_ns]] -= leg.usd
    sizes = {venue: np.zeros(len(times)) for venue in venues}
    for (venue, _), steps in nets.items():
        sizes[venue] += np.abs(np.cumsum(steps))
    return sizes


def _outage(venue: str, nets: Mapping[str, FloatArray], capital: float) -> dict[str, Any]:
    others = [values for name, values in nets.items() if name != venue]
    joint = nets[venue] + FOLLOWS * np.sum(np.array(others), axis=0) if others else nets[venue]
    net, loss_on = float(nets[venue].max()), MOVE * float(joint.max())
    return {"venue": venue, "net": net, "loss": MOVE * net, "loss_on": loss_on, "share": loss_on / capital}


def _depeg(dollar: str, legs: Iterable[BookLeg], capital: float) -> dict[str, Any]:
    sold = path((leg.entry_ns, leg.exit_ns, -leg.usd) for leg in legs if leg.dollar == dollar and not leg.is_spot)
    net = float(sold.max(initial=0.0))
    return {"dollar": dollar, "net": net, "loss": DEPEG * net, "share": DEPEG * net / capital}
