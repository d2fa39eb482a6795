"""Cells that must hold in every replication: leakage canaries, one digest for any workers.  [statistics 2.6]"""

from __future__ import annotations

import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

from backtest.data.format.dataset import open_dataset
from backtest.folds.walk_forward import walk_forward
from backtest.records import Plan
from backtest.rundir.stages import HARNESS, WindowJob, run_stages
from engine.records import FloatArray, IntArray
from hypotheses import judge
from hypotheses.calibration.base import Cell, CellColumns, Context, RowSpec
from hypotheses.calibration.draws import Draw
from hypotheses.calibration.market import write_market

PLAN: Final = Plan(t0_ns=0, t1_ns=900, history_ns=-90, folds=10, fold_ns=90, gap_ns=4, embargo_ns=4)
INSIDE, STRADDLING = 8, 4
WORKERS: Final = (1, 2, 8)


def labels(draw: Draw) -> tuple[IntArray, IntArray, FloatArray, IntArray]:
    """Return t0, t1, feature and fold of labels, each of shape ``[120]``; a fold's feature and outcome are pure chance.

    Labels that straddle the start of a fold lie at its feature and already carry its outcome.
    """
    place, noise = 100.0 * draw.normals(10), 0.01 * draw.normals(10, INSIDE + STRADDLING)
    t0, t1, fold = [], [], []
    for number in range(10):
        inside = [(90 * number + 10 * k, 90 * number + 10 * k + 4) for k in range(INSIDE)]
        for begin, end in inside + [(90 * number - 20 - k, 90 * number + 20 + k) for k in range(STRADDLING)]:
            t0.append(begin)
            t1.append(end)
            fold.append(number)
    fold_of = np.array(fold, dtype=np.int64)
    return np.array(t0), np.array(t1), place[fold_of] + noise.ravel(), fold_of


def _canary(context: Context, r: int) -> CellColumns:
    """Return whether training contains no outcome of its test fold, and does as soon as the purge is off.

    Labels that end when they begin are what a splitter without a purge would see.
    """
    t0, t1, place, fold_of = labels(Draw(context.seeds, "calibrate/leakage", r))
    leaks = {}
    for purged, end in ((True, t1), (False, t0)):
        revealed = 0
        for fold in walk_forward(t0, end, PLAN):
            inside = fold.test[(t0[fold.test] // 90 == t1[fold.test] // 90)]
            if not len(fold.train) or not len(inside):
                continue
            nearest = fold.train[np.abs(place[inside][:, None] - place[fold.train][None, :]).argmin(axis=1)]
            revealed += int((fold_of[nearest] == fold_of[inside]).all())
        leaks[purged] = revealed
    return {"holds": leaks[True] == 0 and leaks[False] >= 9}


def _digest(context: Context, r: int, workers: int) -> str:
    """Return the digest of one small market's run directory and verdicts with so many workers."""
    registration = context.markets["costly"]
    with tempfile.TemporaryDirectory(prefix="cme-calibrate-") as name:
        place = Path(name)
        path = write_market(context.seeds, "informative", r, registration.plan, place / "market")
        job = WindowJob(open_dataset(path), registration, registration.plan, context.seeds, workers, place / "runs")
        folder = run_stages(job, HARNESS).run_folder
        _, _, digest = judge.judge_folder(folder, registration, registration.plan, context.seeds)
        # The digest covers the verdicts; placements are made by other workers and must agree as well.
        placed = sha256((folder / "placements.parquet").read_bytes()).hexdigest()
        return digest + placed


def _workers(context: Context, r: int) -> CellColumns:
    return {"same": len({_digest(context, r, workers) for workers in WORKERS}) == 1}


CELLS: Final = (
    Cell(
        "leakage",
        "series",
        "leakage canaries of 2.6",
        "leakage",
        100,
        _canary,
        (RowSpec("canaries that hold: the purge hides the test fold, without it the fold shows", "holds", "all"),),
    ),
    Cell(
        "workers",
        "engine",
        f"verdicts with {', '.join(map(str, WORKERS))} workers",
        "workers",
        1,
        _workers,
        (RowSpec("markets whose digest is the same with 1, 2 and 8 workers", "same", "all"),),
        seal="pipeline",
        start=240,
        reads=("costly",),
    ),
)
