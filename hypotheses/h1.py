"""H1: the net annualised Sharpe ratio exceeds the claim, and neither null does as well often.  [S9.H1, statistics 3]

    SR = sqrt(365) mean(r) / sd(r),    supported iff SR > claim and p(N1) < alpha and p(N2) < alpha

N1 is the only null here that tests net SR <= 0; it changes the signs of whole folds.  N2 is the registered permutation
null read by the letter.  Where the signals were not moved the verdict rests on N1 and is provisional; where N2 is not
computable one cannot tell.  What is not supported is refuted only where the 95% interval lies below the claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np

from backtest.records import Stats
from engine.exact.decimals import quantise
from engine.exact.sums import returns
from engine.records import IntArray
from hypotheses.base import RunData, Streams
from hypotheses.permutation_nulls import STREAM as N2_STREAM
from hypotheses.permutation_nulls import PlacedSignals, n2, n3, placed_signals
from hypotheses.records import H1, Answer, Interval, PermutationNull, PowerTable, Proportion
from hypotheses.statistics.bootstrap import Bits
from hypotheses.statistics.inference import Inference, infer_sharpe
from hypotheses.statistics.intervals import equal_tailed, lower_bound, p_positive, symmetric
from hypotheses.statistics.power import power_table
from hypotheses.statistics.psr_of_series import (
    days_for_psr,
    deflated_sharpe,
    probabilistic_sharpe,
    probabilistic_sharpe_at_benchmark,
)
from hypotheses.statistics.sharpe import annual
from hypotheses.statistics.sign_flips import block_sums, n1, sign_flips
from hypotheses.statistics.ties import exceeds, falls_below, tied

STREAM: Final = "h1/bootstrap"
POWER_STREAM: Final = "calibrate/power"
FORMULAS: Final = ("psr", "psr_at_benchmark", "days_needed", "dsr")
NOT_RUN: Final = "the signals of this run were not moved: the verdict rests on N1 and is provisional"


def evaluate(run: RunData, stats: Stats, streams: Streams) -> H1:
    """Return the verdict on the portfolio's series, its signals moved where the run's placements say so."""
    return judged(run, stats, streams, placed_signals(run, stats))


def judged(run: RunData, stats: Stats, streams: Streams, moves: PlacedSignals | None) -> H1:
    """Return the verdict on the portfolio's series beside its ``moves``; None: the signals were not moved.

    Not evaluable, which counts as not supported: a Sharpe ratio that is undefined, or more than the registered number
    of days without any data.
    """
    series = returns(run.portfolio.x, Fraction(run.portfolio.capital_micro))
    if len(set(run.portfolio.profit.tolist())) <= 1:
        series = np.zeros_like(series)  # one profit every day: what is left is the rounding of the capital charge
    found = infer_sharpe(series, stats.bootstrap_draws, streams(STREAM), stats.bootstrap_discard_share)
    sums = block_sums(run.portfolio.x, run.block)
    p_n1 = None if found.point is None else n1(sums)
    ratio = annualised(found.point)
    ci = annual_interval(symmetric(found, stats.level))
    lower = annualised(lower_bound(found, stats.level))
    p_boot = p_positive(found)
    without = int(np.count_nonzero(~run.has_data))
    second, third = _moved(run, stats, streams, moves)
    p_n2, p_n3 = (None if null is None else null.p for null in (second, third))
    blocked = _not_evaluable(found, without, second, stats)
    registered, statement = registered_answer(ratio, p_n1, second, stats, blocked)
    answer = answer_of(ratio, ci, p_n1, registered, stats, blocked)
    failed = _failed_conditions(second, third, p_boot, stats) if registered else ()
    trials = None if run.trials is None or ratio is None else (*run.trials, float(ratio))
    formulas = _formulas(series, stats, trials) if found.point is not None else dict.fromkeys(FORMULAS)
    return H1(
        answer=answer,
        registered=registered,
        statement=statement,
        provisional=second is None,
        tied=ratio is not None and tied(ratio, stats.sharpe_claim, stats.tied_relative),
        grade=("fragile" if failed else "robust") if registered else None,
        failed_conditions=failed,
        sharpe=ratio,
        ci=ci,
        ci_equal_tailed=annual_interval(equal_tailed(found, stats.level)),
        lower_95=lower,
        above_claim_at_95=lower is not None and exceeds(lower, stats.sharpe_claim, stats.tied_relative),
        p_n1=p_n1,
        n1_rejects=p_n1 is not None and p_n1.under(stats.alpha),
        p_n2=p_n2,
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
        block_length=found.block_length,
        draws=found.draws,
        discarded=found.discarded,
        n_days=run.n,
        days_without_data=without,
        block_profit_micro=sums,
        null_ordered_micro=tuple(np.sort(sign_flips(sums)).tolist()),
        power=_power(run.n, len(sums), stats, streams(POWER_STREAM)),
        reasons=_reasons(found, ci, formulas, registered) | _null_reasons(run, second, third, found.point is None),
    )


def _formulas(series: IntArray, stats: Stats, trials: Sequence[float] | None) -> dict[str, float | None]:
    """Return the iid formulas beside the verdict by field; float tier, they decide nothing.  [statistics 3.5]"""
    found = (
        probabilistic_sharpe(series, stats.sharpe_claim),
        probabilistic_sharpe_at_benchmark(series, stats.sharpe_claim),
        days_for_psr(series, stats.sharpe_claim, stats.level),
        None if trials is None else deflated_sharpe(series, trials),
    )
    return dict(zip(FORMULAS, found, strict=True))


def _power(days: int, blocks: int, stats: Stats, bits: Bits) -> PowerTable:
    alpha, level, claim = (float(value) for value in (stats.alpha, stats.level, stats.sharpe_claim))
    return power_table(days, blocks, bits, alpha=alpha, level=level, claim=claim)


def annualised(value: Decimal | None) -> Decimal | None:
    """Return a daily ratio times sqrt(365), rounded once to 9 places; None stays None."""
    return None if value is None else quantise(annual(value))


def annual_interval(found: Interval | None) -> Interval | None:
    """Return an interval of the daily ratio as one of the annual ratio, rounded once."""
    return None if found is None else Interval(quantise(annual(found.low)), quantise(annual(found.high)))


def answer_of(
    ratio: Decimal | None,
    ci: Interval | None,
    p: Proportion | None,
    registered: bool,
    stats: Stats,
    blocked: str | None,
) -> Answer:
    """Return supported, refuted (the interval's upper end lies below the claim) or cannot tell."""
    if blocked is not None or ratio is None or p is None:
        return Answer.CANNOT_TELL
    if registered:
        return Answer.SUPPORTED
    if ci is not None and falls_below(ci.high, stats.sharpe_claim, stats.tied_relative):
        return Answer.REFUTED
    return Answer.CANNOT_TELL


def _moved(
    run: RunData, stats: Stats, streams: Streams, moves: PlacedSignals | None
) -> tuple[PermutationNull | None, PermutationNull | None]:
    """Return N2 and N3, None where the signals were not moved."""
    if moves is None:
        return None, None
    charge = run.portfolio.profit - run.portfolio.x
    return n2(moves, charge, run.block, stats, streams(N2_STREAM)), n3(moves, charge, stats)


def _passes(null: PermutationNull | None, stats: Stats) -> bool:
    return null is not None and null.p is not None and null.p.under(stats.alpha)


def _not_evaluable(found: Inference, without: int, second: PermutationNull | None, stats: Stats) -> str | None:
    """Return why H1 cannot be evaluated, or None.  [statistics 3.4, spec README "Tests"]"""
    if found.point is None:
        return f"not evaluable: {found.undefined}; counts as not supported"
    if without > stats.max_days_without_data:
        return (
            f"not evaluable: {without} days without any data, more than {stats.max_days_without_data}; "
            "counts as not supported"
        )
    if second is not None and second.p is None:
        return f"cannot tell: N2 has no p-value ({second.reason})"
    return None


def registered_answer(
    ratio: Decimal | None, p: Proportion | None, second: PermutationNull | None, stats: Stats, blocked: str | None
) -> tuple[bool, str]:
    """Return the registered yes or no with its row of the table of statistics 3.4."""
    if blocked is not None or ratio is None or p is None:
        return False, blocked or "not evaluable"
    claim = stats.sharpe_claim
    if not exceeds(ratio, claim, stats.tied_relative):
        word = "numerically tied with" if tied(ratio, claim, stats.tied_relative) else "not above"
        return False, f"not supported: the Sharpe ratio is {word} {claim}"
    nulls = {"p(N1)": p} if second is None or second.p is None else {"p(N1)": p, "p(N2)": second.p}
    above = [name for name, share in nulls.items() if not share.under(stats.alpha)]
    if above:
        verb = "is" if len(above) == 1 else "are"
        return False, f"not supported (point only): {' and '.join(above)} {verb} not under {stats.alpha}"
    if second is None:
        return True, f"supported: the Sharpe ratio exceeds {claim} and p(N1) is under {stats.alpha}; N2 was not run"
    return True, f"supported: the Sharpe ratio exceeds {claim}, p(N1) and p(N2) are under {stats.alpha}"


def _failed_conditions(
    second: PermutationNull | None, third: PermutationNull | None, p_boot: Proportion | None, stats: Stats
) -> tuple[str, ...]:
    """Return what keeps a supported H1 from the grade robust.  [statistics 3.4]"""
    failed = []
    for name, null in (("N2", second), ("N3", third)):
        if null is None:
            failed.append(f"{name} not run")
        elif null.p is None:
            failed.append(f"{name} {null.reason.split(':')[0]}")
        elif not null.p.under(stats.alpha):
            failed.append(f"p({name}) not under {stats.alpha}")
    if p_boot is None or not p_boot.under(stats.alpha):
        failed.append("studentised bootstrap p-value")
    return tuple(failed)


def _null_reasons(
    run: RunData, second: PermutationNull | None, third: PermutationNull | None, found_nothing: bool
) -> dict[str, str]:
    """Return, by field, why a null or the deflated ratio has no value."""
    reasons: dict[str, str] = {}
    for name, null in (("n2", second), ("n3", third)):
        why = NOT_RUN if run.placements is None else "there was no signal to move"
        if null is None:
            reasons |= {f"p_{name}": why, name: why}
        elif null.p is None:
            reasons[f"p_{name}"] = null.reason
    if run.trials is not None and found_nothing:
        reasons["trials"] = "it counts evaluated ratios, and this one is undefined"
    if run.trials is None:
        reasons["dsr"] = reasons["trials"] = "no record of runs tells how many configurations were ever evaluated"
    return reasons


def _reasons(
    found: Inference, ci: Interval | None, formulas: Mapping[str, float | None], registered: bool
) -> dict[str, str]:
    """Return, by field, why a value is undefined; ``formulas`` are the probabilistic ratios by field."""
    reasons: dict[str, str] = {}
    why = found.undefined or "the variance in its formula is not positive"
    reasons |= {name: why for name, value in formulas.items() if value is None}
    if found.point is not None and "days_needed" in reasons:
        reasons["days_needed"] = "the ratio is not above the claim, so that no number of such days would do"
    if not registered:
        reasons["grade"] = "only a supported H1 is graded"
    if found.undefined is not None:
        names = ["ci", "ci_equal_tailed", "lower_95", "p_boot"]
        names += ["sharpe", "p_n1"] if found.point is None else []
        names += ["block_length"] if found.block_length is None else []
        reasons |= dict.fromkeys(names, found.undefined)
    elif ci is None:
        reasons |= dict.fromkeys(["ci", "ci_equal_tailed", "lower_95"], "too few bootstrap draws for the level")
    return reasons
