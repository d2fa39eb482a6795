"""N2 and N3: the run's signals entered at other times and repriced there.  [statistics 3.3]

N2 permutes, inside each fold, the days on which signals were emitted; all signals of a day move together.  Replicate r
of ``h1/n2`` gives draw r: for each fold in order a stable argsort of its raw words, day i taking the place of day
perm[i].  p = (b + 1)/(m + 1).  N3 shifts every signal by one and the same multiple, circularly, over all registered
shifts: p = (1 + #)/(1 + shifts).

The statistic of N3 is the Sharpe ratio after the capital charge, that of N2 the one the plan names: the ratio, the mean
of a day, or the larger of both p-values.  Both are counted on the same draws, in exact integers; T itself is that of
the signals at their own times, priced as the placebo entries are.  [docs/decisions/0120, docs/decisions/0601]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from backtest.records import Statistic, Stats
from engine.exact.decimals import quantise
from engine.records import IntArray
from engine.units import NS_PER_DAY
from hypotheses.base import RunData
from hypotheses.records import PermutationNull, Proportion
from hypotheses.statistics.bootstrap import Bits
from hypotheses.statistics.exceedances import (
    Moments,
    at_least_observed,
    interval_contains_alpha,
    moments_of,
    monte_carlo_p,
    total_at_least,
)
from hypotheses.statistics.sharpe import annual

STREAM: Final = "h1/n2"
CHUNK: Final = 1_000
"""Draws in memory at once: a thousand of 90 days are 0.7 MB."""

SHOWN: Final = 499
"""Order statistics of a null that its figure shows."""

N3_STATISTIC: Final = "sharpe"

N2_LIMITS_TEXT: Final = (
    "signals beat the same signals on other days of their fold; it cannot see whether the net ratio is above zero"
)
N3_LIMITS_TEXT: Final = (
    "the signals beat the same signals shifted in time; it cannot see whether the net ratio is above zero"
)


@dataclass(frozen=True, slots=True)
class PlacedSignals:
    """The placements of a window as daily profit, micro-USD; ``day`` axes are days of the window.

    ``observed`` ``[day]``: the signals at their own times; ``batch`` ``[source, place, day]``: the signals of day
    ``source`` on the ``place``-th day of their fold; ``shifted`` ``[s, day]``: all signals under shift ``shift_ns[s]``.
    ``n2_missing`` and ``n3_missing`` count placebo entries without a quote, out of all.
    """

    observed: IntArray
    batch: IntArray
    shift_ns: IntArray
    shifted: IntArray
    n2_missing: Proportion
    n3_missing: Proportion


def placed_signals(run: RunData, stats: Stats) -> PlacedSignals | None:
    """Return the placements of a window; None where they were not computed or the window has no signal."""
    if run.placements is None:
        return None
    placed, unplaced = run.placements.placed, run.placements.unplaced
    # signals refused for margin never had a position, so no null places them
    moved = run.trades[run.trades["rejected_why"] != "margin"]
    if not len(moved):
        return None
    length, per_fold = run.n * NS_PER_DAY, run.n // (int(run.block.max()) + 1)
    source = pd.Series(moved["t_ns"].to_numpy(np.int64) // NS_PER_DAY - run.day[0], index=moved["signal_id"])
    shifts = np.arange(stats.n3_min_ns, min(stats.n3_max_ns, length - 1) + 1, stats.n3_step_ns, dtype=np.int64)

    def located(ids: pd.Series, shift: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Return each row's source day, the day of its fold it moves to (-1: no such day), and its shift's number."""
        home = source.reindex(ids).to_numpy(np.int64)
        into, whole = home % per_fold, shift % NS_PER_DAY == 0
        days = shift // NS_PER_DAY
        # Circular over the window: a long shift comes back to the fold from its other end.
        place = np.where(into + days < per_fold, into + days, into + days - run.n)
        place = np.where(whole & (place >= 0) & (place < per_fold), place, -1)
        nearest = np.minimum(np.searchsorted(shifts, shift), len(shifts) - 1)
        return home, place, np.where(shifts[nearest] == shift, nearest, -1)

    shift, usd = placed["shift_ns"].to_numpy(np.int64), placed["usd_micro"].to_numpy(np.int64)
    day = placed["day"].to_numpy(np.int64) - run.day[0]
    home, place, number = located(placed["signal_id"], shift)
    observed = np.zeros(run.n, dtype=np.int64)
    np.add.at(observed, day[shift == 0], usd[shift == 0])
    batch = np.zeros((run.n, per_fold, run.n), dtype=np.int64)
    valid = place >= 0
    np.add.at(batch, (home[valid], place[valid], day[valid]), usd[valid])
    shifted = np.zeros((len(shifts), run.n), dtype=np.int64)
    valid = number >= 0
    np.add.at(shifted, (number[valid], day[valid]), usd[valid])
    _, place, number = located(unplaced["signal_id"], unplaced["shift_ns"].to_numpy(np.int64))
    return PlacedSignals(
        observed=observed,
        batch=batch,
        shift_ns=shifts,
        shifted=shifted,
        n2_missing=Proportion(int(np.count_nonzero(place >= 0)), len(moved) * per_fold),
        n3_missing=Proportion(int(np.count_nonzero(number >= 0)), len(moved) * len(shifts)),
    )


