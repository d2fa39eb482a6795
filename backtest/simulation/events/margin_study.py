"""Probabilistic margin against fixed brackets on published bars, out of sample.  [risk.md 12]

The model is judged by itself (coverage, independence, shortfall) and against the venue's fixed rate, scaled to the same
average and unscaled, by deficit, joint score, liquidations that recover, and procyclicality.  It dominates only by the
rule of 12.4: deficit and score better, each with an interval that excludes zero, and at most twice as procyclical.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation.coverage_tests import (
    christoffersen,
    diebold_mariano,
    fz0,
    kupiec,
    mcnemar,
    shortfall_z2,
    simulated_z2,
)
from backtest.simulation.margin_comparison import (
    AccountFates,
    ClusterMeasures,
    RuleMeasures,
    cluster_study,
    deficits,
    delayed,
    procyclicality,
    run_accounts,
    time_to_safe_h,
)
from backtest.simulation.margin_forecast import CHUNK_DAYS, SIDES, MarginTask, forecast_days, margin_in_force
from backtest.simulation.resampling import bootstrap_indices, mean_interval
from backtest.simulation.result import RECOMPUTED, SimulationResult, SimulationTask
from backtest.simulation.scenario import ProbabilisticMargin, table_of
from backtest.simulation.source_files import in_order, of_file
from backtest.simulation.venues import VenueGrid, load_venue
from backtest.tasks.parallel import parallel_map
from engine.errors import DataError
from engine.exact.rounded import Floats
from engine.venue.integers import PPM
from engine.venue.margin import requirement

BLOCK_DAYS = 10.0
CANNOT_SAY = (
    "Moves are of last prices, not of marks; accounts are opened by us, one long and one short a day.",
    "The scaled comparator knows the average margin of the whole study, which no venue knows beforehand.",
    "Brackets are those of the venue's file at its date, on all years.",
    "Within a day VaR and ES move in proportion to the filtered deviation, which is exact for a horizon of one bar.",
    "Fits are those of a library: another processor or version may stop elsewhere in the last digits.",
)


@dataclass(frozen=True, slots=True)
class CoinStudy:
    """One coin's bars and forecasts; ``at`` are the rows of ``forecast`` that are judged: they do not overlap."""

    name: str
    close: Floats
    returns: Floats
    forecast: pd.DataFrame
    margin: Floats
    fixed: float
    at: np.ndarray
    day_bars: int

    def judged(self, column: str) -> Floats:
        """Return a column of the forecast at the judged rows."""
        return np.asarray(self.forecast[column].to_numpy()[self.at])

    def losses(self, side: str) -> Floats:
        """Return the loss over the horizon after each judged bar, a share of notional; negative for a gain."""
        bars = self.judged("bar")
        moves = self.close[bars + self.judged("horizon")] / self.close[bars] - 1.0
        return np.asarray(-moves if side == "long" else moves)


