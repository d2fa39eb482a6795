"""`sensitivities.json`: every member's tables beside the verdicts, for the report and for readers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from backtest.data.atomic import write_whole
from hypotheses.documents import readable
from hypotheses.sensitivity.base import Judged, Part, Sensitivity

NAME = "sensitivities.json"


def write(judged: Judged, tell: Callable[[str], None] = lambda _: None) -> None:
    """Compute every member and write the file into the run directory; ``tell`` hears which one is computed.

    A member that reads the market is left out where ``judged.data`` is None, and listed as such.
    """
    from hypotheses.sensitivity.registry import SENSITIVITIES  # scipy takes a second: for what computes

    parts = []
    for member in SENSITIVITIES:
        if member.market and judged.data is None:
            continue
        tell(member.name)
        parts.append(_section(member, member.build(judged)))
    asked = [member.title for member in SENSITIVITIES if member.market] if judged.data is None else []
    document = {"schema": "sensitivities/1", "draws": judged.draws, "parts": parts, "not_asked": asked}
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(judged.folder / NAME, text.encode())


def _section(member: Sensitivity, part: Part) -> dict[str, Any]:
    return {
        "name": member.name,
        "title": member.title,
        "label": member.label,
        "rule": member.rule,
        "tables": [readable(asdict(table)) for table in part.tables],
        "notes": list(part.notes),
    }
