"""Pieces of work come back in order and whole, whoever does them, and though a process dies.  [S8.5]"""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
import pytest

from backtest.tasks.parallel import importing, parallel_map, serial_map

ITEMS = list(range(7))


def scaled(thing: np.ndarray, item: int) -> tuple[int, float, int]:
    """The item, an entry of the shared array times it, and who did it."""
    return item, float(thing[item]) * item, os.getpid()


def dies(home: int, item: int) -> int:
    """The square, except in another process than ``home``, which item 3 kills."""
    if item == 3 and os.getpid() != home:
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


def refuses(_thing: object, item: int) -> int:
    """An error of the piece's own."""
    raise ValueError(f"item {item}")


def knows(_thing: object, name: str) -> bool:
    """Whether this process has imported ``name``."""
    return name in sys.modules


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_are_those_of_a_plain_loop_in_the_order_of_the_items(workers: int) -> None:
    """Also where the items are a generator, and where there is none."""
    thing = np.linspace(0.1, 0.7, 7)
    found = list(parallel_map(workers)(scaled, thing, (item for item in ITEMS)))

    assert [one[:2] for one in found] == [(item, float(thing[item]) * item) for item in ITEMS]
    assert (os.getpid() in {one[2] for one in found}) == (workers == 1)
    assert list(parallel_map(workers)(scaled, thing, ())) == []


def test_things_of_two_calls_are_not_mixed_up() -> None:
    """A process keeps the thing of a call no longer than the call."""
    each = parallel_map(2)
    first, second = each(scaled, np.ones(7), ITEMS), each(scaled, np.full(7, 2.0), ITEMS)

    assert [one[1] for one in second] == [2.0 * item for item in ITEMS]
    assert [one[1] for one in first] == [1.0 * item for item in ITEMS]


def test_what_a_process_that_dies_owed_is_done_here() -> None:
    """SIGKILL in the middle: the same results."""
    assert list(parallel_map(2)(dies, os.getpid(), ITEMS)) == [item * item for item in ITEMS]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_piece_is_raised_as_it_is(workers: int) -> None:
    with pytest.raises(ValueError, match="item 0"):
        list(parallel_map(workers)(refuses, None, [0]))


def test_alone_computes_only_when_it_is_asked() -> None:
    assert next(serial_map(scaled, np.ones(1), iter([0, 99])))[:2] == (0, 0.0)


def test_processes_import_while_this_one_does_something_else() -> None:
    """A module that nothing of ours loads is in one of them afterwards, and not here; nothing is lost by an error."""
    name = "tabnanny"
    with pytest.raises(ValueError, match="the block's own"), importing(2, name):
        raise ValueError("the block's own")

    assert any(list(parallel_map(2)(knows, None, [name] * 8)))
    with importing(1, name):
        pass
    assert name not in sys.modules