def measure(task: SimulationTask) -> SimulationResult:
    """Return the tests of the model and of its comparison.  Errors as `SourceFiles.table`, `load_venue`.

    Raises `DataError` (4) for bars that go back in time, or fewer than two windows of them.
    """
    given = table_of(task.plan, ProbabilisticMargin)
    digests: dict[str, str] = {}
    coins = [_coin(task, given, coin.name, coin.file, digests) for coin in given.coins]
    rate, seed = 1.0 - float(given.level), f"seed {task.plan.seed}"
    rows = [_coverage(c, side, rate, given.draws, f"{seed} {c.name} {side}") for c in coins for side in SIDES]
    series = pd.DataFrame([row for row, _ in rows])
    days = pd.concat([_days(c, side, rate) for c in coins for side in SIDES])
    daily = days.groupby("day")[["deficit", "score"]].mean()
    indices = bootstrap_indices(len(daily), given.draws, BLOCK_DAYS, seed, "venue/margin/days")
    intervals = {name: mean_interval(daily[name].to_numpy(), indices) for name in ("deficit", "score")}
    fates = {rule: _fates(coins, rule, float(given.equity_margins)) for rule in ("model", "fixed")}
    beyond = {rule: np.concatenate([_exceeded(c, rule, side) for c in coins for side in SIDES]) for rule in fates}
    only_model, only_fixed, paired_p = mcnemar(beyond["model"], beyond["fixed"])
    regret_model, regret_fixed, regret_p = mcnemar(fates["model"].regretted, fates["fixed"].regretted)
    rules = {rule: _rule(coins, rule, fates.get(rule)) for rule in ("model", "fixed", "unscaled")}
    # A fixed margin never moves: largest over smallest is 1.
    bounded = rules["model"].max_over_min <= 2.0 * rules["fixed"].max_over_min
    exceeded = np.concatenate([flags for _, flags in rows])
    figures: dict[str, Any] = {
        "days": len(daily), "fallback_days": int(series["fallback_days"].max()), "level": float(given.level),
        "observations": len(exceeded), "exceedance_rate": int(np.count_nonzero(exceeded)) / len(exceeded),
        "kupiec_p": kupiec(exceeded, rate)[1], "series": series.set_index("series").to_dict("index"),
        "rules": {name: asdict(m) for name, m in rules.items()},
        "deficit_difference_bps": 1e4 * float(daily["deficit"].sum()) / len(daily),
        "deficit_low_bps": 1e4 * intervals["deficit"][0], "deficit_high_bps": 1e4 * intervals["deficit"][1],
        "score_difference": float(daily["score"].sum()) / len(daily), "score_low": intervals["score"][0],
        "score_high": intervals["score"][1], "diebold_mariano_p": diebold_mariano(daily["score"].to_numpy())[1],
        "exceeded_by_model_alone": only_model, "exceeded_by_fixed_alone": only_fixed, "mcnemar_p": paired_p,
        "regretted_by_model_alone": regret_model, "regretted_by_fixed_alone": regret_fixed,
        "regret_mcnemar_p": regret_p,
        "procyclicality_within_twice": bounded,
        "dominates": intervals["deficit"][1] < 0 and intervals["score"][1] < 0 and bounded,
        "delays": {f"{hours} h": _delay(coins, hours) for hours in (0, *given.delays_h)},
        "clusters": {c.name: asdict(_clusters(c)) for c in coins},
    }  # fmt: skip
    tables = {"series": series, "margins": pd.concat([_by_day(c) for c in coins], ignore_index=True)}
    return SimulationResult(figures, tables, dict.fromkeys(figures, RECOMPUTED), digests, CANNOT_SAY)


