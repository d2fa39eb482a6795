"""Consecutive days of one underlying as one panel: on a coarse grid a day has too few rows for arrays to be fast.

The whole has the instruments of all its days.  An instrument that a day does not list has the values of one never
quoted; which instruments each day lists is kept, since a rule may depend on what is listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from engine.records import IntArray, Panel
from engine.units import NEVER_NS

_UNKNOWN = {"age_ns": NEVER_NS, "funding_paid": 0.0}
"""The values of an instrument on a day that does not list it; NaN in all other columns."""


@dataclass(frozen=True, slots=True, eq=False)
class MultiDayPanel:
    """Panels in order of time, one a UTC day, and the same as one panel."""

    panels: tuple[Panel, ...]
    whole: Panel
    first: IntArray  # [D + 1] the row of the whole at which each day begins, and the number of rows
    columns: tuple[IntArray, ...]  # of each day, the columns of its instruments in the whole


def concatenate_days(panels: Sequence[Panel]) -> MultiDayPanel:
    """Return panels of consecutive days as one, ``[sum of T, all N]``, read-only.

    The panels have one underlying and one table of instruments, and at least one row each.
    """
    # Ascending, as `Panel` requires of its codes.
    code = np.unique(np.concatenate([panel.code for panel in panels]))
    columns = tuple(np.searchsorted(code, panel.code) for panel in panels)
    first = np.cumsum([0, *(len(panel.times_ns) for panel in panels)])
    whole: dict[str, Any] = {field.name: getattr(panels[0], field.name) for field in fields(Panel)}
    for name, value in whole.items():
        if isinstance(value, np.ndarray) and value.ndim == 2:
            values = np.full((len(code), first[-1]), _UNKNOWN.get(name, np.nan), dtype=value.dtype)
            for panel, listed, start, stop in zip(panels, columns, first, first[1:], strict=False):
                values[listed, start:stop] = getattr(panel, name).T
            # Instruments first in memory, as everything dense is (`market.chunks`).
            whole[name] = values.T
    whole["times_ns"] = np.concatenate([panel.times_ns for panel in panels])
    whole["code"] = code
    for value in whole.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return MultiDayPanel(tuple(panels), Panel(**whole), first, columns)
