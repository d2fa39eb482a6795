"""The venue inside one event time: arrays that mechanisms change, and the ledger operations they may use.

Every operation moves cash between accounts, fund and fee account; none creates or destroys any (I1).  A `Working` lives
inside `engine.venue.step.step` only: what goes in and comes out is a frozen `State`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.venue.base import NOBODY, EventKind, MarketParams, MarketState, Reason, State, Tick, frozen
from engine.venue.events import Event
from engine.venue.integers import PPM, Ints, div_ceil, div_half_even, exact_sum, max_abs, shares_half_even
from engine.venue.margin import bracket_index, position_values, requirement, requirements


@dataclass(slots=True)
class Working:
    """State under change.  ``cash`` [accounts], ``size``, ``cost`` [markets, accounts]; quotes [quotes]."""

    before: State
    tick: Tick
    cash: Ints
    size: Ints
    cost: Ints
    fund: int
    fees: int
    net_deposits: int
    withdrawal_capacity: int
    markets: list[MarketState]
    quote_lots: Ints  # what is left of each quote
    events: list[Event] = field(default_factory=list)
    uncovered: dict[int, int] = field(default_factory=dict)  # account -> deficit that neither fund nor winners bear
    lifted: set[int] = field(default_factory=set)  # accounts with positions whose deficit the fund has paid
    _owned: bool = False
    _value: Ints | None = None

    @classmethod
    def start(cls, state: State, tick: Tick) -> Working:
        """Return the working copy of a state; its arrays are copied when something first changes them."""
        return cls(
            state,
            tick,
            state.cash,
            state.size,
            state.cost,
            state.fund,
            state.fees,
            state.net_deposits,
            state.withdrawal_capacity,
            list(state.markets),
            tick.quotes.lots.copy(),
        )

    def finish(self) -> State:
        """Return the frozen state after the event; parameters are set by the caller."""
        return replace(
            self.before,
            time_ns=self.tick.time_ns,
            cash=frozen(self.cash),
            size=frozen(self.size),
            cost=frozen(self.cost),
            fund=self.fund,
            fees=self.fees,
            net_deposits=self.net_deposits,
            withdrawal_capacity=self.withdrawal_capacity,
            markets=tuple(self.markets),
        )

    def own(self) -> None:
        """Copy the arrays before the first change."""
        if not self._owned:
            self.cash, self.size, self.cost = self.cash.copy(), self.size.copy(), self.cost.copy()
            self._owned = True

    def params(self, market: int) -> MarketParams:
        """Return the parameters of a market."""
        return self.before.params.markets[market]

    def emit(self, kind: EventKind, reason: Reason, market: int = 0, account: int = NOBODY, **what: Any) -> None:
        """Record one transition with its reason.  [I13]"""
        self.events.append(Event(self.tick.time_ns, kind, reason, market, account, **what))

    # -- values ----------------------------------------------------------------------------------------------------

    def unit(self, market: int) -> int:
        """Return the quanta of one lot at the mark."""
        return self.markets[market].mark_ticks * self.params(market).quanta_per_lot_tick

    def values(self) -> Ints:
        """Return account values V [accounts] at the marks."""
        if self._value is None:
            total = self.cash
            for m in range(len(self.markets)):
                mark = self.markets[m].mark_ticks
                total = total + position_values(self.size[m], mark, self.params(m).quanta_per_lot_tick)
            # Without a market the sum is the cash array itself, which operations change.
            self._value = total if total is not self.cash else total.copy()
        return self._value

    def maintenance(self, rows: Ints) -> Ints:
        """Return maintenance requirements of accounts ``rows``: those of positions add."""
        total: Ints = np.zeros(len(rows), dtype=np.int64)
        for m in range(len(self.markets)):
            given = self.params(m)
            worth = position_values(self.size[m][rows], self.markets[m].mark_ticks, given.quanta_per_lot_tick)
            total = total + requirements(np.abs(worth), given.brackets, given.brackets.maintenance_ppm)
        return total

    def below_maintenance(self) -> list[tuple[int, int, int]]:
        """Return (account, V, MM) of every account with ``0 <= V < MM``, by account.

        Doubles only leave out accounts that are healthy beyond doubt: within the largest bracket in use no average rate
        exceeds the marginal one, so ``MM <= rate x N``.  Those left are compared in integers.
        """
        value = self.values()
        # Of MM: rounding up costs less than a quantum a market, doubles far less.
        bound = np.ones(len(value))
        for m in range(len(self.markets)):
            given, size = self.params(m), self.size[m]
            lots, unit = max_abs(size), self.unit(m)
            rate = given.brackets.maintenance_ppm[bracket_index(lots * unit, given.brackets)]
            bound += np.abs(size) * (unit * rate / PPM * (1 + 1e-12)) + 1.0
        rows: Ints = np.flatnonzero((value >= 0) & (value < bound)).astype(np.int64)
        exact = zip(rows.tolist(), value[rows].tolist(), self.maintenance(rows).tolist(), strict=True)
        return [(account, v, mm) for account, v, mm in exact if v < mm]

    def value(self, account: int) -> int:
        """Return the value of one account."""
        return int(self.cash[account]) + sum(
            int(self.size[m, account]) * self.unit(m) for m in range(len(self.markets))
        )

    def position_maintenance(self, market: int, lots: int) -> int:
        """Return the maintenance requirement of a position of ``lots``."""
        table = self.params(market).brackets
        return requirement(abs(lots) * self.unit(market), table, table.maintenance_ppm)

    def account_maintenance(self, account: int) -> int:
        """Return the maintenance requirement of one account."""
        return sum(self.position_maintenance(m, int(self.size[m, account])) for m in range(len(self.markets)))

    def position_initial(self, market: int, lots: int) -> int:
        """Return the initial requirement of a position, scaled by what the parameter engine moves, rounded up."""
        given = self.params(market)
        base = requirement(abs(lots) * self.unit(market), given.brackets, given.brackets.initial_ppm)
        return div_ceil(base * given.initial_multiplier_ppm, PPM)

    def initial(self, account: int) -> int:
        """Return the initial requirement of one account."""
        return sum(self.position_initial(m, int(self.size[m, account])) for m in range(len(self.markets)))

    def touched(self, *accounts: int) -> None:
        """Bring cached values of accounts up to date after a change."""
        for account in accounts:
            if self._value is not None:
                self._value[account] = self.value(account)

    def forget_values(self) -> None:
        """Drop cached values after a change of many accounts."""
        self._value = None

    # -- ledger ----------------------------------------------------------------------------------------------------

    def trade(self, market: int, account: int, lots: int, quanta: int) -> None:
        """Book one side of a trade: ``lots`` signed, ``quanta`` paid (> 0 for a purchase).

        Entry cost follows the average-price rule: a reduction takes its share of the cost, half-even; a flip starts
        anew with its share of this trade.
        """
        self.own()
        size, cost = int(self.size[market, account]), int(self.cost[market, account])
        self.cash[account] -= quanta
        self.size[market, account] = size + lots
        self.cost[market, account] = cost_after(size, cost, lots, quanta)
        self.touched(account)

    def trade_many(self, market: int, account: int, winners: Ints, lots: Ints, quanta: Ints) -> None:
        """Close positions of many accounts against one: ``lots`` > 0 and ``quanta`` paid, [winners].

        Each winner's position and the account's are reduced, never turned: the caller has seen to that.
        """
        self.own()
        size, cost, sign = self.size[market], self.cost[market], 1 if self.size[market, account] > 0 else -1
        held = np.abs(size[winners])
        cost[winners] -= shares_half_even(cost[winners], lots, held)
        size[winners] += sign * lots
        self.cash[winners] -= quanta
        self.trade(market, account, -sign * exact_sum(lots), -exact_sum(quanta))
        if self._value is not None:
            self._value[winners] += sign * lots * np.int64(self.unit(market)) - quanta

    def to_fund(self, account: int, quanta: int) -> None:
        """Move ``quanta`` (of either sign) from an account to the insurance fund."""
        self.own()
        self.cash[account] -= quanta
        self.fund += quanta
        self.touched(account)

    def to_fees(self, account: int, quanta: int) -> None:
        """Move ``quanta`` (of either sign) from an account to the fee account."""
        self.own()
        self.cash[account] -= quanta
        self.fees += quanta
        self.touched(account)

    def open_interest(self, market: int) -> int:
        """Return the lots of all longs."""
        size = self.size[market]
        return exact_sum(np.maximum(size, 0))


def cost_after(size: int, cost: int, lots: int, quanta: int) -> int:
    """Return the entry cost of a position after a trade of ``lots`` for ``quanta``.  [risk.md 0.2]"""
    after = size + lots
    if size == 0 or (size > 0) == (lots > 0):
        return cost + quanta
    # Nothing is left to have a cost: a share of it would leave rounding behind.
    if after == 0:
        return 0
    if (after > 0) == (size > 0):
        return cost - _share(cost, -lots, size)
    return _share(quanta, after, lots)


def _share(amount: int, part: int, whole: int) -> int:
    """Return ``amount x part / whole``, half-even; part and whole have one sign."""
    return div_half_even(amount * abs(part), abs(whole))
