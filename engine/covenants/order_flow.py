"""Order-flow imbalance at the best quotes: an input of `revise` where a book exists.  [covenants 15.5, risk 11.1]"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.covenants.base import Covenant
from engine.exact.rounded import Floats

COVENANT: Final = Covenant(
    "order_flow", "Order flow", "e = 1[b up] q_b - 1[b down] q_b' - 1[a down] q_a + 1[a up] q_a', summed a bar", "15.5"
)


def imbalances(bid: Floats, bid_size: Floats, ask: Floats, ask_size: Floats) -> Floats:
    """Return what each change of the best quotes adds to the imbalance, base units, shape (events,); 0 for the first.

    Prices and sizes of the best bid and ask after each event.  Bought pressure is positive.  (Cont, Kukanov, Stoikov
    2014)
    """
    e = np.zeros(bid.size)
    up, down = bid[1:] >= bid[:-1], bid[1:] <= bid[:-1]
    rise, fall = ask[1:] >= ask[:-1], ask[1:] <= ask[:-1]
    e[1:] = up * bid_size[1:] - down * bid_size[:-1] - fall * ask_size[1:] + rise * ask_size[:-1]
    return e


def flow_by_bar(event_ns: NDArray[np.int64], e: Floats, t_ns: NDArray[np.int64]) -> Floats:
    """Return the imbalance of each bar, shape (bars,): events after the close before, up to and with its own close.

    ``event_ns`` rise.  The first bar takes what came before it; NaN in a bar without an event.
    """
    running = np.concatenate(([0.0], np.cumsum(e)))
    place = np.searchsorted(event_ns, t_ns, side="right")
    before = np.concatenate(([0], place[:-1]))
    return np.where(place > before, running[place] - running[before], np.nan)
