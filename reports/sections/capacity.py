"""H2: the modelled EV of the signals, with depth counted once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.base import Block, Figure, Section, Table
from reports.citation import Cited, derived
from reports.figures import capacity as figure
from reports.load import Run
from reports.rows import TRADES, Rows
from reports.words import count, hours, number, share, usd, usd_micro

UPWARDS = "an hour's refill, each book at its deepest touch, all of it captured"
"""How the modelled EV is read upwards.  [decision 0612]"""


def build(run: Run) -> Sequence[Block]:
    """Return the daily capacity against the ceiling, the three sums, and modelled against settled."""
    h2 = run.verdicts["H2"]
    day = run.returns["day"].to_numpy(np.int64)
    traded = Rows(run.trades, TRADES).where(status="traded")
    settled, modelled = (traded.total(f"{term}_usd_micro") for term in ("net", "modelled"))
    rows = (
        ("joint optimum, depth counted once (decides)", usd(h2["mean_usd_per_day"], 2)),
        ("greedy in order of time", usd(h2["greedy"], 2)),
        ("naive sum, depth counted repeatedly", usd(h2["naive"], 2)),
        (Cited("upper {} bound of the joint mean").format(share(run.level, 0)), usd(h2["upper_95"], 2)),
        *(
            (f"read upwards, {name}: {UPWARDS}", usd(upper[key], 2))
            for upper in [h2.get("upper") or {}]
            for key, name in (("mean", "joint optimum"), ("naive", "naive sum"))
            if key in upper
        ),
        ("signals", count(h2["signals"])),
        ("days without modelled profit", Cited("{} of {}").format(count(h2["zero_days"]), count(h2["n_days"]))),
        ("modelled net of trades taken, whole window, before capital", usd_micro(modelled) + " USD"),
        ("settled net of trades taken, whole window, before capital", usd_micro(settled) + " USD"),
        ("realised over captured net of trades taken", number(h2["realised_over_modelled"])),
        *(
            (_refill(ns, value), usd(value, 2))
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
            "verdicts.json: H2.daily_micro, H2.daily_naive_micro; manifest.json: claims.ev_usd",
        ),
        Table("H2 in numbers, USD a day unless said", ("quantity", "value"), rows, right=(1,)),
    ]


def _refill(ns: str, value: object) -> str:
    """Return the name of the row of a refill window; the window itself is the name of its field."""
    window = derived(int(ns), "name", value)
    return Cited("joint mean with a refill window of {} h (sensitivity)").format(hours(window, 0))


SECTION = Section("capacity", "Capacity", "S9.H2", build)
