"""Lists by class what deviates from a registered plan; a run with a deviation is exploratory.  [S8.1]

Classes: code, config, data, environment, seed, split, statistic.  Each deviation is one sentence ``<class>: <what>``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from backtest.gate import amendments
from backtest.gate.checks import GateFinding
from backtest.gate.freeze import git_checkout, seal
from backtest.gate.freeze.seal import Place
from backtest.records import Registration
from backtest.registration.load import load_registration
from engine.errors import CmeError

CLASSES: Final = ("code", "config", "data", "environment", "seed", "split", "statistic")
KINDS: Final = {"split": "split", "statistics": "statistic", "data": "data", "synthetic": "data"}
"""Table of a registration -> class; every other table is config."""
NAMING: Final = frozenset(("schema", "study", "title", "mode", "choices", "amendments", "venue_files"))
"""Tables that name or explain a plan and change no number of it."""
FOLLOWS: Final = frozenset(("power.acknowledged",))
"""Keys that follow from other keys, which are listed themselves."""


def of_findings(place: Place, findings: Sequence[GateFinding]) -> tuple[str, ...]:
    """Return every fault the gate found as a deviation; those of the plan by the tables that moved."""
    deviations = [f"{finding.kind}: {fault}" for finding in findings for fault in finding.faults]
    try:
        before = at_freeze(place, seal.read(place.freeze_path))
    except CmeError:  # an unreadable freeze is among the findings
        before = None
    if before is not None:
        deviations.extend(between(before.content, place.registration.content, "as frozen"))
    return in_order(deviations)


def between(before: Mapping[str, Any], after: Mapping[str, Any], than: str) -> Iterator[str]:
    """Yield one deviation for each table of ``after`` that is not that of ``before``, with the keys that differ."""
    for table in sorted({*before, *after} - NAMING):
        keys = sorted(set(_moved(before.get(table), after.get(table), table)) - FOLLOWS)
        if keys:
            shown = ", ".join(keys[:8]) + (f" and {len(keys) - 8} more" if len(keys) > 8 else "")
            yield f"{KINDS.get(table, 'config')}: {shown} {'is' if len(keys) == 1 else 'are'} not {than}"


def at_freeze(place: Place, frozen: Mapping[str, Any]) -> Registration | None:
    """Return the registration as the frozen commit holds it, or None where git cannot say."""
    commit, root = str(frozen["git"]["commit"]), place.root
    try:
        with tempfile.TemporaryDirectory(prefix="cme-frozen-") as folder:
            # In the layout of the checkout, since a plan names its venue files relative to itself.
            for name in _files(place, commit):
                body = git_checkout.content_at(root, commit, name)
                if body is not None:
                    (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                    (Path(folder) / name).write_bytes(body)
            return load_registration(Path(folder) / place.config_name)
    # Without the commit the tables cannot be compared; the gate has named the fault already.
    except (CmeError, OSError):
        return None


def in_order(deviations: Sequence[str]) -> tuple[str, ...]:
    """Return deviations by class, in the order of the classes, each once."""
    rank = {name: place for place, name in enumerate(CLASSES)}
    return tuple(sorted(dict.fromkeys(deviations), key=lambda text: rank[text.split(":", 1)[0]]))


def _files(place: Place, commit: str) -> Iterator[str]:
    yield place.config_name
    for name in amendments.names(place):
        listed = git_checkout.git(place.root, "ls-tree", "-r", "-z", "--name-only", commit, "--", name)
        yield from (entry for entry in listed.split("\0") if entry)


def _moved(before: Any, after: Any, where: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in {*before, *after}:
            yield from _moved(before.get(key), after.get(key), f"{where}.{key}")
    elif before != after:
        yield where
