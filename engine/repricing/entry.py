"""Fills placebo entries: the entry rule of `engine.positions.exits` for many entries at once.  [S4.4]"""

from __future__ import annotations

import numpy as np

from engine.positions.formulas import leg_profit, open_gross_bps, order_quantity
from engine.records import BoolArray, IntArray
from engine.repricing.base import PlaceboEntries, SourceSignals
from engine.repricing.exits import FilledEntries
from engine.repricing.window import PriceWindow
from engine.units import NEVER_NS


def fill(
    window: PriceWindow, sources: SourceSignals, entries: PlaceboEntries, decision: IntArray, codes: IntArray
) -> tuple[FilledEntries, BoolArray]:
    """Return the filled entries, and which entries had a usable quote of every leg at their decision, ``[M]``.

    ``decision [M]`` is the row of the decision, ``codes [M, LEGS]`` the instruments of its legs, negative for no leg.
    An entry that is quoted and not filled is `void`, as such a signal is: it earns zero.
    """
    table, rows = window.views[0].panel.instruments, len(window.times_ns)
    present = codes >= 0
    leg_row = np.where(present, np.searchsorted(window.code, codes), 0)
    entry = np.searchsorted(window.times_ns, entries.t_ns + entries.latency_ns)
    inside = np.minimum(entry, rows - 1)
    expiry = np.where(present, table.expiry_ns[np.maximum(codes, 0)], NEVER_NS).min(axis=1)
    over = np.minimum(entries.t_ns + sources.life_ns[entries.signal], expiry)
    spot = window.spot_usd[decision]
    decided, price = window.mid[leg_row, decision[:, None]], window.mid[leg_row, inside[:, None]]
    quoted = (spot > 0.0) & (np.isfinite(decided) | ~present).all(axis=1)
    filled = quoted & (entry < rows) & (window.times_ns[inside] < over) & (np.isfinite(price) | ~present).all(axis=1)
    ordered, inverse = sources.quantity[entries.signal], window.inverse[leg_row] & present
    profit = leg_profit(ordered, inverse, decided, price, window.conversion[leg_row, inside[:, None]])
    quantity = order_quantity(ordered, inverse, decided, price)
    total = np.zeros(len(spot))
    # Added leg by leg, in their order, as `package_profit` adds them: a sum in another order could round differently.
    for leg in range(codes.shape[1]):
        total = total + np.where(present[:, leg], profit[:, leg], 0.0)
    open_bps = open_gross_bps(sources.gross_bps[entries.signal], total, spot)
    which = np.flatnonzero(filled)
    entered = FilledEntries(
        request=entries.request[which],
        signal=entries.signal[which],
        t_ns=entries.t_ns[which],
        latency_ns=entries.latency_ns[which],
        exit_latency_ns=entries.exit_latency_ns[which],
        row=entry[which],
        spot_usd=spot[which],
        leg=np.where(present, leg_row, -1)[which],
        quantity=quantity[which],
        price=price[which],
        open_bps=open_bps[which],
    )
    return entered, quoted
