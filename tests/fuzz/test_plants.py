"""A drive finds faults that were put into copies of readers, and says so when it does not."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from engine.errors import CmeError
from tests.fuzz.drive import PLANTED, Drive, concluded, folder
from tests.fuzz.guard import tried
from tests.fuzz.plants import PLANTS, Plant
from tests.fuzz.readers import planted, small

DAMAGE = {
    "data binance_ws gz depth": (b'"E": 1706745600000', b'"E": "soon"'),
    "data tardis_options_chain csv": (b",1711699200000000,", b",,"),
    "data funding_history csv": (b",0.0001,", b",n.a.,"),
}
"""What the fault of each copy does not bear: of a whole file, before and after."""


@pytest.fixture(scope="module")
def copies() -> list[Drive]:
    return [Drive(reader, 0) for reader in planted()]


def damaged(drive: Drive, plant: Plant) -> bytes:
    before, after = DAMAGE[plant.reader]
    body = next(body for body in drive.reader.whole if before in body)
    return body.replace(before, after, 1)


def test_each_copy_reads_whole_files_and_falls_over_its_fault(copies: list[Drive]) -> None:
    """At the planted line; the product's own reader refuses the same bytes in words."""
    own = {reader.name: reader for reader in small()}
    for drive, plant in zip(copies, PLANTS, strict=True):
        with folder() as place:
            assert tried(lambda: drive.reader.read(drive.reader.whole[0], place), place) is None  # noqa: B023
        body = damaged(drive, plant)
        with folder() as place:
            assert plant.place in str(tried(lambda: drive.reader.read(body, place), place))  # noqa: B023
        with folder() as place, pytest.raises(CmeError):
            own[plant.reader].read(body, place)


def test_the_product_has_none_of_the_faults() -> None:
    """The line of a copy stands in no module; the line it replaces stands in its module once."""
    for plant in PLANTS:
        assert plant.before in inspect.getsource(plant.module).splitlines()[plant.line - 1]
        assert plant.after not in inspect.getsource(plant.module)


def test_a_drive_that_misses_a_planted_fault_is_not_believed(
    copies: list[Drive], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two of three give code 3 and a word; all three give 0; a finding that is no plant's gives 1."""
    real = Drive(next(reader for reader in small() if reader.name == "checkpoint"), 0)
    for drive, plant in zip(copies[:2], PLANTS[:2], strict=True):
        drive.one(damaged(drive, plant))
    assert concluded([real, *copies], tmp_path, save=False) == 3
    assert "planted faults: found 2 of 3" in (said := capsys.readouterr().out)
    assert "says nothing about the others" in said

    copies[2].one(damaged(copies[2], PLANTS[2]))
    assert concluded([real, *copies], tmp_path, save=False) == 0
    assert "planted faults: found 3 of 3 in 3 inputs" in (said := capsys.readouterr().out)
    assert said.count(PLANTED) == 3
    assert not list(tmp_path.iterdir())

    real.findings["x"] = (b"x", "an error", 1, 0.1)
    assert concluded([real, *copies], tmp_path, save=False) == 1
