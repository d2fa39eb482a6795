"""How a value of a plan is called: a dotted key, an entry of an array of tables in brackets.  [statistics R12.4]

grid.step_s                     a value of a table
choices[test window].value      of the entry with that ``item`` or ``name``
split.windows[0].start          of an entry without either, by its number from 0
"""

from __future__ import annotations

import re
from typing import Any, Final

NAMES: Final = ("item", "name")
"""Keys that name an entry of an array of tables, the first that the entries have."""
_KEY: Final = re.compile(r"[^.\[\]]+(?:\[[^\[\]]+\])*(?:\.[^.\[\]]+(?:\[[^\[\]]+\])*)*")
_STEP: Final = re.compile(r"[^.\[\]]+|\[[^\[\]]+\]")


def steps_of(key: str) -> list[str]:
    """Return the steps of ``key`` from the top; one empty step, which leads nowhere, for a text that is no key.

    >>> steps_of("split.windows[0].start")
    ['split', 'windows', '[0]', 'start']
    """
    return _STEP.findall(key) if _KEY.fullmatch(key) else [""]


def below(table: Any, step: str) -> Any:
    """Return the value of one step of a key; None where there is none, or where two entries have that name."""
    if not step.startswith("["):
        return table.get(step) if isinstance(table, dict) else None
    entries = [entry for entry in table if isinstance(entry, dict)] if isinstance(table, list) else []
    wanted, named = step[1:-1], [name for name in NAMES if any(name in entry for entry in entries)]
    if named:
        matching = [entry for entry in entries if any(entry.get(name) == wanted for name in named)]
        return matching[0] if len(matching) == 1 else None
    # Few digits only: `int` raises on thousands of them, and no array of a plan is that long.
    return entries[int(wanted)] if wanted.isdecimal() and len(wanted) < 5 and int(wanted) < len(entries) else None
