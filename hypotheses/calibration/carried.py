"""The records in ``certificate.json`` that carry it over to later code, and whose code it certifies by them.

    carried[i]   {from, to: {commit, seals}, at, runs, rows, measured_anew, table_hash, record_hash}

``from`` of the first record is the code that was measured, ``from`` of each later one the code that the record before
carried it to.  ``record_hash`` covers the record and the one before it, ``table_hash`` of the last one everything else
in the certificate: a record that was edited, or stands beside other rows, carries nothing.  [docs/decisions/0710]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.errors import CmeError
from engine.ledger.format.canonical_json import canonical, tagged_hash

CARRIED: Final = "carried"
CERTIFIED: Final = ("engine_hash", "judging", "pipeline")
"""The seals that decide whose code a certificate is of."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The seals that a certificate is of today; ``words`` says how it came to them, "" where it was measured there."""

    seals: Mapping[str, Any]
    words: str


def in_force(content: Mapping[str, Any]) -> InForce:
    """Return the seals a certificate is of: the last ones it was carried to, else those it was measured under."""
    records = content.get(CARRIED)
    if not records:
        return InForce(content["seals"], "")
    if not _fits(content):
        return InForce(content["seals"], ", with a record of carrying it over that does not fit it and counts nothing")
    last = records[-1]
    runs = ", ".join(run["name"] for run in last["runs"])
    anew = f" ({len(last['measured_anew'])} cells measured anew)" if last["measured_anew"] else ""
    words = (
        f", carried over from commit {last['from']['commit'][:12]} to {last['to']['commit'][:12]} on equal results of "
        f"{runs} and {last['rows']} rows of a quick certificate{anew}"
    )
    return InForce({**content["seals"], **last["to"]["seals"]}, words)


def carried_to(content: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a certificate with one more record, whose two hashes are added here."""
    records = [*content.get(CARRIED, [])]
    record = {**record, "table_hash": _table_hash(content)}
    record["record_hash"] = _record_hash(record, records[-1] if records else None)
    return {**content, CARRIED: [*records, record]}


def rows_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows of a certificate by cell, name and role; without seals and times."""
    return {f"{row['cell']} | {row['name']} | {row['role']}": row for row in content["rows"]}


def differing_rows(old: Mapping[str, Any], new: Mapping[str, Any], aside: Sequence[str] = ()) -> list[str]:
    """Return a line for each row that differs or is only in one of two certificates, cells ``aside`` left out."""
    lines = []
    for key in sorted({*old, *new}):
        left, right = old.get(key), new.get(key)
        if left != right and key.split(" | ")[0] not in aside:
            counts = [f"{row['count']} of {row['of']}" if row else "no such row" for row in (left, right)]
            lines.append(f"{key}: {counts[0]} and {counts[1]}")
    return lines


def _fits(content: Mapping[str, Any]) -> bool:
    try:
        before, seals = None, content["seals"]
        for record in content[CARRIED]:
            same = all(record["from"]["seals"][name] == seals[name] for name in CERTIFIED)
            if not same or record["record_hash"] != _record_hash(record, before):
                return False
            before, seals = record, record["to"]["seals"]
        return before is not None and before["table_hash"] == _table_hash(content)
    # Edited by hand, it may have any form.
    except (CmeError, KeyError, TypeError, AttributeError):
        return False


def _table_hash(content: Mapping[str, Any]) -> str:
    return tagged_hash("certificate", canonical({key: value for key, value in content.items() if key != CARRIED}))


def _record_hash(record: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    covered = {key: value for key, value in record.items() if key != "record_hash"}
    return tagged_hash("carried", canonical([before and before["record_hash"], covered]))
