"""Verifying a ledger: the shared cases, and that no change of any kind goes unseen.  [audit 8.1, 8.4, 15]"""

from __future__ import annotations

import base64
import io
import tracemalloc
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import LedgerError, MissingError
from engine.ledger.chain import LINE_LIMIT, append, open_ledger
from engine.ledger.checkpoint import Checkpoint, parse_checkpoint
from engine.ledger.format.ids import derived_ids
from engine.ledger.verification.compare import compare
from engine.ledger.verification.verify import NO_CHECKPOINT, Report, opened, verify_ledger
from engine.ledger.verification.walk import Emitted
from tests.helpers.ledgers import NOON, cases, genesis, ledger, live, look, resolution, signal, signals

LINES = ledger(6)
WHOLE = b"".join(LINES)


def verified(data: bytes, **given: Any) -> Report:
    return verify_ledger(io.BytesIO(data), **given).report


def emitted(data: bytes) -> Emitted:
    return verify_ledger(io.BytesIO(data)).emitted


@pytest.mark.parametrize("case", cases("ledger_cases"), ids=lambda c: c["name"])
def test_the_shared_cases_give_their_code_and_row(case: dict) -> None:
    """All 36 files give the exit code, the first bad row, and where intact the rows, head and root."""
    claims = [("given", parse_checkpoint(case["checkpoint"]))] if case["checkpoint"] else []
    others = emitted(case["emit_ledger"].encode()) if case.get("emit_ledger") else None

    report = verified(case["ledger"].encode(), checkpoints=claims, emitted=others)

    expected = case["expect"]
    assert (expected["exit"], expected["first_bad_row"]) == (report.exit, report.first_bad_row), report.reason
    if "rows" in expected:
        root = base64.b64encode(bytes.fromhex(report.root)).decode()
        assert (expected["rows"], expected["head"], expected["root_base64"]) == (report.rows, report.head, root)


@pytest.mark.parametrize("case", cases("plan_rows"), ids=lambda c: c["name"])
def test_rows_of_plans_give_their_code_and_row(case: dict) -> None:
    """Where a plan/1 may stand, in which order, and what it holds.  [live L0.2]"""
    report, expected = verified(case["ledger"].encode()), case["expect"]

    assert (expected["exit"], expected["first_bad_row"]) == (report.exit, report.first_bad_row), report.reason
    if "rows" in expected:
        assert (expected["rows"], expected["head"]) == (report.rows, report.head)
        assert report.counts["plan"] >= 1


@pytest.mark.parametrize("case", cases("ledger_compare"), ids=lambda c: c["relation"])
def test_two_files_of_one_ledger_are_a_prefix_or_a_fork(case: dict) -> None:
    """Common rows, relation and code equal the shared cases, whichever file comes first."""
    for one, other in ((case["a"], case["b"]), (case["b"], case["a"])):
        found = compare(io.BytesIO(one.encode()), io.BytesIO(other.encode()))
        assert (case["common_rows"], case["relation"], case["exit"]) == (found.common_rows, found.relation, found.exit)


def test_a_file_is_the_same_as_itself_and_no_relation_holds_between_two_ledgers() -> None:
    """Equal files are ``same``; another ledger, an empty file and a torn line are refused."""
    assert compare(io.BytesIO(WHOLE), io.BytesIO(WHOLE)).relation == "same"
    other = open_ledger(genesis(study="other"))[1]
    for wrong, code in ((other, 12), (b"", 12), (WHOLE[:-1], 10), (WHOLE.replace(b'"30"', b'"31"'), 11)):
        with pytest.raises(LedgerError) as refused:
            compare(io.BytesIO(WHOLE), io.BytesIO(wrong))
        assert refused.value.exit_code == code


@pytest.mark.parametrize(("root", "code"), [(sha256(b"").digest(), 0), (sha256(b"other").digest(), 16)])
def test_a_checkpoint_of_nothing_holds_with_the_root_of_the_empty_tree_alone(root: bytes, code: int) -> None:
    """Size 0 is a size like any other: a root that is not that of the empty tree is no root of this ledger."""
    name = verified(WHOLE).ledger_id
    assert name is not None

    report = verified(WHOLE, checkpoints=[("given", Checkpoint(name, 0, root))])

    assert code == report.exit


