"""The three registered hypotheses, in the order of the registration; a literal tuple, nothing is discovered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backtest.records import Registration
from engine.constraints.codes import COUNT_IN_WORDS
from engine.exact.decimals import of_float
from hypotheses import h1 as hypotheses_h1
from hypotheses import h2 as hypotheses_h2
from hypotheses import h3 as hypotheses_h3
from hypotheses.base import RunData, Streams
from hypotheses.exposure import exposure_of
from hypotheses.records import H1, H2, H3

Evaluate = Callable[[RunData, Registration, Streams], H1 | H2 | H3]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One member of the family: its name in results, its claim in a sentence, and the function that judges it."""

    code: str
    claim: str
    evaluate: Evaluate


def h1(run: RunData, registration: Registration, streams: Streams) -> H1:
    """Return the verdict on H1."""
    return hypotheses_h1.evaluate(run, registration.stats, streams, exposure_of(run, registration.params))


def h2(run: RunData, registration: Registration, streams: Streams) -> H2:
    """Return the verdict on H2."""
    params = registration.params
    target = of_float(params.target_notional_usd)
    return hypotheses_h2.evaluate(run, registration.stats, streams, target, params.refill_window_ns)


def h3(run: RunData, registration: Registration, streams: Streams) -> H3:
    """Return the verdict on H3."""
    return hypotheses_h3.evaluate(run, registration.stats, streams, exposure_of(run, registration.params))


HYPOTHESES: tuple[Hypothesis, ...] = (
    Hypothesis("H1", "net annualised Sharpe ratio above the claim, permutation null at p < 0.05", h1),
    Hypothesis("H2", "modelled net EV under the claim a day, on average", h2),
    Hypothesis(
        "H3",
        f"each of the {COUNT_IN_WORDS} constraints has a positive Sharpe ratio whose 95% interval excludes zero",
        h3,
    ),
)
