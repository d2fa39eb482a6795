"""Invariants I1 to I13 as pure checks, after every event.  [risk.md 15]

`violations` returns sentences, so that a run can name all that failed; a run with the flag on raises at the first.
I8 and I9 are properties of formulas, I10 and I11 of whole runs: their checks take functions and replays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.errors import DataError
from engine.venue.base import EventKind, Reason, State, Tick
from engine.venue.events import Event
from engine.venue.integers import PPM, exact_sum
from engine.venue.margin import requirement
from engine.venue.parameter_engine import PARAMETERS


def violations(before: State, tick: Tick, after: State, events: Sequence[Event]) -> list[str]:
    """Return one sentence for each invariant that a step broke; none if all hold."""
    found = [
        *ledger_closes(after),
        *positions_balance(after),
        *funding_residue(before, events),
        *fund_is_not_negative(after),
        *healthy_stay_healthy(before, after, events),
        *liquidations_reduce(before, events),
        *deleveraged_to_zero(after, events),
        *parameters_within_bounds(after),
        *events_have_reasons(events, tick),
    ]
    return found


def check(before: State, tick: Tick, after: State, events: Sequence[Event]) -> None:
    """Raise `DataError` naming the invariants that a step broke."""
    found = violations(before, tick, after, events)
    if found:
        raise DataError(f"event at {tick.time_ns} ns: " + "; ".join(found))


def ledger_closes(state: State) -> list[str]:
    """I1: cash of all accounts + fund + fee account = deposits - withdrawals, exact."""
    total = exact_sum(state.cash) + state.fund + state.fees
    gap = total - state.net_deposits
    return (
        [f"I1: cash, fund and fees are {total}, net deposits {state.net_deposits}: {gap} quanta too many"]
        if gap
        else []
    )


def positions_balance(state: State) -> list[str]:
    """I2: open interest long = short in every market."""
    sums = [exact_sum(row) for row in state.size]
    return [f"I2: market {m}: positions sum to {total} lots, expected 0" for m, total in enumerate(sums) if total]


def funding_residue(before: State, events: Sequence[Event]) -> list[str]:
    """I3: what funding leaves over is >= 0 and below one quantum a position."""
    found = []
    for e in events:
        if e.kind == EventKind.FUNDING:
            positions = int(np.count_nonzero(before.size[e.market]))
            # Each payment rounds up by less than a quantum.
            if not 0 <= e.quanta <= max(0, positions - 1):
                found.append(f"I3: market {e.market}: funding left {e.quanta} quanta over {positions} positions")
    return found


def fund_is_not_negative(state: State) -> list[str]:
    """I4: fund >= 0."""
    return [f"I4: the fund is {state.fund}"] if state.fund < 0 else []


def healthy_stay_healthy(before: State, after: State, events: Sequence[Event]) -> list[str]:
    """I5: an account that traded or transferred by its own will, and by that alone, ends at V >= IM if it was healthy.

    Health before is measured at the marks after prices and funding of this event, where orders were judged: an account
    whose value fell under IM by the market alone is not healthy.
    """
    forced = {e.account for e in events if e.kind in FORCED} | {e.counterparty for e in events if e.kind in FORCED}
    forced |= {account for e in events for account in e.winners}
    found = []
    # -1 is the market as a whole (`NOBODY`), which has no margin.
    for account in sorted(_acted(events) - forced - {-1}):
        cash_before = int(before.cash[account]) + _funding(before, after, account)
        if not _healthy(after, cash_before, before.size[:, account].tolist(), before):
            continue
        if not _healthy(after, int(after.cash[account]), after.size[:, account].tolist(), before):
            found.append(f"I5: account {account} was healthy and its own action took it under its initial requirement")
    return found


FORCED = (EventKind.LIQUIDATION, EventKind.DELEVERAGING, EventKind.SOCIALISATION, EventKind.FUND)
CHOSEN = (EventKind.FILL, EventKind.TRANSFER)


def _acted(events: Sequence[Event]) -> set[int]:
    """Return the accounts that traded or transferred by their own will; the other side of a fill had quoted."""
    return {e.account for e in events if e.kind in CHOSEN} | {
        e.counterparty for e in events if e.kind == EventKind.FILL
    }


def _funding(before: State, after: State, account: int) -> int:
    """Return what an account received by funding between two states, by its position before."""
    total = 0
    for m in range(len(after.markets)):
        delta = after.markets[m].funding_index - before.markets[m].funding_index
        total -= -(-int(before.size[m, account]) * delta // 10**9)
    return total


def _healthy(state: State, cash: int, sizes: Sequence[int], given: State) -> bool:
    value, initial = cash, 0
    for m, size in enumerate(sizes):
        market = given.params.markets[m]
        worth = size * state.markets[m].mark_ticks * market.quanta_per_lot_tick
        value += worth
        base = requirement(abs(worth), market.brackets, market.brackets.initial_ppm)
        initial += -(-base * market.initial_multiplier_ppm // PPM)
    return value >= initial


def liquidations_reduce(before: State, events: Sequence[Event]) -> list[str]:
    """I6, first half: liquidations and deleveraging never grow or turn the liquidated position.

    The second half (V / MM never falls) is a property of the price and is tested on `stages.liquidation`.
    """
    size: dict[tuple[int, int], int] = {}
    found = []
    for e in events:
        if (
            e.kind not in (EventKind.LIQUIDATION, EventKind.DELEVERAGING, EventKind.FILL)
            or e.reason == Reason.NO_WINNERS
        ):
            continue
        others = (
            zip(e.winners, (-k if e.lots > 0 else k for k in e.winner_lots), strict=True)
            if e.winners
            else ((e.counterparty, -e.lots),)
        )
        for account, lots in ((e.account, e.lots), *others):
            size.setdefault((e.market, account), int(before.size[e.market, account]))
            was = size[e.market, account]
            closing = account == e.account or e.kind == EventKind.DELEVERAGING
            if e.kind != EventKind.FILL and closing and (was * lots >= 0 or abs(lots) > abs(was)):
                found.append(f"I6: account {account}, market {e.market}: {lots} lots on a position of {was}")
            size[e.market, account] = was + lots
    return found


def deleveraged_to_zero(after: State, events: Sequence[Event]) -> list[str]:
    """I7: after complete deleveraging at the bankruptcy price the account has V = 0, up to one quantum a market."""
    if after.params.deleveraging_price != "bankruptcy":
        return []
    closed = {e.account for e in events if e.kind == EventKind.DELEVERAGING and e.reason == Reason.BANKRUPT}
    found = []
    for account in sorted(closed - _acted(events)):
        left = int(after.cash[account])
        if not after.size[:, account].any() and abs(left) > len(after.markets):
            found.append(f"I7: account {account} has {left} quanta after complete deleveraging")
    return found


def parameters_within_bounds(after: State) -> list[str]:
    """I12: what modules may move lies within its bounds."""
    return [
        f"I12: market {m}: {p.name} is {getattr(market, p.name)}, bounds {p.low}..{p.high}"
        for m, market in enumerate(after.params.markets)
        for p in PARAMETERS
        if not p.low <= getattr(market, p.name) <= p.high
    ]


def events_have_reasons(events: Sequence[Event], tick: Tick) -> list[str]:
    """I13: every transition has a reason and the time of its event."""
    return [
        f"I13: {e.kind.name} without a reason or at another time"
        for e in events
        if not isinstance(e.reason, Reason) or e.time_ns != tick.time_ns
    ]


def is_replayed(run: Callable[[], Sequence[object]]) -> bool:
    """I10: return whether two runs of one function give equal results."""
    return list(run()) == list(run())
