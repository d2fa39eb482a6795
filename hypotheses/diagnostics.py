"""Diagnostics of a daily return series by statsmodels, scipy and arch: they decide nothing.  [statistics 1.5]

Float tier.  They show whether the assumptions of an iid formula hold: autocorrelation, clusters of volatility, fat
tails, a profit that rests on few days.  A diagnostic that cannot be computed is listed with its reason.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Final

import numpy as np
from arch import arch_model
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.diagnostic import acorr_ljungbox, het_arch
from statsmodels.tsa.stattools import acf

from backtest.results.returns import DAYS_A_YEAR
from engine.records import FloatArray, IntArray
from hypotheses.base import RunData, Sleeve, Streams
from hypotheses.records import Diagnostic
from hypotheses.statistics.dependence import STREAM, autocorrelation_test, day_permutations
from hypotheses.statistics.psr import lo_annualisation

LAGS: Final = 5
BEST_DAYS: Final = 5
LEAST_DAYS: Final = 20
"""With fewer days every test is without power, and GARCH does not converge."""

DiagnosticValue = tuple[float, float | None]
"""A value and, where it is a test, its p-value."""


def diagnose(run: RunData, streams: Streams) -> tuple[Diagnostic, ...]:
    """Return the diagnostics of the portfolio and of every sleeve that traded, in order."""
    # Of a sleeve that never traded every test would say only that it is constant.
    traded = [sleeve for sleeve in run.sleeves if np.any(sleeve.profit)]
    shuffles = day_permutations(run.n, streams(STREAM))
    return tuple(row for sleeve in (run.portfolio, *traded) for row in of_sleeve(sleeve, shuffles))


def of_sleeve(sleeve: Sleeve, shuffles: IntArray) -> tuple[Diagnostic, ...]:
    """Return one row a diagnostic of one series; ``value`` is None, with a note, where it cannot be computed.

    ``shuffles`` are permutations of the days, int64 of shape ``[draws, n]``.
    """
    returns = sleeve.x / sleeve.capital_micro
    series = sleeve.code or "portfolio"
    if len(returns) < LEAST_DAYS or np.all(sleeve.profit == sleeve.profit[0]):
        why = f"{len(returns)} days, fewer than {LEAST_DAYS}" if len(returns) < LEAST_DAYS else "the series is constant"
        return (Diagnostic(series, "all", None, None, why),)
    tests = (*((f"autocorrelation lag {lag}", _autocorrelation(lag, shuffles)) for lag in range(1, LAGS + 1)), *TESTS)
    rows = [_guarded(series, name, test, returns) for name, test in tests]
    rows += _garch(series, returns)
    active = Diagnostic(series, "active days", float(np.count_nonzero(sleeve.profit)), None, "")
    return (*rows, _best_days(series, sleeve), active)


def _autocorrelation(lag: int, shuffles: IntArray) -> Callable[[FloatArray], DiagnosticValue]:
    """Return the autocorrelation of one lag with its studentised permutation p-value."""

    def test(returns: FloatArray) -> DiagnosticValue:
        result = autocorrelation_test(returns, lag, shuffles)
        return result.rho, result.p

    return test


def _ljung_box(returns: FloatArray) -> DiagnosticValue:
    table = acorr_ljungbox(returns, lags=[LAGS])
    return float(table["lb_stat"].iloc[0]), float(table["lb_pvalue"].iloc[0])


def _hac_mean(returns: FloatArray) -> DiagnosticValue:
    """Return the t statistic of the mean with a Newey-West covariance of 5 lags, small-sample corrected."""
    fit = OLS(returns, np.ones(len(returns))).fit(cov_type="HAC", cov_kwds={"maxlags": LAGS, "use_correction": True})
    return float(fit.tvalues[0]), float(fit.pvalues[0])


def _arch_lm(returns: FloatArray) -> DiagnosticValue:
    statistic, p, _, _ = het_arch(returns - returns.mean(), nlags=LAGS)
    return float(statistic), float(p)


def _jarque_bera(returns: FloatArray) -> DiagnosticValue:
    result = stats.jarque_bera(returns)
    return float(result.statistic), float(result.pvalue)


def _lo_sharpe(returns: FloatArray) -> DiagnosticValue:
    """Return the Sharpe ratio annualised under the AR(1) of the lag-1 autocorrelation (Lo 2002)."""
    rho = float(acf(returns, nlags=1, fft=False)[1])
    return float(returns.mean() / returns.std(ddof=1) * lo_annualisation(rho, DAYS_A_YEAR)), None


TESTS: Final[tuple[tuple[str, Callable[[FloatArray], DiagnosticValue]], ...]] = (
    (f"Ljung-Box Q, {LAGS} lags", _ljung_box),
    (f"t of the mean, HAC {LAGS} lags", _hac_mean),
    (f"ARCH LM, {LAGS} lags", _arch_lm),
    ("Jarque-Bera", _jarque_bera),
    ("Sharpe ratio by Lo's eta(365)", _lo_sharpe),
    ("skewness", lambda returns: (float(stats.skew(returns)), None)),
    ("kurtosis (normal = 3)", lambda returns: (float(stats.kurtosis(returns, fisher=False)), None)),
)


def _guarded(series: str, name: str, test: Callable[[FloatArray], DiagnosticValue], returns: FloatArray) -> Diagnostic:
    """Return the row of one test; an error or warning of the library becomes its note."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # these two are about the library's next version, not about the numbers
        for category in (FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        try:
            value, p = test(returns)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as problem:
            return Diagnostic(series, name, None, None, f"not computed: {problem}")
    note = "; ".join(sorted({str(warning.message).split("\n")[0] for warning in caught}))
    if not np.isfinite(value):
        return Diagnostic(series, name, None, None, note or "not computed: the result is not finite")
    return Diagnostic(series, name, value, p if p is None or np.isfinite(p) else None, note)


def _garch(series: str, returns: FloatArray) -> list[Diagnostic]:
    """Return alpha and beta of a GARCH(1,1) with normal errors, fitted to returns of unit variance; or why not."""
    # arch warns and may fail to converge on returns of size 1e-4
    scaled = returns / returns.std()
    names = ("GARCH(1,1) alpha", "GARCH(1,1) beta")
    with warnings.catch_warnings():
        # the optimiser's own flag is read below and written into the row
        warnings.simplefilter("ignore")
        try:
            fit = arch_model(scaled, mean="Constant", vol="GARCH", p=1, q=1, rescale=False).fit(
                disp="off", show_warning=False
            )
            values = (float(fit.params["alpha[1]"]), float(fit.params["beta[1]"]))
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as problem:
            return [Diagnostic(series, name, None, None, f"not computed: {problem}") for name in names]
    if fit.convergence_flag != 0 or not np.all(np.isfinite(values)):
        why = f"the fit did not converge (flag {fit.convergence_flag})"
        return [Diagnostic(series, name, None, None, why) for name in names]
    note = f"persistence {values[0] + values[1]:.3f}"
    return [Diagnostic(series, name, value, None, note) for name, value in zip(names, values, strict=True)]


def _best_days(series: str, sleeve: Sleeve) -> Diagnostic:
    """Return the share of all profit that the best five days earned; above 1 where the other days lost."""
    name = f"share of profit from the best {BEST_DAYS} days"
    whole = int(sleeve.profit.sum())
    # A share of a loss has no meaning.
    if whole <= 0:
        return Diagnostic(series, name, None, None, "the trading profit of the window is not positive")
    return Diagnostic(series, name, float(np.sort(sleeve.profit)[-BEST_DAYS:].sum() / whole), None, "")
