"""What an emission could judge and what it emitted so far, by constraint: counts alone, no money.  [live L3, L0.6]

``progress.json`` beside a live ledger, written anew with each emission and read by `cme status`:

    {"schema": "progress/1", "to": day,
     "days": {day: {code: [grid times judged, grid times in all, packages examined]}},
     "constraints": {code: {"signals": n, "dislocations": n, "open_days": [day, ...]}}}

``open_days`` are those on which a position of an emitted signal may have been open: from its decision to the day after
its registered life, the last day on which an exit can be filled.  The days with a profit, which H3's floor counts, are
some of them; its dislocations are opened by *traded* signals, and one more signal never lowers their count: what is
written here bounds both from above, without an outcome.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from backtest.data.format.atomic_write import write_whole
from backtest.live.day_chain import date_text, day_number
from backtest.live.live_folder import LedgerFolder
from backtest.records import Plan, Stats
from backtest.results.dislocations import count_dislocations
from backtest.rundir.counts import judged_cells
from engine.errors import MissingError
from engine.params import Params
from engine.positions.base import Signal
from engine.replay import Block
from engine.units import NS_PER_DAY

SCHEMA: Final = "progress/1"


def progress_of(blocks: Iterable[Block], signals: Iterable[Signal], params: Params, end_ns: int) -> dict[str, Any]:
    """Return the document of the module for blocks and signals before ``end_ns``, the end of the last judged day."""
    days: dict[str, dict[str, list[int]]] = {}
    for (code, day), cell in sorted(judged_cells(blocks).items(), key=lambda item: item[0][::-1]):
        days.setdefault(date_text(day), {})[code] = cell
    ordered = sorted(signals, key=lambda signal: signal.t_ns)
    dislocations = count_dislocations(
        ((one.constraint, one.underlying, one.venue, one.expiry_ns), one.t_ns) for one in ordered
    )
    return {
        "schema": SCHEMA,
        "to": date_text(end_ns // NS_PER_DAY - 1),
        "days": days,
        "constraints": {
            code: {
                "signals": sum(one.constraint == code for one in ordered),
                "dislocations": dislocations[code],
                "open_days": [date_text(day) for day in _open_days(ordered, code, rule.life_ns, end_ns)],
            }
            for code, rule in params.rules.items()
            if rule.enabled
        },
    }


def _open_days(signals: Iterable[Signal], code: str, life_ns: int, end_ns: int) -> list[int]:
    open_days: set[int] = set()
    for signal in signals:
        if signal.constraint == code:
            last = min((signal.t_ns + life_ns) // NS_PER_DAY + 1, end_ns // NS_PER_DAY - 1)
            open_days.update(range(signal.t_ns // NS_PER_DAY, last + 1))
    return sorted(open_days)


def write_progress(folder: LedgerFolder, document: Mapping[str, Any]) -> None:
    """Write the progress beside a ledger, whole.  Raises ``WriteError`` (5)."""
    write_whole(folder.progress, (json.dumps(document, sort_keys=True) + "\n").encode())


def read_progress(folder: LedgerFolder) -> dict[str, Any] | None:
    """Return the progress of a ledger; None where no emission has written one.

    Raises ``MissingError`` (3) if it is not readable or of another form.
    """
    if not folder.progress.exists():
        return None
    try:
        document: dict[str, Any] = json.loads(folder.progress.read_bytes())
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema {document['schema']!r}")
    except (OSError, ValueError, LookupError, TypeError) as problem:
        raise MissingError(
            f"expected {SCHEMA} in {folder.progress}, was: {problem}; the next `cme emit` writes it anew"
        ) from problem
    return document


def coverage_of(document: Mapping[str, Any] | None, codes: Iterable[str]) -> list[dict[str, Any]]:
    """Return a row a constraint: share of grid times judged (None before any), days with one, packages examined."""
    days = [] if document is None else list(document["days"].values())
    rows = []
    for code in codes:
        cells = [day.get(code, [0, 0, 0]) for day in days]
        judged, rows_in_all, examined = (sum(cell[at] for cell in cells) for at in range(3))
        rows.append({
            "code": code,
            "coverage": round(judged / rows_in_all, 4) if rows_in_all else None,
            "days_judged": sum(cell[0] > 0 for cell in cells),
            "examined": examined,
        })  # fmt: skip
    return rows


def floors_of(
    document: Mapping[str, Any] | None, codes: Iterable[str], plan: Plan, stats: Stats
) -> list[dict[str, Any]]:
    """Return a row a constraint: what was emitted in the window beside each floor of H3, and whether it can be met.

    ``at_most`` bounds from above what the verdict will count so far; ``reachable`` is false only where the bound and
    every day that is not judged yet together are under a floor.  A dislocation may be opened at any moment, so the
    floor of dislocations is out of reach only when no day is left.
    """
    first, end = plan.t0_ns // NS_PER_DAY, plan.t1_ns // NS_PER_DAY
    left = range(first if document is None else max(first, day_number(document["to"]) + 1), end)
    fold_days = plan.fold_ns // NS_PER_DAY
    rows = []
    for code in codes:
        none: dict[str, Any] = {"signals": 0, "dislocations": 0, "open_days": []}
        counted = none if document is None else document["constraints"].get(code, none)
        open_days = [day for day in map(day_number, counted["open_days"]) if first <= day < end]
        blocks = {(day - first) // fold_days for day in open_days}
        possible = {
            "active_days": len(open_days) + len(left),
            "dislocations": stats.floor_trades if left else counted["dislocations"],
            "active_blocks": len(blocks | {(day - first) // fold_days for day in left}),
        }
        floors = {
            "active_days": stats.floor_days, "dislocations": stats.floor_trades, "active_blocks": stats.floor_blocks,
        }  # fmt: skip
        rows.append({
            "code": code,
            "signals": counted["signals"],
            "at_most": {"active_days": len(open_days), "dislocations": counted["dislocations"],
                        "active_blocks": len(blocks)},
            "floors": floors,
            "days_left": len(left),
            "reachable": all(possible[name] >= floor for name, floor in floors.items()),
        })  # fmt: skip
    return rows