def _coin(task: SimulationTask, given: ProbabilisticMargin, name: str, file: str, digests: dict[str, str]) -> CoinStudy:
    files, stem = of_file(task.data_root, file)
    bars = files.table(stem, ("close", "volume"), ("date",))
    digests |= files.digests
    bars["date"] = pd.to_datetime(bars["date"])
    in_order(bars["date"], stem)
    day_bars = 1440 // given.bar_min
    window = given.window_days * day_bars
    whole = len(bars) // day_bars * day_bars
    if whole < 2 * window:
        raise DataError(f"{stem}: expected at least {2 * window} bars for two windows, was {len(bars)}")
    if not (bars["close"] > 0).all():
        raise DataError(f"{stem}: expected closes > 0, was {bars['close'].min()}")
    close = bars["close"].to_numpy()[:whole]
    returns = np.concatenate([[0.0], np.diff(np.log(close))])
    shared = MarginTask(
        returns, bars["volume"].to_numpy()[:whole] * close, day_bars, window, float(given.level),
        float(given.position_usd), float(given.participation), given.paths, f"seed {task.plan.seed} {name}",
    )  # fmt: skip
    starts = range(given.window_days, whole // day_bars, CHUNK_DAYS)
    parts = []
    for start, part in zip(starts, parallel_map(task.workers)(forecast_days, shared, starts), strict=True):
        task.on_progress(f"{name}: day {start} of {whole // day_bars}")
        parts.append(part)
    forecast: pd.DataFrame = pd.concat(parts, ignore_index=True)
    margin = margin_in_force(forecast, day_bars, _costs(forecast, given, day_bars))
    return CoinStudy(name, close, returns, forecast, margin, _fixed_rate(task, given, name),
                _judged_rows(forecast, day_bars), day_bars)  # fmt: skip


def _judged_rows(forecast: pd.DataFrame, day_bars: int) -> np.ndarray:
    """Return the rows from whose close a whole horizon lies within the day; horizons follow each other."""
    place = np.arange(len(forecast)) % day_bars
    horizon = forecast["horizon"].to_numpy()
    return np.flatnonzero((place % horizon == 0) & (place + horizon < day_bars))


def _costs(forecast: pd.DataFrame, given: ProbabilisticMargin, day_bars: int) -> Floats:
    """Return half spread, fee and square-root impact of the position, [bars], as rates.  [12.2, 14.1]"""
    share = float(given.position_usd) / (day_bars * forecast["volume_usd"].to_numpy())
    impact = forecast["sigma"].to_numpy() * np.sqrt(day_bars * share)
    return np.asarray(impact + (float(given.half_spread_bps) + float(given.fee_bps)) / 1e4)


def _fixed_rate(task: SimulationTask, given: ProbabilisticMargin, name: str) -> float:
    """Return the venue's maintenance rate of the position, by its brackets.  [6.3]"""
    grid = VenueGrid(Decimal("0.1"), Decimal("0.001"))
    brackets = load_venue(task.venues, task.plan.venue, (name,), grid).markets[0].brackets
    value = int(Decimal(given.position_usd) * PPM)
    return requirement(value, brackets, brackets.maintenance_ppm) / value


def _coverage(coin: CoinStudy, side: str, rate: float, draws: int, seed: str) -> tuple[dict[str, Any], np.ndarray]:
    losses, var, es = coin.losses(side), coin.judged(f"var_{side}"), coin.judged(f"es_{side}")
    exceeded = losses > var
    z2 = shortfall_z2(losses, var, es, rate)
    under = simulated_z2(var, es, coin.judged(f"shape_{side}"), rate, draws, seed)
    independence = christoffersen(exceeded, rate)
    row = {
        "series": f"{coin.name} {side}", "observations": len(losses), "exceedances": int(np.count_nonzero(exceeded)),
        "rate": int(np.count_nonzero(exceeded)) / len(losses), "kupiec_p": kupiec(exceeded, rate)[1],
        "independence_p": independence[1], "conditional_p": independence[2], "z2": z2,
        "z2_critical": float(under[int(0.05 * (draws - 1))]),
        "z2_p": int(np.count_nonzero(under <= z2)) / draws,
        "fallback_days": int(np.count_nonzero(coin.judged("fallback"))),
    }  # fmt: skip
    return row, exceeded


def _margin(coin: CoinStudy, rule: str) -> Floats:
    """Return the margin of a rule on every bar: the model's, its average, or the venue's own rate."""
    if rule == "model":
        return coin.margin
    level = float(coin.margin.sum()) / len(coin.margin) if rule == "fixed" else coin.fixed
    return np.full(len(coin.margin), level)


def _exceeded(coin: CoinStudy, rule: str, side: str) -> np.ndarray:
    return np.asarray(coin.losses(side) > _margin(coin, rule)[coin.at])


def _days(coin: CoinStudy, side: str, rate: float) -> pd.DataFrame:
    """Return day, and model less fixed in deficit and in score; the fixed pair is the average of the model's."""
    losses, var, es = coin.losses(side), coin.judged(f"var_{side}"), coin.judged(f"es_{side}")
    constant = [np.full(len(v), float(v.sum()) / len(v)) for v in (var, es)]
    beyond = {rule: deficits(losses, _margin(coin, rule)[coin.at]) for rule in ("model", "fixed")}
    return pd.DataFrame({
        "day": coin.judged("bar") // coin.day_bars,
        "deficit": beyond["model"] - beyond["fixed"],
        "score": fz0(losses, var, es, rate) - fz0(losses, constant[0], constant[1], rate),
    })  # fmt: skip


def _fates(coins: list[CoinStudy], rule: str, equity_margins: float) -> AccountFates:
    """Return the accounts of all coins under a rule; equity is a multiple of the average margin, the same for both."""
    parts = []
    for coin in coins:
        first = int(coin.forecast["bar"].iloc[0])
        margin = np.concatenate([np.full(first, np.nan), _margin(coin, rule)])
        equity = equity_margins * float(_margin(coin, "fixed")[0])
        # From the second day on: the first close has no margin in force before it.
        parts.append(run_accounts(coin.close, margin, first + coin.day_bars, coin.day_bars, equity))
    return AccountFates(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("liquidated", "regretted"))
    )


