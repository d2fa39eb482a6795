"""H2: the modelled net EV of all signals is under the claim, on average a day.  [statistics 7]

Rules: [S9.H2].

E_d is the joint optimum J of the signals of day d, whose books share depth within a refill window; 0 on a day without
signals.  Registered: mean(E) < claim.  Its strength is the one-sided upper bound U of a studentised stationary
bootstrap of the mean; refuted where the one-sided lower bound exceeds the claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby
from typing import Any, Final

import numpy as np
import pandas as pd

from backtest.records import Stats
from engine.exact.decimals import exact, of_float, quantise, ratio
from engine.exact.sums import total
from engine.records import IntArray
from engine.units import MICRO, NS_PER_DAY
from hypotheses.base import RunData, Streams, TableRow, rows_of
from hypotheses.records import H2, Answer
from hypotheses.statistics.capacity import PER_BPS, Book, Demand, greedy, naive
from hypotheses.statistics.inference import infer_mean
from hypotheses.statistics.intervals import lower_bound, upper_bound
from hypotheses.statistics.joint_capacity import joint
from hypotheses.statistics.ties import exceeds, falls_below, tied

STREAM: Final = "h2/bootstrap"
EPISODE: Final = ["constraint", "underlying", "venue", "expiry_ns", "side", "short"]
"""The columns that identify a violation: its emissions in one refill window are one signal.  [S4.2, statistics 7.2]"""


@dataclass(frozen=True, slots=True)
class CapacityWindow:
    """One refill window: its signals with known depth, their books, and the EV of the signals without."""

    demands: tuple[Demand, ...]
    books: tuple[Book, ...]
    fixed_usd: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Daily:
    """E_d in micro-USD, shape (n,): the joint optimum, the naive sum, the greedy one; and the worst KKT residual."""

    joint: IntArray
    naive: IntArray
    greedy: IntArray
    residual: Decimal


def evaluate(run: RunData, stats: Stats, streams: Streams, target_usd: Decimal, refill_ns: int) -> H2:
    """Return the verdict on the emitted signals.

    Parameters
    ----------
    run : RunData
        One test window; its days, signals and trades are read.
    stats : Stats
        The registered numbers.
    streams : Streams
        The named streams of chance; ``h2/bootstrap`` is read.
    target_usd : Decimal
        The notional of a signal without depth, USD.
    refill_ns : int
        The length of a refill window, nanoseconds; it divides a day.

    Returns
    -------
    H2
        The answer, the registered yes or no, and the daily series in micro-USD, n values each; an undefined value is
        None, with its reason in ``reasons``.

    Raises
    ------
    CmeError
        If the optimality conditions of a refill window are not met within their limit.
    ValueError
        If a number of a signal is NaN, other than the spread and depth of its legs.

    Examples
    --------
    One signal of 20 bps on 100,000 USD, its capital cost of 1 bps left out, in a window of 90 days:

    >>> from pathlib import Path
    >>> from backtest.registration.load import load_registration
    >>> from hypotheses.base import Sleeve
    >>> stats = load_registration(Path("configs/demo.toml")).stats
    >>> leg = {"book": "X:A", "weight": 1.0, "spread_bps": np.nan, "depth_usd": np.nan}
    >>> signals = pd.DataFrame([{
    ...     "signal_id": "a", "t_ns": 20_548 * NS_PER_DAY, "constraint": "C1", "underlying": "BTC", "venue": "X",
    ...     "expiry_ns": 0, "side": 1, "short": 0, "legs": [leg], "capture": 1.0, "gross_bps": 30.0, "net_bps": 20.0,
    ...     "capital_bps": 1.0,
    ... }])
    >>> trades = pd.DataFrame({"status": [], "modelled_usd_micro": [], "net_usd_micro": []})
    >>> flat = np.zeros(90, dtype=np.int64)
    >>> run = RunData(
    ...     day=np.arange(20_548, 20_638), has_data=np.ones(90, dtype=np.bool_), block=np.arange(90) // 9,
    ...     portfolio=Sleeve("", flat, flat, 10**12), sleeves=(), signals=signals, trades=trades, missing={},
    ... )
    >>> streams = lambda name: lambda replicate: np.random.PCG64(replicate)
    >>> verdict = evaluate(run, stats, streams, Decimal(100_000), refill_ns=10**9)
    >>> sum(verdict.daily_micro), verdict.mean_usd_per_day, verdict.zero_days
    (210000000, Decimal('2.333333333'), 89)
    """
    days = daily(run, target_usd, refill_ns)
    inference = infer_mean(days.joint, stats.bootstrap_draws, streams(STREAM), stats.bootstrap_discard_share)
    mean = _mean_usd(days.joint)
    upper, lower = _usd(upper_bound(inference, stats.level)), _usd(lower_bound(inference, stats.level))
    answer, registered, statement = decide(mean, lower, upper, Decimal(stats.ev_claim_usd), stats.tied_relative)
    realised = _realised(run.trades)
    reasons = {} if realised is not None else {"realised_over_modelled": "no traded signal has a modelled profit"}
    if inference.undefined is not None or upper is None:
        why = inference.undefined or "too few bootstrap draws for the level"
        reasons |= dict.fromkeys(["lower_95", "upper_95"], why)
    if inference.block_length is None and inference.undefined is not None:
        reasons["block_length"] = inference.undefined
    return H2(
        answer=answer,
        registered=registered,
        statement=statement + _beside(len(run.signals), _mean_usd(days.naive), stats.ev_claim_usd, reasons),
        tied=tied(mean, Decimal(stats.ev_claim_usd), stats.tied_relative),
        mean_usd_per_day=mean,
        lower_95=lower,
        upper_95=upper,
        naive=_mean_usd(days.naive),
        greedy=_mean_usd(days.greedy),
        zero_days=int(np.count_nonzero(days.joint == 0)),
        n_days=run.n,
        signals=len(run.signals),
        signals_fixed_cost=sum(not knows_depth(row["legs"]) for row in rows_of(run.signals)),
        realised_over_modelled=realised,
        block_length=inference.block_length,
        draws=inference.draws,
        discarded=inference.discarded,
        kkt_residual=days.residual,
        daily_micro=tuple(days.joint.tolist()),
        daily_naive_micro=tuple(days.naive.tolist()),
        daily_greedy_micro=tuple(days.greedy.tolist()),
        sensitivity={w: _mean_usd(daily(run, target_usd, w).joint) for w in stats.refill_sensitivity_ns},
        reasons=reasons,
    )


def decide(
    mean: Decimal, lower: Decimal | None, upper: Decimal | None, claim: Decimal, relative: Decimal
) -> tuple[Answer, bool, str]:
    """Return the three-way answer, the registered yes or no, and its row of the table of statistics 7.3.

    The mean of E, its one-sided bounds (None if undefined) and the claim are in USD a day; a mean within ``relative``
    of the claim is tied with it, which counts against H2.

    >>> decide(Decimal(3), Decimal(1), Decimal(6), Decimal(5), Decimal("1e-9"))
    (<Answer.CANNOT_TELL: 'cannot tell'>, True, 'supported by the point estimate only')
    """
    # A tie counts against the claim.  [R11.6]
    registered = falls_below(mean, claim, relative)
    if registered and upper is not None and falls_below(upper, claim, relative):
        return Answer.SUPPORTED, True, f"supported: the mean and its upper bound are under {claim} USD a day"
    if registered:
        return Answer.CANNOT_TELL, True, "supported by the point estimate only"
    # a mean over the claim refutes only if its lower bound is over it too
    answer = Answer.REFUTED if lower is not None and exceeds(lower, claim, relative) else Answer.CANNOT_TELL
    return answer, False, f"not supported: the mean is not under {claim} USD a day"


def daily(run: RunData, target_usd: Decimal, refill_ns: int) -> Daily:
    """Return E_d of every day of the window for refill windows of ``refill_ns``, which divide a day."""
    sums = {day: [Decimal(0)] * 3 for day in run.day.tolist()}
    residual = Decimal(0)
    for number, group in by_window(run.signals, refill_ns):
        day = number * refill_ns // NS_PER_DAY
        # a signal outside the window belongs to no day of the claim
        if day not in sums:
            continue
        window = window_of(group, target_usd)
        best = joint(window.demands, window.books)
        residual = max(residual, best.residual)
        with exact():
            fixed = sum(window.fixed_usd, start=Decimal(0))
            values = (best.ev_usd, naive(window.demands, window.books), greedy(window.demands, window.books))
            sums[day] = [old + value + fixed for old, value in zip(sums[day], values, strict=True)]
    columns = np.array([[_micro(v) for v in sums[day]] for day in run.day.tolist()], dtype=np.int64).reshape(-1, 3)
    return Daily(columns[:, 0], columns[:, 1], columns[:, 2], residual)


def by_window(signals: pd.DataFrame, refill_ns: int) -> list[tuple[int, list[TableRow]]]:
    """Return each refill window that has signals, by number, with its signals in the order (t0, id)."""
    rows = rows_of(signals.sort_values(["t_ns", "signal_id"], kind="stable"))
    return [(number, list(group)) for number, group in groupby(rows, key=lambda row: int(row["t_ns"]) // refill_ns)]


def window_of(group: Sequence[TableRow], target_usd: Decimal) -> CapacityWindow:
    """Return the programme of one window; ``group`` is in the order (t0, id), and the first of an episode stays.

    A book has one spread and one depth in a window, those of the first signal that hits it.  [spec README]
    """
    books: list[Book] = []
    number: dict[str, int] = {}
    demands, fixed = [], []
    seen: set[tuple[Any, ...]] = set()
    for row in group:
        episode = tuple(None if pd.isna(row[name]) else row[name] for name in EPISODE)
        # a violation that is emitted twice in one refill window is one signal: its depth is not there twice
        if episode in seen:
            continue
        seen.add(episode)
        legs = row["legs"]
        if not knows_depth(legs):
            fixed.append(fixed_ev(row, target_usd))
            continue
        # The first signal that hits a book fixes its spread and depth in the window.  [spec README]
        for leg in legs:
            if leg["book"] not in number:
                number[leg["book"]] = len(books)
                books.append(Book(of_float(leg["spread_bps"]), of_float(leg["depth_usd"])))
        demands.append(_demand(row, number, books))
    return CapacityWindow(tuple(demands), tuple(books), tuple(fixed))


def knows_depth(legs: Any) -> bool:
    """Whether every leg shows a spread and a depth, so that the cost depends on the notional.  [S3.3]"""
    return all(np.isfinite(leg["spread_bps"]) and np.isfinite(leg["depth_usd"]) for leg in legs)


def fixed_ev(row: TableRow, target_usd: Decimal) -> Decimal:
    """Return the EV of a signal without depth at the registered notional, USD; 0 where trading it would lose.

    Its costs are those of the row: net - gross + capital cost, because the returns charge capital already.
    """
    with exact():
        gross, capture = of_float(row["gross_bps"]), of_float(row["capture"])
        rest = of_float(row["net_bps"]) - gross + of_float(row["capital_bps"])
        return max(Decimal(0), PER_BPS * target_usd * (capture * gross + rest))


def _demand(row: TableRow, number: Mapping[str, int], books: list[Book]) -> Demand:
    """Return a_i = c v - k - sum_l w_l (entry fee + exit fee + s_l) and the weights by book; k = borrow - carry."""
    weight: dict[int, Decimal] = {}
    with exact():
        edge = of_float(row["capture"]) * of_float(row["gross_bps"])
        edge += of_float(row["carry_bps"]) - of_float(row["borrow_bps"])
        for leg in row["legs"]:
            b, share = number[leg["book"]], of_float(leg["weight"])
            edge -= share * (of_float(leg["fee_bps"]) + of_float(leg["exit_fee_bps"]) + books[b].spread_bps)
            # Two legs of one signal may hit the same side of the same book.
            weight[b] = weight.get(b, Decimal(0)) + share
    return Demand(edge, {b: share for b, share in weight.items() if share > 0})


def _micro(usd: Decimal) -> int:
    with exact():
        return int((usd * MICRO).to_integral_value(rounding=ROUND_HALF_EVEN))


def _mean_usd(micro: IntArray) -> Decimal:
    return quantise(ratio(total(micro), len(micro) * MICRO))


def _usd(micro: Decimal | None) -> Decimal | None:
    if micro is None:
        return None
    with exact():
        return quantise(micro / MICRO)


def _realised(trades: pd.DataFrame) -> Decimal | None:
    """Return realised over modelled profit of the traded signals; None where nothing was modelled."""
    traded = trades[trades["status"] == "traded"]
    modelled = sum(int(v) for v in traded["modelled_usd_micro"])
    # A ratio over nothing modelled is undefined, and not infinite.
    if modelled == 0:
        return None
    return quantise(ratio(sum(int(v) for v in traded["net_usd_micro"]), modelled))


def _beside(signals: int, naive_usd: Decimal, claim: int, reasons: Mapping[str, str]) -> str:
    """Return the remarks that belong beside the row of the table: no signal, no bound, or a naive mean under it."""
    text = "; there was no signal" if not signals else ""
    if "upper_95" in reasons:
        text += f"; the upper bound is undefined: {reasons['upper_95']}"
    # the naive mean counts shared depth repeatedly, so it bounds the joint one from above
    if signals and naive_usd < claim:
        text += "; a fortiori: even counting shared depth repeatedly the mean is under it"
    return text
