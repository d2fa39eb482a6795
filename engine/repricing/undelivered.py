"""Ends placebo positions before the averaging window where the settlement price of an expiry stays unknown.

`engine.positions.exits` has the same rule for one position.  [venues V2]
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.positions.expiry import lacks_price, window_start_ns
from engine.repricing.exits import Exits, FilledEntries
from engine.repricing.window import PriceWindow


def ended_before_window(window: PriceWindow, entered: FilledEntries, ends: Exits) -> Exits:
    """Return ``ends`` with the positions that expire without a settlement price ended at the last grid time before the
    averaging window, at their entry if that came later.
    """
    rows, expired = ends.row.copy(), ends.expired.copy()
    expiry_ns = window.views[0].panel.instruments.expiry_ns[window.code]
    lacking: dict[tuple[int, int], bool] = {}
    for m in np.flatnonzero(ends.expired).tolist():
        row, legs = int(ends.row[m]), entered.leg[m][entered.leg[m] >= 0]
        now = int(window.times_ns[row])
        over = [(c, row) for c in legs.tolist() if expiry_ns[c] <= now]
        lacking |= {key: _lacks_price(window, *key) for key in over if key not in lacking}
        if any(lacking[key] for key in over):
            start_ns = window_start_ns(window.views[0], window.code[legs].tolist())
            before = int(np.searchsorted(window.times_ns, start_ns, side="right")) - 1
            rows[m], expired[m] = max(before, int(entered.row[m])), False
    return replace(ends, row=rows, expired=expired)


def _lacks_price(window: PriceWindow, c: int, row: int) -> bool:
    v = int(window.view_of(np.array([row]))[0])
    return lacks_price(window.views[v], int(window.code[c]), row - int(window.start[v]))
