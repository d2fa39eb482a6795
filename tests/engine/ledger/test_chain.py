"""Appending to a ledger."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import LedgerError
from engine.ledger.chain import Conflict, Head, append, in_order, open_ledger
from engine.ledger.format.canonical_json import canonical
from engine.ledger.format.match_text import known_content
from tests.helpers.ledgers import REPLAY, cases, genesis, signal


@pytest.mark.parametrize("case", cases("replay"), ids=lambda c: c["ledger_id"][:8])
def test_replay_follows_the_shared_vector_step_by_step(case: dict) -> None:
    """Inserts, duplicates, conflicts, sizes and heads equal the numbers computed elsewhere.  [audit 5]"""
    head, _ = open_ledger(case["genesis"])
    assert case["ledger_id"] == head.ledger_id
    for step in case["steps"]:
        before = head
        if step["exit"] == 0:
            done = append(head, "signal", step["batch"])
            head = done.head
            assert [tuple(outcome) for outcome in step["outcomes"]] == list(done.outcomes), step["step"]
        else:
            with pytest.raises(Conflict) as refused:
                append(head, "signal", step["batch"])
            assert step["exit"] == refused.value.exit_code
            assert [tuple(outcome) for outcome in step["outcomes"]] == list(refused.value.outcomes)
            assert before == head

        assert (step["rows_after"], step["head_after"]) == (head.size, head.row_hash), step["step"]


def everything() -> list[dict]:
    """Return the distinct signals of the first case."""
    items = [item for step in REPLAY[0]["steps"] if step["exit"] == 0 for item in step["batch"]]
    return list({item["signal_id"]: item for item in items}.values())


def written(head: Head, batches: list[list[dict]]) -> tuple[Head, bytes]:
    lines: list[bytes] = []
    for batch in batches:
        done = append(head, "signal", batch)
        head = done.head
        lines += done.lines
    return head, b"".join(lines)


@settings(deadline=None, max_examples=30)
@given(st.permutations(everything()), st.data())
def test_replaying_any_batches_again_writes_nothing(items: list[dict], data: st.DataObject) -> None:
    """After everything is on record, any permutation, subset or union of it leaves the ledger as it is.  [audit 5]"""
    head, _ = open_ledger(REPLAY[0]["genesis"])
    head, _ = written(head, [everything()])
    cut = data.draw(st.integers(0, len(items)))

    after, lines = written(head, [items[:cut], items[cut:], items])

    assert not lines
    assert head == after


def test_a_row_commits_to_the_row_before_it_and_its_line_is_its_own_proof() -> None:
    """Bytes [7:-79] of a line are what is hashed; ``prev_hash`` is the hash of the line before.  [audit 4.5]"""
    head, first = open_ledger(REPLAY[0]["genesis"])
    lines = [first, *append(head, "signal", everything()).lines]

    prev = "0" * 64
    for seq, line in enumerate(lines):
        document = json.loads(line)
        assert seq == document["row"]["seq"]
        assert prev == document["row"]["prev_hash"]
        prev = hashlib.sha256(b"cme-audit/1/row\x00" + line[:-1][7:-79]).hexdigest()
        assert prev == document["row_hash"]


def test_a_malformed_record_is_refused_before_anything_is_appended() -> None:
    """A record that breaks its table never becomes a row.  [audit 4]"""
    head, _ = open_ledger(REPLAY[0]["genesis"])
    good = everything()

    with pytest.raises(LedgerError, match="expected exactly the fields") as refused:
        append(head, "signal", [*good, {**good[0], "note": "x"}])

    assert refused.value.exit_code == 10


def test_the_row_of_an_entry_is_the_canonical_form_of_its_value() -> None:
    """Rows are put together from text; a full serialiser gives the same bytes.  [audit 2, 4.5]"""
    head, _ = open_ledger(REPLAY[0]["genesis"])

    entry = append(head, "signal", everything()).entries[0]

    for when in (None, 1767225600000000):
        row = {**json.loads(entry.row), "recorded_at_us": when}
        again = append(head, "signal", [row["content"]], when).entries[0]
        assert canonical(row) == again.row


def test_a_record_that_the_pattern_does_not_recognise_is_stored_in_the_same_form() -> None:
    """Its neighbours keep their bytes and the order of time, whichever way each record was checked.  [audit 5]"""
    contents = [signal(n) for n in (2, 0, 1)]
    contents[1]["result"]["side"] = "positive"
    unit = {"kind": "scalar", "role": "z", "value": "1", "unit": "\u00b5", "snapshot_hash": "5" * 64}
    first = contents[1]["provenance"]["inputs"][0]
    contents[1]["provenance"]["inputs"].append({**{k: first[k] for k in ("venue", "instrument", "ts_us")}, **unit})
    head, _ = open_ledger(genesis())

    items = in_order("signal", contents)

    assert [known_content("signal", item.data) for item in items].count(False) == 1
    assert [item.data for item in items] == [canonical(item.content) for item in items]
    assert [item.content["provenance"]["as_of_us"] for item in items] == sorted(
        content["provenance"]["as_of_us"] for content in contents
    )
    assert len(append(head, "signal", contents).lines) == 3
