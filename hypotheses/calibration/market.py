"""The registered small market: one perp against its spot, hourly, written as a data set.  SYNTHETIC.  [statistics 10]

The spot is a geometric walk.  The gap of the perp over it is a walk of 5 bps an hour that begins anew at every 01:00;
on four days of five something is planted at 01:00, upwards or downwards:

| family | a plant |
|---|---|
| `free`, `costly` | a spike of 250 bps for the two hours of persistence: it fires, and ends before entry |
| `informative` | a gap that lasts past entry; six in seven then close, one in seven widens until it is stopped |

A position lives five hours at most, and N2 and N3 move signals by multiples of eight: none is ever open at 01:00.  So a
signal of the first two families meets nothing but a walk, at its own time and wherever a null places it: it can expect
to earn nothing, and without costs (`free`) H0 of N1 holds.  H0 of N2 and N3 holds for the mean only: at its own time a
signal's exit rule has a gap to wait for, and its days are skewed to the left.  [docs/decisions/0273]
Streams: ``calibrate/market/BTC/{paths,quotes,plants/C1}``, replication r = 250 j + i of family f from replicate
1000 (250 f + i) + j.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from backtest.data.format.dataset import SourceNote
from backtest.data.format.schema import QUOTE_SCHEMA, VALUE_COLUMNS, Channel, instruments_from_frame
from backtest.data.format.writer import DatasetWriter
from backtest.records import Plan
from backtest.seeds.streams import Seeds
from engine.records import Feed, FloatArray, Kind, Right
from engine.units import NEVER_NS, NS_PER_DAY, NS_PER_HOUR
from hypotheses.calibration.draws import Draw

SPOT: Final = "binance:BTCUSDC"
PERP: Final = "binance:BTCUSDC-PERP"
SOURCE: Final = "calibration"
FAMILIES: Final = {"free": 0, "costly": 1, "informative": 2}
"""Names of the families and their numbers; the first two share the law `no edge`."""
APART: Final = 250
"""Replications of a family whose replicates are a thousand apart; later ones use those between."""
BETWEEN: Final = 1_000
"""Replicates from one of these to the next: as many times `APART` is the most replications of a family."""

START_USD: Final = 95_000.0
VOL: Final = 0.55
TICK: Final = 0.01
DEPTH_USD: Final = 500_000.0
HOURS: Final = 24
FUNDING_NS: Final = 8 * NS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Law:
    """The law of the gap of one family; bps and hours."""

    size_bps: tuple[float, float]  # of a plant, uniform
    holds_h: int  # a plant lasts 1 to so many hours past entry; 0: it ends before entry
    loses: float  # share of plants that widen instead of closing
    widens: float  # to so many times their size
    spread_bps: float
    rate: float  # funding of 8 h


LAWS: Final = {
    "free": Law((250.0, 250.0), 0, 0.0, 0.0, 0.0, 0.0),
    "costly": Law((250.0, 250.0), 0, 0.0, 0.0, 0.4, 1e-4),
    "informative": Law((190.0, 250.0), 3, 1.0 / 7.0, 4.5, 0.4, 1e-4),
}
PLANTED: Final = 0.8
"""Share of days with a plant."""
WALK_BPS: Final = 5.0
FIRST_HOUR: Final = 1
PERSISTENCE: Final = 2


def draws(seeds: Seeds, family: str, r: int, what: str) -> Draw:
    """Return the numbers of one part of one replication.  Raises ``ValueError`` beyond the replications listed."""
    if not 0 <= r < APART * BETWEEN:
        raise ValueError(f"expected a replication in [0, {APART * BETWEEN}), was {r}")
    later, place = divmod(r, APART)
    return Draw(seeds, f"calibrate/market/BTC/{what}", BETWEEN * (APART * FAMILIES[family] + place) + later)


def gap_bps(seeds: Seeds, family: str, r: int, days: int) -> FloatArray:
    """Return the gap of the perp over the spot at every hour of ``days``, bps, ``[days, 24]``."""
    steps = WALK_BPS * draws(seeds, family, r, "quotes").normals(days, HOURS)
    # a row is a day from 01:00; the hour 00:00 of a day belongs to the row before
    walk = np.concatenate([np.zeros(1), np.cumsum(steps, axis=1).ravel()[:-1]]).reshape(days, HOURS)
    planted = _plants(LAWS[family], draws(seeds, family, r, "plants/C1").uniforms(days, 5))
    return np.asarray(walk + planted)


def _plants(law: Law, u: FloatArray) -> FloatArray:
    """Return the planted part of the gap, ``[days, 24]``; ``u`` holds five numbers a day."""
    planted = np.zeros((len(u), HOURS))
    low, high = law.size_bps
    for day, (happens, side, size, holds, outcome) in enumerate(u.tolist()):
        # The day's other numbers stay unused, so that each day has its own five.
        if happens >= PLANTED:
            continue
        bps = (low + size * (high - low)) * (1.0 if side < 0.5 else -1.0)
        end = FIRST_HOUR + PERSISTENCE + (1 + int(holds * law.holds_h) if law.holds_h else 0)
        planted[day, FIRST_HOUR:end] = bps
        if outcome < law.loses:
            planted[day, end : end + 2] = law.widens * bps
    return planted


def write_market(seeds: Seeds, family: str, r: int, plan: Plan, target: Path) -> Path:
    """Write replication ``r`` of ``family`` as a data set over history and window of ``plan``; return its folder."""
    first, days = plan.history_ns // NS_PER_DAY, (plan.t1_ns - plan.history_ns) // NS_PER_DAY
    steps = VOL / np.sqrt(365.0 * HOURS) * draws(seeds, family, r, "paths").normals(days * HOURS)
    spot = (START_USD * np.exp(np.cumsum(steps))).reshape(days, HOURS)
    perp = spot * (1.0 + 1e-4 * gap_bps(seeds, family, r, days))
    note = SourceNote("calibration market", "synthetic", "", ("prices drawn from a model, violations planted",))
    with DatasetWriter(target, f"calibration-{family}", NS_PER_HOUR, synthetic=True, sources=[note]) as writer:
        writer.set_instruments(instruments_from_frame(_instruments()))
        for day in range(days):
            table = _day(LAWS[family], (first + day) * NS_PER_DAY, spot[day], perp[day])
            writer.write_day("BTC", first + day, table, SOURCE, "drawn, not observed")
        return writer.finish()


def _instruments() -> pd.DataFrame:
    common = {
        "venue": "binance", "underlying": "BTC", "base": "BTC", "quote": "USDC", "settle": "USDC", "contract_size": 1.0,
        "inverse": False, "expiry_ns": NEVER_NS, "strike": float("nan"), "right": int(Right.NONE), "tick": TICK,
        "feed": int(Feed.BOOK), "bar_ns": 0,
    }  # fmt: skip
    kinds = ((SPOT, Kind.SPOT, 0), (PERP, Kind.PERP, FUNDING_NS))
    return pd.DataFrame(
        [
            {"name": name, "symbol": name.split(":")[1], "kind": int(kind), "funding_interval_ns": every, **common}
            for name, kind, every in kinds
        ]
    )


def _day(law: Law, day_ns: int, spot: FloatArray, perp: FloatArray) -> pa.Table:
    """Return the rows of one day, in the order of a quote file.  Each hour's quote is knowable at the hour itself."""
    hour = day_ns + NS_PER_HOUR * np.arange(HOURS, dtype=np.int64)
    due = day_ns + FUNDING_NS * np.arange(NS_PER_DAY // FUNDING_NS, dtype=np.int64)
    # To the tick, as a venue would quote it.
    mid = np.round(np.stack([spot, perp], axis=1), 2)
    half = 0.5e-4 * law.spread_bps * mid
    rates = np.full(len(due), law.rate)
    parts = [(Channel.QUOTE, 2 * HOURS), (Channel.MARK, HOURS), (Channel.FUNDING, len(due)), (Channel.SETTLE, len(due))]
    ends = np.cumsum([count for _, count in parts])
    columns = {name: np.full(ends[-1], np.nan) for name in VALUE_COLUMNS}
    columns["bid"][: ends[0]] = np.round(mid - half, 2).ravel()
    columns["ask"][: ends[0]] = np.round(mid + half, 2).ravel()
    columns["bid_size"][: ends[0]] = columns["ask_size"][: ends[0]] = DEPTH_USD / START_USD
    columns["mark"][ends[0] : ends[1]], columns["index"][ends[0] : ends[1]] = mid[:, 1], mid[:, 0]
    columns["rate"][ends[1] :] = np.concatenate([rates, rates])
    code = np.concatenate([np.tile([0, 1], HOURS), np.ones(ends[-1] - ends[0])])
    keys = {
        "channel": np.repeat(np.array([channel for channel, _ in parts], dtype=np.uint8), [n for _, n in parts]),
        "t_ns": np.concatenate([np.repeat(hour, 2), hour, due, due]),
        "code": code.astype(np.int32),
    }
    return pa.table([pa.array(({**keys, **columns})[field.name], field.type) for field in QUOTE_SCHEMA], QUOTE_SCHEMA)