def n2(moves: PlacedSignals, charge: IntArray, block: IntArray, stats: Stats, bits: Bits) -> PermutationNull:
    """Return N2 from the registered draws, or from the extended number if their interval still contains alpha.

    ``charge`` is the capital charge of each day, ``block`` its fold, both int64 of shape ``[n]``.  ``p`` is None, with
    a reason, if too many placebo entries have no quote or the observed series does not vary.
    """
    observed = moments_of((moves.observed - charge)[None, :])
    blocked = _not_computable(moves.n2_missing, observed, stats)
    if blocked is not None:
        return _none("N2", stats.n2_statistic, moves.n2_missing, N2_LIMITS_TEXT, blocked)
    drawn = _drawn(moves, charge, block, bits, 0, stats.n2_draws)
    count = _deciding(stats.n2_statistic, *_counts(drawn, observed))
    # more draws only where they may turn the decision: the p-value stays valid, as its rule is fixed before
    near = interval_contains_alpha(count, stats.n2_draws, stats.alpha, stats.n2_extend_level)
    extended = near and stats.n2_extended > stats.n2_draws
    if extended:
        # The first draws stay: new ones follow them in the stream.
        drawn = drawn.with_(_drawn(moves, charge, block, bits, stats.n2_draws, stats.n2_extended))
    return _found("N2", stats.n2_statistic, observed, drawn, moves.n2_missing, N2_LIMITS_TEXT, extended)


def n3(moves: PlacedSignals, charge: IntArray, stats: Stats) -> PermutationNull:
    """Return N3, all registered shifts enumerated; ``charge`` is the capital charge of each day, int64 ``[n]``."""
    observed = moments_of((moves.observed - charge)[None, :])
    blocked = _not_computable(moves.n3_missing, observed, stats)
    if blocked is not None:
        return _none("N3", N3_STATISTIC, moves.n3_missing, N3_LIMITS_TEXT, blocked)
    drawn = moments_of(moves.shifted - charge)
    return _found("N3", N3_STATISTIC, observed, drawn, moves.n3_missing, N3_LIMITS_TEXT, False)


def permutations(bits: Bits, replicate: int, folds: int, days: int) -> IntArray:
    """Return the places of each day of each fold in one draw, ``[folds, days]``."""
    words = bits(replicate).random_raw(folds * days).reshape(folds, days)
    return np.argsort(words, axis=1, kind="stable").astype(np.int64)


