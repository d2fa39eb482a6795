"""What order flow adds to the band: the closed form with and without it, out of sample.  [covenants 4, 15.5]

Flow is an input of `revise` as a robust score of the imbalance of each bar (`Measures.flow`).  The form below widens
the band with the score's size; a weight of 0 is the ablation, and is what training chooses where flow says nothing.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from backtest.simulation.covenant_claims import ahead_max
from backtest.simulation.covenant_learners import LEVEL, pinball
from backtest.simulation.covenant_streams import normals, uniforms
from backtest.simulation.events.monitor_study import robust_scores
from engine.covenants.drift_monitor import quantile
from engine.covenants.measures import Measures, measure
from engine.covenants.order_flow import flow_by_bar, imbalances
from engine.covenants.parameter_engine import ClosedForm, FittedCovenant, Revision, Training, unscaled_band
from engine.covenants.parameters import Parameters
from engine.errors import DataError
from engine.exact.rounded import Floats
from engine.units import NS_PER_SECOND

WEIGHTS: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
MOST_SCORE: Final = 8.0
"""A score beyond this counts as this: a bar's flow has no upper end."""
BOOK_BAR_S: Final = 1
BOOK_AHEAD: Final = 15
BOOK_WINDOW: Final = 60
"""Seconds: the stored book has six minutes, so its bars, its horizon and its score are of seconds."""
BURST_SHARE: Final = 0.01
BURST_BARS: Final = 15
BURST_SCALE: Final = 10.0
"""Planted flow: one minute in a hundred a burst, after which the own move is ten times as large for 15 minutes."""


@dataclass(frozen=True)
class FlowForm:
    """The closed form times 1 + w |score|: scale and w from training, by the pinball loss of max |S| ahead."""

    p: Parameters
    ahead: int
    weights: tuple[float, ...] = WEIGHTS
    name: str = "flow"

    def fit(self, training: Training) -> FittedCovenant:
        """Return the scale (``zeta``) and the weight (``model``) of least loss; of equal losses the smaller weight."""
        m = training.measures
        target = ahead_max(np.abs(m.spread), self.ahead)
        fits = []
        for weight in self.weights:
            shape = self._shape(m, weight)
            known = np.isfinite(target) & np.isfinite(shape)
            scale = quantile(target[known] / shape[known], LEVEL)
            fits.append((float(np.mean(pinball(target[known], scale * shape[known]))), weight, scale))
        _, weight, scale = min(fits)
        return replace(ClosedForm(self.p).fit(training), zeta=scale, model=weight)

    def revise(self, measures: Measures, funding: Floats, fitted: FittedCovenant) -> Revision:
        """Return the revision of each bar; a bar without flow has the band of score 0."""
        plain = ClosedForm(self.p).revise(measures, funding, fitted)
        return replace(plain, band_pp=fitted.zeta * self._shape(measures, fitted.model))

    def _shape(self, m: Measures, weight: float) -> Floats:
        score = np.minimum(np.nan_to_num(np.abs(m.flow)), MOST_SCORE)
        band: Floats = unscaled_band(m, self.p) * (1.0 + weight * score)
        return band


def ablation(m: Measures, p: Parameters, train: slice, test: slice, ahead: int) -> dict[str, float]:
    """Return the loss on the test bars with flow and without it, the fitted weight, and the gain as a share.

    Fitted on the training bars alone; ``ahead`` bars before the test are left out of training by the caller.
    """
    target = ahead_max(np.abs(m.spread), ahead)[test]
    part = [m.part(s.start, s.stop) for s in (train, test)]
    nothing = [np.zeros(each.t_ns.size) for each in part]
    losses, weight = [], 0.0
    for weights in ((0.0,), WEIGHTS):
        form = FlowForm(p, ahead, weights)
        fitted = form.fit(Training(part[0], nothing[0]))
        band = form.revise(part[1], nothing[1], fitted).band_pp
        known = np.isfinite(target) & np.isfinite(band)
        losses.append(float(np.mean(pinball(target[known], band[known]))))
        weight = float(fitted.model)
    return {
        "bars": float(np.count_nonzero(known)), "loss_without": losses[0], "loss_with": losses[1],
        "gain_share": 1.0 - losses[1] / losses[0], "weight": weight,
    }  # fmt: skip


