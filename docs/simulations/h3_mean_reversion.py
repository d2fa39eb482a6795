"""What H3's interval would do if its standard error could fall below the one of independent days.

    python docs/simulations/h3_mean_reversion.py [windows] [family ...]

A day's profit that contains errors of the marks, y_t = x_t + (m_t - m_{t-1}), has a total that the errors leave
alone: its long-run variance is a small share of its variance, and the registered estimator, prewhitened by AR(1), sees
little of that.  Beside it: the same, but where an autoregression of up to eight lags (chosen by BIC, den Haan and Levin
1997) gives less, that, bounded below by a share of the variance of independent days; and N1 of the sleeve, at 2.5%.

Printed for each family of the certificate and for three of marks: coverage at a true annual ratio of 0 and 3 (nominal
95%), false retention at 0 (lower end above 0), retention at 3.  The t* are the registered ones, 499 a window.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import ceil, sqrt
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backtest.seeds import streams
from engine.exact.sums import returns
from hypotheses.calibration.distributions import CAPITAL_MICRO, DAYS, FAMILIES, FOLDS, autoregressive, drift, money
from hypotheses.calibration.draws import Draw, Replayed
from hypotheses.statistics.inference import infer_sharpe
from hypotheses.statistics.sharpe import influence

ROOT = Path(__file__).resolve().parents[2]
DRAWS, LEVEL, LAGS = 499, 0.95, 8
BOUNDS = (1.0, 0.5, 0.25, 0.1, 0.02)
"""Least long-run variance, as a share of the variance of independent days; at 1 the estimator only repairs excess."""
SIGNS = np.array(list(product((1.0, -1.0), repeat=FOLDS)))


def marked(share: float, slope: float = 0.0) -> Callable[[Draw, int], np.ndarray]:
    """Return the family of unit variance of which ``share`` is profit and the rest differences of AR(1) mark errors."""
    error = autoregressive(slope)

    def series(draw: Draw, n: int) -> np.ndarray:
        profit, marks = draw.normals(n), error(draw, n + 1)
        return np.asarray(sqrt(share) * profit + sqrt((1.0 - share) / (2.0 * (1.0 - slope))) * np.diff(marks))

    return series


CASES = {**FAMILIES, "marks 20%": marked(0.2), "marks 5%": marked(0.05), "marks 5% slow": marked(0.05, 0.5)}


def autoregressive_variance(psi: np.ndarray) -> float:
    """Return sigma^2 / (1 - sum of slopes)^2 of the autoregression that BIC chooses among 0 to ``LAGS`` lags."""
    n = len(psi)
    best, variance = np.inf, float(psi @ psi) / n
    for lags in range(LAGS + 1):
        now = psi[LAGS:]
        past = np.column_stack([psi[LAGS - k : n - k] for k in range(1, lags + 1)]) if lags else np.empty((n - LAGS, 0))
        slopes = np.linalg.lstsq(past, now, rcond=None)[0]
        rest = float(np.mean((now - past @ slopes) ** 2))
        bic = len(now) * np.log(rest) + lags * np.log(len(now))
        if bic < best:
            best, variance = bic, rest / max(1.0 - float(slopes.sum()), 0.03) ** 2
    return variance


def judged(x: np.ndarray, words: Replayed) -> tuple[float, dict[str, float], bool]:
    """Return the daily ratio, the reach of each interval, and whether N1 of the sleeve rejects at 2.5%."""
    units = returns(money(x), Fraction(CAPITAL_MICRO))
    inference = infer_sharpe(units, DRAWS, words("h3/bootstrap/C1"), Decimal("0.01"))
    point, error = float(inference.point), float(inference.error)
    sizes = np.sort(np.abs(inference.drawn.ordered))
    cut = float(sizes[ceil(LEVEL * (len(sizes) + 1)) - 1])
    psi = np.array([float(value) for value in influence(units, inference.point)])
    factor = DAYS / ((DAYS - 1) * (DAYS - 2))
    independent, fitted = float(psi @ psi) / DAYS, autoregressive_variance(psi)
    reach = {"registered": cut * error}
    for bound in BOUNDS:
        least = max(min(error**2 / factor, fitted), min(bound * independent, error**2 / factor))
        reach[f"at least {bound:g}"] = cut * sqrt(least * factor)
    blocks = units.reshape(FOLDS, -1).sum(axis=1).astype(np.float64)
    sums = SIGNS @ blocks
    return point, reach, bool(np.mean(sums >= blocks.sum() - 1e-6) < 0.025)


def main(windows: int, wanted: list[str]) -> None:
    """Print a line for each family and interval; all families where none is named."""
    seeds = streams.load(ROOT / "seeds.lock")
    words = Replayed(seeds)
    print(f"{windows} windows of {DAYS} days a family and ratio, {DRAWS} draws")  # noqa: T201
    for number, (family, shape) in enumerate(CASES.items()):
        if wanted and family not in wanted:
            continue
        columns: dict[str, list[list[bool]]] = {}
        for ratio in (0, 3):
            truth = drift(ratio)
            for r in range(windows):
                draw = Draw(seeds, "calibrate/h3/dense", 40_000 + 5_000 * number + 2_500 * (ratio > 0) + r)
                point, reach, rejects = judged(shape(draw, DAYS) + truth, words)
                for name, size in reach.items():
                    row = columns.setdefault(name, [[], [], [], []])
                    row[2 * (ratio > 0)].append(abs(point - truth) <= size)
                    row[2 * (ratio > 0) + 1].append(point - size > 0.0)
                columns.setdefault("N1 alone", [[], [], [], []])[2 * (ratio > 0) + 1].append(rejects)
                union = columns.setdefault("registered or N1", [[], [], [], []])
                union[2 * (ratio > 0) + 1].append(rejects or point - reach["registered"] > 0.0)
        for name, (covers_0, retained_0, covers_3, retained_3) in columns.items():
            cells = (
                f"{np.mean(values):6.1%}" if values else "      "
                for values in (covers_0, covers_3, retained_0, retained_3)
            )
            print(f"{family:14}{name:18}" + "  ".join(cells), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000, sys.argv[2:])
