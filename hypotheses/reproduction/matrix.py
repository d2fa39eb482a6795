"""Level 3: runs level 2 in several environments, one process after the other.  [audit 10.3, 12]"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backtest.audit.bundle.variations import Variation, environment_of
from backtest.environment import ROOT
from backtest.gate.freeze.clean_process import DOOR


@dataclass(frozen=True, slots=True)
class Ran:
    """How level 2 ended under one variation; ``digest`` is None where it ended before the digest."""

    variation: str
    exit: int
    digest: str | None
    reason: str | None


def run_all(
    source: Path, data: Path | None, chosen: Sequence[Variation], on_progress: Callable[[str], None] = lambda _: None
) -> tuple[Ran, ...]:
    """Return the outcome under each of ``chosen``, in order; ``on_progress`` is called with the name of each."""
    ran = []
    for variation in chosen:
        on_progress(variation.name)
        ran.append(run_one(source, data, variation))
    return tuple(ran)


def run_one(source: Path, data: Path | None, variation: Variation) -> Ran:
    """Return the outcome of level 2 in a process of its own under ``variation``."""
    with tempfile.TemporaryDirectory(prefix="cme-level3-") as place:
        words = ["reproduce", str(source.resolve()), "--level", "2", "--workers", str(variation.workers)]
        words += ["--out", place, "--json", "--quiet", *(["--data", str(data.resolve())] if data else [])]
        # a process of its own: processor and thread settings are read once, when numpy is imported
        done = subprocess.run(
            [sys.executable, "-c", DOOR, str(ROOT), *words],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=environment_of(variation),
            cwd=place if variation.elsewhere else ROOT,
            check=False,
        )
    try:
        document = json.loads(done.stdout)
        return Ran(variation.name, document["exit"], document["digest"]["recomputed"], document["reason"])
    # A process that died has printed no document: its code and last words are the outcome.
    except (ValueError, KeyError, TypeError):
        return Ran(variation.name, done.returncode or 70, None, done.stderr[-500:])