def _rule(coins: list[CoinStudy], rule: str, fates: AccountFates | None) -> RuleMeasures:
    """Return what a rule did over all coins and sides; accounts are those of rules with the same average margin."""
    short = np.concatenate([deficits(c.losses(side), _margin(c, rule)[c.at]) for c in coins for side in SIDES])
    margins = [_margin(c, rule) for c in coins]
    cycles = [procyclicality(m, c.day_bars) for m, c in zip(margins, coins, strict=True)]
    return RuleMeasures(
        mean_margin=float(np.concatenate(margins).sum()) / len(np.concatenate(margins)),
        exceedances=int(np.count_nonzero(short > 0)), deficit_bps=1e4 * float(short.sum()) / len(short),
        liquidations=int(np.count_nonzero(fates.liquidated)) if fates else None,
        regretted=int(np.count_nonzero(fates.regretted)) if fates else None,
        max_over_min=max(ratio for ratio, _ in cycles), change_5d=max(change for _, change in cycles),
    )  # fmt: skip


def _delay(coins: list[CoinStudy], hours: int) -> dict[str, float]:
    """Return what the model's margin costs where each change waits for a vote: deficit, and hours under the model."""
    short, safe = [], []
    for coin in coins:
        margin = delayed(coin.margin, hours, coin.day_bars) if hours else coin.margin
        short += [deficits(coin.losses(side), margin[coin.at]) for side in SIDES]
        # 5% under it is still safe, as in risk.md 13.
        safe.append(time_to_safe_h(margin, 0.95 * coin.margin, coin.day_bars))
    beyond = np.concatenate(short)
    return {
        "deficit_bps": 1e4 * float(beyond.sum()) / len(beyond), "exceedances": int(np.count_nonzero(beyond > 0)),
        "hours_to_safe": max(safe),
    }  # fmt: skip


def _clusters(coin: CoinStudy) -> ClusterMeasures:
    first = int(coin.forecast["bar"].iloc[0])
    returns = coin.returns[first : first + len(coin.margin)]
    return cluster_study(returns, coin.margin, first, coin.day_bars // 24)


def _by_day(coin: CoinStudy) -> pd.DataFrame:
    """Return a row a day: the margin in force at its first bar, its floor's stress, and the fixed rates."""
    rows = coin.forecast.iloc[:: coin.day_bars]
    return pd.DataFrame({
        "coin": coin.name, "day": rows["bar"].to_numpy() // coin.day_bars, "margin": coin.margin[:: coin.day_bars],
        "stress": rows["stress"].to_numpy(), "horizon_bars": rows["horizon"].to_numpy(),
        "fixed": _margin(coin, "fixed")[0], "unscaled": coin.fixed,
    })  # fmt: skip
