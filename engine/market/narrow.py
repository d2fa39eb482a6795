"""Keeps some columns of a prepared panel: what waits for later blocks need not hold all instruments in memory."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from engine.market.view import PreparedPanel
from engine.records import IntArray


def with_columns(view: PreparedPanel, columns: IntArray) -> PreparedPanel:
    """Return ``view`` with ``columns``, shape (K,), ascending, of its N: copies, so that the rest can be freed.

    Every value of a kept column is the one it had, also where it was computed from others (usability, reference price):
    nothing is judged anew.  ``view`` must be of one day.

    Raises ``ValueError`` for a view of several days, whose days would keep all columns.
    """
    if view.days is not None:
        raise ValueError("expected a view of one day, was one of several")
    return replace(
        view,
        panel=replace(view.panel, code=view.panel.code[columns], **_dense(view.panel, columns)),
        fees=replace(view.fees, **{field.name: getattr(view.fees, field.name)[columns] for field in fields(view.fees)}),
        lots=view.lots[columns],
        ticks=view.ticks.of(columns),
        **_dense(view, columns),
    )


def _dense(record: Any, columns: IntArray) -> dict[str, Any]:
    """Return ``columns`` of every ``[T, N]`` array of a record, by field: copies in the memory order of the array."""
    values = ((field.name, getattr(record, field.name)) for field in fields(record))
    return {name: value.T[columns].T for name, value in values if isinstance(value, np.ndarray) and value.ndim == 2}
