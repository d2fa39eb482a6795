"""Where moves are filled: the rule of `engine.positions.exits` over many moves at once.  [S4.4]"""

from __future__ import annotations

import numpy as np

from engine.records import BoolArray, IntArray
from engine.repricing.base import PlaceboEntries, SourceSignals
from engine.repricing.exits import FilledEntries
from engine.repricing.window import PriceWindow
from engine.units import BPS, NEVER_NS


def fill(
    span: PriceWindow, movables: SourceSignals, moves: PlaceboEntries, decision: IntArray, codes: IntArray
) -> tuple[FilledEntries, BoolArray]:
    """Return the positions that were filled and which moves were quoted at all.

    ``decision`` is the row at which a move is decided, and ``codes`` its legs there, ``[M, LEGS]``.  A move that was
    quoted and could not be filled is `void`, as a signal is where it stands: it earns zero.
    """
    table, rows = span.views[0].panel.instruments, len(span.times_ns)
    present = codes >= 0
    at = np.where(present, np.searchsorted(span.code, codes), 0)
    entry = np.searchsorted(span.times_ns, moves.t_ns + moves.latency_ns)
    inside = np.minimum(entry, rows - 1)
    expiry = np.where(present, table.expiry_ns[np.maximum(codes, 0)], NEVER_NS).min(axis=1)
    over = np.minimum(moves.t_ns + movables.life_ns[moves.signal], expiry)
    spot = span.spot_usd[decision]
    before, price = span.mid[at, decision[:, None]], span.mid[at, inside[:, None]]
    quoted = (spot > 0.0) & (np.isfinite(before) | ~present).all(axis=1)
    filled = quoted & (entry < rows) & (span.times_ns[inside] < over) & (np.isfinite(price) | ~present).all(axis=1)
    wanted, inverse = movables.quantity[moves.signal], span.inverse[at] & present
    with np.errstate(divide="ignore", invalid="ignore"):
        gained = np.where(inverse, wanted * (1.0 - before / price), wanted * (price - before))
        gained *= span.conversion[at, inside[:, None]]
        quantity = np.where(inverse, wanted * before / price, wanted)
    total = np.zeros(len(spot))
    for leg in range(codes.shape[1]):
        total = total + np.where(present[:, leg], gained[:, leg], 0.0)
    open_bps = movables.gross_bps[moves.signal] - BPS * total / spot
    which = np.flatnonzero(filled)
    entered = FilledEntries(
        move=moves.move[which],
        signal=moves.signal[which],
        t_ns=moves.t_ns[which],
        latency_ns=moves.latency_ns[which],
        row=entry[which],
        spot_usd=spot[which],
        leg=np.where(present, at, -1)[which],
        quantity=quantity[which],
        price=price[which],
        open_bps=open_bps[which],
    )
    return entered, quoted
