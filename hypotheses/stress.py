"""One loss booked on a series, and what is left of H1 after it.  [spec README "Joint losses", statistics 8.5]

A window in which a rare loss did not happen shows a ratio without it.  So H1 is fragile unless, after one joint loss L,
the ratio is over the claim and N1 still rejects, and the net result of the window exceeds 3 L: a rare loss of at most L
that makes the true mean zero stays unseen in A active days with probability at most exp(-3).
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np

from backtest.records import Stats
from engine.exact.decimals import quantise, ratio
from engine.exact.sums import returns, total
from engine.records import IntArray
from engine.units import MICRO
from hypotheses.base import RunData, Sleeve
from hypotheses.exposure import Exposure
from hypotheses.h1_answer import annual_interval, annualised
from hypotheses.records import Proportion, Stressed
from hypotheses.statistics.bootstrap import Bits
from hypotheses.statistics.inference import infer_sharpe
from hypotheses.statistics.intervals import symmetric
from hypotheses.statistics.sign_flips import block_sums, n1
from hypotheses.statistics.ties import exceeds

RULE: Final = 3
"""Of the rule of three: exp(-3) is just under 5%."""


def with_loss(sleeve: Sleeve, loss_micro: int) -> IntArray:
    """Return the sleeve's x, shape ``[n]``, with one loss on the day after its last active day, micro-USD.

    The loss falls on the window's last day at most; the sleeve has an active day.
    """
    last = int(np.flatnonzero(sleeve.profit)[-1])
    x = sleeve.x.copy()
    x[min(last + 1, len(x) - 1)] -= loss_micro
    return x


def loss_days(sleeve: Sleeve, loss_micro: int) -> int:
    """Return on how many days trading lost at least half of ``loss_micro``, or anything where that is 0."""
    return int(np.count_nonzero((sleeve.profit < 0) & (2 * sleeve.profit <= -loss_micro)))


def rule_of_three(active_days: int, losses: int) -> Decimal | None:
    """Return 3/A, the 95% bound on a day's probability of a loss that A active days did not show; None if they did.

    >>> rule_of_three(90, 0), rule_of_three(90, 1), rule_of_three(0, 0)
    (Decimal('0.033333333'), None, None)
    """
    return quantise(ratio(RULE, active_days)) if active_days and not losses else None


def stressed_h1(run: RunData, stats: Stats, bits: Bits, exposure: Exposure) -> Stressed:
    """Return ratio, interval and p(N1) of the portfolio after one joint loss, and the mean active day against 3 L.

    ``bits`` is the stream of the verdict's own bootstrap, so that only the loss differs; the run has an active day.
    Raises ``DataError`` if the window has more than 20 blocks, or profits that do not fit 63 bits.
    """
    portfolio, loss = run.portfolio, exposure.joint_micro
    series = returns(with_loss(portfolio, loss), Fraction(portfolio.capital_micro))
    inference = infer_sharpe(series, stats.bootstrap_draws, bits, stats.bootstrap_discard_share)
    days = exposure.open_days[""] * MICRO
    ci = annual_interval(symmetric(inference, stats.level))
    return Stressed(
        loss_usd=quantise(ratio(loss, MICRO)),
        sharpe=annualised(inference.point),
        ci=ci,
        p_n1=_largest_p(block_sums(portfolio.x, run.block), loss),
        mean_day_usd=quantise(ratio(total(portfolio.x), days)),
        least_mean_day_usd=quantise(ratio(RULE * loss, days)),
        reasons={} if ci is not None else {"ci": inference.undefined or "too few bootstrap draws for the level"},
    )


def _largest_p(sums: tuple[int, ...], loss_micro: int) -> Proportion:
    """Return the largest p-value of N1 with the loss in each block in turn."""
    hit = (n1([*sums[:j], sums[j] - loss_micro, *sums[j + 1 :]]) for j in range(len(sums)))
    return max(hit, key=lambda p: p.count)


def failed_stress(found: Stressed | None, result_micro: int, stats: Stats) -> tuple[str, ...]:
    """Return which conditions of the grade robust the joint loss breaks; ``result_micro`` is the window's net result.

    >>> failed_stress(None, 0, stats=None)
    ('joint loss not known',)
    """
    if found is None:
        return ("joint loss not known",)
    failed = []
    if found.sharpe is None or not exceeds(found.sharpe, stats.sharpe_claim, stats.tied_relative):
        failed.append(f"the Sharpe ratio after one joint loss not above {stats.sharpe_claim}")
    if not found.p_n1.under(stats.alpha):
        failed.append(f"p(N1) after one joint loss not under {stats.alpha}")
    if result_micro <= RULE * found.loss_usd * MICRO:
        failed.append("the net result not above three joint losses")
    return tuple(failed)
