"""How often a process of a run looks for cycles among its objects: seldom, for it makes millions of records and none.

Records and arrays are freed by their reference counts.  What the collector would walk through, again and again, are
tens of thousands of signals that are all in use: a tenth of the demonstration's processor time.
"""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (50_000, 20, 100)
"""Objects, and collections of the younger generations, before one more; Python's own are 700, 10, 10."""


def collect_seldom() -> None:
    """Spare every later collection what is loaded by now, and have fewer of them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
