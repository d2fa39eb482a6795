"""Collateral on another ledger: messages with nonce, amount and finality.  [risk.md 16, cross-chain collateral]

The source locks an amount and sends a message; the destination credits it once.  Messages may be late, lost and sent
again, doubled, and out of order.  Until a lock is final its ledger may forget it; what was credited early is then
missing, and early credit is limited in sum, so one forgetting costs at most that limit.

    locked + missing = credited + in flight                 (I1 over both ledgers, `unbalanced` is 0)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from engine.errors import DataError


@dataclass(frozen=True, slots=True)
class Message:
    """A lock on the source ledger: ``amount`` > 0 in quanta for ``account``, final from ``final_ns`` on."""

    nonce: int
    account: int
    amount: int
    final_ns: int


def _nothing() -> Mapping[int, Message]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Crossing:
    """Both ledgers: sums in quanta, what is locked and not credited, and what was credited before it was final.

    ``next_nonce`` counts the locks; ``applied`` are the nonces that were credited; ``missing`` is what was credited and
    then forgotten by the source.
    """

    early_limit: int
    next_nonce: int = 0
    locked: int = 0
    credited: int = 0
    missing: int = 0
    in_flight: Mapping[int, Message] = field(default_factory=_nothing)
    early: Mapping[int, Message] = field(default_factory=_nothing)
    applied: frozenset[int] = frozenset()


def lock(state: Crossing, account: int, amount: int, final_ns: int) -> tuple[Crossing, Message]:
    """Return the state with ``amount`` locked, and its message.  Raises `DataError` unless the amount is positive."""
    if amount <= 0:
        raise DataError(f"expected an amount > 0 to lock, was {amount}")
    message = Message(state.next_nonce, account, amount, final_ns)
    flight = MappingProxyType({**state.in_flight, message.nonce: message})
    return replace(state, next_nonce=message.nonce + 1, locked=state.locked + amount, in_flight=flight), message


def deliver(state: Crossing, message: Message, now_ns: int) -> Crossing:
    """Return the state after one delivery: credited once, and only if it is final or fits under the early limit.

    A copy of what was credited, and a message whose lock was forgotten, change nothing.  Raises `DataError` for a
    message that is not the one of its nonce: nobody but the source writes amounts.
    """
    if message.nonce in state.applied or message.nonce not in state.in_flight:
        return state
    if state.in_flight[message.nonce] != message:
        raise DataError(f"nonce {message.nonce}: expected {state.in_flight[message.nonce]}, was {message}")
    is_final = now_ns >= message.final_ns
    if not is_final and outstanding(state) + message.amount > state.early_limit:
        return state
    flight = MappingProxyType({n: m for n, m in state.in_flight.items() if n != message.nonce})
    early = state.early if is_final else MappingProxyType({**state.early, message.nonce: message})
    return replace(
        state, credited=state.credited + message.amount, in_flight=flight, early=early,
        applied=state.applied | {message.nonce},
    )  # fmt: skip


def settle(state: Crossing, now_ns: int) -> Crossing:
    """Return the state with early credits that have become final off the list: they no longer use the limit."""
    early = MappingProxyType({n: m for n, m in state.early.items() if now_ns < m.final_ns})
    return state if len(early) == len(state.early) else replace(state, early=early)


def forget(state: Crossing, now_ns: int) -> tuple[Crossing, int]:
    """Return the state after the source forgot every lock that is not final, and what is missing by that, in quanta."""
    settled = settle(state, now_ns)
    lost = sum(m.amount for m in settled.early.values())
    gone = [m for m in settled.in_flight.values() if now_ns < m.final_ns]
    flight = MappingProxyType({n: m for n, m in settled.in_flight.items() if now_ns >= m.final_ns})
    locked = settled.locked - lost - sum(m.amount for m in gone)
    after = replace(settled, locked=locked, missing=settled.missing + lost, in_flight=flight, early=_nothing())
    return after, lost


def outstanding(state: Crossing) -> int:
    """Return the sum of early credits, in quanta: the most that one forgetting can cost."""
    return sum(m.amount for m in state.early.values())


def unbalanced(state: Crossing) -> int:
    """Return ``locked + missing - credited - in flight``: 0 in every reachable state."""
    return state.locked + state.missing - state.credited - sum(m.amount for m in state.in_flight.values())
