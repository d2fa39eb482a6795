"""The shared vectors of the audit chain: all are here, byte for byte, and each is read by a test.  [audit 15.1]"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "vectors" / "audit"
SHARED = Path(os.environ.get("CME_TEST_VECTORS", ROOT.parent / "shared" / "vectors")) / "audit"
NAMES = (
    "confirmatory_gate", "decimal_strings", "exact_statistics", "jcs_documents", "jcs_numbers", "ledger_cases",
    "ledger_compare", "merkle", "mlflow_keys", "profile_cj1", "replay", "results_digest", "seeds", "signal_ids",
    "signed_notes", "tagged_hash", "tree_hash", "uuid5",
)  # fmt: skip
"""Section 16 of the audit rules, sorted."""
IN_THE_PAGE = {
    "jcs_documents", "jcs_numbers", "profile_cj1", "decimal_strings", "uuid5", "tagged_hash", "signal_ids", "merkle",
    "signed_notes", "ledger_cases", "ledger_compare",
}  # fmt: skip
"""Those of sections 2 to 8 but `replay`, which is of appending: the page only reads."""


def named_in(folder: Path) -> set[str]:
    """The vector files that tests below ``folder`` read by name."""
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py") if path != Path(__file__)]
    return {name for name in NAMES for text in texts if re.search(rf"[\"'/]{name}(\.json)?[\"']", text)}


def test_every_file_is_here_and_is_read_by_a_test() -> None:
    assert sorted(path.stem for path in HERE.glob("*.json")) == list(NAMES)
    assert named_in(ROOT / "tests") == set(NAMES)
    assert named_in(ROOT / "tests" / "reports" / "verifier") == IN_THE_PAGE


def test_they_are_the_shared_ones() -> None:
    """Byte for byte; nothing was made to fit."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared vectors are not in {SHARED}: set CME_TEST_VECTORS to compare")
    for path in sorted(SHARED.glob("*.json")):
        assert (HERE / path.name).read_bytes() == path.read_bytes(), path.name
