"""The two clocks of a recorder."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple


class Clocks(NamedTuple):
    """Wall and monotonic clock, both in ns; tests inject others."""

    wall_ns: Callable[[], int]
    mono_ns: Callable[[], int]


SYSTEM: Final = Clocks(time.time_ns, time.monotonic_ns)
