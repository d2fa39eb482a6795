"""What C5 sees at a higher threshold of |z|, out of what it saw at a lower one.  [S2.C5, R9.7]

A threshold enters C5 in two places only: a package fires while |z| reaches it, and its key has fallen while |z| is
under the re-arm share of it.  So the packages at a higher threshold are among those at a lower one, and nothing about
them changes but whether they fire.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.constraints.c5_calendar import reaches_z
from engine.constraints.detect import take
from engine.records import Violations


def raised(found: Violations, z_threshold: float, rearm_share: float) -> Violations:
    """Return ``found``, C5 at some threshold, as `detect` finds it at ``z_threshold``, which is not lower.

    Packages, costs, nets, what fires and why, and what was evaluated are those of `detect` to the bit.  The funnel and
    the best net stay those of the lower threshold: emission reads neither.
    """
    z = found.packages.detail.get("z", np.empty(0))
    keep = reaches_z(z, rearm_share * z_threshold)
    packages, costs, net = take(found.packages, found.costs, found.net_bps, keep)
    wide = reaches_z(z[keep], z_threshold).tolist()
    reason = tuple(
        why or ("" if reaches else "threshold")
        for why, reaches in zip(np.array(found.reason, dtype=object)[keep].tolist(), wide, strict=True)
    )
    fires = np.array([why == "" for why in reason], dtype=np.bool_)
    return replace(found, packages=packages, costs=costs, net_bps=net, fires=fires, reason=reason)
