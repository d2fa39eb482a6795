"""The seal of a tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import GateError
from engine.freeze import engine_hash, engine_root, tree_hash, tree_listing
from tests.helpers.ledgers import cases


@pytest.mark.parametrize("case", cases("tree_hash"), ids=lambda c: c["id"])
def test_a_tree_hashes_to_the_shared_vector(tmp_path: Path, case: dict) -> None:
    """Listing and hash equal the numbers computed elsewhere.  [audit 9.1]"""
    for file in case["files"]:
        path = tmp_path / file["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes.fromhex(file["content_hex"]))
        path.chmod(0o755 if file["mode"] == "100755" else 0o644)

    assert case["listing"].encode() == tree_listing(tmp_path)
    assert case["tree_hash"] == tree_hash(tmp_path)


def test_compiled_files_do_not_move_the_seal_and_any_other_file_does(tmp_path: Path) -> None:
    """The set of files is exact, less what the interpreter writes."""
    (tmp_path / "a.py").write_text("A = 1\n")
    before = tree_hash(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_bytes(b"x")

    assert before == tree_hash(tmp_path)

    (tmp_path / "extra.txt").write_text("")

    assert before != tree_hash(tmp_path)


def test_a_link_is_refused(tmp_path: Path) -> None:
    """A link could make the seal depend on bytes outside the tree."""
    (tmp_path / "a").symlink_to("/etc/hostname")

    with pytest.raises(GateError, match="regular file"):
        tree_hash(tmp_path)


def test_the_running_engine_has_a_seal() -> None:
    """The engine's own tree can be sealed, and other families leave its seal alone."""
    assert engine_hash() == tree_hash(engine_root(), leave_out=("venue", "covenants"))
