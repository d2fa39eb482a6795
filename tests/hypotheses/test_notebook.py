"""The doors of a notebook: floats on UTC days are converted once, to what a run has; all else is refused."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtest.results.returns import units_as_series
from engine.errors import MissingError, UsageError
from hypotheses import notebook
from hypotheses.statistics import psr_of_series
from hypotheses.statistics.inference import infer_sharpe
from hypotheses.statistics.intervals import symmetric
from tests.helpers.small_run import Tiny
from tests.hypotheses.cases import bits

DAYS = pd.date_range("2026-01-01", periods=90, tz="UTC")
UNITS = np.random.default_rng(5).normal(2e5, 1e6, 90).astype(np.int64)
SERIES = pd.Series(UNITS / 1e9, index=DAYS)


def test_the_door_is_the_way_back_from_a_run_s_series() -> None:
    """What `units_as_series` gives a notebook comes back to the last unit."""
    table = pd.DataFrame({"day": np.arange(20_454, 20_544)})

    assert notebook.return_units(units_as_series(table, UNITS, "all")).tolist() == UNITS.tolist()


def test_the_doors_give_what_textbook_lines_give() -> None:
    """The ratio by pandas, the interval and the p-values by the kernels on integers."""
    inference = infer_sharpe(UNITS, 199, bits(), Decimal("0.01"))
    interval = symmetric(inference, Decimal("0.95"))
    assert interval is not None
    ends = [float(end) * 365**0.5 for end in (interval.low, interval.high)]
    sums = np.add.reduceat(UNITS, np.arange(0, 90, 9)).tolist()
    flips = np.array([sum(s if word >> i & 1 else -s for i, s in enumerate(sums)) for word in range(2**10)])

    assert notebook.annual_sharpe(SERIES) == pytest.approx(SERIES.mean() / SERIES.std() * 365**0.5, rel=1e-12)
    assert notebook.sharpe_interval(SERIES, bits(), draws=199) == pytest.approx(ends, rel=1e-12)
    assert notebook.sign_flip_p(SERIES, 10).count == int((flips >= sum(sums)).sum())
    assert notebook.probabilistic(SERIES, 1.0) == psr_of_series.probabilistic_sharpe(UNITS, Decimal("1.0"))
    assert notebook.deflated(SERIES, [2.0, 1.0]) == psr_of_series.deflated_sharpe(UNITS, [2.0, 1.0])


def test_the_returns_of_a_run_are_its_profit_over_its_capital(tiny: Tiny) -> None:
    """By the table of micro-dollars, the portfolio and a seventh of the capital; the ratio is the one H1 reports."""
    table = pd.read_parquet(tiny.folder / "returns.parquet")
    portfolio, sleeve = notebook.return_series(tiny.folder), notebook.return_series(str(tiny.folder), "C3")

    assert portfolio.to_numpy() == pytest.approx(table["x"].to_numpy() / 1e12, abs=1e-9)
    assert sleeve.to_numpy() == pytest.approx(table["x_C3"].to_numpy() / (1e12 / 7), abs=1e-9)
    assert (portfolio.index == pd.date_range("2026-01-23", periods=10, tz="UTC")).all()
    assert (portfolio.name, sleeve.name, portfolio.index.name) == ("portfolio", "C3", "day")
    reported = json.loads((tiny.folder / "verdicts.json").read_text())["H1"]["sharpe"]
    assert portfolio.mean() / portfolio.std() * 365**0.5 == pytest.approx(reported, rel=1e-5)


def test_what_has_no_returns_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"registration\.toml"):
        notebook.return_series(tmp_path)
    with pytest.raises(UsageError, match=r"sleeve: expected one of C1, .*, was 'C8'"):
        notebook.return_series(tiny.folder, "C8")


def test_no_interval_says_why() -> None:
    """A series that does not vary, and one of five days."""
    assert notebook.sharpe_interval(SERIES * 0.0, bits(), draws=9) == "the standard deviation is zero"
    assert "too few" in str(notebook.sharpe_interval(SERIES.iloc[:5], bits(), draws=9))


REFUSED: dict[str, Any] = {
    "expected a pandas Series of float64": SERIES.to_numpy(),
    "was a Series of int64": pd.Series(UNITS, index=DAYS),
    "was RangeIndex": pd.Series(UNITS / 1e9),
    "zone None": pd.Series(UNITS / 1e9, index=DAYS.tz_localize(None)),
    "zone Asia/Tokyo": pd.Series(UNITS / 1e9, index=DAYS.tz_convert("Asia/Tokyo")),
    "expected midnights": pd.Series(UNITS / 1e9, index=DAYS + pd.Timedelta(hours=1)),
    "2026-01-05 before 2026-01-07": SERIES.drop(DAYS[5]),
    "2026-03-31 before 2026-03-30": SERIES.iloc[::-1],
    "was nan on 2026-01-04": SERIES.where(np.arange(90) != 3),
    "was 1500.0 on 2026-01-01": SERIES * 0.0 + 1500.0,
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_no_series_of_daily_returns_is_refused(said: str) -> None:
    """Every door says which argument and what to do."""
    given = REFUSED[said]
    for door in (
        notebook.return_units,
        notebook.annual_sharpe,
        lambda returns: notebook.sharpe_interval(returns, bits(), draws=9),
        lambda returns: notebook.sign_flip_p(returns, 10),
        lambda returns: notebook.probabilistic(returns, 1.0),
        lambda returns: notebook.deflated(returns, [1.0]),
    ):
        with pytest.raises(UsageError, match=rf"^returns: .*{said}"):
            door(given)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("level", lambda: notebook.sharpe_interval(SERIES, bits(), level=95)),
        ("draws", lambda: notebook.sharpe_interval(SERIES, bits(), draws=0)),
        ("bits", lambda: notebook.sharpe_interval(SERIES, 7, draws=9)),  # type: ignore[arg-type]  # the mistake
        ("blocks", lambda: notebook.sign_flip_p(SERIES, 0)),
        ("blocks", lambda: notebook.sign_flip_p(SERIES, 21)),
        ("claim", lambda: notebook.probabilistic(SERIES, float("nan"))),
        ("trials", lambda: notebook.deflated(SERIES, [])),
        ("trials", lambda: notebook.deflated(SERIES, [1.0, float("nan")])),
    ],
)
def test_other_arguments_are_refused_by_name(name: str, call: Any) -> None:
    """A level in percent, no draws, no trials."""
    with pytest.raises(UsageError, match=rf"^{name}[:\[]"):
        call()