def synthetic_flow(root_text: str, days: int = 60) -> dict[str, dict[str, float]]:
    """Return the ablation on synthetic minutes: flow that announces moves of one leg, and the same flow moved by a day.

    Both have the same values; the second knows nothing of what follows.  Two thirds of the days train.
    """
    n = days * 1440
    shocks = {name: normals(root_text, f"covenants/flow/{name}", n) for name in ("common", "own", "noise")}
    scale = 0.55 / np.sqrt(365.0 * 1440.0)
    burst = uniforms(root_text, "covenants/flow/bursts", n) < BURST_SHARE
    bursts = np.cumsum(burst)
    recent: NDArray[np.bool_] = bursts > np.concatenate((np.zeros(BURST_BARS, np.int64), bursts[:-BURST_BARS]))
    # From the bar after the burst on: its own move is not yet large.
    loud = np.where(np.roll(recent, 1), BURST_SCALE, 1.0)
    a = 40_000.0 * np.exp(np.cumsum(scale * (shocks["common"] + 0.3 * loud * shocks["own"])))
    b = 2_500.0 * np.exp(np.cumsum(scale * shocks["common"]))
    t_ns = (1 + np.arange(n, dtype=np.int64)) * 60 * NS_PER_SECOND
    p = Parameters(bar_min=1, reading="scaled", anchor_half_life_h=1.0, sigma_window_d=1.0)
    # The score of a burst stays while it announces, as one over minutes would.
    score = np.where(recent, MOST_SCORE, 0.5 * shocks["noise"])
    cut = n * 2 // 3
    train, test = slice(0, cut - BURST_BARS), slice(cut, n)
    m = measure(t_ns, a, b, p)
    return {
        name: ablation(replace(m, flow=flow), p, train, test, BURST_BARS)
        for name, flow in (("planted", score), ("moved by a day", np.roll(score, 1440)))
    }


def book_flow(files: tuple[Path, Path]) -> dict[str, float]:
    """Return the ablation on two stored books (A, B): best quotes as lines ``<ns> <JSON>``, one-second bars.

    The score is of A's imbalance.  The first half trains.  Raises `DataError` for a file without best quotes or a time
    that the two do not share.
    """
    quotes = [best_quotes(path) for path in files]
    begin, end = max(q.t_ns[0] for q in quotes), min(q.t_ns[-1] for q in quotes)
    step = BOOK_BAR_S * NS_PER_SECOND
    t_ns = np.arange(begin // step + 1, end // step + 1, dtype=np.int64) * step
    if t_ns.size < 4 * BOOK_WINDOW:
        raise DataError(f"{files[0]}: expected {4 * BOOK_WINDOW} s of both books, was {t_ns.size} s in common")
    a, b = (q.mid[np.searchsorted(q.t_ns, t_ns, side="right") - 1] for q in quotes)
    flow = flow_by_bar(quotes[0].t_ns, quotes[0].imbalance, t_ns)
    score = robust_scores(np.nan_to_num(flow), BOOK_WINDOW)
    # A span of minutes has no window of days: spread, sigma and score are counted in bars of a second instead.
    p = Parameters(bar_min=1, reading="scaled", anchor_half_life_h=1.0)
    spread = 100.0 * (a / b / _trailing(a / b, BOOK_WINDOW) - 1.0)
    sigma = np.sqrt(_trailing(spread * spread, BOOK_WINDOW))
    constant = np.full(t_ns.size, 0.0)
    known = Measures(
        t_ns, a, b, spread, sigma, sigma, constant, constant, constant, constant, np.ones(t_ns.size),
        np.full(t_ns.size, p.alpha), np.full(t_ns.size, p.beta), np.zeros(t_ns.size, np.bool_),
        np.ones(t_ns.size, np.int64), np.ones(t_ns.size), np.where(np.isfinite(score), score, np.nan),
    )  # fmt: skip
    half = t_ns.size // 2
    return ablation(known, p, slice(2 * BOOK_WINDOW, half - BOOK_AHEAD), slice(half, t_ns.size), BOOK_AHEAD)


def _trailing(values: Floats, window: int) -> Floats:
    """Return the mean of the ``window`` values before each one; NaN for the first ones."""
    running = np.concatenate(([0.0], np.cumsum(np.nan_to_num(values))))
    out = np.full(values.size, np.nan)
    out[window:] = (running[window:-1] - running[: -window - 1]) / window
    return out


@dataclass(frozen=True)
class BestQuotes:
    """Best quotes of one book in the order of their receipt: times, mids, and each event's imbalance."""

    t_ns: NDArray[np.int64]
    mid: Floats
    imbalance: Floats


def best_quotes(path: Path) -> BestQuotes:
    """Return the best quotes in a file of raw messages.  Raises `DataError` (4) for a line or a file without them."""
    rows = list(_messages(path))
    if not rows:
        raise DataError(f"{path}: expected messages of best quotes (bookTicker), was none")
    t_ns = np.array([t for t, _ in rows], dtype=np.int64)
    bid, bid_size, ask, ask_size = (np.array([float(q[key]) for _, q in rows]) for key in ("b", "B", "a", "A"))
    # Two streams of one connection may be stamped out of turn.
    order = np.argsort(t_ns, kind="stable")
    bid, bid_size, ask, ask_size = bid[order], bid_size[order], ask[order], ask_size[order]
    return BestQuotes(t_ns[order], 0.5 * (bid + ask), imbalances(bid, bid_size, ask, ask_size))


def _messages(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                if "bookTicker" not in line:
                    continue
                try:
                    stamp, text = line.split(" ", 1)
                    quote = json.loads(text)["data"]
                    yield int(stamp), {key: float(quote[key]) for key in ("b", "B", "a", "A")}
                except (ValueError, KeyError, TypeError) as problem:
                    raise DataError(f"{path}: line {number}: expected a best quote, was: {problem!r:.200}") from problem
    except (OSError, EOFError, UnicodeDecodeError) as problem:
        raise DataError(f"{path}: expected a gzip file of messages, was: {problem}") from problem
