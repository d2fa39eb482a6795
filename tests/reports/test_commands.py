"""``cme report``: the pages again, from the directory alone; whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from backtest.rundir.checksums import changed
from engine.errors import MissingError, UsageError, WriteError
from reports import render as drawing
from reports.commands import report, write
from reports.render import Built
from tests.helpers.small_run import Tiny


@pytest.fixture
def copy(tiny: Tiny, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny.folder, tmp_path / tiny.folder.name))


def test_pages_come_back_from_the_directory_alone(tiny: Tiny, copy: Path) -> None:
    """Deleted and rendered again, elsewhere: the same bytes.  [S10]"""
    for name in ("report.html", "report.md"):
        (copy / name).unlink()
    done = CliRunner().invoke(report, [str(copy), "--json", "--quiet"])

    assert done.exit_code == 0
    assert set(json.loads(done.stdout)) == {"html", "markdown"}
    for name in ("report.html", "report.md"):
        assert (copy / name).read_bytes() == (tiny.folder / name).read_bytes()


@pytest.fixture
def drawn_once(built: list[Built], monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is not drawn: what is written of it is the page of the small run."""
    monkeypatch.setattr(drawing, "build", lambda _run, _each: built)


@pytest.mark.usefixtures("drawn_once")
def test_a_page_written_again_is_listed_again_and_nothing_else_is(copy: Path) -> None:
    """The listing holds the page as it is now; a count changed before is still told.  Without a listing: a remark."""
    (copy / "quality.json").write_text((copy / "quality.json").read_text() + "\n")
    (copy / "report.md").unlink()
    for words in (["--quiet"], []):
        done = CliRunner().invoke(report, [str(copy), *words])
        assert (done.exit_code, done.stderr) == (0, "")
    assert changed(copy, "quality.json")
    assert not changed(copy, "report.md")

    (copy / "files.sha256").unlink()
    assert "no files.sha256 to renew" in CliRunner().invoke(report, [str(copy)]).stderr


def test_figures_go_outside_the_run(copy: Path) -> None:
    """Every file of the folder is listed, so figures of another day are none of them."""
    done = CliRunner().invoke(report, [str(copy), "--figures", str(copy / "figures")])
    assert isinstance(done.exception, UsageError)
    assert not (copy / "figures").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    """Exit 3, nothing written."""
    with pytest.raises(MissingError, match="expected a run directory"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("drawn_once")
def test_a_full_disk_keeps_the_old_page(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 5; the page of before stands, and no part of a new one."""
    before = (copy / "report.html").read_bytes()

    def full(*_args: object, **_named: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(WriteError, match="No space left"):
        write(copy)
    assert (copy / "report.html").read_bytes() == before
    assert [path.name for path in copy.iterdir() if path.name.startswith(".")] == []
