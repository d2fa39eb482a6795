"""Consecutive panels laid end to end: on a coarse grid a day is too few rows for work on whole arrays to pay."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import fields
from typing import Any, Final

import numpy as np

from engine.records import Panel

ROWS: Final = 1_440
"""Most grid times of a joined panel: those of one day on the registered grid."""


def joined(panels: Iterable[Panel], alike: Callable[[Panel], Hashable]) -> Iterator[Panel]:
    """Yield ``panels`` of one underlying in order, neighbours as one where they hold the same instruments and are
    ``alike``, as long as no panel grows beyond `ROWS`.  A panel stays whole.
    """
    held: list[Panel] = []
    for panel in panels:
        if held and not (
            sum(len(one.times_ns) for one in held) + len(panel.times_ns) <= ROWS
            and np.array_equal(held[0].code, panel.code)
            and alike(held[0]) == alike(panel)
        ):
            yield _one(held)
            held = []
        held.append(panel)
    if held:
        yield _one(held)


def _one(panels: list[Panel]) -> Panel:
    if len(panels) == 1:
        return panels[0]
    whole: dict[str, Any] = {field.name: getattr(panels[0], field.name) for field in fields(Panel)}
    for name, value in whole.items():
        if isinstance(value, np.ndarray) and name != "code":
            whole[name] = np.concatenate([getattr(panel, name) for panel in panels])
            whole[name].setflags(write=False)
    return Panel(**whole)
