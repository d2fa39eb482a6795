"""The page and Python on files nobody thought of: the same code, row, head and root.  [audit 8.6.8, 15.2]"""

from __future__ import annotations

import io
import random
from pathlib import Path

from backtest.audit.signed_notes import Key, open_note, sign_note
from backtest.audit.verify_ledger import checkpoint_of
from engine.ledger.chain import append, open_ledger
from engine.ledger.verification.verify import Verified, verify_ledger
from tests.helpers.ledgers import genesis, ledger, live, look, resolution, signals
from tests.reports.verifier.chromium import Page
from tests.reports.verifier.inpage import report, verify

SEEDS = 150
CHOOSE = """
document.getElementById("several")?.remove();
document.body.append(element("input", {id: "several", type: "file"}));
"""
WALK_CHOSEN = """
verifyLedger("emit", document.getElementById("several").files[0],
  {emitted: null, emitFile: null, checkpoints: [], anchors: null}, async () => {}).then((one) => one.report)
"""


def same(page: Page, role: str, files: list[bytes], emit: bytes | None = None) -> list[int]:
    """The codes of the files, after both verifiers agreed on all of them."""
    emitted = verify_ledger(io.BytesIO(emit)).emitted if emit else None
    batch = [{role: [data], **({"emit": [emit]} if emit else {})} for data in files]
    codes = []
    for data, result in zip(files, verify(page, batch), strict=True):
        python = verify_ledger(io.BytesIO(data), emitted=emitted).report
        found = report(result, role)
        for name in ("exit", "first_bad_row", "rows", "head", "root"):
            assert found[name] == getattr(python, name), (name, found["reason"], python.reason, data[:200])
        codes.append(python.exit)
    return codes


def altered(data: bytes, seed: int) -> bytes:
    """``data`` with one byte changed, inserted or removed, or its lines cut, repeated or moved."""
    chance = random.Random(seed)
    lines = data.splitlines(keepends=True)
    at = chance.randrange(len(data))
    choice = seed % 6
    if choice == 0:
        return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    if choice == 1:
        return data[:at] + bytes([chance.randrange(256)]) + data[at:]
    if choice == 2:
        return data[:at] + data[at + 1 :]
    if choice == 3:
        return b"".join(chance.sample(lines, len(lines)))
    if choice == 4:
        return b"".join(lines[:2] + lines[1:])
    return data[:at]


def resolutions(emit: bytes) -> bytes:
    """A resolution ledger with a correction, of the first signals of an emit ledger of `signals`."""
    rows = verify_ledger(io.BytesIO(emit))
    head, first = open_ledger(genesis(ledger_kind="resolution", emit_ledger_id=rows.report.ledger_id))
    hashes = [line[-67:-3].decode() for line in emit.splitlines(keepends=True)]
    batch = [resolution(content, hashes[n + 1]) for n, content in enumerate(signals(3))]
    done = append(head, "resolution", batch)
    again = resolution(signals(1)[0], hashes[1], 1, done.entries[0].row_hash)
    more = append(done.head, "resolution", [again])
    return b"".join([first, *done.lines, *more.lines])


def looks() -> bytes:
    head, first = open_ledger(live("looks"))
    out = [first]
    for when, content in enumerate([look("open"), look("close"), look("open", 1)]):
        done = append(head, "look", [content], 1_767_225_600_000_000 + when)
        head = done.head
        out += done.lines
    return b"".join(out)


def test_any_single_change_of_an_emit_ledger_gets_the_same_answer(open_page: Page) -> None:
    data = b"".join(ledger(4))
    codes = same(open_page, "emit", [altered(data, seed) for seed in range(SEEDS)])
    assert {10, 11, 12} <= set(codes)


def test_any_single_change_of_a_resolution_ledger_gets_the_same_answer(open_page: Page) -> None:
    emit = b"".join(ledger(3))
    data = resolutions(emit)
    codes = same(open_page, "resolution", [data, *(altered(data, seed) for seed in range(SEEDS))], emit)
    assert codes[0] == 0


def test_any_single_change_of_a_looks_ledger_gets_the_same_answer(open_page: Page) -> None:
    data = looks()
    codes = same(open_page, "looks", [data, *(altered(data, seed) for seed in range(SEEDS))])
    assert codes[0] == 0


def test_edges_of_files_get_the_same_answer(open_page: Page) -> None:
    """Empty, only an end of line, a byte order mark, too long a line, no end, deep nesting, broken UTF-8."""
    good = b"".join(ledger(1))
    deep = b'{"row":' + b"[" * 5000 + b"]" * 5000 + b',"row_hash":"' + b"0" * 64 + b'"}\n'
    files = [b"", b"\n", b"\xef\xbb\xbf" + good, b"x" * 70_000, b"x" * 70_000 + b"\n", good[:-1], good + b"x", deep,
             good + b"\n", good.replace(b"\n", b"\r\n"), good.replace(b"BTC", b"\xff\xff\xff")]  # fmt: skip
    assert same(open_page, "emit", files)[:2] == [12, 10]


def test_lines_over_the_edges_of_pieces_get_the_same_answer(open_page: Page) -> None:
    """The page walks a slice in pieces: a good ledger of two, and too long a line over an edge."""
    good = b"".join(ledger(200))
    piece = open_page.run("PIECE")
    assert piece < len(good) < 2 * piece
    long = good[: good.rindex(b"\n", 0, piece - 1000) + 1] + b"x" * 70_000
    assert same(open_page, "emit", [good, good[:-1], long, long + b"\n"]) == [0, 10, 10, 10]


