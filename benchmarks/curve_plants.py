"""What the engine's C5 reads at each plant of the certificate's market of all constraints.  [S2.C5, decision 0715]

    python benchmarks/curve_plants.py PLAN [REPLICATION]

PLAN is configs/calibration/seven.toml or a changed copy beside it.  The market of a replication is drawn and run as the
cell `seven` does it.  A line a plant of the window, at its first grid time with a z: the gross and net that its maker
gave it, z, both readings of the gross, carry and costs of the package, all in bps of S, and whether a signal answers.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.data.build.synthesise import build_synthetic, spec_of
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.environment import ROOT
from backtest.folds.registered_panels import linear_panels
from backtest.pipeline.window import WindowRun
from backtest.registration.load import load_registration
from backtest.rundir.stages import ENGINE, WindowJob, run_stages
from backtest.seeds import streams
from engine.constraints import c5_calendar
from engine.constraints.curve_package import curve_package
from engine.errors import CmeError
from engine.market.view import prepare
from engine.units import BPS, NS_PER_DAY
from hypotheses.calibration.all_constraints import offset, recovered

CODE: Final = c5_calendar.CODE
HEAD: Final = "day  made_gross  made_net       z  score  residual  carry  cost    net  answered"


def plants(truth: pd.DataFrame, run: WindowRun) -> pd.DataFrame:
    """Return the plants of C5 that lie in the window and over their threshold, as the certificate counts them."""
    wanted = truth[(truth["constraint"] == CODE) & truth["above_threshold"] & ~truth["side_effect"]]
    return wanted[(wanted["from_ns"] >= run.plan.t0_ns) & (wanted["to_ns"] < run.plan.t1_ns)]


def readings(dataset: Dataset, run: WindowRun) -> pd.DataFrame:
    """Return what C5 reads at each grid time of the window where its z is known, bps of S, indexed by time."""
    registration, plan, parts = run.registration, run.plan, []
    params = registration.params
    coin = next(name for name, market in params.underlyings.items() if market.curve is not None)
    history = run.curves[coin]
    for panel in linear_panels(dataset, params, coin, plan.t0_ns, plan.t1_ns):
        view = prepare(panel, params, history)
        fold = int((panel.times_ns[0] - plan.t0_ns) // plan.fold_ns)
        fit = run.fitted[fold].curve[coin]
        if not fit.identified:
            continue
        package = curve_package(view, replace(fit, z_threshold=0.0))
        side = np.where(package.z >= 0.0, 1, -1)
        columns = {
            "z": package.z,
            "score": side * package.score_bps,
            "residual": side * package.residual_bps,
            "carry": side * c5_calendar._carry_bps(view, package),
            "cost": 2.0 * BPS * c5_calendar._charges(view, package) / view.spot_usd,
        }
        parts.append(pd.DataFrame(columns, index=panel.times_ns))
    return pd.concat(parts).dropna()


def main(argv: list[str]) -> int:
    """Print the table of one replication."""
    if len(argv) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    replication = int(argv[1]) if len(argv) == 2 else 0
    try:
        registration, chance = load_registration(Path(argv[0])), streams.load(ROOT / "seeds.lock")
        with tempfile.TemporaryDirectory(prefix="cme-curve-plants-") as folder:
            spec = spec_of(registration.data.synthetic, argv[0])
            made = build_synthetic(spec, partial(offset, chance, replication), Path(folder) / "m", "calibration-seven")
            truth, dataset = pd.read_parquet(made / "truth.parquet"), open_dataset(made)
            run = run_stages(WindowJob(dataset, registration, registration.plan, chance), (ENGINE,)).finished_run
            known = readings(dataset, run)
    except CmeError as error:
        print(f"curve_plants: {error}", file=sys.stderr)
        return error.exit_code
    print(HEAD)
    for _, plant in plants(truth, run).iterrows():
        day = (plant["from_ns"] - run.plan.t0_ns) // NS_PER_DAY
        made_bps = (float(plant["gross_bps"]), float(plant["expected_net_bps"]))
        hit = recovered(truth[truth["plant_id"] == plant["plant_id"]], run, run.plan, CODE)[1] == 1
        seen = known[(known.index >= plant["from_ns"]) & (known.index < plant["to_ns"])]
        if not len(seen):
            print(f"{day:3d}  {made_bps[0]:10.1f}  {made_bps[1]:8.1f}  no z while it lasts  {hit}")
            continue
        row = seen.iloc[0]
        net = min(row["score"], row["residual"]) + row["carry"] - row["cost"]
        print(
            f"{day:3d}  {made_bps[0]:10.1f}  {made_bps[1]:8.1f}  {row['z']:6.1f}  {row['score']:5.1f}  "
            f"{row['residual']:8.1f}  {row['carry']:5.1f}  {row['cost']:4.1f}  {net:5.1f}  {hit}"
        )
    planted, answered = recovered(truth, run, run.plan, CODE)
    print(f"answered {answered} of {planted}; days count from the window's first")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
