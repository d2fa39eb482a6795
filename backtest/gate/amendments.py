"""Amendments against data access: which came before the first look, and what proves it.  [statistics R12.4]

The proof is no date that someone wrote.  A freeze holds the SHA-256 of the whole plan, amendments included; a look
names its freeze.  An amendment inside the text of the freeze was there before the look; any other came after.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from backtest.config import whole_text
from backtest.gate import looks, seal
from backtest.gate.rule import Look
from backtest.gate.seal import Place
from backtest.registration.amend import amendment_files

Order = Literal["no data accessed yet", "before data access", "after data access"]


@dataclass(frozen=True, slots=True)
class Amended:
    """One amendment: its name, whether an outcome was known by its own word, and its place in time."""

    name: str
    at: str
    outcome_known: bool
    order: Order
    proof: str


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
    count = None if first is None else frozen_count(place, first.inputs.freeze_hash)
    return tuple(_placed(table, at, first, count) for at, table in enumerate(tables))


def faults(place: Place, folder: Path) -> Iterator[str]:
    """Yield each amendment that says no outcome was known although one may have been."""
    for amended in ordered(place, folder):
        if amended.order == "after data access" and not amended.outcome_known:
            yield (
                f"amendment {amended.name}: expected outcome_known = true, was false, but {amended.proof}: it makes "
                "the study exploratory"
            )


def frozen_count(place: Place, freeze_hash: str) -> int | None:
    """Return how many amendments the text of that freeze holds; None where it is not there, or is of another text."""
    if not place.freeze_path.exists():
        return None
    frozen = seal.read(place.freeze_path)
    if seal.freeze_hash(frozen) != freeze_hash:
        return None
    wanted = frozen["prereg"]["text_sha256"]
    for count in range(len(amendment_files(place.registration.path)) + 1):
        if sha256(whole_text(place.registration.path, count).encode()).hexdigest() == wanted:
            return count
    return None


def _first(folder: Path) -> Look | None:
    if not (folder / looks.LEDGER).exists():
        return None
    found = looks.read(folder).looks
    return found[0] if found else None


def _placed(table: dict[str, object], at: int, first: Look | None, count: int | None) -> Amended:
    order: Order = "no data accessed yet"
    proof = "the looks registry holds no look"
    if first is not None:
        held = count is not None and at < count
        order = "before data access" if held else "after data access"
        proof = (
            f"the freeze {first.inputs.freeze_hash} of look {first.look_id} "
            f"{'holds' if held else 'does not hold'} its text"
        )
    return Amended(str(table["name"]), str(table["at"]), bool(table["outcome_known"]), order, proof)