def test_without_a_checkpoint_the_report_says_what_it_cannot_see() -> None:
    """Head and root are given, and the sentence that a cut or rewritten ledger would look the same."""
    report = verified(WHOLE)

    assert (report.exit, report.rows) == (0, 7)
    assert NO_CHECKPOINT in report.unchecked


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_any_changed_byte_is_seen_no_later_than_its_row(data: st.DataObject) -> None:
    """Every single-byte change of a ledger is refused, at the changed row or before.  [audit 15.2]"""
    at = data.draw(st.integers(0, len(WHOLE) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != WHOLE[at]))

    report = verified(WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :])

    assert report.exit in range(10, 16)
    assert report.first_bad_row is not None
    assert report.first_bad_row <= WHOLE[:at].count(b"\n")


@settings(deadline=None, max_examples=60)
@given(st.permutations(range(len(LINES))))
def test_any_permutation_of_lines_is_seen(order: list[int]) -> None:
    """Only the written order holds; the first line out of place is named."""
    report = verified(b"".join(LINES[i] for i in order))
    displaced = next((at for at, i in enumerate(order) if at != i), None)

    assert displaced == report.first_bad_row
    assert (report.exit == 0) == (displaced is None)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, len(LINES) - 1), st.integers(0, len(LINES)))
def test_any_repeated_or_missing_line_is_seen(which: int, where: int) -> None:
    """A line repeated anywhere, and a line missing before the last one, are refused."""
    repeated = [*LINES[:where], LINES[which], *LINES[where:]]
    without = [*LINES[:which], *LINES[which + 1 :]]

    assert verified(b"".join(repeated)).exit in (12, 13, 14)
    if which < len(LINES) - 1:
        assert which == verified(b"".join(without)).first_bad_row


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200), st.integers(0, len(WHOLE)))
def test_no_file_whatever_raises_anything(junk: bytes, where: int) -> None:
    """Arbitrary bytes, alone or inside a ledger, give a report with a code, never an exception."""
    assert verified(junk).exit in range(10, 16)
    assert verified(WHOLE[:where] + junk + WHOLE[where:]).exit in ((0,) if not junk else range(10, 16))


def framed(row: bytes) -> bytes:
    """Return a line whose frame and row hash hold, around anything."""
    from engine.ledger.chain import row_hash

    return b'{"row":' + row + b',"row_hash":"' + row_hash(row).encode() + b'"}\n'


@pytest.mark.parametrize(
    "row",
    [
        b"[" * 50_000,
        b"[" * 20_000 + b"]" * 20_000,
        b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
        b'{"seq":' + b"9" * 20_000 + b"}",
        b'{"seq":1e999}',
        b'{"seq":NaN}',
        b'{"seq":-0}',
        b'{"a":1,"a":1}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe",
        b"null",
        b"{}",
        b'""',
        b"",
    ],
    ids=lambda row: str(row[:12]),
)
def test_hostile_rows_with_good_hashes_are_malformed(row: bytes) -> None:
    """Deep nesting, huge numbers, other encodings and wrong types behind a valid frame are code 10, quickly."""
    report = verified(framed(row))

    assert (report.exit, report.first_bad_row) == (10, 0)


def test_a_line_without_end_is_never_held_in_memory() -> None:
    """A file of one endless line is refused after one line's worth of bytes."""

    class Endless(io.RawIOBase):
        served = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.served += len(buffer)
            buffer[:] = b"x" * len(buffer)
            return len(buffer)

    source = Endless()
    tracemalloc.start()
    report = verify_ledger(io.BufferedReader(source)).report
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (report.exit, report.first_bad_row) == (10, 0)
    assert source.served < 4 * LINE_LIMIT
    assert peak < 20 * LINE_LIMIT


def test_the_longest_row_passes_and_one_byte_more_does_not() -> None:
    """A record has at most 65,536 canonical bytes; the writer and the verifier draw the line at the same byte."""
    head, first = open_ledger(live("looks"))
    assert verified(first + append(head, "look", [look("open")], NOON).lines[0]).exit == 0

    long = framed(b'{"a":"' + b"x" * (65_536 - 8) + b'"}')
    assert len(long) == LINE_LIMIT + 1
    assert "exactly the fields" in str(verified(long).reason)
    assert "at most 65536" in str(verified(framed(b'{"a":"' + b"x" * (65_536 - 7) + b'"}')).reason)


