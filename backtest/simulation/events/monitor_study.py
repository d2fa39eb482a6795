"""Does a monitor of large flow warn before large moves, beyond what volatility says by itself?  [risk.md 11]

The monitor scores each bar's volume by median and deviation over the bars before it; the comparator scores the mean
size of the last moves.  Both alert where their score passes its own trailing quantile, so both alert as often.  The
event is a largest move over the next minutes above its trailing quantile.  Everything at a bar uses bars up to it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from backtest.simulation.covenant_streams import uniforms
from backtest.simulation.result import RECOMPUTED, SimulationResult, SimulationTask
from backtest.simulation.scenario import Monitor, table_of
from backtest.simulation.source_files import in_order, of_file
from engine.errors import DataError
from engine.exact.rounded import Floats

MAD_SCALE = 1.4826
EVENT_QUANTILE = 0.995
DAY_BARS = 1440
CHUNK = 4096
CANNOT_SAY = (
    "Volume of a bar stands for large flow: order books and single trades of that month are not in the file.",
    "Last prices, not marks; one coin, one month.",
)
_Flags = np.ndarray
"""Booleans [bars]."""


@dataclass(frozen=True, slots=True)
class MonitorMeasures:
    """How alerts meet events: shares, minutes from the alert to the move, alerts a day."""

    precision: float
    recall: float
    lead_bars: float | None
    alerts_a_day: float


def measure(task: SimulationTask) -> SimulationResult:
    """Return precision, recall and lead of monitor and comparator, their difference, and shifted alerts.

    Errors as `SourceFiles.table`; raises `DataError` (4) for bars that go back in time or too few of them.
    """
    given = table_of(task.plan, Monitor)
    files, name = of_file(task.data_root, given.file)
    bars = files.table(name, ("close", "volume"), ("date",))
    bars["date"] = pd.to_datetime(bars["date"])
    in_order(bars["date"], name)
    least = given.window_bars * 2 + given.ahead_bars
    if len(bars) < least:
        raise DataError(f"{name}: expected at least {least} bars for two windows, was {len(bars)}")
    close = bars["close"].to_numpy()
    moves = np.concatenate([[0.0], np.abs(close[1:] / close[:-1] - 1.0)])
    events, first = events_ahead(moves, given.ahead_bars, given.window_bars)
    rate = float(given.alert_rate)
    scores = {"flow": robust_scores(bars["volume"].to_numpy(), given.window_bars), "volatility": trailing_mean(moves)}
    alerts = {kind: alerts_of(score, given.window_bars, rate) for kind, score in scores.items()}
    # Judged where both scores, their quantiles and the events are known.
    use = np.arange(len(close)) >= 2 * given.window_bars
    use &= np.arange(len(close)) < len(close) - given.ahead_bars
    rows = {kind: judge_alerts(flags[use], events[use], first[use], given.ahead_bars) for kind, flags in alerts.items()}
    low, high = difference_interval(
        alerts["flow"][use], alerts["volatility"][use], events[use], given.draws, f"seed {task.plan.seed}"
    )
    beaten = shifted_precision(alerts["flow"][use], events[use], given.shifts, f"seed {task.plan.seed}")
    figures: dict[str, Any] = {
        "bars": int(use.sum()), "event_share": float(np.count_nonzero(events[use])) / int(use.sum()),
        "monitors": {
            kind: asdict(m) for kind, m in rows.items()
        },
        "precision_difference": rows["flow"].precision - rows["volatility"].precision,
        "difference_low": low, "difference_high": high, "shifts_at_least_as_good": beaten,
        "adds_value": low > 0,
    }  # fmt: skip
    layers = dict.fromkeys(figures, RECOMPUTED)
    return SimulationResult(figures, {}, layers, files.digests, CANNOT_SAY)


def events_ahead(moves: Floats, ahead: int, window: int) -> tuple[_Flags, np.ndarray]:
    """Return (event, bars until the first such move), both [bars].  [11.4]

    A bar has an event if a move of the next ``ahead`` bars exceeds the quantile of the largest moves of ``ahead`` bars
    that were known at the bar, over ``window`` bars.  No event and 0 where nothing is known yet.
    """
    past = pd.Series(moves).rolling(ahead).max()
    level = past.rolling(window).quantile(EVENT_QUANTILE).to_numpy()
    padded = np.concatenate([moves[1:], np.zeros(ahead)])
    future = sliding_window_view(padded, ahead)[: len(moves)]
    over = future > np.where(np.isnan(level), np.inf, level)[:, None]
    has = np.asarray(over.any(axis=1))
    return has, np.where(has, over.argmax(axis=1) + 1, 0)


def robust_scores(values: Floats, window: int) -> Floats:
    """Return ``(x - median) / (1.4826 MAD)`` over the ``window`` values before each one, NaN before; inf for MAD 0.

    [11.1], exact: the deviation is from the median of the same window.
    """
    scores = np.full(len(values), np.nan)
    windows = sliding_window_view(values, window)[:-1]
    for start in range(0, len(windows), CHUNK):
        part = windows[start : start + CHUNK]
        centre = np.median(part, axis=1)
        spread = MAD_SCALE * np.median(np.abs(part - centre[:, None]), axis=1)
        rows = slice(window + start, window + start + len(part))
        with np.errstate(divide="ignore", invalid="ignore"):
            scores[rows] = (values[rows] - centre) / spread
    return scores


def trailing_mean(moves: Floats, bars: int = 15) -> Floats:
    """Return the mean size of the last ``bars`` moves, the bar's own included; NaN before."""
    return pd.Series(moves).rolling(bars).mean().to_numpy(dtype=np.float64)


