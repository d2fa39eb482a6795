"""The share of planted edges that the whole engine recovers, and the least edge it detects.  [statistics 10]

The project's own market generator draws one coin with every constraint planted; the registered plan runs on it.  A
plant is recovered where a signal of its constraint that sells its leg is emitted within its life.  The least edge that
can be detected follows from what was measured: with s the standard deviation of a constraint's daily profit, c its
daily charge, k its trades in the window of notional Q, and SR80 the true Sharpe ratio that H3 retains with 80% (the
certificate's own curve),

    edge = (SR80/sqrt(365) s + c) 90 / (k Q)            bps of notional a trade, after costs
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Final

import pandas as pd
from numpy.random import PCG64

from backtest.data.build.synthesise import build_synthetic, spec_of
from backtest.data.format.dataset import open_dataset
from backtest.pipeline.window import WindowRun
from backtest.records import Plan
from backtest.rundir.stages import ENGINE, WindowJob, run_stages
from backtest.seeds.streams import Seeds
from engine.constraints.codes import CODES
from engine.units import NS_PER_HOUR
from hypotheses import h3
from hypotheses.calibration.base import Cell, CellColumns, Context, RowSpec
from hypotheses.calibration.engine_cells import window_data
from hypotheses.exposure import exposure_of
from hypotheses.records import Status

FIRST: Final = 750
"""Its replications take the streams beyond those of the small market."""
PER_REPLICATION: Final = 1_000


def offset(seeds: Seeds, r: int, name: str, replicate: int) -> PCG64:
    """Return a stream of the market generator for replication ``r``."""
    return seeds.generator(name, PER_REPLICATION * (FIRST + r) + replicate)


def replicate(context: Context, r: int) -> CellColumns:
    """Return, by constraint: plants, those recovered, trades, their net, the sleeve's spread, whether H3 retains it."""
    registration = context.markets["seven"]
    plan, params = registration.plan, registration.params
    with tempfile.TemporaryDirectory(prefix="cme-calibrate-") as name:
        spec = spec_of(registration.data.synthetic, "seven.toml")
        path = build_synthetic(spec, partial(offset, context.seeds, r), Path(name) / "market", "calibration-seven")
        truth = pd.read_parquet(path / "truth.parquet")
        job = WindowJob(open_dataset(path), registration, plan, context.seeds)
        run = run_stages(job, (ENGINE,)).finished_run
    data = window_data(run, None, params)
    exposure = exposure_of(data, params)
    rows = {row.code: row for row in h3.evaluate(data, context.stats, context.streams, exposure).constraints}
    measures: dict[str, float] = {}
    for sleeve in data.sleeves:
        code, traded = sleeve.code, data.trades[data.trades["status"] == "traded"]
        trades = traded[traded["constraint"] == code]
        planted, hit = recovered(truth, run, plan, code)
        notional = float(trades["notional_usd"].sum())
        measures |= {
            f"{code}/found": hit,
            f"{code}/found/of": planted,
            f"{code}/retained": rows[code].status is Status.RETAIN,
            f"{code}/trades": len(trades),
            f"{code}/notional": notional,
            f"{code}/net": float(trades["net_usd_micro"].sum()) / 1e6,
            f"{code}/sd": float(sleeve.profit.std()) / 1e6,
            f"{code}/charge": float((sleeve.profit - sleeve.x).mean()) / 1e6,
        }
    return measures


def recovered(truth: pd.DataFrame, run: WindowRun, plan: Plan, code: str) -> tuple[int, int]:
    """Return the plants of a constraint above its threshold in the window, and how many a signal answers."""
    wanted = truth[(truth["constraint"] == code) & truth["above_threshold"] & ~truth["side_effect"]]
    # Whole plants only: one that the window cuts may miss its answer there.
    wanted = wanted[(wanted["from_ns"] >= plan.t0_ns) & (wanted["to_ns"] < plan.t1_ns)]
    seen = [(s.t_ns, str(run.instruments.name[s.short])) for s in run.signals if s.constraint == code]
    rows = zip(wanted["from_ns"].tolist(), wanted["to_ns"].tolist(), wanted["short"].tolist(), strict=True)
    hits = [
        any(since <= t_ns <= until + NS_PER_HOUR and leg == short for t_ns, leg in seen) for since, until, short in rows
    ]
    return len(wanted), sum(hits)


CELLS: Final = (
    Cell(
        "seven",
        "engine",
        "all seven constraints planted, the whole universe of one coin",
        "seven",
        1,
        replicate,
        (
            *(RowSpec(f"planted edges of {code} recovered", f"{code}/found") for code in CODES),
            *(RowSpec(f"{code} retained by H3, planted", f"{code}/retained") for code in CODES),
        ),
        seal="pipeline",
        reads=("seven",),
    ),
)
