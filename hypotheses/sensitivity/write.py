"""Writes `sensitivities.json`: every member's tables, for the report and for readers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from backtest.data.format.atomic_write import write_whole
from backtest.tasks.parallel import ParallelMap, serial_map, with_progress
from hypotheses.results_documents import readable
from hypotheses.sensitivity.base import JudgedRun

NAME = "sensitivities.json"


def write(
    judged: JudgedRun, on_progress: Callable[[str], None] = lambda _: None, parallel_map: ParallelMap = serial_map
) -> None:
    """Compute every member and write the file into the run directory.

    ``on_progress`` is called with the name of each member when its computation begins.  A member that reads the market
    is left out where ``judged.data`` is None, and listed as such.
    """
    # imported here: scipy takes a second, and the command's help needs none of it
    from hypotheses.sensitivity.registry import SENSITIVITIES

    left_out = [member for member in SENSITIVITIES if member.market and judged.data is None]
    names = [member.name for member in SENSITIVITIES if member not in left_out]
    # backwards, because the longest members are last in the registry and workers should end together
    backwards = list(parallel_map(_section, judged, with_progress(reversed(names), on_progress)))
    titles = [member.title for member in left_out]
    document = {"schema": "sensitivities/1", "draws": judged.draws, "parts": backwards[::-1], "not_asked": titles}
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(judged.folder / NAME, text.encode())


def _section(judged: JudgedRun, name: str) -> dict[str, Any]:
    from hypotheses.sensitivity.registry import SENSITIVITIES

    (member,) = (candidate for candidate in SENSITIVITIES if candidate.name == name)
    part = member.build(judged)
    return {
        "name": member.name,
        "title": member.title,
        "label": member.label,
        "rule": member.rule,
        "tables": [readable(asdict(table)) for table in part.tables],
        "notes": list(part.notes),
    }
