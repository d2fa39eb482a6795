"""The shared vectors are here byte for byte, each case is read by a test, what is left out has a reason.  [audit 15.1]

What a test reads is told from its text.  A file is read *whole* where a loop or a parametrisation goes over all its
cases, without a slice or a condition; a *case* is read where its id stands as a literal in a test file that names the
vector file.  So a case that somebody drops, or an id that is renamed, fails here.
"""

from __future__ import annotations

import ast
import json
import os
import tomllib
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS, HERE = ROOT / "tests", ROOT / "tests" / "vectors"
SHARED = Path(os.environ.get("CME_TEST_VECTORS", ROOT.parent / "shared" / "vectors"))
REGISTER = tomllib.loads((HERE / "REGISTER.toml").read_text(encoding="utf-8"))
FILES = {entry["path"]: entry for entry in REGISTER["file"]}
IN_THE_PAGE = {
    "jcs_documents", "jcs_numbers", "profile_cj1", "decimal_strings", "uuid5", "tagged_hash", "signal_ids", "merkle",
    "signed_notes", "ledger_cases", "ledger_compare", "plan_rows", "net_of_rows",
}  # fmt: skip
"""Those of sections 2 to 8 of the audit rules but `replay`, which is of appending: the page only reads."""


@cache
def parsed() -> dict[Path, tuple[ast.Module, frozenset[str]]]:
    """Test files that reach the vectors, by folder or through `tests.helpers.ledgers`: tree and literal texts."""
    sources = {path: path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py") if path != Path(__file__)}
    reaching = (path for path, text in sources.items() if "vectors" in text or "tests.helpers.ledgers" in text)
    trees = {path: ast.parse(sources[path]) for path in sorted(reaching)}
    return {path: (tree, texts(tree)) for path, tree in trees.items()}


def texts(tree: ast.AST) -> frozenset[str]:
    """The literal texts of a piece of code; the pieces of an f-string are none."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    return frozenset(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside
    )


def names(found: frozenset[str], file: str) -> bool:
    """Whether texts name a vector file: by its stem, its name, or its path."""
    return any(text.removesuffix(".json").split("/")[-1] == Path(file).stem for text in found)


def is_whole(node: ast.expr, file: str, held: set[str]) -> bool:
    """Whether an expression is all cases of ``file``: ``cases("x")``, ``json.loads(...)["cases"]`` or a name for it."""
    if isinstance(node, ast.Name):
        return node.id in held
    if isinstance(node, ast.Call):
        return [x.value for x in node.args if isinstance(x, ast.Constant)] == [Path(file).stem]
    if not (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)):
        return False
    used = {x.id for x in ast.walk(node.value) if isinstance(x, ast.Name)}
    return node.slice.value in ("cases", "vectors") and (names(texts(node.value), file) or bool(used & held))


def reads_whole(tree: ast.Module, file: str) -> bool:
    """Whether a test file has a loop or a parametrisation over all cases."""
    held = set()  # names that stand for the file's path or its cases
    for node in tree.body:
        if isinstance(node, ast.Assign) and names(texts(node.value), file):
            whole = not any(isinstance(x, ast.Slice) or getattr(x, "ifs", None) for x in ast.walk(node.value))
            held |= {target.id for target in node.targets if whole and isinstance(target, ast.Name)}
    loops = [node.iter for node in ast.walk(tree) if isinstance(node, ast.For)]
    loops += [
        node.args[1]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "parametrize"
    ]
    return any(is_whole(node, file, held) for node in loops)


def ids_of(file: str) -> list[str]:
    """The ids of a file's cases; without ids their places; none for a table that has no cases."""
    document = json.loads((HERE / file).read_text(encoding="utf-8"))
    table = document.get("cases", document.get("vectors", []))
    return [str(case.get("id", place)) for place, case in enumerate(table)]


@pytest.mark.parametrize("file", FILES)
def test_every_case_is_read_by_a_test_or_excepted_with_a_reason(file: str) -> None:
    """The ids that tests name, and the list of exceptions, are together the ids of the file, and none is both."""
    ids, excepted = ids_of(file), FILES[file].get("excepted", {})
    readers = [(tree, found) for tree, found in parsed().values() if names(found, file)]

    assert readers, "no test names the file"
    assert len(set(ids)) == len(ids)
    assert set(excepted) <= set(ids)
    if not any(reads_whole(tree, file) for tree, _ in readers):
        named = set().union(*(found for _, found in readers)) & set(ids)
        assert sorted([*named, *excepted]) == sorted(ids)


@pytest.mark.parametrize(
    ("code", "whole"),
    [
        ("for case in cases('merkle'): pass", True),
        ("for case in json.loads((vectors / 'merkle.json').read_text())['cases']: pass", True),
        ("@pytest.mark.parametrize('case', cases('merkle'), ids=str)\ndef test_x(case): pass", True),
        ("V = 'audit/merkle.json'\nfor case in json.loads((vectors / V).read_text())['cases']: pass", True),
        ("for case in cases('merkle')[1:]: pass", False),
        ("for case in json.loads((vectors / 'merkle.json').read_text())['cases'][:2]: pass", False),
        ("found = [case for case in cases('merkle') if case['valid']]", False),
        ("V = {c['id']: c for c in json.loads(text('merkle'))['cases'] if c}\nfor case in V: pass", False),
        ("for case in cases('replay'): pass", False),
    ],
)
def test_a_dropped_case_is_noticed(code: str, whole: bool) -> None:
    """A slice or a condition is not the whole file, and another file is another."""
    assert reads_whole(ast.parse(code), "audit/merkle.json") is whole


def test_the_register_names_every_file_with_its_hash() -> None:
    """Nothing lies here unlisted, nothing listed is gone, and the bytes are those that were copied."""
    here = {path.relative_to(HERE).as_posix() for path in HERE.rglob("*.json")}

    assert set(FILES) == here
    for file, entry in FILES.items():
        assert sha256((HERE / file).read_bytes()).hexdigest() == entry["sha256"], file


def test_the_page_reads_its_part() -> None:
    """The browser's verifier is tried against the vectors of what it does."""
    page = [found for path, (_, found) in parsed().items() if TESTS / "reports" / "verifier" in path.parents]

    assert {Path(f).stem for f in FILES if f.startswith("audit/") and any(names(t, f) for t in page)} == IN_THE_PAGE


def test_they_are_the_shared_ones_and_the_others_are_left_out_with_a_reason() -> None:
    """Byte for byte; nothing was made to fit, and no shared file is passed over in silence."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared vectors are not in {SHARED}: set CME_TEST_VECTORS to compare")
    copied = {file for file, entry in FILES.items() if "made_here" not in entry}
    left_out = {entry["path"] for entry in REGISTER["left_out"] if entry["reason"]}
    shared = {path.relative_to(SHARED).as_posix() for path in SHARED.rglob("*") if path.is_file()}

    assert copied | left_out == shared
    assert not copied & left_out
    for file in copied:
        assert (HERE / file).read_bytes() == (SHARED / file).read_bytes(), file
