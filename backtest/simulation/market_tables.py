"""What a market scenario leaves: the path, events, accounts, haircuts, and figures of them.  [risk.md 8, 9.4, 14.1]"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation.opening import Opening
from backtest.simulation.scenario_market import MarketScenario
from engine.venue.base import BreakerLevel, EventKind, Reason, State, Tick
from engine.venue.events import Event
from engine.venue.integers import Ints, exact_sum
from engine.venue.margin import requirements

QUANTA = 1_000_000


@dataclass(slots=True)
class MarketPath:
    """What the market remembers between events: impact in ppm of the price, the last print, prices elsewhere."""

    impact_ppm: int = 0
    last_ticks: int = 0
    outside: list[int] = field(default_factory=list)
    frozen_since_s: int | None = None
    frozen_ticks: int = 0


class MarketLog:
    """Collects rows of every event; `result` makes figures and tables of them."""

    def __init__(self, opening: Opening, given: MarketScenario) -> None:
        self.opening, self.given = opening, given
        self.path: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.haircuts: list[dict[str, Any]] = []
        self.broken: list[str] = []
        self.interest = exact_sum(np.maximum(opening.state.size[0], 0))

    def add(
        self, tick: Tick, before: State, state: State, events: Sequence[Event], path: MarketPath, broken: Sequence[str]
    ) -> None:  # fmt: skip
        """Take over one event: the states around it, what happened, and which invariants it broke."""
        t_s, market, tick_usd = tick.time_ns // 10**9, state.markets[0], float(self.given.tick_usd)
        self.broken += [f"{t_s} s: {sentence}" for sentence in broken]
        ratios = _margin_ratios(state)
        closed = {kind: _usd(self.opening, events, kind, market.mark_ticks) for kind in _CLOSING}
        self.path.append({
            "t_s": t_s, "outside_usd": path.outside[-1] * tick_usd,
            "book_usd": path.outside[-1] * (1 + path.impact_ppm / 1e6) * tick_usd,
            "oracle_usd": market.oracle_ticks * tick_usd, "mark_usd": market.mark_ticks * tick_usd,
            "fund_usd": state.fund / QUANTA, "liquidated_usd": closed[EventKind.LIQUIDATION],
            "deleveraged_usd": closed[EventKind.DELEVERAGING], "breaker": int(market.breaker),
            "oracle_state": int(market.oracle_state),
            "least_margin_ratio": float(ratios.min()) if len(ratios) else None,
            "share_below_twice_maintenance": float(np.count_nonzero(ratios < 2)) / len(ratios) if len(ratios) else 0.0,
            "initial_multiplier": state.params.markets[0].initial_multiplier_ppm / 1e6,
            "funding_rate_8h": market.last_rate_ppb_8h / 1e9,
        })  # fmt: skip
        for e in events:
            self.events.append({
                "t_s": t_s, "kind": e.kind.name, "reason": e.reason.name, "account": e.account,
                "counterparty": e.counterparty, "lots": e.lots, "price_usd": e.price_ticks * tick_usd,
                "usd": e.quanta / QUANTA, "winners": len(e.winners),
            })  # fmt: skip
            for rank, (account, lots) in enumerate(zip(e.winners, e.winner_lots, strict=True), 1):
                held = abs(int(before.size[0, account]))
                self.haircuts.append({"t_s": t_s, "rank": rank, "account": account, "lots": lots,
                                      "share_of_position": lots / held if held else 1.0})  # fmt: skip

    def result(self, state: State) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
        """Return figures and tables after the last event."""
        path, events = pd.DataFrame(self.path), pd.DataFrame(self.events, columns=_EVENT_COLUMNS)
        value = _values(state)
        interest = self.interest * self.opening.start_ticks * self.opening.quanta_per_lot_tick / QUANTA
        amounts = path["liquidated_usd"].to_numpy()
        rounds = amounts[amounts > 0]
        liquidated = float(amounts.sum())
        covered = events[(events["kind"] == "SOCIALISATION") & (events["reason"] == Reason.BAD_DEBT.name)]
        step_s = self.given.step_s
        figures: dict[str, Any] = {
            "open_interest_usd": interest, "liquidated_usd": liquidated,
            "liquidated_share": liquidated / interest if interest else 0.0,
            "accounts_liquidated": int(events.loc[events["kind"] == "LIQUIDATION", "account"].nunique()),
            "rounds": len(rounds), "total_over_first_round": liquidated / float(rounds[0]) if len(rounds) else 1.0,
            "deleveraged_usd": float(path["deleveraged_usd"].sum()),
            "accounts_deleveraged": len({row["account"] for row in self.haircuts}),
            "largest_haircut_of_position": max((row["share_of_position"] for row in self.haircuts), default=0.0),
            "fund_end_usd": state.fund / QUANTA, "fund_least_usd": float(path["fund_usd"].min()),
            "socialised_usd": float((-covered["usd"]).sum()),
            "deficit_end_usd": -exact_sum(np.minimum(value, 0)) / QUANTA,
            "outside_low_usd": float(path["outside_usd"].min()), "book_low_usd": float(path["book_usd"].min()),
            "mark_low_usd": float(path["mark_usd"].min()),
            "slow_s": int((path["breaker"] == int(BreakerLevel.SLOW)).sum()) * step_s,
            "halted_s": int((path["breaker"] == int(BreakerLevel.HALT)).sum()) * step_s,
            "initial_multiplier_most": float(path["initial_multiplier"].max()),
            "recovery_s": _recovery_s(path), "events": len(events), "invariants_broken": len(self.broken),
        }  # fmt: skip
        accounts = pd.DataFrame({
            "account": range(len(value)), "role": self.opening.roles,
            "start_usd": _values(self.opening.state, self.opening.start_ticks) / QUANTA, "end_usd": value / QUANTA,
            "start_lots": self.opening.state.size[0], "end_lots": state.size[0],
        })  # fmt: skip
        haircuts = pd.DataFrame(self.haircuts, columns=["t_s", "rank", "account", "lots", "share_of_position"])
        tables = {"accounts": accounts, "events": events, "haircuts": haircuts, "path": path}
        if self.broken:
            tables["invariants"] = pd.DataFrame({"broken": self.broken})
        return figures, tables


_CLOSING = (EventKind.LIQUIDATION, EventKind.DELEVERAGING)
_EVENT_COLUMNS = ["t_s", "kind", "reason", "account", "counterparty", "lots", "price_usd", "usd", "winners"]


def _recovery_s(path: pd.DataFrame) -> int | None:
    """Return seconds that a raised initial margin stays more than 5% above its base, from the first raise on.

    None where nothing raised it, or where it is still up at the end.  [13]
    """
    high = path.loc[path["initial_multiplier"] > 1.05, "t_s"]
    if not (path["initial_multiplier"] > 1).any() or path["initial_multiplier"].iloc[-1] > 1.05:
        return None
    return int(high.iloc[-1] - high.iloc[0]) if len(high) else 0


def _usd(opening: Opening, events: Sequence[Event], kind: EventKind, mark_ticks: int) -> float:
    """Return the notional that events of one kind closed, at the mark."""
    lots = [abs(e.lots) for e in events if e.kind == kind and e.reason != Reason.NO_WINNERS]
    return int(np.sum(lots, dtype=np.int64)) * mark_ticks * opening.quanta_per_lot_tick / QUANTA


def _values(state: State, mark_ticks: int | None = None) -> Ints:
    mark = state.markets[0].mark_ticks if mark_ticks is None else mark_ticks
    unit = mark * state.params.markets[0].quanta_per_lot_tick
    return np.asarray(state.cash + state.size[0] * np.int64(unit), dtype=np.int64)


def _margin_ratios(state: State) -> np.ndarray:
    """Return V / MM of accounts with a position."""
    market = state.params.markets[0]
    rows = np.flatnonzero(state.size[0])
    worth = np.abs(state.size[0][rows]) * np.int64(state.markets[0].mark_ticks * market.quanta_per_lot_tick)
    needed = requirements(worth, market.brackets, market.brackets.maintenance_ppm)
    return np.asarray(_values(state)[rows] / np.maximum(needed, 1))
