"""The gaps of a recorded window by instrument and cause: what the gap ledger of its days declares.  [live L1]"""

from __future__ import annotations

from typing import Any, Final

from backtest.data.format.dataset import Dataset
from backtest.data.raw.gap_ledger import GAPS_FILE, gap_ms, gaps_of, of_span
from backtest.records import Plan
from engine.units import NS_PER_MS

NAME: Final = "gaps.json"


def declared(dataset: Dataset, plan: Plan) -> dict[str, Any] | None:
    """Return the gaps that reach into the window; None for a data set without a gap ledger, as one of archives.

    ``window_ms`` is the length of the window, ``rows`` have ``instrument``, ``why``, ``gaps`` (their number) and ``ms``
    in which a stream of it was in one, by instrument and cause; ``ms_of_instrument`` counts every instant once,
    whatever its causes.  Raises ``DataError`` (4) for a ledger of another form.
    """
    if GAPS_FILE not in dataset.files:
        return None
    lines = dataset.read(GAPS_FILE).splitlines()
    rows = of_span(gaps_of(lines, str(dataset.path / GAPS_FILE)), plan.t0_ns, plan.t1_ns)
    causes = sorted({(row.instrument, row.why) for row in rows})
    found = []
    for instrument, why in causes:
        own = [row for row in rows if (row.instrument, row.why) == (instrument, why)]
        length = gap_ms(own, plan.t1_ns)[instrument]
        found.append({"instrument": instrument, "why": why, "gaps": len(own), "ms": length})
    return {
        "window_ms": (plan.t1_ns - plan.t0_ns) // NS_PER_MS,
        "rows": found,
        "ms_of_instrument": gap_ms(rows, plan.t1_ns),
    }
