"""Judges a series of daily returns as a notebook has it: floats on a UTC index, converted once and openly.

    series = return_series("runs/ID")                         the daily returns of a run, or of one constraint's sleeve
    units = return_units(series)                              int64 of 1e-9, what every kernel takes
    sharpe_interval(series, level=0.95)                       the registered interval, annual
    sign_flip_p(series, blocks=10)                            N1
    deflated(series, trials=[1.2, 0.4, -0.3])                 the deflated ratio

Returns are simple (profit over the capital that is committed), one a UTC day, without a gap: days that are left out
would be annualised as if they had not been.  The kernels of `hypotheses.statistics` refuse floats, because a return of
0.01 read as units of 1e-9 is nothing at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.registration.load import load_registration
from backtest.results.returns import portfolio_returns, sleeve_returns, units_as_series
from backtest.results.tables import read_table
from engine.arguments import require_number
from engine.errors import UsageError
from engine.exact.sums import RETURN_UNIT
from engine.records import IntArray
from hypotheses.records import Proportion
from hypotheses.statistics import psr_of_series, sharpe
from hypotheses.statistics.bootstrap import Bits
from hypotheses.statistics.inference import infer_sharpe
from hypotheses.statistics.intervals import symmetric
from hypotheses.statistics.sign_flips import MOST_BLOCKS, block_sums, n1

LARGEST: Final = 10.0
"""A daily return of a thousand percent on committed capital: what is larger was given in percent or in dollars."""
DISCARD_SHARE: Final = Decimal("0.01")


def return_series(run: Path | str, sleeve: str | None = None) -> pd.Series:
    """Return the simple daily returns of a run, as every library of performance statistics takes them.

    They are net of all costs and of the charge on the committed capital, over that capital; a day without a position
    has its return too.  They are annualised with 365 days: these markets are open every day.

    Parameters
    ----------
    run : Path or str
        A finished run directory, ``runs/ID``.
    sleeve : str, optional
        A constraint, ``"C3"``: returns over its share of the capital.  The portfolio where it is None.

    Returns
    -------
    pd.Series, shape (days,)
        float64, a share of the capital (0.01 is one percent), on a `DatetimeIndex` of successive UTC days named
        ``day``; its name is ``"portfolio"`` or the sleeve.

    Raises
    ------
    MissingError
        If ``run`` has no plan or no table of returns.
    UsageError
        If the plan has no such ``sleeve``.
    """
    folder = Path(run)
    params = load_registration(folder / "registration.toml").params
    if sleeve is not None and sleeve not in params.sleeve_shares:
        raise UsageError(f"sleeve: expected one of {', '.join(params.sleeve_shares)}, was {sleeve!r:.200}")
    table = read_table(folder / "returns.parquet").sort_values("day", kind="stable")
    values = portfolio_returns(table, params) if sleeve is None else sleeve_returns(table, params, sleeve)
    return units_as_series(table, values, sleeve or "portfolio")


def return_units(returns: pd.Series) -> IntArray:
    """Return daily returns as the kernels take them: int64 in units of 1e-9, half to even.

    Parameters
    ----------
    returns : pd.Series, shape (n,)
        Simple daily returns, float64, on a `DatetimeIndex` of successive UTC days.

    Returns
    -------
    IntArray, shape (n,)
        Units of 1e-9; the inverse of `backtest.results.returns.units_as_series`.

    Raises
    ------
    UsageError
        If ``returns`` is no Series of float64, has no index of successive UTC days at midnight, or holds NaN, infinity
        or a return over 10 in size.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=3, tz="UTC")
    >>> return_units(pd.Series([0.001, -0.0005, 0.0], index=days)).tolist()
    [1000000, -500000, 0]
    """
    if not isinstance(returns, pd.Series) or returns.dtype != np.float64:
        was = f"a Series of {returns.dtype}" if isinstance(returns, pd.Series) else type(returns).__name__
        raise UsageError(f"returns: expected a pandas Series of float64, simple returns a day, was {was}")
    _require_days(returns.index)
    values = returns.to_numpy()
    # Negated: NaN compares false and is refused with the rest.
    bad = np.flatnonzero(~(np.abs(values) <= LARGEST))
    if len(bad):
        raise UsageError(
            f"returns: expected shares of the capital between -{LARGEST:g} and {LARGEST:g}, was {values[bad[0]]} on "
            f"{returns.index[bad[0]]:%Y-%m-%d}: a day without data earns 0, and percent are divided by 100"
        )
    units: IntArray = np.rint(values * RETURN_UNIT).astype(np.int64)
    return units


def _require_days(index: pd.Index) -> None:
    if not isinstance(index, pd.DatetimeIndex) or str(index.tz) not in ("UTC", "UTC+00:00"):
        zone = f", zone {index.tz}" if isinstance(index, pd.DatetimeIndex) else ""
        raise UsageError(
            f"returns: expected a DatetimeIndex in UTC, was {type(index).__name__}{zone}: use tz_localize or tz_convert"
        )
    steps = np.diff(index.as_unit("ns").asi8)
    day = pd.Timedelta(days=1).value
    if index.hasnans or (index != index.normalize()).any():
        raise UsageError(f"returns: expected midnights, was {index[index != index.normalize()][0]}")
    # A day left out would be annualised as if it had not been.
    if (steps != day).any():
        row = int(np.flatnonzero(steps != day)[0])
        raise UsageError(
            f"returns: expected successive days, was {index[row]:%Y-%m-%d} before {index[row + 1]:%Y-%m-%d}: sort, and "
            "give a day without a trade its return of 0"
        )


def annual_sharpe(returns: pd.Series) -> float | None:
    """Return the annual Sharpe ratio of daily returns, a year having 365 days.

    Parameters
    ----------
    returns : pd.Series, shape (n,)
        As in `return_units`.

    Returns
    -------
    float or None
        None where the standard deviation is zero or ``n`` is under 2.

    Raises
    ------
    UsageError
        If ``returns`` is refused by `return_units`.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=3, tz="UTC")
    >>> round(annual_sharpe(pd.Series([0.001, 0.003, 0.002], index=days)), 3)
    38.21
    """
    ratio = sharpe.daily(return_units(returns))
    return None if ratio is None else float(sharpe.annual(ratio))


def sharpe_interval(
    returns: pd.Series, bits: Bits, *, level: float = 0.95, draws: int = 9_999
) -> tuple[float, float] | str:
    """Return the studentised bootstrap interval of the annual Sharpe ratio, as H1 and H3 compute it.  [statistics 6]

    Parameters
    ----------
    returns : pd.Series, shape (n,)
        As in `return_units`.
    bits : Bits
        The bit generator of replicate r, for example ``lambda r: np.random.PCG64([7, r])``.
    level : float, in (0, 1), optional
        The coverage; 0.95 for 95%.
    draws : int, at least 1, optional
        Resamples.

    Returns
    -------
    tuple[float, float] or str
        Lower and upper end, or why there is none.

    Raises
    ------
    UsageError
        If ``returns`` is refused by `return_units`, ``level`` is not in (0, 1), ``draws`` under 1, or ``bits`` no
        function.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=60, tz="UTC")
    >>> series = pd.Series((np.arange(60) * 37 % 101 - 46) / 1e4, index=days)
    >>> low, high = sharpe_interval(series, lambda r: np.random.PCG64([7, r]), draws=199)
    >>> low < annual_sharpe(series) < high
    True
    """
    require_number("level", level, float, above=0, below=1)
    inference = infer_sharpe(return_units(returns), draws, bits, DISCARD_SHARE)
    # Through its text: 0.95 is meant, not the double next to it.
    interval = symmetric(inference, Decimal(str(level)))
    if interval is None:
        return inference.undefined or "too few bootstrap draws for the level"
    return float(sharpe.annual(interval.low)), float(sharpe.annual(interval.high))


def sign_flip_p(returns: pd.Series, blocks: int) -> Proportion:
    """Return p(N1) of a ratio at or under 0: sign changes of equal blocks of days, enumerated.  [statistics 3.2]

    Parameters
    ----------
    returns : pd.Series, shape (n,)
        As in `return_units`.
    blocks : int, at least 1
        Blocks of days, which differ by a day at most; at most 20, and at most n.

    Returns
    -------
    Proportion
        Sign changes that reach the observed sum, out of 2 to the power of ``blocks``.

    Raises
    ------
    UsageError
        If ``returns`` is refused by `return_units`, or ``blocks`` not from 1 to 20 and n.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=6, tz="UTC")
    >>> sign_flip_p(pd.Series([0.002, 0.003, 0.001, 0.001, -0.001, 0.002], index=days), 3)
    Proportion(count=1, of=8)
    """
    units = return_units(returns)
    require_number("blocks", blocks, int, at_least=1, at_most=min(MOST_BLOCKS, len(units)))
    return n1(block_sums(units, np.arange(len(units), dtype=np.int64) * blocks // len(units)))


def probabilistic(returns: pd.Series, claim: float) -> float | None:
    """Return the probabilistic Sharpe ratio against an annual claim (Bailey and Lopez de Prado 2012).

    Parameters
    ----------
    returns : pd.Series, shape (n,)
        As in `return_units`.
    claim : float
        The annual ratio to be exceeded.

    Returns
    -------
    float or None
        Between 0 and 1; None where it is undefined.

    Raises
    ------
    UsageError
        If ``returns`` is refused by `return_units`, or ``claim`` no finite number.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=90, tz="UTC")
    >>> round(probabilistic(pd.Series((np.arange(90) * 37 % 101 - 46) / 1e4, index=days), 1.0), 4)
    0.7443
    """
    require_number("claim", claim, float)
    return psr_of_series.probabilistic_sharpe(return_units(returns), Decimal(str(claim)))


def deflated(returns: pd.Series, trials: Sequence[float]) -> float | None:
    """Return the deflated Sharpe ratio (Bailey and Lopez de Prado 2014).

    Parameters
    ----------
    returns : pd.Series, shape (n,)
        As in `return_units`.
    trials : Sequence[float], shape (k,)
        Annual ratios of all configurations ever evaluated on the window, this one included.

    Returns
    -------
    float or None
        Between 0 and 1; None where it is undefined.

    Raises
    ------
    UsageError
        If ``returns`` is refused by `return_units`, or ``trials`` is empty or has an entry that is no finite number.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=90, tz="UTC")
    >>> series = pd.Series((np.arange(90) * 37 % 101 - 46) / 1e4, index=days)
    >>> deflated(series, [2.3]) > deflated(series, [2.3, 1.0, -2.0])
    True
    """
    return psr_of_series.deflated_sharpe(return_units(returns), trials)
