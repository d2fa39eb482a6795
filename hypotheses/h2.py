"""H2: the modelled net EV of all signals is under the claim, on average a day.  [statistics 7]

Rules: [S9.H2].

E_d is the joint optimum J of the signals of day d, whose books share depth within a refill window; 0 on a day without
signals.  Registered: mean(E) < claim.  Its strength is the one-sided upper bound U of a studentised stationary
bootstrap of the mean; refuted where the one-sided lower bound exceeds the claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import numpy as np

from backtest.records import Stats
from engine.errors import DataError
from engine.exact.decimals import exact, of_float, quantise, ratio
from engine.exact.sums import total
from engine.records import IntArray
from engine.units import MICRO, NS_PER_HOUR
from hypotheses.base import RunData, Streams, rows_of
from hypotheses.capacity_windows import daily, knows_depth
from hypotheses.records import H2, Answer, UpwardReading
from hypotheses.statistics.inference import infer_mean
from hypotheses.statistics.intervals import lower_bound, upper_bound
from hypotheses.statistics.ties import exceeds, falls_below, tied

STREAM: Final = "h2/bootstrap"
UPWARD_REFILL_NS: Final = NS_PER_HOUR
"""The refill window of the reading upwards: depth comes back as often as in the shortest sensitivity."""


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
    >>> import pandas as pd
    >>> from backtest.registration.load import load_registration
    >>> from engine.units import NS_PER_DAY
    >>> from hypotheses.base import Sleeve
    >>> stats = load_registration(Path("configs/demo.toml")).stats
    >>> leg = {"book": "X:A", "weight": 1.0, "spread_bps": np.nan, "depth_usd": np.nan}
    >>> signals = pd.DataFrame([{
    ...     "signal_id": "a", "t_ns": 20_548 * NS_PER_DAY, "constraint": "C1", "underlying": "BTC", "venue": "X",
    ...     "expiry_ns": 0, "side": 1, "short": 0, "legs": [leg], "capture": 1.0, "gross_bps": 30.0, "net_bps": 20.0,
    ...     "capital_bps": 1.0,
    ... }])
    >>> trades = pd.DataFrame({"signal_id": [], "status": [], "modelled_usd_micro": [], "net_usd_micro": []})
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
    realised, upper_reading = _realised(run), _upwards(run, target_usd)
    reasons = {} if realised is not None else {"realised_over_modelled": "no traded signal has a modelled profit"}
    if inference.undefined is not None or upper is None:
        why = inference.undefined or "too few bootstrap draws for the level"
        reasons |= dict.fromkeys(["lower_95", "upper_95"], why)
    if upper_reading is None:
        reasons["upper"] = "the touches of this window were not read: run it again"
    if inference.block_length is None and inference.undefined is not None:
        reasons["block_length"] = inference.undefined
    return H2(
        answer=answer,
        registered=registered,
        statement=statement + _beside(len(run.signals), upper_reading, stats.ev_claim_usd, reasons),
        tied=tied(mean, Decimal(stats.ev_claim_usd), stats.tied_relative),
        mean_usd_per_day=mean,
        lower_95=lower,
        upper_95=upper,
        naive=_mean_usd(days.naive),
        greedy=_mean_usd(days.greedy),
        upper=upper_reading,
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


def _mean_usd(micro: IntArray) -> Decimal:
    return quantise(ratio(total(micro), len(micro) * MICRO))


def _usd(micro: Decimal | None) -> Decimal | None:
    if micro is None:
        return None
    with exact():
        return quantise(micro / MICRO)


def _upwards(run: RunData, target_usd: Decimal) -> UpwardReading | None:
    """Return both sums read upwards; None where the touches of the window were not read."""
    if run.touch is None:
        return None
    days = daily(run, target_usd, UPWARD_REFILL_NS, run.touch)
    return UpwardReading(mean=_mean_usd(days.joint), naive=_mean_usd(days.naive))


def _realised(run: RunData) -> Decimal | None:
    """Return realised over captured profit of the traded signals; None where nothing was captured.

    Raises ``DataError`` if a traded signal is not among the signals.
    """
    traded = run.trades[run.trades["status"] == "traded"]
    capture = dict(zip(run.signals["signal_id"], run.signals["capture"], strict=True))
    lost = [ident for ident in traded["signal_id"] if ident not in capture]
    if lost:
        raise DataError(f"trades.parquet: expected every traded signal in signals.parquet, was {lost[0]} without")
    with exact():
        modelled = sum(
            (
                of_float(capture[ident]) * int(micro)
                for ident, micro in zip(traded["signal_id"], traded["modelled_usd_micro"], strict=True)
            ),
            start=Decimal(0),
        )
        # A ratio over nothing modelled is undefined, and not infinite.
        return quantise(int(traded["net_usd_micro"].sum()) / modelled) if modelled else None


def _beside(signals: int, upper: UpwardReading | None, claim: int, reasons: Mapping[str, str]) -> str:
    """Return the remarks beside the row of the table: no signal, no bound, or a fortiori under the claim."""
    text = "; there was no signal" if not signals else ""
    if "upper_95" in reasons:
        text += f"; the upper bound is undefined: {reasons['upper_95']}"
    # Both: the naive sum alone, at the first depths seen, is no bound from above.
    if signals and upper is not None and max(upper.mean, upper.naive) < claim:
        text += "; a fortiori: read upwards, joint mean and naive sum are under it too"
    return text
