"""H1: the net annualised Sharpe ratio exceeds the claim, and neither null does as well often.  [S9.H1, statistics 3]

    SR = sqrt(365) mean(r) / sd(r),    supported iff SR > claim and p(N1) < alpha and p(N2) < alpha

N1 is the only null here that tests net SR <= 0; it changes the signs of whole folds.  N2 is the registered permutation
null read by the letter.  Without placements of the signals the verdict rests on N1 and is provisional; where N2 is not
computable the answer is "cannot tell".  H1 is refuted only where the 95% interval lies below the claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import numpy as np

from backtest.records import Stats
from engine.exact.sums import total
from engine.records import IntArray
from hypotheses.base import RunData, Streams, daily_returns
from hypotheses.exposure import Exposure
from hypotheses.h1_answer import annual_interval, annualised, answer_of, registered_answer
from hypotheses.h1_reasons import failed_conditions, not_evaluable, null_reasons, reasons_of, stress_reasons
from hypotheses.permutation_nulls import STREAM as N2_STREAM
from hypotheses.permutation_nulls import PlacedSignals, n2, n3, placed_signals
from hypotheses.records import H1, PermutationNull, PowerTable, Stressed
from hypotheses.statistics.bootstrap import Bits
from hypotheses.statistics.inference import infer_sharpe
from hypotheses.statistics.intervals import equal_tailed, lower_bound, p_positive, symmetric
from hypotheses.statistics.power import power_table
from hypotheses.statistics.psr_of_series import (
    days_for_psr,
    deflated_sharpe,
    probabilistic_sharpe,
    probabilistic_sharpe_at_benchmark,
)
from hypotheses.statistics.sign_flips import block_sums, n1, sign_flips
from hypotheses.statistics.ties import exceeds, tied
from hypotheses.stress import failed_stress, loss_days, rule_of_three, stressed_h1

STREAM: Final = "h1/bootstrap"
POWER_STREAM: Final = "calibrate/power"
FORMULAS: Final = ("psr", "psr_at_benchmark", "days_needed", "dsr")


def evaluate(run: RunData, stats: Stats, streams: Streams, exposure: Exposure) -> H1:
    """Return the verdict on the portfolio's daily series; N2 and N3 where the run keeps placements of its signals.

    Parameters
    ----------
    run : RunData
        One test window: series in micro-USD, signals, trades.
    stats : Stats
        The registered numbers.
    streams : Streams
        The named streams of chance; ``h1/bootstrap``, ``h1/n2`` and ``calibrate/power`` are read.
    exposure : Exposure
        What was open at once, and the joint loss of it.

    Returns
    -------
    H1
        The answer, the registered yes or no, and everything printed beside it; an undefined value is None, with its
        reason in ``reasons``.

    Raises
    ------
    DataError
        If the window has more than 20 blocks, or profits that do not fit 63 bits.

    Examples
    --------
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from backtest.registration.load import load_registration
    >>> from hypotheses.base import Sleeve
    >>> stats = load_registration(Path("configs/demo.toml")).stats
    >>> profit_micro = (np.arange(90) * 37 % 101 - 40) * 1_000_000
    >>> portfolio = Sleeve("", profit_micro - 137_000, profit_micro, 10**12)
    >>> run = RunData(
    ...     day=np.arange(20_548, 20_638), has_data=np.ones(90, dtype=np.bool_), block=np.arange(90) // 9,
    ...     portfolio=portfolio, sleeves=(), signals=pd.DataFrame(), trades=pd.DataFrame(), missing={},
    ... )
    >>> exposure = Exposure(20 * 1_000_000, {}, {"": 90}, {})
    >>> verdict = evaluate(run, stats, lambda name: lambda replicate: np.random.PCG64(replicate), exposure)
    >>> verdict.answer.value, round(verdict.sharpe, 3), verdict.p_n1
    ('supported', Decimal('6.153'), Proportion(count=1, of=1024))
    >>> round(verdict.stressed.sharpe, 3), verdict.rule_of_three
    (Decimal('6.011'), None)
    """
    return evaluate_placed(run, stats, streams, placed_signals(run, stats), exposure)


def evaluate_placed(
    run: RunData, stats: Stats, streams: Streams, placed: PlacedSignals | None, exposure: Exposure | None
) -> H1:
    """Return the verdict on the portfolio's daily series, with N2 and N3 from placements that the caller made.

    H1 is not evaluable, which counts as not supported, where the Sharpe ratio is undefined or more than the registered
    number of days have no data.

    Parameters
    ----------
    run : RunData
        One test window: series in micro-USD, signals, trades.
    stats : Stats
        The registered numbers.
    streams : Streams
        The named streams of chance; ``h1/bootstrap``, ``h1/n2`` and ``calibrate/power`` are read.
    placed : PlacedSignals or None
        Daily profit of the signals at other times; None where they were not computed.
    exposure : Exposure or None
        What was open at once; None where it is not known, which keeps H1 from the grade robust.

    Returns
    -------
    H1
        See `evaluate`.

    Raises
    ------
    DataError
        If the window has more than 20 blocks, or profits that do not fit 63 bits.
    """
    series = daily_returns(run.portfolio)
    inference = infer_sharpe(series, stats.bootstrap_draws, streams(STREAM), stats.bootstrap_discard_share)
    sums = block_sums(run.portfolio.x, run.block)
    # Without a Sharpe ratio the order of sums is not the order of ratios.  [statistics 3.2]
    p_n1 = None if inference.point is None else n1(sums)
    ratio = annualised(inference.point)
    ci = annual_interval(symmetric(inference, stats.level))
    lower = annualised(lower_bound(inference, stats.level))
    p_boot = p_positive(inference)
    without = int(np.count_nonzero(~run.has_data))
    second, third = _permutation_nulls(run, stats, streams, placed)
    p_n2, p_n3 = (None if null is None else null.p for null in (second, third))
    blocked = not_evaluable(inference, without, second, stats)
    registered, statement = registered_answer(ratio, p_n1, second, stats, blocked)
    answer = answer_of(ratio, ci, p_n1, registered, stats, blocked)
    # Only a supported H1 is graded.  [statistics 3.4]
    stressed = _stressed(run, stats, streams, exposure, ratio)
    failed = failed_conditions(second, third, p_boot, stats) if registered else ()
    failed += failed_stress(stressed, total(run.portfolio.x), stats) if registered else ()
    days = None if exposure is None else exposure.open_days[""]
    losses = None if exposure is None else loss_days(run.portfolio, exposure.joint_micro)
    # This ratio is a trial too.
    trials = None if run.trials is None or ratio is None else (*run.trials, float(ratio))
    formulas = _formulas(series, stats, trials) if inference.point is not None else dict.fromkeys(FORMULAS)
    return H1(
        answer=answer,
        registered=registered,
        statement=statement,
        provisional=second is None,
        tied=ratio is not None and tied(ratio, stats.sharpe_claim, stats.tied_relative),
        grade=("fragile" if failed else "robust") if registered else None,
        failed_conditions=failed,
        stressed=stressed,
        active_days=days,
        loss_days=losses,
        rule_of_three=None if days is None or losses is None else rule_of_three(days, losses),
        sharpe=ratio,
        ci=ci,
        ci_equal_tailed=annual_interval(equal_tailed(inference, stats.level)),
        lower_95=lower,
        above_claim_at_95=lower is not None and exceeds(lower, stats.sharpe_claim, stats.tied_relative),
        p_n1=p_n1,
        n1_rejects=p_n1 is not None and p_n1.under(stats.alpha),
        p_n2=p_n2,
        p_n2_ratio=None if second is None else second.p_ratio,
        p_n2_mean=None if second is None else second.p_mean,
        p_n3=p_n3,
        n2_rejects=_passes(second, stats),
        n2=second,
        n3=third,
        signal_alpha=_passes(second, stats) and _passes(third, stats),
        p_boot=p_boot,
        psr=formulas["psr"],
        psr_at_benchmark=formulas["psr_at_benchmark"],
        days_needed=formulas["days_needed"],
        dsr=formulas["dsr"],
        trials=None if trials is None else len(trials),
        block_length=inference.block_length,
        draws=inference.draws,
        discarded=inference.discarded,
        n_days=run.n,
        days_without_data=without,
        block_profit_micro=sums,
        null_ordered_micro=tuple(np.sort(sign_flips(sums)).tolist()),
        power=_power(run.n, len(sums), stats, streams(POWER_STREAM)),
        reasons=reasons_of(inference, ci, formulas, registered)
        | null_reasons(run, second, third, inference.point is None)
        | stress_reasons(stressed, days, losses),
    )


def _stressed(
    run: RunData, stats: Stats, streams: Streams, exposure: Exposure | None, ratio: Decimal | None
) -> Stressed | None:
    # Without a ratio, or a day with an open position, there is nothing that a loss could undo.
    if exposure is None or ratio is None or not exposure.open_days[""]:
        return None
    # The words of the verdict again: only the loss differs.
    return stressed_h1(run, stats, streams(STREAM), exposure)


def _formulas(series: IntArray, stats: Stats, trials: Sequence[float] | None) -> dict[str, float | None]:
    """Return the iid formulas beside the verdict by field; float tier, they decide nothing.  [statistics 3.5]"""
    values = (
        probabilistic_sharpe(series, stats.sharpe_claim),
        probabilistic_sharpe_at_benchmark(series, stats.sharpe_claim),
        days_for_psr(series, stats.sharpe_claim, stats.level),
        None if trials is None else deflated_sharpe(series, trials),
    )
    return dict(zip(FORMULAS, values, strict=True))


def _power(days: int, blocks: int, stats: Stats, bits: Bits) -> PowerTable:
    alpha, level, claim = (float(value) for value in (stats.alpha, stats.level, stats.sharpe_claim))
    return power_table(days, blocks, bits, alpha=alpha, level=level, claim=claim)


def _permutation_nulls(
    run: RunData, stats: Stats, streams: Streams, placed: PlacedSignals | None
) -> tuple[PermutationNull | None, PermutationNull | None]:
    """Return N2 and N3, None without placements."""
    if placed is None:
        return None, None
    # Moved signals change the trading profit; capital costs the same on every day.  [R1.6]
    charge = run.portfolio.profit - run.portfolio.x
    return n2(placed, charge, run.block, stats, streams(N2_STREAM)), n3(placed, charge, stats)


def _passes(null: PermutationNull | None, stats: Stats) -> bool:
    return null is not None and null.p is not None and null.p.under(stats.alpha)
