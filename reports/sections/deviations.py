"""Deviations from the registered plan, and the choices that the registered page leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.base import Block, Section, Table, Text
from reports.load import Run


def build(run: Run) -> Sequence[Block]:
    """Return deviations, amendments and choices."""
    deviations = run.verdicts["run"]["deviations"]
    choices = run.registration.get("choices", [])
    blocks: list[Block] = [
        Table("Departures from the registration", ("departure",), tuple((text,) for text in deviations))
        if deviations
        else Text("No departure from the registration was found.")
    ]
    blocks.append(_amendments(run.registration.get("amendments", []), run.manifest.get("amendment_order")))
    blocks.append(Text(_looks(run.manifest.get("looks"))))
    receipts = run.manifest.get("receipts") or []
    if isinstance(receipts, list) and receipts:
        shown = tuple(
            (f"{receipt['registry']} {receipt['number']}", receipt["status"], receipt["reason"]) for receipt in receipts
        )
        blocks.append(Table("External receipts of the registration", ("receipt", "status", "because"), shown))
    rows = tuple((str(c["item"]), str(c["value"]), str(c["reason"])) for c in choices)
    blocks.append(
        Table("What the registered page leaves open and we settled", ("item", "choice", "reason"), rows, folded=True)
    )
    return blocks


def _amendments(amendments: Sequence[Mapping[str, Any]], order: Any) -> Block:
    """Return each amendment with its text before and after, the keys it changes, and the proof of its time."""
    if not amendments:
        return Text("Amendments: none.")
    # Where the order could not be read the manifest has the reason in its place.
    known = order if isinstance(order, list) else []
    placed = {receipt["name"]: f"{receipt['order']}: {receipt['proof']}" for receipt in known}
    rows = tuple(
        (
            str(receipt["name"]),
            "; ".join(f"{change['key']}: {change['before']} -> {change['after']}" for change in receipt["changes"]),
            str(receipt["reason"]),
            ", ".join(receipt["affects"]) or "none",
            placed.get(receipt["name"], "not known"),
        )
        for receipt in amendments
    )
    return Table("Amendments", ("amendment", "before -> after", "reason", "touches", "order against data access"), rows)


def _looks(registry: Mapping[str, Any] | None) -> str:
    """Return the number of looks at outcomes through this tool, closed or not, in words.  [audit 11.1]"""
    # Without a freeze no registry counts looks.  [audit 11.1]
    if registry is None:
        return "Looks at outcomes: no registry; nothing counts the looks of a study without a freeze."
    if "unreadable" in registry:
        return f"Looks at outcomes: the registry cannot be read: {registry['unreadable']}"
    parts = ", ".join(f"{registry[state]} {state}" for state in ("closed", "open", "aborted"))
    repairs = [look for look in registry["looks"] if look.get("repair_of")]
    repaired = "".join(
        f" Repaired {number} of {len(repairs)}: {look['look_id']}, {look['state']}, beside {look['repair_of']} "
        f"({look['reason']}), which it does not replace."
        for number, look in enumerate(repairs, start=1)
    )
    blinded = f" Blinded rehearsals, which saw no outcome: {registry['blinded']}." if registry.get("blinded") else ""
    return (
        f"Looks at outcomes when this run was written: {registry['number']} ({parts}).{repaired}{blinded} An analysis "
        "made elsewhere, on a copy of the data, would not show."
    )


SECTION = Section("deviations", "Deviations, amendments, choices", "S8.1", build)