def _drawn(moves: PlacedSignals, charge: IntArray, block: IntArray, bits: Bits, start: int, end: int) -> Moments:
    """Return the moments of the draws from ``start`` up to, but without, ``end``."""
    folds = int(block.max()) + 1
    per_fold = len(block) // folds
    parts: list[Moments] = []
    for chunk in range(start, end, CHUNK):
        draws = range(chunk, min(chunk + CHUNK, end))
        place = np.stack([permutations(bits, r, folds, per_fold).ravel() for r in draws])
        profit = np.zeros((len(draws), len(block)), dtype=np.int64)
        for source in range(len(block)):
            profit += moves.batch[source][place[:, source]]
        parts.append(moments_of(profit - charge))
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.with_(part)
    return whole


def _not_computable(missing: Proportion, observed: Moments, stats: Stats) -> str | None:
    """Return why a null has no p-value, or None."""
    # In integers and decimals: a share in floats could round onto the limit.
    if missing.count > stats.n2_missing_share * missing.of:
        return (
            f"not computable: {missing.count:,} of {missing.of:,} signal moves met a leg that was not listed or not "
            f"quoted, more than {stats.n2_missing_share}"
        )
    if observed.spread[0] == 0:
        return "not computable: the standard deviation is zero"
    return None


def invariant(drawn: Moments, observed: Moments, statistic: Statistic) -> bool:
    """Return whether the statistic is the same on every draw: such a null has size and power zero.  [statistics 3.1]"""
    mean = bool((drawn.total == observed.total[0]).all())
    # Of the larger p-value one that cannot move is 1, and with it the larger one.
    return mean if statistic != "sharpe" else mean and bool((drawn.spread == observed.spread[0]).all())


def _counts(drawn: Moments, observed: Moments) -> tuple[int, int]:
    """Return how many drawn series reach the observed one, by ratio and by mean."""
    by_ratio, by_mean = at_least_observed(drawn, observed), total_at_least(drawn, observed)
    return int(np.count_nonzero(by_ratio)), int(np.count_nonzero(by_mean))


def _deciding(statistic: Statistic, by_ratio: int, by_mean: int) -> int:
    """Return the exceedances of the registered statistic; more of them are the larger p-value."""
    return {"sharpe": by_ratio, "mean": by_mean, "larger": max(by_ratio, by_mean)}[statistic]


def _none(name: str, statistic: Statistic, missing: Proportion, limits_text: str, reason: str) -> PermutationNull:
    return PermutationNull(name, statistic, None, None, None, None, 0, 0, False, missing, (), limits_text, reason)


def _found(
    name: str,
    statistic: Statistic,
    observed: Moments,
    drawn: Moments,
    missing: Proportion,
    limits_text: str,
    extended: bool,
) -> PermutationNull:
    # Without a statistic that moves p would be 1 by itself.  [statistics 3.1]
    if invariant(drawn, observed, statistic):
        why = "refused: no move changes the statistic, so the null tests nothing"
        return _none(name, statistic, missing, limits_text, why)
    by_ratio, by_mean = _counts(drawn, observed)
    count = _deciding(statistic, by_ratio, by_mean)
    # For the figure alone: the p-value was counted in integers.
    ordered = np.sort(drawn.ratio(), kind="stable")
    shown = np.unique(np.linspace(0, max(len(ordered) - 1, 0), min(SHOWN, len(ordered))).astype(np.int64))
    daily = observed.daily()
    return PermutationNull(
        name=name,
        statistic=statistic,
        p=monte_carlo_p(count, len(drawn)),
        p_ratio=monte_carlo_p(by_ratio, len(drawn)),
        p_mean=monte_carlo_p(by_mean, len(drawn)),
        sharpe=None if daily is None else quantise(annual(daily)),
        draws=len(drawn),
        exceedances=count,
        extended=extended,
        missing=missing,
        ordered_sharpe=tuple(float(f"{value:.6g}") for value in ordered[shown]),
        limits_text=limits_text,
        reason="",
    )