def alerts_of(score: Floats, window: int, rate: float) -> _Flags:
    """Return where a score exceeds the ``1 - rate`` quantile of the ``window`` scores before it."""
    level = pd.Series(score).rolling(window).quantile(1.0 - rate).shift(1).to_numpy()
    return np.asarray(score > np.where(np.isnan(level), np.inf, level))


def judge_alerts(alerts: _Flags, events: _Flags, first: np.ndarray, ahead: int) -> MonitorMeasures:
    """Return precision, recall, median lead and alerts a day.  [11.4]

    Precision: share of alerts at bars with an event.  Recall: share of large moves (told apart by the bar of the move)
    with an alert in the ``ahead`` bars before it.  Lead: from the earliest such alert to the move, the median.
    """
    bars = np.flatnonzero(events)
    moves = np.unique(bars + first[bars])
    leads = []
    places = np.flatnonzero(alerts)
    for move in moves.tolist():
        before = places[(places >= move - ahead) & (places < move)]
        if len(before):
            leads.append(move - int(before[0]))
    hits = int(np.count_nonzero(alerts & events))
    return MonitorMeasures(
        precision=hits / len(places) if len(places) else 0.0,
        recall=len(leads) / len(moves) if len(moves) else 0.0,
        lead_bars=float(sorted(leads)[len(leads) // 2]) if leads else None,
        alerts_a_day=len(places) * DAY_BARS / len(alerts),
    )


def difference_interval(a: _Flags, b: _Flags, events: _Flags, draws: int, seed: str) -> tuple[float, float]:
    """Return the 95% interval of precision(a) - precision(b) over days drawn anew, the same for both."""
    days = np.arange(len(a)) // DAY_BARS
    count = int(days[-1]) + 1
    table = np.zeros((4, count))
    for row, flags in enumerate((a & events, a, b & events, b)):
        np.add.at(table[row], days[flags], 1.0)
    drawn = (uniforms(seed, "venue/monitor/days", draws * count) * count).astype(np.int64).reshape(draws, count)
    sums = table[:, drawn].sum(axis=2)
    differences = np.sort(sums[0] / np.maximum(sums[1], 1) - sums[2] / np.maximum(sums[3], 1))
    return float(differences[int(0.025 * (draws - 1))]), float(differences[int(0.975 * (draws - 1))])


def shifted_precision(alerts: _Flags, events: _Flags, shifts: int, seed: str) -> float:
    """Return the share of circular shifts of the alerts whose precision is at least that of the alerts.  [11.4 (ii)]"""
    own = int(np.count_nonzero(alerts & events))
    moved = (1 + uniforms(seed, "venue/monitor/shifts", shifts) * (len(alerts) - 1)).astype(np.int64)
    return len([k for k in moved.tolist() if np.count_nonzero(np.roll(alerts, k) & events) >= own]) / shifts
