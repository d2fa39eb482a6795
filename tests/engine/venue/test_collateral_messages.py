"""Messages between ledgers: no double count, bounded loss, and a balance over both, under every fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DataError
from engine.venue.collateral_messages import Crossing, Message, deliver, forget, lock, outstanding, settle, unbalanced

LIMIT = 60
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("lock"), st.integers(1, 50), st.integers(0, 9)),
        st.tuples(st.just("deliver"), st.integers(0, 30), st.just(0)),
        st.tuples(st.just("forget"), st.just(0), st.just(0)),
        st.tuples(st.just("settle"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_nothing_counts_twice_and_a_forgetting_costs_at_most_the_limit(steps: list) -> None:
    """Deliveries repeat, swap and lag; the destination's sum is recomputed from the messages that it accepted."""
    state, sent, accepted = Crossing(LIMIT), [], {}
    for now, (kind, a, b) in enumerate(steps, 1):
        before = state
        if kind == "lock":
            state, message = lock(state, 0, a, now + b)
            sent.append(message)
        elif kind == "deliver" and sent:
            message = sent[a % len(sent)]
            state = deliver(state, message, now)
            if state.credited != before.credited:
                assert message.nonce not in accepted
                accepted[message.nonce] = message.amount
        elif kind == "forget":
            state, lost = forget(state, now)
            assert lost <= LIMIT
            assert state.missing == before.missing + lost
        else:
            state = settle(state, now)
        assert unbalanced(state) == 0
        assert state.credited == sum(accepted.values())
        assert 0 <= outstanding(state) <= LIMIT
        assert min(state.locked, state.missing) >= 0


def test_a_message_is_credited_once_and_not_before_it_is_final() -> None:
    state, message = lock(Crossing(0), 7, 100, 50)

    assert message == Message(0, 7, 100, 50)
    assert deliver(state, message, 49) == state
    credited = deliver(state, message, 50)
    assert (credited.credited, credited.in_flight, credited.early) == (100, {}, {})
    assert deliver(credited, message, 60) is credited


def test_early_credit_uses_the_limit_until_it_is_final() -> None:
    state, first = lock(Crossing(LIMIT), 0, 40, 10)
    state, second = lock(state, 0, 20, 20)
    state, third = lock(state, 0, 1, 20)
    for message in (first, second, third):
        state = deliver(state, message, 5)

    # 40 and 20 fill the limit to the quantum; one more does not fit.
    assert (state.credited, outstanding(state)) == (60, 60)
    assert outstanding(settle(state, 9)) == 60
    assert outstanding(settle(state, 10)) == 20
    later, lost = forget(state, 10)
    assert (lost, later.missing, later.locked, later.credited) == (20, 20, 40, 60)
    assert later.in_flight == {}
    assert deliver(later, third, 30) is later


def test_a_final_lock_survives_a_forgetting() -> None:
    state, message = lock(Crossing(0), 0, 5, 10)
    kept, lost = forget(state, 10)
    gone, _ = forget(state, 9)

    assert (kept.locked, lost, list(kept.in_flight)) == (5, 0, [0])
    assert (gone.locked, list(gone.in_flight)) == (0, [])
    assert deliver(kept, message, 11).credited == 5


def test_an_altered_amount_and_a_lock_of_nothing_are_refused() -> None:
    state, message = lock(Crossing(0), 0, 5, 0)

    with pytest.raises(DataError, match="nonce 0: expected Message"):
        deliver(state, Message(0, 0, 6, message.final_ns), 1)
    for amount in (0, -1):
        with pytest.raises(DataError, match=f"was {amount}"):
            lock(state, 0, amount, 0)
    assert lock(state, 0, 1, 0)[1].nonce == 1
