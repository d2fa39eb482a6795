"""The three-way study: every account, every placebo, the specification curve.  [covenants 9, 15]

What is computed here is data for the judge: equities, counts, shares.  Verdicts are made a floor above.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation import covenant_metrics as metrics
from backtest.simulation.covenant_accounts import run_accounts
from backtest.simulation.covenant_call import covered_calls
from backtest.simulation.covenant_config import Study
from backtest.simulation.covenant_data import PairBars
from backtest.simulation.covenant_parts import Part, StudyParts
from backtest.simulation.covenant_placebo import matched, moved_episodes
from backtest.simulation.covenant_plain import run_plain
from backtest.simulation.covenant_records import AccountRuns, Orders, Track
from backtest.simulation.covenant_signals import Signals, episodes
from backtest.simulation.covenant_variants import (
    SIDES,
    SignalStore,
    Variant,
    configurations,
    orders_of,
    plain_orders,
)
from engine.exact.rounded import Floats
from engine.units import NS_PER_DAY, NS_PER_HOUR

STOP_LOSS = 0.2
"""Of the starting capital; the manual stop of the standard account's variant.  [covenants 9.2 (a)]"""


@dataclass(frozen=True)
class ThreeWay:
    """Daily equity by account (from 1), facts by account, the curve, the draws of p3, and speeds in seconds."""

    equity: pd.DataFrame
    facts: pd.DataFrame
    curve: pd.DataFrame
    placebo: pd.DataFrame
    speed: dict[str, float]
    main: Signals


def three_way(study: Study, bars: PairBars, first: int, parts: StudyParts) -> ThreeWay:
    """Return the whole comparison over bars from ``first``; accounts, p3 and each reading of the curve are parts."""
    terms, p = study.accounts, study.parameters
    store = SignalStore(bars, first)
    parts.progress("signals")
    # Those of the main reading are what the remaining claims are measured on: made in every attempt, in seconds.
    main = store.of(Variant("b", p, terms.leverage))
    track = Track.of(bars, main.measures.spread, first, bars.t_ns.size)

    def run(orders: Orders) -> AccountRuns:
        return run_accounts(track, orders, terms, p)

    accounts = parts("accounts", lambda: _accounts(study, bars, first, store, main, track, run))
    p3 = parts("placebo p3", lambda: _p3(study, main, track, first))
    listed = configurations(p, terms.leverage)

    def curve_of(reading: str) -> Part:
        return _curve(study, [(v, store.of(v)) for v in listed if v.p.reading == reading], track, first, run)

    readings = dict.fromkeys(v.p.reading for v in listed)
    curves = [parts(f"specification curve, {r}", partial(curve_of, r))["curve"] for r in readings]
    curve = pd.concat([part[part["side"] == side] for side in SIDES for part in curves], ignore_index=True)
    return ThreeWay(accounts["equity"], accounts["facts"], curve, p3["draws"], p3["speed"], main)


