"""Names of records."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from engine.errors import LedgerError
from engine.ledger.format import ids
from engine.ledger.format.canonical_json import canonical
from tests.helpers.ledgers import cases, resolution, signal


@pytest.mark.parametrize("case", cases("uuid5"), ids=lambda c: c["name"][:20])
def test_uuid5_equals_the_shared_vector(case: dict) -> None:
    """Names follow RFC 9562, version 5.  [audit 3.2]"""
    assert case["uuid"] == ids.uuid_of(UUID(case["ns"]), case["name"])


@pytest.mark.parametrize("case", cases("signal_ids"), ids=lambda c: c["signal_id"][:8])
def test_a_signal_is_named_by_its_provenance(case: dict) -> None:
    """Canonical bytes, hash and id of a provenance equal the shared vector.  [audit 3.3, 4.1]"""
    digest = ids.provenance_hash(case["provenance"])

    assert case["canonical"].encode() == canonical(case["provenance"])
    assert case["provenance_hash"] == digest
    assert case["signal_id"] == ids.signal_id(digest)


def test_the_namespaces_are_those_of_the_format() -> None:
    """The five namespaces are fixed for ever.  [audit 3.2]"""
    assert str(ids.NS_SIGNAL) == "360402f7-cf7f-572e-a35a-47d25b1d98b9"
    assert str(ids.NS_RESOLUTION) == "ee724a2d-41d5-55a4-884a-c25372a4db3b"
    assert str(ids.NS_LEDGER) == "bf8f1efd-63bf-5ed5-b55d-2b713b74971c"
    assert str(ids.NS_LOOK) == "f94b9dd6-741e-504b-bd57-29d720e1e707"


def test_a_resolution_s_name_depends_on_rule_and_revision() -> None:
    """Two rules or two revisions never share a name; the same three words always do."""
    names = {ids.resolution_id("s", rule, revision) for rule in ("a", "b") for revision in (0, 1)}

    assert len(names) == 4
    assert ids.resolution_id("s", "a", 0) in names
    assert ids.look_id("a", "f", "d", "s", 0) != ids.look_id("a", "f", "d", "s", 1)


SIGNALS = [signal(n) for n in range(8)]
RECORDS: dict[str, list[dict[str, Any]]] = {
    "signal": SIGNALS,
    "resolution": [
        *(resolution(one, "b" * 64) for one in SIGNALS),
        *(resolution(one, "b" * 64, 12, "a" * 64) for one in SIGNALS),
    ],
}


@pytest.mark.parametrize("kind", RECORDS)
def test_an_id_with_any_letter_changed_is_refused(kind: str) -> None:
    """[audit 3.2, 8.1 i]"""
    for record in RECORDS[kind]:
        ids.check_ids(kind, record)
    for key in ("signal_id", "provenance_hash", "resolution_id", "rule_id", "revision"):
        value = RECORDS[kind][1].get(key, "")
        for place, letter in enumerate(str(value)):
            other = 77 if key == "revision" else f"{value[:place]}{'0' if letter != '0' else '1'}{value[place + 1 :]}"
            with pytest.raises(LedgerError):
                ids.check_ids(kind, {**RECORDS[kind][1], key: other})