def test_a_wrong_reference_shows_the_hash_that_was_meant(open_page: Page) -> None:
    """Read again from the emit ledger, of which only marks are kept in memory; Python names the same two hashes."""
    emit = b"".join(ledger(3))
    meant = emit.splitlines()[2][-66:-2].decode()
    head, first = open_ledger(
        genesis(ledger_kind="resolution", emit_ledger_id=verify_ledger(io.BytesIO(emit)).report.ledger_id)
    )
    lines = append(head, "resolution", [resolution(signals(2)[1], "d" * 64)]).lines
    [result] = verify(open_page, [{"resolution": [b"".join([first, *lines])], "emit": [emit]}])
    found = report(result, "resolution")
    assert (found["exit"], found["bad"]["expected"], found["bad"]["found"]) == (15, meant, "d" * 64)


def test_signatures_and_anchors_are_ok_failed_or_unchecked(open_page: Page) -> None:
    """A signed checkpoint with its key; anchors are never ok by being given, nor by a publisher."""
    data = b"".join(ledger(2))
    verified: Verified = verify_ledger(io.BytesIO(data))
    text = checkpoint_of(verified.report).text
    origin = text.split("\n")[0]
    note = sign_note(text, origin, bytes(32)).encode()
    key = key_of(bytes(32), origin)
    assert open_note(note, [key]).signers == (origin,)
    anchor = anchor_line(verified, note, "witness", origin) + anchor_line(
        verified, note, "git_tag", "v1"
    )  # its own: no
    spoilt = note.replace(b"\n\n", b"\n\n", 1)[:-8] + b"AAAAAA=\n"
    cases = [
        ({"checkpoints": [note], "key": [key.text.encode()], "anchors": [anchor]}, 0, ["ok"], ["unchecked"] * 2),
        ({"checkpoints": [note], "anchors": [anchor]}, 0, ["unchecked"], ["unchecked", "unchecked"]),
        ({"checkpoints": [spoilt], "key": [key.text.encode()]}, 17, ["failed"], []),
        ({"checkpoints": [text.encode()], "key": [key.text.encode()]}, 17, ["failed"], []),
        (
            {"checkpoints": [text.encode()], "anchors": [anchor.replace(b'"size":3', b'"size":2')]},
            18,
            [],
            ["failed"] * 2,
        ),
        ({"anchors": [b""]}, 18, [], []),
        ({"anchors": [b"{}\n"]}, 18, [], []),
        ({"checkpoints": [text.encode()[:-1]]}, 16, [], []),
        ({"checkpoints": [text.encode()], "key": [b"nonsense"]}, 2, [], []),
    ]
    results = verify(open_page, [{"emit": [data], **given} for given, *_ in cases])
    for (given, code, signatures, anchors), result in zip(cases, results, strict=True):
        found = report(result, "emit")
        assert result["exit"] == code, (given, result)
        assert [one["status"] for one in found["signatures"]] == signatures
        assert [one["status"] for one in found["anchors"]] == anchors


def key_of(seed: bytes, name: str) -> Key:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Key(name, 1, Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())


def anchor_line(verified: Verified, note: bytes, method: str, reference: str) -> bytes:
    from hashlib import sha256

    from engine.ledger.format.canonical_json import canonical

    return (
        canonical(
            {
                "schema": "anchor/1",
                "ledger_id": verified.report.ledger_id,
                "size": verified.report.rows,
                "checkpoint_sha256": sha256(note).hexdigest(),
                "method": method,
                "reference": reference,
                "at_us": 1,
                "evidence_sha256": None,
            }
        )
        + b"\n"
    )


def test_a_ledger_of_several_slices_gets_the_same_answer(open_page: Page, tmp_path: Path) -> None:
    """Lines are carried over the edges of the slices in which the page reads; the files are chosen from disk."""
    path = tmp_path / "emit.jsonl"
    data = b"".join(ledger(5000))
    assert len(data) > open_page.run("SLICE")
    for part in (data, data[:-1]):
        path.write_bytes(part)
        open_page.run(CHOOSE)
        open_page.choose("#several", [path])
        found = open_page.run(WALK_CHOSEN)
        python = verify_ledger(io.BytesIO(part)).report
        for name in ("exit", "first_bad_row", "rows", "head", "root"):
            assert found[name] == getattr(python, name), name
        assert python.exit == (0 if part is data else 10)
    open_page.run("document.getElementById('several').remove()")


def test_rows_after_the_newest_checkpoint_are_named_as_open(open_page: Page) -> None:
    """An older checkpoint fixes only the rows before it; the page does not let the rest pass as fixed."""
    data = b"".join(ledger(5))
    older = checkpoint_of(verify_ledger(io.BytesIO(b"".join(ledger(3)))).report).text.encode()
    [result] = verify(open_page, [{"emit": [data], "checkpoints": [older]}])
    found = report(result, "emit")
    assert (result["exit"], found["checkpoints"][0]["status"]) == (0, "ok")
    assert found["unchecked"] == [
        "2 of the rows came after the newest checkpoint: cutting or rewriting them would not be visible"
    ]