def _accounts(
    study: Study, bars: PairBars, first: int, store: SignalStore, main: Signals, track: Track,
    run: Callable[[Orders], AccountRuns],
) -> Part:  # fmt: skip
    """Return daily equity and facts of every account but the draws of p3."""
    terms, p = study.accounts, study.parameters
    readings = [
        *(Variant(f"b_{r}", replace(p, reading=r), terms.leverage) for r in ("scaled", "principled")),
        Variant("b_close", p, terms.leverage, closes=True),
        Variant("b0", p, terms.leverage, static=True),
        *(Variant(f"b_L{k}", p, float(k)) for k in (2, 3)),
    ]
    named = [(Variant("b", p, terms.leverage), main), *((v, store.of(v)) for v in readings)]
    table = _Table(bars, first, track, terms.capital_usd)
    result = run(orders_of(named, track, first))
    table.add([f"{v.name}_{side}" for side in SIDES for v, _ in named], result)
    days = track.days
    both = np.array(list(SIDES.values()))
    for k in (terms.leverage, 2.0, 3.0):
        name = "a" if k == terms.leverage else f"a_L{k:g}"
        table.add([f"{name}_{side}" for side in SIDES], run(plain_orders(np.full((days, 2), k), both)))
    stopped = replace(plain_orders(np.full((days, 2), terms.leverage), both), stop=np.full(2, STOP_LOSS))
    table.add([f"a_stop_{side}" for side in SIDES], run(stopped))
    caps = main.caps[first:]
    # Two long legs have L_0 together; a long and a short have it each.
    half = np.full((days, 1), 0.5 * terms.leverage)
    long_a = np.ones(1)
    table.add(["a_long"], run(plain_orders(half, long_a, both_long=True)))
    table.add(["b_long"], run(plain_orders(half, long_a, caps, both_long=True)))
    _placebos(table, named, track, run, days, both)
    # The calls are priced from hourly closes.
    if p.bar_min == 60:
        # 1970-01-01 was a Thursday.
        week_hour = (bars.t_ns // NS_PER_HOUR + 72) % 168
        for name, markup in (("c", 1.10), ("c_0.9", 0.9), ("c_1.0", 1.0), ("c_1.25", 1.25)):
            spot = (bars.spot_a, bars.spot_b)
            table.equity[name] = covered_calls(spot, week_hour, bars.t_ns % NS_PER_DAY == 0, first, markup)
    for name in [c[: -len("_short_a")] for c in list(table.equity) if c.endswith("_short_a")]:
        _mean_of_sides(table, name)
    return {"equity": table.frame(), "facts": table.facts_frame()}


class _Table:
    """Daily equities and facts by account name, all accounts over the same days."""

    def __init__(self, bars: PairBars, first: int, track: Track, capital_usd: float) -> None:
        self.t_ns = bars.t_ns[first:][track.opens]
        self.capital = capital_usd
        self.years = (bars.t_ns[-1] - bars.t_ns[first]) / NS_PER_DAY / 365.0
        self.equity: dict[str, Floats] = {}
        self.facts: list[dict[str, Any]] = []
        self.leverage: dict[str, float] = {}

    def add(self, names: list[str], result: AccountRuns) -> None:
        """Take over the paths of a result under ``names``."""
        for k, name in enumerate(names):
            equity = result.equity[:, k] / self.capital
            self.equity[name] = equity
            self.leverage[name] = float(result.leverage[k])
            self.facts.append({
                "account": name, **metrics.summary(equity), "leverage": float(result.leverage[k]),
                "bar_mdd": float(result.bar_drawdown[k]), "liquidations": int(result.liquidations[k]),
                "reallocations": int(result.reallocations[k]),
                "turnover_a_year": float(result.turnover_usd[k] / self.capital / self.years),
                "fees": float(result.fees_usd[k] / self.capital),
                "funding": float(result.funding_usd[k] / self.capital),
                "transfers": float(result.transfers_usd[k] / self.capital), "ruined": bool(equity[-1] <= 0),
            })  # fmt: skip

    def frame(self) -> pd.DataFrame:
        """Return t_ns and a column an account."""
        return pd.DataFrame({"t_ns": self.t_ns, **self.equity})

    def facts_frame(self) -> pd.DataFrame:
        """Return a row an account; accounts without positions of their own have their measures only."""
        known = {row["account"] for row in self.facts}
        rest = [{"account": n, **metrics.summary(e)} for n, e in self.equity.items() if n not in known]
        return pd.DataFrame([*self.facts, *rest])


def _placebos(
    table: _Table, named: list[tuple[Variant, Signals]], track: Track, run: Callable[[Orders], AccountRuns], days: int,
    both: Floats,
) -> None:  # fmt: skip
    """Add p1 of every named account and p2 of the main one, all matched at once."""
    n = len(named)
    owners = [v.name for v, _ in named] + ["b"]
    wanted = np.array([table.leverage[f"{name}_{side}"] for side in SIDES for name in owners])
    main = named[0][1]
    calm = 1.0 / main.measures.volatility[main.first :][track.opens]
    shape = np.ones((days, 2 * (n + 1)))
    shape[:, n] = shape[:, 2 * n + 1] = calm / np.mean(calm)
    _, result = matched(shape, wanted, plain_orders(shape, np.repeat(both, n + 1)), run)
    names = [f"p1_of_{v.name}" for v, _ in named] + ["p2"]
    table.add([f"{name}_{side}" for side in SIDES for name in names], result)


def _mean_of_sides(table: _Table, name: str) -> None:
    """Add the equal-weight mean of the daily returns of both orientations.  [covenants 15.3]"""
    returns = [metrics.returns_of(table.equity[f"{name}_{side}"]) for side in SIDES]
    table.equity[f"{name}_mean"] = np.concatenate(([1.0], np.cumprod(1.0 + 0.5 * (returns[0] + returns[1]))))


def _p3(study: Study, main: Signals, track: Track, first: int) -> Part:
    """Return a row a draw: measures of both orientations and of their mean, and processor seconds of both ways."""
    draws, terms, p, days = study.placebo_draws, study.accounts, study.parameters, track.days
    executes, reduces = moved_episodes(episodes(main), first, main.funding.size, draws, study.seed_text)
    side = np.repeat(list(SIDES.values()), draws)
    orders = Orders(
        side, -side, np.full((days, 2 * draws), terms.leverage), np.tile(executes, (1, 2)), np.tile(reduces, (1, 2)),
        None, main.caps[first:, None], np.zeros(2 * draws, np.int64),
    )  # fmt: skip
    # Of the processor, not of the clock: other programs slow a batch and a loop down differently.
    begun = time.process_time()
    # No figure of p3 is a leverage or a drawdown on bars.
    result = run_accounts(track, orders, terms, p, watch=False)
    batch_s = time.process_time() - begun
    begun = time.process_time()
    loops = min(study.plain_draws, draws)
    for k in range(loops):
        # Compared in every study, on its own bars: the tests have others.
        if run_plain(track, orders, k, terms, p) != result.equity[:, k].tolist():
            raise AssertionError(f"placebo draw {k}: the batch and its plain loop differ")
    plain_s = time.process_time() - begun
    returns = metrics.returns_of(result.equity.T)
    parts = {"short_a": returns[:draws], "long_a": returns[draws:], "mean": 0.5 * (returns[:draws] + returns[draws:])}
    table: dict[str, Any] = {"draw": np.arange(draws)}
    for name, part in parts.items():
        table[f"sharpe_{name}"], table[f"mdd_{name}"] = metrics.sharpe(part), metrics.drawdown_of(part)
        table[f"final_{name}"] = np.prod(1.0 + part, axis=1)
    speed = {"p3_accounts": 2.0 * draws, "p3_batch_s": batch_s, "plain_loops": float(loops), "plain_s": plain_s}
    if loops:
        speed["times_faster"] = plain_s / loops * 2.0 * draws / batch_s
    return {"draws": pd.DataFrame(table), "speed": speed}


def _curve(
    study: Study, variants: list[tuple[Variant, Signals]], track: Track, first: int,
    run: Callable[[Orders], AccountRuns],
) -> Part:  # fmt: skip
    """Return a row a configuration and orientation, with the constant-leverage placebo of each."""
    orders = orders_of(variants, track, first)
    result = run(orders)
    shape = np.ones(orders.target.shape)
    _, placebo = matched(shape, result.leverage, plain_orders(shape, orders.side_a, hedge=orders.hedge), run)
    rows = []
    n = len(variants)
    for k in range(2 * n):
        variant, s = variants[k % n]
        mode = s.machine.mode[first:]
        equity, other = result.equity[:, k], placebo.equity[:, k]
        size = np.abs(s.measures.spread[first:])
        rows.append({
            "configuration": variant.name, "side": list(SIDES)[k // n], "leverage": float(result.leverage[k]),
            "sharpe": float(metrics.sharpe(metrics.returns_of(equity))), "mdd": float(metrics.drawdown(equity)),
            "sharpe_p1": float(metrics.sharpe(metrics.returns_of(other))), "mdd_p1": float(metrics.drawdown(other)),
            "final": float(equity[-1] / study.accounts.capital_usd),
            "reallocations": int(result.reallocations[k]), "liquidations": int(result.liquidations[k]),
            "manual_share": float(np.mean(mode == 3)), "live_share": float(np.mean(mode == 1)),
            "breach_share": float(np.mean(size > s.in_force[first:])),
        })  # fmt: skip
    return {"curve": pd.DataFrame(rows)}
