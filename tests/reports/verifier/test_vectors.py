"""The page against the numbers computed elsewhere, with the same code and row as Python.  [audit 8.6.8, 15.1]"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

from engine.ledger.checkpoint import parse_checkpoint
from engine.ledger.verification.verify import verify_ledger
from tests.helpers.ledgers import cases
from tests.reports.verifier.chromium import Page
from tests.reports.verifier.inpage import report, verify


def call(page: Page, function: str, arguments: list[Any]) -> list[Any]:
    """The results of a JavaScript function of one argument; what throws a Fault gives its code."""
    one = f"async (x) => {{ try {{ return await ({function})(x); }} catch (e) {{ return {{code: e.code}}; }} }}"
    return list(page.run(f"Promise.all({json.dumps(arguments)}.map({one}))"))


def role_of(ledger: str) -> str:
    return str(json.loads(ledger.split("\n")[0])["row"]["content"]["ledger_kind"]) if ledger.strip() else "emit"


def given(case: dict[str, Any]) -> dict[str, list[bytes]]:
    files = {role_of(case["ledger"]): [case["ledger"].encode()]}
    if case["checkpoint"]:
        files["checkpoints"] = [case["checkpoint"].encode()]
    if case.get("emit_ledger"):
        files["emit"] = [case["emit_ledger"].encode()]
    return files


def test_every_ledger_case_gives_its_code_and_row(open_page: Page) -> None:
    """36 files: intact, altered, cut, rewritten, against checkpoints and emit ledgers."""
    all_cases = cases("ledger_cases")
    results = verify(open_page, [given(case) for case in all_cases])
    for case, result in zip(all_cases, results, strict=True):
        found, expect = report(result, role_of(case["ledger"])), case["expect"]
        assert (found["exit"], found["first_bad_row"]) == (expect["exit"], expect["first_bad_row"]), case["name"]
        if expect["exit"] == 0:
            root = base64.b64encode(bytes.fromhex(found["root"])).decode()
            assert (found["rows"], found["head"], root) == (expect["rows"], expect["head"], expect["root_base64"])


def test_the_page_and_python_agree_on_every_ledger_case(open_page: Page) -> None:
    """Code, row, counts, head, root, and the states of checkpoints."""
    all_cases = cases("ledger_cases")
    results = verify(open_page, [given(case) for case in all_cases])
    for case, result in zip(all_cases, results, strict=True):
        emitted = None
        if case.get("emit_ledger"):
            emitted = verify_ledger(io.BytesIO(case["emit_ledger"].encode())).emitted
        claims = [("checkpoints.0", parse_checkpoint(case["checkpoint"]))] if case["checkpoint"] else []
        python = verify_ledger(io.BytesIO(case["ledger"].encode()), checkpoints=claims, emitted=emitted).report
        found = report(result, role_of(case["ledger"]))
        for name in ("exit", "rows", "head", "root", "first_bad_row", "ledger_id", "unresolved"):
            assert found[name] == getattr(python, name), (case["name"], name)
        assert found["counts"] == dict(python.counts)
        assert [one["status"] for one in found["checkpoints"]] == [one["status"] for one in python.checkpoints]


def test_every_plan_case_gives_its_code_and_row(open_page: Page) -> None:
    """Rows of the kind plan/1: where they may stand, in which order, and what they hold.  [live L0.2]"""
    results = verify(open_page, [given(case) for case in cases("plan_rows")])
    for case, result in zip(cases("plan_rows"), results, strict=True):
        found, expect = report(result, role_of(case["ledger"])), case["expect"]
        assert (found["exit"], found["first_bad_row"]) == (expect["exit"], expect["first_bad_row"]), case["name"]
        if expect["exit"] == 0:
            assert (found["rows"], found["head"]) == (expect["rows"], expect["head"])
            assert found["counts"]["plan"] >= 1


def test_integers_beyond_two_to_the_53_are_refused(open_page: Page) -> None:
    """A browser reads 2^53 + 1 as 2^53: neither is of the profile, nor is any number with a point or an exponent."""
    texts = [str(2**53), str(2**53 + 1), str(-(2**53)), str(2**60), f"{2.0**53}", "9.007199254740992e15", "1.0"]
    read = "(text) => canonical(parseCanonical(text))"
    assert call(open_page, read, texts) == [{"code": 10}] * len(texts)
    assert call(open_page, read, [str(2**53 - 1)]) == [str(2**53 - 1)]


def test_two_copies_are_the_same_a_prefix_or_a_fork(open_page: Page) -> None:
    """[audit 8.4]"""
    for case in cases("ledger_compare"):
        [result] = verify(open_page, [{role_of(case["a"]): [case["a"].encode()], "copy": [case["b"].encode()]}])
        found = result["comparison"]
        assert (found["relation"], found["common_rows"]) == (case["relation"], case["common_rows"])
        assert (found["exit"], result["exit"]) == (case["exit"], case["exit"])


def test_canonical_json_of_the_profile(open_page: Page) -> None:
    """Accepted inputs give their canonical text; the others are refused."""
    all_cases = cases("profile_cj1")
    read = "(text) => canonical(JSON.parse(text))"
    exact = "(text) => canonical(parseCanonical(text)) === text"
    for case, got, same in zip(
        all_cases,
        call(open_page, read, [case["input"] for case in all_cases]),
        call(open_page, exact, [case["input"] for case in all_cases]),
        strict=True,
    ):
        if case["accept"]:
            assert got == case["canonical"]
            assert (same is True) == (case["input"] == case["canonical"])
        else:
            assert same == {"code": 10}, case


def test_general_canonical_json(open_page: Page) -> None:
    """RFC 8785 documents and numbers, with the sequence of 100,000 left to the serialiser of the browser."""
    documents = cases("jcs_documents")
    read = "(h) => hex(utf8(jcs(JSON.parse(utf8Text(fromHex(h))))))"
    assert call(open_page, read, [case["input_utf8_hex"] for case in documents]) == [
        case["canonical_utf8_hex"] for case in documents
    ]
    numbers = [case for case in cases("jcs_numbers") if case.get("ieee754_hex") and not case.get("reject")]
    write = "(h) => jcs(new DataView(fromHex(h).buffer).getFloat64(0))"
    assert call(open_page, write, [case["ieee754_hex"] for case in numbers]) == [case["text"] for case in numbers]


def test_decimal_strings(open_page: Page) -> None:
    """The texts; the page rounds nothing, so the cases that quantise are Python's alone."""
    texts = [case for case in cases("decimal_strings") if "valid" in case]
    assert call(open_page, "(text) => isDecimal(text, 18)", [case["text"] for case in texts]) == [
        case["valid"] for case in texts
    ]


