"""Makes the garbage collector run seldom: a run makes millions of records and no cycles among them.

Records and arrays are freed by their reference counts.  The collector would walk again and again through tens of
thousands of signals that are all in use: a tenth of the demonstration's processor time.
"""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (50_000, 20, 100)
"""Objects, and collections of the younger generations, before one more; Python's own are 700, 10, 10."""


def collect_seldom() -> None:
    """Exclude every object that exists now from later collections, and make those rarer."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
