"""Which names a bundle may hold, where they stand in a run directory, and how much there may be of it.  [audit 12]

A bundle holds a run directory under nearly the same names: ``data.json`` is called ``data.manifest`` and ``ledger/``
is called ``ledgers/``.  Around it stand what a reviewer needs: sums, attestation, crate, checkpoints, journals.  A name
that is not listed here is refused, so nothing can hide in a bundle.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from engine.errors import MissingError

SUMS: Final = "SHA256SUMS"
ATTESTATION: Final = "attestation.json"
CRATE: Final = "ro-crate-metadata.json"
README: Final = "README.txt"
ANCHORS: Final = "anchors.jsonl"
FREEZE: Final = "freeze.json"
DATA_SEAL: Final = "data-seal.json"
LOCK: Final = "requirements.lock"
PAGE: Final = "verify.html"
AROUND: Final = (README, SUMS, ATTESTATION, CRATE, ANCHORS, FREEZE, DATA_SEAL, LOCK, PAGE)
"""Files of a bundle that no run directory holds."""

RUN_FILES: Final = (
    "accruals.parquet", "coverage.json", "coverage_days.json", "curves.parquet", "data.json", "delayed.parquet",
    "deliveries.json", "digest.txt", "files.sha256", "folds.json", "forced_exits.json", "funnel.json", "gaps.json",
    "ledger/emit.jsonl", "ledger/resolution.jsonl",
    "manifest.json", "placements.parquet", "quality.json", "recovery.json", "registration.toml", "report.html",
    "report.md",
    "results.exact.json", "results.exploratory.json", "results.float.json", "retained.json", "returns.parquet",
    "seeds.lock", "sensitivities.json", "touch.parquet", "unplaced.parquet", "verdicts.json",
)  # fmt: skip
NEEDED: Final = (
    "accruals.parquet", "data.json", "digest.txt", "ledger/emit.jsonl", "ledger/resolution.jsonl", "manifest.json",
    "registration.toml", "results.float.json", "returns.parquet", "seeds.lock", "verdicts.json",
)  # fmt: skip
"""What a run must hold to be bundled: without it level 0 or level 1 has nothing to read."""

FOLD: Final = re.compile(r"folds/(?:[0-9]{2}|history)/(?:signals\.parquet|trades\.parquet|fitted\.json)")
CHECKPOINT: Final = re.compile(r"checkpoints/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/[0-9]{1,16}\.ckpt")
JOURNAL: Final = re.compile(r"runs/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/journal(?:-[0-9]{1,4})?\.jsonl")
LOOKS: Final = "ledgers/looks.jsonl"

MOST_FILES: Final = 20_000
MOST_BYTES: Final = 2**32 - 2**20
"""Of all files together: a bundle stays below the sizes at which a zip changes its format."""
MOST_CELLS: Final = 2**28
"""Rows times columns of one table, by its own footer."""

_RENAMED: Final = {"data.json": "data.manifest"} | {
    f"ledger/{kind}.jsonl": f"ledgers/{kind}.jsonl" for kind in ("emit", "resolution")
}
_BACK: Final = {there: here for here, there in _RENAMED.items()}


def in_bundle(name: str) -> str:
    """Return the name in a bundle of a file of a run directory."""
    return _RENAMED.get(name, name)


def in_run(name: str) -> str | None:
    """Return the name in a run directory of a file of a bundle; None for a file outside the run."""
    here = _BACK.get(name, name)
    return here if here in RUN_FILES or FOLD.fullmatch(here) else None


def check_name(name: str) -> None:
    """Raise ``MissingError`` (3) for a name that no bundle has: one with .., an absolute one, an unknown one."""
    known = name in AROUND or name == LOOKS or CHECKPOINT.fullmatch(name) or JOURNAL.fullmatch(name)
    # File systems normalise other names in different ways, and `..` climbs out of the folder.
    plain = name.isascii() and unicodedata.is_normalized("NFC", name) and ".." not in name.split("/")
    if not plain or not (known or (in_run(name) is not None and name not in _RENAMED)):
        raise MissingError(f"bundle: expected the names of a bundle only, was {name[:200]!r}: nothing was unpacked")
