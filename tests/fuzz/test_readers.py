"""A short, always equal pass of the fuzzing of `tests.fuzz.drive`: the corpus, and a few damages of each whole file."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from engine.errors import CmeError
from tests.fuzz.drive import folder, kept
from tests.fuzz.guard import tried
from tests.fuzz.mutate import SHAPES, mutated
from tests.fuzz.readers import Reader, of_a_run, small
from tests.helpers.small_run import Tiny

DAMAGES = 40
SMALL = {reader.name: reader for reader in small()}


HOLDS = (
    "canonical", "checkpoint", "anchors", "key", "live store", "looks registry", "registration", "amendment",
    "receipts", "freeze", "data seal", "seeds", "journal", "negatives", "archive",
    "segment", "segment records", "control log", "segment chain", "gaps",
)  # fmt: skip


def said(reader: Reader, body: bytes) -> str | None:
    with folder() as place:
        return tried(lambda: reader.read(body, place), place)


@pytest.mark.parametrize("name", SMALL)
def test_a_reader_of_damaged_files_ends_with_a_value_or_an_error_of_ours(name: str) -> None:
    """Never another exception, never a write outside its folder, never time or memory without bound."""
    reader, chance = SMALL[name], Random(name)
    whole = [*reader.whole, *kept(name)]
    damaged = [mutated(chance.choice(whole), reader.shape, chance, whole) for _ in range(DAMAGES)]
    for body in (*whole, *damaged):
        assert said(reader, body) is None, body


def test_a_run_or_bundle_with_a_damaged_file_is_reported_on(tiny: Tiny) -> None:
    """Level 0 of a run with one file other, and level 1 of a bundle."""
    for reader in of_a_run(tiny.folder):
        chance = Random(reader.name)
        for _ in range(3):
            body = mutated(reader.whole[0], reader.shape, chance, reader.whole)
            assert said(reader, body) is None, reader.name


def test_whole_files_are_read_without_any_error() -> None:
    """What the damage begins with holds: otherwise only the first check of each reader would be tried."""
    for name in HOLDS:
        reader = SMALL[name]
        with folder() as place:
            reader.read(reader.whole[0], place)


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (lambda _: [][0], "IndexError"),
        (lambda place: (place.parent / "x").write_bytes(b""), "touched"),
        (lambda place: (place / ".." / "y").mkdir(), "touched"),
        (lambda place: (place / "x").write_bytes(b""), None),
        (lambda _: (_ for _ in ()).throw(CmeError("an error without a code of its own")), "exit code 70"),
    ],
)
def test_the_watch_sees_what_it_is_for(deed, told: str | None, tmp_path: Path) -> None:
    """Another exception, a write beside the folder, a folder made outside by a climbing path, code 70."""
    (tmp_path / "place").mkdir()
    found = tried(lambda: deed(tmp_path / "place"), tmp_path / "place")
    assert (found is None) if told is None else (told in str(found))


@pytest.mark.parametrize("shape", SHAPES)
def test_damage_is_drawn_from_its_generator_alone(shape: str) -> None:
    """The same seed damages in the same way, and does damage."""
    body = next(reader.whole[0] for reader in SMALL.values() if reader.shape == shape)
    one, other = ([mutated(body, shape, Random(n)) for n in range(20)] for _ in range(2))
    assert one == other
    assert sum(damaged != body for damaged in one) > 15
