"""The events of a journal as closed tables: whoever reads one finds each value of its kind.  [audit 13.1]"""

from __future__ import annotations

import re
from typing import Final

from engine.ledger.format.closed_tables import RecordShape
from engine.ledger.format.fields import COUNT, HEX, OBJECT, TEXT, UUID, Grammar, one_of

_METRIC_KEY = re.compile(r"[a-z0-9_]+([./][a-z0-9_]+)*")
_METRIC_KEY_LENGTH = 250
_NUMBER = re.compile(r"nan|-?inf|-?[0-9]{1,400}(\.[0-9]{1,400})?(e[+-]?[0-9]{1,3})?")
_STEP = re.compile(r"[^/\\\x00]{1,255}")

_STRING: Final = Grammar("text", lambda value: type(value) is str)
_WHOLE: Final = Grammar("a whole number", lambda value: type(value) is int)


def is_metric_key(key: object) -> bool:
    """Return whether ``key`` may name a metric.  [audit 13.2]"""
    return isinstance(key, str) and len(key) <= _METRIC_KEY_LENGTH and _METRIC_KEY.fullmatch(key) is not None


def is_number(text: object) -> bool:
    """Return whether ``text`` is that of a metric: a number, or ``nan``, ``inf``, ``-inf``."""
    return isinstance(text, str) and _NUMBER.fullmatch(text) is not None


def is_beside(path: object) -> bool:
    """Return whether ``path`` names a file below the journal's folder, with ``/`` between its steps."""
    steps = path.split("/") if isinstance(path, str) else [""]
    return all(_STEP.fullmatch(step) and step not in (".", "..") for step in steps)


EVENT: Final[RecordShape] = {
    "seq": COUNT,
    "prev_hash": HEX,
    "event": one_of("start", "param", "metric", "tag", "artifact", "end"),
    "at_us": COUNT,
    "data": OBJECT,
}
DATA: Final[dict[str, RecordShape]] = {
    "start": {"run_uid": UUID, "study": TEXT, "mode": TEXT, "command": TEXT},
    "param": {"key": TEXT, "value": _STRING},
    "metric": {
        "key": Grammar("a metric's key", is_metric_key), "value": Grammar("a number as text", is_number), "step": _WHOLE
    },
    "tag": {"key": TEXT, "value": _STRING},
    "artifact": {"path": Grammar("a path below the journal's folder", is_beside), "sha256": HEX, "size": COUNT},
    "end": {"exit": COUNT, "reason": TEXT},
}  # fmt: skip
"""Event -> the shape of its ``data``."""
