"""Orders amendments against data access: which came before the first look, and what proves it.  [statistics R12.4]

A written date proves nothing.  A freeze has the SHA-256 of the whole plan, amendments included; a look
names its freeze.  An amendment inside the text of the freeze was there before the look; any other came after.

    no data accessed yet    no look, and no data set is sealed
    before data access      in the text of a freeze that was made without a data set, before the first window began;
                            one whose dates the record has not set yet has not begun
    before the first look   in the text of another freeze: the data may have been there to be seen
    after data access       in the text of no freeze that a look names

When a freeze was made is its own word; who holds its tag can show that it is no younger.  [audit 7.3]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from backtest.gate.freeze import seal
from backtest.gate.freeze.seal import Place
from backtest.gate.looks import registry
from backtest.gate.looks.rule import Look
from backtest.registration.amend import amendment_files
from backtest.registration.load import whole_text
from engine.errors import GateError

Order = Literal["no data accessed yet", "before data access", "before the first look", "after data access"]


@dataclass(frozen=True, slots=True)
class Amended:
    """One amendment: its name, whether an outcome was known by its own word, and its place in time."""

    name: str
    at: str
    outcome_known: bool
    order: Order
    proof: str
    after_blinded: bool  # written after a blinded run of the plan, by its own word


def names(place: Place) -> tuple[str, ...]:
    """Return the files beside the registration that are part of the plan, as seen from the checkout."""
    home = place.registration.path.parent
    listed = [(home / str(name)).resolve() for name in place.registration.content["venue_files"]]
    root = place.root.resolve()
    inside = [path.relative_to(root).as_posix() for path in listed if path.is_relative_to(root)]
    return (*inside, (home.resolve() / "amendments").relative_to(root).as_posix())


def ordered(place: Place, folder: Path) -> tuple[Amended, ...]:
    """Return every amendment of the plan with its order against the looks in ``folder``."""
    tables = place.registration.content["amendments"]
    if not tables:
        return ()
    first = _first(folder)
    frozen = seal.read(place.freeze_path) if place.freeze_path.exists() else None
    wanted = None if frozen is None else seal.freeze_hash(frozen)
    count = None if wanted is None else frozen_count(place, wanted if first is None else first.inputs.freeze_hash)
    known: str | None = None
    if frozen is not None:
        # Of another freeze: the gate says so where it checks the data.
        with suppress(GateError):
            known = seal.sealed_data(place.home, frozen)
    sight = _Sight(first, count, wanted, _data_seen(place, frozen), known is not None)
    return tuple(_placed(table, number, sight) for number, table in enumerate(tables))


def faults(place: Place, folder: Path) -> Iterator[str]:
    """Yield each amendment that says no outcome was known although one may have been."""
    for amended in ordered(place, folder):
        if amended.order == "after data access" and not amended.outcome_known:
            yield (
                f"amendment {amended.name}: expected outcome_known = true, was false, but {amended.proof}: it makes "
                "the study exploratory"
            )
    yield from _unsaid(place, folder)


def _unsaid(place: Place, folder: Path) -> Iterator[str]:
    """Yield each amendment after a blinded run that does not say so.  [live L0.7]"""
    if not (folder / registry.LEDGER).exists():
        return
    before = registry.read(folder).amendments_when_blinded()
    tables = place.registration.content["amendments"]
    for table in tables[before:] if before is not None else ():
        if not table.get("after_blinded", False):
            yield (
                f"amendment {table['name']}: expected after_blinded = true, was not: a blinded run of the plan with "
                f"{before} amendments is on record; say so in the amendment"
            )


def frozen_count(place: Place, freeze_hash: str) -> int | None:
    """Return how many amendments the text of that freeze holds; None where it is not there, or is of another text."""
    if not place.freeze_path.exists():
        return None
    frozen = seal.read(place.freeze_path)
    if seal.freeze_hash(frozen) != freeze_hash:
        return None
    wanted = frozen["prereg"]["text_sha256"]
    # Each amendment lengthens the text, so the hash tells how many a freeze holds.
    for count in range(len(amendment_files(place.registration.path)) + 1):
        if sha256(whole_text(place.registration.path, count).encode()).hexdigest() == wanted:
            return count
    return None


def _first(folder: Path) -> Look | None:
    if not (folder / registry.LEDGER).exists():
        return None
    looks = registry.read(folder).looks
    return looks[0] if looks else None


@dataclass(frozen=True, slots=True)
class _Sight:
    """What there is to place an amendment by."""

    first: Look | None
    count: int | None  # how many amendments the freeze holds
    freeze_hash: str | None
    data_seen: str | None  # why the data may have been there when it was made
    sealed: bool  # whether a data set is named


def _data_seen(place: Place, frozen: Mapping[str, Any] | None) -> str | None:
    """Return what lets the data of a freeze have been there when it was made, or None."""
    if frozen is None:
        return "there is no freeze"
    if frozen["data"]["dataset_hash"] is not None:
        return "its data set was sealed with it"
    if place.registration.dated and frozen["created_at_us"] * 1000 > place.registration.windows[0].t0_ns:
        return "its first window had begun when it was made"
    return None


def _placed(table: Mapping[str, Any], number: int, sight: _Sight) -> Amended:
    in_freeze = sight.count is not None and number < sight.count
    text = f"the freeze {sight.freeze_hash if sight.first is None else sight.first.inputs.freeze_hash}"
    of_look = "" if sight.first is None else f" of look {sight.first.look_id}"
    order: Order
    if sight.first is None and not sight.sealed:
        order, proof = "no data accessed yet", "the looks registry holds no look, and no data set is sealed"
    elif not in_freeze and sight.first is not None:
        order, proof = "after data access", f"{text}{of_look} does not hold its text"
    elif in_freeze and sight.data_seen is None:
        order, proof = "before data access", f"{text}{of_look} holds its text, and was made without a data set"
    elif in_freeze:
        order, proof = "before the first look", f"{text}{of_look} holds its text, but {sight.data_seen}"
    else:
        order, proof = "before the first look", "the looks registry holds no look, but a data set is sealed"
    return Amended(
        str(table["name"]),
        str(table["at"]),
        bool(table["outcome_known"]),
        order,
        proof,
        bool(table.get("after_blinded")),
    )
