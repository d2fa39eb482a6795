"""The eight series of a window that the sensitivities read: the portfolio and seven sleeves, inferred once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from engine.exact.decimals import exact
from engine.exact.sums import RETURN_UNIT
from engine.records import FloatArray, IntArray
from hypotheses.base import RunData, Sleeve, daily_returns
from hypotheses.h1_answer import annual_interval
from hypotheses.records import Interval
from hypotheses.sensitivity.resampling import Pair
from hypotheses.statistics import block_length, sharpe
from hypotheses.statistics.inference import Inference
from hypotheses.statistics.intervals import symmetric
from hypotheses.statistics.long_run_variance import long_run_variance, standard_error
from hypotheses.statistics.studentised import Studentised

ANNUAL = float(sharpe.annual(Decimal(1)))
"""The square root of 365."""


@dataclass(frozen=True, slots=True)
class Series:
    """One daily series with its point, standard error and block length; ``undefined`` says why it has none."""

    sleeve: Sleeve
    returns: IntArray  # units of 1e-9
    point: Decimal | None
    error: Decimal | None
    length: Decimal | None
    undefined: str | None

    @property
    def code(self) -> str:
        return self.sleeve.code or "all"

    @property
    def values(self) -> FloatArray:
        """The returns as floats."""
        return self.returns / RETURN_UNIT

    def stream(self, kind: str) -> str:
        """Return the name of this series' own stream of ``kind``: bootstrap or circular."""
        # The streams of the verdicts, so that the registered row is reproduced beside the others.
        return f"h3/{kind}/{self.sleeve.code}" if self.sleeve.code else f"h1/{kind}"

    def interval(
        self, drawn: Studentised, level: Decimal, form: Callable[..., Interval | None] = symmetric
    ) -> Pair | None:
        """Return the annual interval that ``form`` reads off other draws of t*; None where it is undefined."""
        inference = Inference(len(self.returns), self.point, self.error, self.length, drawn, 0, 0, None)
        return pair(annual_interval(form(inference, level)))


def all_series(run: RunData) -> tuple[Series, ...]:
    """Return the series of the portfolio and of each sleeve, in the registered order; each has shape ``[n]``."""
    return tuple(series_of(sleeve) for sleeve in (run.portfolio, *run.sleeves))


def series_of(sleeve: Sleeve, keep: IntArray | None = None) -> Series:
    """Return the series of one sleeve, shape ``[n]``, or of its days ``keep`` only: int64 day numbers of the window."""
    values = daily_returns(sleeve, keep)
    point = sharpe.daily(values)
    if point is None:
        return Series(sleeve, values, None, None, None, "the standard deviation is zero")
    length = block_length.optimal_block_length(values)
    if length is None:
        return Series(sleeve, values, point, None, None, f"{len(values)} days are too few for a block length")
    error = standard_error(long_run_variance(sharpe.influence(values, point)).variance, len(values))
    return Series(sleeve, values, point, error, length, None)


def annual(point: Decimal | float | None) -> float | None:
    """Return a daily ratio as an annual float."""
    if point is None or point != point:
        return None
    with exact():
        return float(point) * ANNUAL


def annual_pair(daily: Pair | None) -> Pair | None:
    """Return an interval of the daily ratio as one of the annual ratio; None stays None."""
    return None if daily is None else (daily[0] * ANNUAL, daily[1] * ANNUAL)


def pair(interval: Interval | None) -> Pair | None:
    """Return an interval as two floats; None stays None."""
    return None if interval is None else (float(interval.low), float(interval.high))
