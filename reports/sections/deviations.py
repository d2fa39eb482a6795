"""Deviations from the registered plan, and the choices that the registered page leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.base import Block, Section, Table, Text
from reports.citation import Cited, SourcedInt, key_of, sourced
from reports.load import Run
from reports.words import count


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
            (Cited("{} {}").format(receipt["registry"], receipt["number"]), receipt["status"], receipt["reason"])
            for receipt in receipts
        )
        blocks.append(Table("External receipts of the registration", ("receipt", "status", "because"), shown))
    rows = tuple((c["item"], c["value"], c["reason"]) for c in choices)
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
    placed = {receipt["name"]: Cited("{}: {}").format(receipt["order"], receipt["proof"]) for receipt in known}
    rows = tuple(
        (
            receipt["name"],
            Cited("; ").join(_change(change) for change in receipt["changes"]),
            receipt["reason"],
            Cited(", ").join(receipt["affects"]) or "none",
            placed.get(receipt["name"], "not known"),
        )
        for receipt in amendments
    )
    return Table("Amendments", ("amendment", "before -> after", "reason", "touches", "order against data access"), rows)


def _change(change: Mapping[str, Any]) -> str:
    before, after = (
        sourced(str(change[name]), key_of(change["key"]).replace(".key", f".{name}")) for name in ("before", "after")
    )
    return Cited("{}: {} -> {}").format(change["key"], before, after)


def _looks(registry: Mapping[str, Any] | None) -> str:
    """Return the number of looks at outcomes through this tool, closed or not, in words.  [audit 11.1]"""
    # Without a freeze no registry counts looks.  [audit 11.1]
    if registry is None:
        return "Looks at outcomes: no registry; nothing counts the looks of a study without a freeze."
    if "unreadable" in registry:
        return Cited("Looks at outcomes: the registry cannot be read: {}").format(registry["unreadable"])
    parts = Cited(", ").join(count(registry[state]) + f" {state}" for state in ("closed", "open", "aborted"))
    repairs = [look for look in registry["looks"] if look.get("repair_of")]
    repaired = Cited("").join(
        Cited(" Repaired {} of {}: {}, {}, beside {} ({}), which it does not replace.").format(
            *(count(SourcedInt(n, "manifest.json: repairs(looks.looks)")) for n in (number, len(repairs))),
            *(look[field] for field in ("look_id", "state", "repair_of", "reason")),
        )
        for number, look in enumerate(repairs, start=1)
    )
    blinded = (
        Cited(" Blinded rehearsals, which saw no outcome: {}.").format(count(registry["blinded"]))
        if registry.get("blinded")
        else ""
    )
    return Cited(
        "Looks at outcomes when this run was written: {} ({}).{}{} An analysis made elsewhere, on a copy of the data, "
        "would not show."
    ).format(count(registry["number"]), parts, repaired, blinded)


SECTION = Section("deviations", "Deviations, amendments, choices", "S8.1", build)
