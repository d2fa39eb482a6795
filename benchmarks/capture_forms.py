"""Which capture form predicts realised nets better on real studies: c x net, or c x gross + carry - cost.

    python benchmarks/capture_forms.py RUN [RUN ...]

RUN are finished run directories of real studies, every window of each.  Both forms are fitted on trades of earlier
folds of the same window, resolved a gap before the fold, by the registered formula (shrinkage n0, clip to [0, 1]): c on
modelled and realised nets, or on modelled and realised gross.  The loss is the squared error of the realised net in bps
of notional, its mean over the dislocations of a study, summed over the studies; the smaller one is registered.  Under
100 dislocations in all, c x net (S4.8 as written) stays.  A synthetic run is refused: the market's maker chose its
costs.  [spec README "Capture"]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.folds.fit import capture_factors
from backtest.records import Plan, Registration
from backtest.registration.load import load_registration
from backtest.results.dislocations import DISLOCATION_NS
from backtest.results.tables import read_table
from engine.errors import CmeError, UsageError
from engine.records import FloatArray, IntArray
from engine.units import BPS, MICRO
from hypotheses.exposure import DISLOCATION_KEY
from hypotheses.load import window_of

FORMS = ("c x net", "c x gross + carry - cost")
LEAST = 100
"""Dislocations in all under which the form as written stays."""


@dataclass(frozen=True, slots=True)
class Study:
    """The errors of one study: a row a dislocation, bps of notional, a column a form; and its number of trades."""

    name: str
    trades: int
    errors: FloatArray  # [D, 2]


def traded_of(run: Path) -> pd.DataFrame:
    """Return the traded signals of a run with what was decided and what came of them, in the order (t0, id)."""
    folds = sorted((run / "folds").glob("[0-9][0-9]"))
    trades = pd.concat([read_table(fold / "trades.parquet") for fold in folds], ignore_index=True)
    signals = pd.concat([read_table(fold / "signals.parquet") for fold in folds], ignore_index=True)
    decided = ["signal_id", "venue", "expiry_ns", "gross_bps", "carry_bps", "cost_bps", "net_bps"]
    kept = trades[trades["status"] == "traded"].drop(columns=["venue", "expiry_ns"], errors="ignore")
    joined = kept.merge(signals[decided], on="signal_id", validate="one_to_one")
    return joined.sort_values(["t_ns", "signal_id"], kind="stable").reset_index(drop=True)


def predicted(traded: pd.DataFrame, plan: Plan, registration: Registration) -> FloatArray:
    """Return the modelled net of each trade under both forms, bps of notional, ``[M, 2]``."""
    gross_micro = np.rint(traded["gross_bps"] * traded["notional_usd"] / BPS * MICRO).astype(np.int64)
    by_gross = traded.assign(net_usd_micro=traded["gross_usd_micro"], modelled_usd_micro=gross_micro)
    out = np.zeros((len(traded), len(FORMS)))
    for fold in range(plan.folds):
        own = np.flatnonzero((traded["fold"] == fold).to_numpy())
        train = (traded["exit_ns"] < plan.start_ns(fold) - plan.gap_ns) & ~traded["forced"]
        factors = [capture_factors(frame[train], registration.params) for frame in (traded, by_gross)]
        on_net, on_gross = (traded["constraint"].iloc[own].map(each).to_numpy(np.float64) for each in factors)
        row = traded.iloc[own]
        out[own, 0] = on_net * row["net_bps"]
        out[own, 1] = on_gross * row["gross_bps"] + row["carry_bps"] - row["cost_bps"]
    return out


def numbered(traded: pd.DataFrame) -> IntArray:
    """Return the number of the dislocation of each trade, ``[M]``, from 0; ``traded`` is in the order of t0."""
    opened: dict[tuple[object, ...], tuple[int, int]] = {}
    number, count = np.zeros(len(traded), dtype=np.int64), 0
    for m, row in enumerate(traded[[*DISLOCATION_KEY, "t_ns"]].itertuples(index=False)):
        key = tuple(None if pd.isna(value) else value for value in row[:-1])
        if key not in opened or row[-1] - opened[key][0] >= DISLOCATION_NS:
            opened[key], count = (row[-1], count), count + 1
        number[m] = opened[key][1]
    return number


def errors_of(run: Path, registration: Registration) -> tuple[FloatArray, int]:
    """Return the errors of a run, ``[D, 2]`` bps of a dislocation's whole notional, and its number of trades."""
    traded = traded_of(run)
    if traded.empty:
        return np.zeros((0, len(FORMS))), 0
    notional = traded["notional_usd"].to_numpy(np.float64)
    realised = traded["net_usd_micro"].to_numpy(np.float64) / MICRO
    modelled = predicted(traded, window_of(run, registration), registration) * notional[:, None] / BPS
    which = numbered(traded)
    off = np.stack([np.bincount(which, modelled[:, form] - realised) for form in range(len(FORMS))], axis=1)
    return BPS * off / np.bincount(which, notional)[:, None], len(traded)


def studies_of(runs: Sequence[Path]) -> list[Study]:
    """Return the errors of each study over its runs.  Raises ``UsageError`` for a synthetic one."""
    parts: dict[str, list[tuple[FloatArray, int]]] = {}
    for run in runs:
        registration = load_registration(run / "registration.toml")
        if registration.synthetic:
            raise UsageError(f"{run}: expected a run of a real study, was synthetic: leave the demonstration out")
        parts.setdefault(registration.study, []).append(errors_of(run, registration))
    return [
        Study(name, sum(trades for _, trades in of), np.concatenate([errors for errors, _ in of]))
        for name, of in sorted(parts.items())
    ]


def main(runs: Sequence[Path]) -> int:
    """Print both losses of each study and which form is registered."""
    if not runs:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        studies = studies_of(runs)
    except CmeError as problem:
        print(f"capture_forms: {problem}", file=sys.stderr)
        return problem.exit_code
    loss = {study.name: np.mean(study.errors**2, axis=0) if len(study.errors) else [None] * 2 for study in studies}
    dislocations = sum(len(study.errors) for study in studies)
    known = [each for each in loss.values() if each[0] is not None]
    total = np.sum(known, axis=0).tolist() if known else None
    enough = dislocations >= LEAST and total is not None
    document = {
        "studies": [
            {
                "study": study.name,
                "trades": study.trades,
                "dislocations": len(study.errors),
                **dict(zip(FORMS, map(_rounded, loss[study.name]), strict=True)),
            }
            for study in studies
        ],
        "sum": None if total is None else dict(zip(FORMS, map(_rounded, total), strict=True)),
        "dislocations": dislocations,
        "registered": FORMS[int(np.argmin(total))] if enough and total is not None else FORMS[0],
        "reason": "the smaller loss" if enough else f"{dislocations} dislocations in all, under {LEAST}",
    }
    print(json.dumps(document, indent=1))
    return 0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)


if __name__ == "__main__":
    raise SystemExit(main([Path(name) for name in sys.argv[1:]]))
