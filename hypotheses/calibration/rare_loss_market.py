"""Rare losses through the whole engine: how often H1 is robust where signals earn nothing in the mean.  [spec README]

The small market without edge and without cost, but for what a plant does: its gap of 250 bps lasts to the end of the
longest life, and moves once, an hour after entry.  It closes by a steady gain g, or, with probability p, widens by m
joint losses: a signal earns g or loses m L at once, and

    g = p m s / (1 - p)            s: the registered stress loss of C1, bps

leaves a mean of zero.  A plant is there on four days of five, so that p = q / 0.8 gives the rate q of
`rare_loss_cells` a day: the least favourable one, at which a window without a loss earns just over 3 L.  Here *robust*
asks everything: ratio, N1, N2, N3, bootstrap and joint loss.
Streams: those of the family `free` from replication 100,000 on, whose fifth number of a day is unused there.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from backtest.data.format.dataset import SourceNote, open_dataset
from backtest.data.format.schema import instruments_from_frame
from backtest.data.format.writer import DatasetWriter
from backtest.records import Registration
from backtest.rundir.stages import HARNESS, WindowJob, run_stages
from backtest.seeds.streams import Seeds
from engine.records import FloatArray
from engine.units import NS_PER_DAY, NS_PER_HOUR
from hypotheses.calibration import market
from hypotheses.calibration.base import PLANS, Cell, CellColumns, Context, RowSpec
from hypotheses.calibration.engine_cells import CODE, kept, window_data
from hypotheses.calibration.rare_loss_cells import RATES, rate
from hypotheses.calibration.verdict_cells import judge

FAMILY: Final = "free"
MULTIPLES: Final = (0.5, 1.0)
"""A rare loss in joint losses L: the two at most as large as one."""
FIRST: Final = 100_000
"""The first replication here: those before it are the cells of the family."""
SPACING: Final = 10_000
ENTRY: Final = market.FIRST_HOUR + market.PERSISTENCE
LIFE_H: Final = 5
"""Hours from entry to the horizon."""


def gain_bps(multiple: float, stress_bps: float) -> float:
    """Return what a plant without a loss earns, bps.

    >>> round(gain_bps(1.0, 450.0), 2), round(gain_bps(0.5, 450.0), 2)
    (20.59, 21.58)
    """
    p = _loses(multiple)
    return p * multiple * stress_bps / (1.0 - p)


def gap_bps(seeds: Seeds, multiple: float, r: int, days: int, stress_bps: float) -> FloatArray:
    """Return the gap of the perp over the spot at every hour of ``days``, bps, ``[days, 24]``."""
    r = _replication(multiple, r)
    gap = market.gap_bps(seeds, FAMILY, r, days)
    happens, side, _, _, outcome = market.draws(seeds, FAMILY, r, f"plants/{CODE}").uniforms(days, 5).T
    side = np.where(happens < market.PLANTED, np.where(side < 0.5, 1.0, -1.0), 0.0)
    (size, _) = market.LAWS[FAMILY].size_bps
    gap[:, ENTRY] += side * size
    moved = np.where(outcome < _loses(multiple), multiple * stress_bps, -gain_bps(multiple, stress_bps))
    gap[:, ENTRY + 1 : ENTRY + LIFE_H + 1] += (side * (size + moved))[:, None]
    return gap


def write_market(seeds: Seeds, multiple: float, r: int, registration: Registration, target: Path) -> Path:
    """Write replication ``r`` as a data set over history and window of the plan; return its folder."""
    plan, stress = registration.plan, registration.params.rules[CODE].stress_loss_bps
    first, days = plan.history_ns // NS_PER_DAY, (plan.t1_ns - plan.history_ns) // NS_PER_DAY
    words = market.draws(seeds, FAMILY, _replication(multiple, r), "paths")
    steps = market.VOL / np.sqrt(365.0 * market.HOURS) * words.normals(days * market.HOURS)
    spot = (market.START_USD * np.exp(np.cumsum(steps))).reshape(days, market.HOURS)
    perp = spot * (1.0 + 1e-4 * gap_bps(seeds, multiple, r, days, stress))
    note = SourceNote("calibration market", "synthetic", "", ("prices drawn from a model, rare losses planted",))
    with DatasetWriter(target, "calibration-rare", NS_PER_HOUR, synthetic=True, sources=[note]) as writer:
        writer.set_instruments(instruments_from_frame(market._instruments()))
        for day in range(days):
            table = market._day(market.LAWS[FAMILY], (first + day) * NS_PER_DAY, spot[day], perp[day])
            writer.write_day("BTC", first + day, table, market.SOURCE, "drawn, not observed")
        return writer.finish()


def measures(context: Context, multiple: float, r: int) -> CellColumns:
    """Return whether one market supports H1 and is robust, its profit in joint losses, and its trades."""
    registration = context.markets[PLANS[FAMILY]]
    with tempfile.TemporaryDirectory(prefix="cme-calibrate-") as folder:
        path = write_market(context.seeds, multiple, r, registration, Path(folder) / "market")
        job = WindowJob(open_dataset(path), registration, registration.plan, context.seeds)
        job = run_stages(job, HARNESS)
    run = kept(window_data(job.finished_run, job.placements, registration.params), registration)
    found = judge(context, run, registration.plan, run["charge"])
    return {
        **{name: found[name] for name in ("n1", "n2", "n3", "supported", "robust")},
        "trades": run["trades"],
        "in_losses": run["profit"] / int(run["loss"]),
    }


def _loses(multiple: float) -> float:
    """Return the probability that a plant widens."""
    return rate(multiple, RATES[1]) / market.PLANTED


def _replication(multiple: float, r: int) -> int:
    return FIRST + SPACING * MULTIPLES.index(multiple) + r


def _cell(multiple: float) -> Cell:
    what = f"mean 0 through the engine, rare loss of {multiple:g} L, {RATES[1]}"
    rows = (
        RowSpec(f"H1 robust, {what}", "robust", "rare_loss_engine"),
        RowSpec(f"H1 supported, {what}", "supported"),
    )

    def replicate(context: Context, r: int) -> CellColumns:
        found = measures(context, multiple, r)
        return {name: found[name] for name in ("supported", "robust")}

    name = f"rare-engine/{multiple:g}"
    return Cell(name, "engine", what, "engine", 4, replicate, rows, "pipeline", reads=(PLANS[FAMILY],))


CELLS: Final = tuple(_cell(multiple) for multiple in MULTIPLES)