def test_references_into_the_emit_ledger_are_followed() -> None:
    """A resolution names the row of its signal, its genesis the emit ledger; signals without one are counted."""
    head, first = open_ledger(genesis())
    emit = append(head, "signal", signals(4))
    others = emitted(first + b"".join(emit.lines))
    rows = emit.head.rows
    start, opening = open_ledger(genesis(ledger_kind="resolution", emit_ledger_id=head.ledger_id))
    batch = [resolution(s, rows[s["signal_id"]]) for s in signals(3)]
    lines = [opening, *append(start, "resolution", batch).lines]

    report = verified(b"".join(lines), emitted=others)
    assert (report.exit, report.unresolved) == (0, {"registered": 1})

    unknown = append(start, "resolution", [resolution(signal(9), "a" * 64)]).lines
    assert _place(verified(opening + unknown[0], emitted=others)) == (15, 1)
    foreign = open_ledger(genesis(ledger_kind="resolution", emit_ledger_id="0" * 8 + head.ledger_id[8:]))[1]
    assert _place(verified(foreign, emitted=others)) == (15, 0)


def test_a_correction_replaces_the_revision_before_it_in_this_ledger() -> None:
    """Revision n+1 supersedes the row of revision n; a skipped or foreign one is code 15.  [audit 4.3]"""
    start, opening = open_ledger(genesis(ledger_kind="resolution"))
    done = append(start, "resolution", [resolution(signal(0), "a" * 64)])
    first = done.entries[0].row_hash

    for revision, supersedes, code in ((1, first, 0), (1, "b" * 64, 15), (2, first, 15)):
        after = append(done.head, "resolution", [resolution(signal(0), "a" * 64, revision, supersedes)])
        report = verified(opening + done.lines[0] + after.lines[0])
        assert code == report.exit, report.reason


def test_live_times_never_fall_and_are_always_there() -> None:
    """In live mode each row has a time; an earlier one than the row before is code 12, none is code 10."""
    head, opening = open_ledger(live())
    one = append(head, "signal", [signal(0)], NOON + 5)

    same = append(one.head, "signal", [signal(1)], NOON + 5)
    assert verified(opening + one.lines[0] + same.lines[0]).exit == 0
    for when, code in ((NOON + 4, 12), (None, 10)):
        after = append(one.head, "signal", [signal(1)], when)
        assert (code, 2) == _place(verified(opening + one.lines[0] + after.lines[0]))


def test_a_ledger_holds_one_kind_of_record_and_nothing_after_its_seal() -> None:
    """A look in an emit ledger is malformed; a row after the seal breaks the chain."""
    head, opening = open_ledger(genesis())
    assert _place(verified(opening + append(head, "look", [look("open")]).lines[0])) == (10, 1)

    sealed = append(head, "seal", [{"schema": "seal/1", "reason": "closed"}])
    after = append(sealed.head, "signal", [signal(0)])
    assert verified(opening + sealed.lines[0]).exit == 0
    assert _place(verified(opening + sealed.lines[0] + after.lines[0])) == (12, 2)


def test_an_id_that_is_not_of_its_content_is_found_with_all_hashes_in_order() -> None:
    """Each kind's derived id is recomputed."""
    wrong = signal(0)
    wrong["signal_id"] = signal(1)["signal_id"]
    assert derived_ids("signal", wrong)["signal_id"] != wrong["signal_id"]
    head, opening = open_ledger(genesis())
    assert _place(verified(opening + append(head, "signal", [wrong]).lines[0])) == (13, 1)

    start, opening = open_ledger(live("looks"))
    bent = {**look("open"), "look_id": look("open", 1)["look_id"]}
    assert _place(verified(opening + append(start, "look", [bent], NOON).lines[0])) == (13, 1)


def test_an_empty_file_and_a_foreign_file_are_no_ledgers(tmp_path: Path) -> None:
    """An empty file lacks its genesis (12); a folder, a device or nothing at all cannot be read (3)."""
    assert _place(verified(b"")) == (12, 0)
    for path in (tmp_path, tmp_path / "absent", Path("/dev/zero")):
        with pytest.raises(MissingError), opened(path):
            pass


def _place(report: Report) -> tuple[int, int | None]:
    return report.exit, report.first_bad_row
