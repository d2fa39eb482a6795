"""Collateral between two ledgers under faults: balance, double counts, and what early credit can lose.  [risk.md 16]

Messages of `engine.venue.collateral_messages` arrive late, out of order, twice, or not at all until they are sent
again; now and then the source forgets what is not final.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation.covenant_streams import uniforms
from backtest.simulation.result import OURS, SimulationResult, SimulationTask
from backtest.simulation.scenario import table_of
from backtest.simulation.scenario_studies import Bridge
from engine.venue.collateral_messages import Crossing, deliver, forget, lock, outstanding, settle, unbalanced

NS = 1_000_000_000
CANNOT_SAY = (
    "Ledgers, faults and amounts are synthetic; a price that moves while a message travels is not part of this.",
    "Signatures are taken as sound: a message that the source did not write is refused, not modelled.",
)


def measure(task: SimulationTask) -> SimulationResult:
    """Return broken balances, double counts and losses by early limit, on the same faults."""
    given = table_of(task.plan, Bridge)
    rows = [_run(given, limit, f"seed {task.plan.seed}") for limit in given.early_limits_usd]
    table = pd.DataFrame(rows)
    figures: dict[str, Any] = {
        "messages": given.messages, "steps": int(table["steps"].sum()), "unbalanced": int(table["unbalanced"].sum()),
        "double_counts": int(table["double_counts"].sum()),
        "loss_within_limit": bool((table["largest_loss_usd"] <= table["early_limit_usd"]).all()),
        "limits": table.drop(columns=["steps"]).set_index("early_limit_usd").to_dict("index"),
    }  # fmt: skip
    return SimulationResult(figures, {"limits": table}, dict.fromkeys(figures, OURS), {}, CANNOT_SAY)


def _run(given: Bridge, limit_usd: str, seed: str) -> dict[str, Any]:
    """Return what one early limit does; faults do not depend on it."""
    state, seen = Crossing(_quanta(limit_usd)), {}
    waits, sums = [], {"steps": 0, "unbalanced": 0, "double_counts": 0, "largest_loss": 0, "lost": 0}
    for time_ns, what, message_row in _agenda(given, seed):
        before = state.credited
        if what == "lock":
            state, message = lock(state, 0, _quanta(given.amount_usd), time_ns + given.finality_s * NS)
            seen[message_row] = (message, time_ns)
        elif what == "forget":
            state, lost = forget(state, time_ns)
            sums["largest_loss"], sums["lost"] = max(sums["largest_loss"], lost), sums["lost"] + lost
        else:
            message, sent_ns = seen[message_row]
            known = message.nonce in state.applied
            state = deliver(settle(state, time_ns), message, time_ns)
            if state.credited > before:
                sums["double_counts"] += known
                waits.append((time_ns - sent_ns) / NS)
        sums["steps"] += 1
        sums["unbalanced"] += unbalanced(state) != 0 or outstanding(state) > state.early_limit
    return {
        "early_limit_usd": float(limit_usd), "steps": sums["steps"], "unbalanced": sums["unbalanced"],
        "double_counts": sums["double_counts"], "credited": len(waits),
        "median_wait_s": float(np.sort(np.array(waits))[len(waits) // 2]) if waits else None,
        "largest_loss_usd": sums["largest_loss"] / 1e6, "lost_usd": sums["lost"] / 1e6,
    }  # fmt: skip


def _agenda(given: Bridge, seed: str) -> list[tuple[int, str, int]]:
    """Return (time, what, message) in order of time: locks, deliveries that repeat until one is final, forgettings."""
    u = uniforms(seed, "venue/bridge/faults", 4 * given.messages).reshape(given.messages, 4)
    span = given.messages * given.delay_s
    agenda = []
    for row, (when, delay, lost, doubled) in enumerate(u.tolist()):
        sent = int(when * span * NS)
        agenda.append((sent, "lock", row))
        first = sent + 1 + int(2 * delay * given.delay_s * NS)
        tries = [first + k * given.finality_s * NS for k in range(3)]
        # A lost first try is made up by the next: senders repeat until the destination answers.
        agenda += [(t, "deliver", row) for t in tries[int(lost < float(given.lost)) :]]
        agenda += [(first + 1 + int(delay * NS), "deliver", row)] * int(doubled < float(given.doubled))
    agenda += [
        (int(x * span * NS), "forget", -1) for x in uniforms(seed, "venue/bridge/forgettings", given.forgettings)
    ]
    return sorted(agenda)


def _quanta(usd: str) -> int:
    return int(Decimal(usd) * 1_000_000)
