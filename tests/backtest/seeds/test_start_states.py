"""Starting states of many replicates at once: NumPy's own `SeedSequence` is the oracle.  [audit 9.3]"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.seeds.start_states import Start, start_states
from backtest.seeds.streams import generator_of, root_of, stream_seed


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**32 - 3), st.integers(0, 3))
def test_states_are_those_of_numpy(seed: int, first: int, count: int) -> None:
    """Every row equals the state NumPy generates for that replicate, short seeds and the last words included."""
    states = start_states(seed, first, min(first + count, 2**32))

    expected = [
        np.random.SeedSequence(seed, spawn_key=(r,)).generate_state(4, np.uint64)
        for r in range(first, first + len(states))
    ]
    np.testing.assert_array_equal(np.array(expected, dtype=np.uint64).reshape(-1, 4), states)


@pytest.mark.parametrize("replicate", [0, 1, 1023, 1024, 9998])
def test_a_generator_draws_the_words_of_its_definition(replicate: int) -> None:
    """Across the edges of the chunks in which states are computed."""
    root = root_of("AsPredicted #288615")
    plain = np.random.PCG64(np.random.SeedSequence(stream_seed(root, "h1/n2"), spawn_key=(replicate,)))

    np.testing.assert_array_equal(plain.random_raw(64), generator_of(root, "h1/n2", replicate).random_raw(64))


def test_what_is_no_replicate_is_refused() -> None:
    """A replicate beyond one word would have another spawn key; another size of state is not ours to give."""
    with pytest.raises(ValueError, match="below 2"):
        start_states(1, 0, 2**32 + 1)
    with pytest.raises(ValueError, match="4 words"):
        Start(start_states(1, 0, 1)[0]).generate_state(8, np.uint32)