def test_names_and_tagged_hashes(open_page: Page) -> None:
    names = cases("uuid5")
    assert call(open_page, "(c) => uuid5(uuidBytes(c.ns), c.name)", names) == [case["uuid"] for case in names]
    hashes = cases("tagged_hash")
    assert call(open_page, "(c) => taggedHash(c.tag, fromHex(c.message_hex))", hashes) == [
        case["hash"] for case in hashes
    ]
    signals = cases("signal_ids")
    hashed = """(c) => {
      const text = canonical(c.provenance), hash = taggedHash("provenance", utf8(text));
      return [text, hash, uuid5(NS_SIGNAL, hash)];
    }"""
    assert call(open_page, hashed, signals) == [
        [case["canonical"], case["provenance_hash"], case["signal_id"]] for case in signals
    ]


def test_tree_hashes(open_page: Page) -> None:
    """Roots; the page rebuilds the tree at every size asked for, so it needs no proofs."""
    roots = [case for case in cases("merkle") if case["kind"] == "root"]
    read = """(c) => {
      const tree = new Tree();
      for (const leaf of c.leaf_inputs_hex) tree.add(fromHex(leaf), 0, leaf.length / 2);
      return hex(tree.root());
    }"""
    assert call(open_page, read, roots) == [case["root_hex"] for case in roots]


def test_signed_notes(open_page: Page) -> None:
    """With exactly the given key; this Chromium has Ed25519, so nothing is left unchecked by its lack."""
    notes = cases("signed_notes")
    read = """async (c) => {
      const states = await checkNote(c.note, parseKeys(c.vkey));
      return {states: states.map((one) => one.status), text: noteBody(c.note)};
    }"""
    for case, found in zip(notes, call(open_page, read, notes), strict=True):
        assert ("ok" in found["states"] and "failed" not in found["states"]) == case["valid"], case["id"]
        if case["valid"]:
            assert found["text"] == case["text"]


def test_the_page_fixes_the_same_exit_reasons_and_fields_as_python(open_page: Page) -> None:
    """The closed tables of both are one: names of fields, words of their grammars."""
    from engine.ledger.format import schemas

    for name in (
        "ROW",
        "GENESIS",
        "SIGNAL",
        "RESULT",
        "PROVENANCE",
        "ENGINE",
        "RESOLUTION",
        "LOOK",
        "LOOK_2",
        "LEDGER_STATE",
        "SEAL",
    ):
        shape = getattr(schemas, name)
        assert open_page.run(f"{name}.keys") == sorted(shape)
        words = dict(zip(sorted(shape), open_page.run(f"{name}.grammars.map((g) => g.words)"), strict=True))
        for key, grammar in shape.items():
            if " | " in grammar.words:
                assert set(words[key].split(" | ")) == set(grammar.words.split(" | ")), key
    inputs = open_page.run("[...INPUT_KINDS].map(([kind, shape]) => [kind, shape.keys])")
    assert dict(inputs) == {kind: sorted(shape) for kind, shape in schemas.INPUTS.items()}


def test_the_self_test_ledger_is_that_of_the_vectors() -> None:
    held = Path(__file__).parents[3] / "reports" / "verifier" / "selftest.jsonl"
    assert held.read_text(encoding="utf-8") == next(c for c in cases("ledger_cases") if c["name"] == "intact")["ledger"]
