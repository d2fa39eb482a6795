"""H2: the modelled EV of the signals, with depth counted once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.base import Block, Figure, Section, Table
from reports.figures import capacity as figure
from reports.load import Run
from reports.words import MICRO, count, number, usd


def build(run: Run) -> Sequence[Block]:
    """Return the daily capacity against the ceiling, the three sums, and modelled against settled."""
    h2 = run.verdicts["H2"]
    day = run.returns["day"].to_numpy(np.int64)
    traded = run.trades[run.trades["status"] == "traded"]
    settled, modelled = (int(traded[f"{term}_usd_micro"].sum()) for term in ("net", "modelled"))
    rows = (
        ("joint optimum, depth counted once (decides)", usd(h2["mean_usd_per_day"], 2)),
        ("greedy in order of time", usd(h2["greedy"], 2)),
        ("naive sum, depth counted repeatedly", usd(h2["naive"], 2)),
        ("upper 95% bound of the joint mean", usd(h2["upper_95"], 2)),
        *(
            (f"read upwards, {name}: refill 1 h, each book at its deepest touch, capture 1", usd(upper[key], 2))
            for upper in [h2.get("upper") or {}]
            for key, name in (("mean", "joint optimum"), ("naive", "naive sum"))
            if key in upper
        ),
        ("signals", count(h2["signals"])),
        ("days without modelled profit", f"{count(h2['zero_days'])} of {count(h2['n_days'])}"),
        ("modelled net of trades taken, whole window, before capital", usd(modelled / MICRO, 2)),
        ("settled net of trades taken, whole window, before capital", usd(settled / MICRO, 2)),
        ("realised over captured net of trades taken", number(h2["realised_over_modelled"])),
        *(
            (f"joint mean with a refill window of {number(int(ns) / 3.6e12, 0)} h (sensitivity)", usd(value, 2))
            # JSON has its keys as text, whose order is not that of the numbers.
            for ns, value in sorted(h2["sensitivity"].items(), key=lambda item: -int(item[0]))
        ),
    )
    return [
        Figure(
            "capacity",
            "Modelled net EV a day.",
            figure.draw(day, h2["daily_micro"], h2["daily_naive_micro"], int(run.manifest["claims"]["ev_usd"])),
            "Bars: joint optimum of the day. Dots: the naive sum. Dashed: the registered ceiling. Scale symmetric-log.",
        ),
        Table("H2 in numbers, USD a day unless said", ("quantity", "value"), rows, right=(1,)),
    ]


SECTION = Section("capacity", "Capacity", "S9.H2", build)
