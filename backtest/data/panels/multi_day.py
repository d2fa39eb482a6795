"""Concatenates consecutive panels: on a coarse grid a day has too few rows for work on whole arrays to pay."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import fields
from typing import Any, Final

import numpy as np

from engine.market.multi_day import MultiDayPanel, concatenate_days
from engine.records import Panel

ROWS: Final = 1_440
"""Most grid times of a concatenated panel: those of one day on the registered grid."""
CELLS: Final = 1_000 * ROWS
"""Most quotes of concatenated days, about those of one such day: they need no more memory than that one."""


def merged_panels(panels: Iterable[Panel], alike: Callable[[Panel], Hashable]) -> Iterator[Panel]:
    """Yield ``panels`` of one underlying in order, consecutive ones of the same instruments as one panel.

    ``alike(panel)`` must be equal for all panels of one.  No result has more than `ROWS` grid times, unless one panel
    alone has.
    """
    return map(_one, _groups(panels, lambda panel: (panel.code.tobytes(), alike(panel))))


def multi_day_panels(panels: Iterable[Panel], alike: Callable[[Panel], Hashable]) -> Iterator[Panel | MultiDayPanel]:
    """Yield ``panels`` of one underlying in order, consecutive ones concatenated whatever instruments they hold.

    ``alike(panel)`` must be equal for all panels of one.  No result has more than `ROWS` grid times or `CELLS` quotes,
    unless one panel alone has.  Empty panels are left out.
    """
    for group in _groups((panel for panel in panels if len(panel.times_ns)), alike):
        yield group[0] if len(group) == 1 else concatenate_days(group)


def _groups(panels: Iterable[Panel], alike: Callable[[Panel], Hashable]) -> Iterator[list[Panel]]:
    group: list[Panel] = []
    for panel in panels:
        rows = sum(len(member.times_ns) for member in [*group, panel])
        # On another day an instrument may settle at another interval.
        same = not group or (panel.instruments is group[0].instruments and alike(group[0]) == alike(panel))
        if group and not (rows <= ROWS and same and rows * _width([*group, panel]) <= CELLS):
            yield group
            group = []
        group.append(panel)
    if group:
        yield group


def _width(panels: list[Panel]) -> int:
    """How many instruments some panels hold in all."""
    return len(np.unique(np.concatenate([panel.code for panel in panels])))


def _one(panels: list[Panel]) -> Panel:
    if len(panels) == 1:
        return panels[0]
    whole: dict[str, Any] = {field.name: getattr(panels[0], field.name) for field in fields(Panel)}
    for name, value in whole.items():
        if isinstance(value, np.ndarray) and name != "code":
            whole[name] = np.concatenate([getattr(panel, name) for panel in panels])
            whole[name].setflags(write=False)
    return Panel(**whole)
