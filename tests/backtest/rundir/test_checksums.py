"""``files.sha256`` of a run directory: every file, and whatever is done to one of them is named.  [S8.6, audit 8]"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backtest.audit.run.check import SHOWN, verify_run
from backtest.audit.verify_ledger import TrustedInputs
from backtest.commands.verify import verify
from backtest.rundir import checksums
from engine.errors import MissingError
from tests.backtest.rundir.test_write import FINISHED, files
from tests.helpers.small_run import Tiny

CODES = {
    "registration.toml": 26,
    "data.json": 21,
    "seeds.lock": 24,
    "results.float.json": 30,
    "verdicts.json": 30,
    "retained.json": 30,
    "sensitivities.json": 30,
    "report.html": 30,
    "report.md": 30,
    "placements.parquet": 21,
    "folds.json": 21,
    "quality.json": 21,
    "folds/history/trades.parquet": 21,
    "folds/03/fitted.json": 21,
}


@pytest.fixture
def copy(tiny: Tiny, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny.folder, tmp_path / tiny.folder.name))


def asked(run: Path) -> Result:
    return CliRunner().invoke(verify, [str(run)])


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# the files of ten folds are of three kinds, and one fold stands for them: each case verifies the whole run
SAMPLE = {name for name in FINISHED if not name.startswith("folds/") or name.split("/")[1] in ("03", "history")}


@pytest.mark.parametrize("name", sorted(SAMPLE))
def test_a_file_cut_in_half_is_named(name: str, copy: Path) -> None:
    """Whatever the file: the command ends with another code than 0, and its output names it."""
    halve(copy / name)
    done = asked(copy)

    assert done.exit_code, done.output
    assert f"{name}: expected SHA-256" in done.stdout


@pytest.mark.parametrize("name", sorted(CODES))
def test_a_bit_that_nothing_else_reads_has_the_code_of_its_kind(name: str, copy: Path) -> None:
    """The listing's own finding: 30 for results and pages, 21 for tables and counts, the seal's codes for its files."""
    flip(copy / name)

    found = [one for one in verify_run(copy, TrustedInputs()).findings if one.name == "files"]
    assert [one.exit for one in found] == [CODES[name]]
    assert sha256((copy / name).read_bytes()).hexdigest() in str(found[0].reason)


@pytest.mark.parametrize("name", sorted(SAMPLE - {"ledger/emit.jsonl", "ledger/resolution.jsonl", "manifest.json"}))
def test_a_file_that_is_gone_is_named(name: str, copy: Path) -> None:
    """Exit 3 or the code of what needed it; the three without which there is no run are refused at the door."""
    (copy / name).unlink()
    done = asked(copy)

    assert done.exit_code
    assert f"{name}: expected the file that files.sha256 lists, was none" in done.stdout


def linked(run: Path) -> str:
    target = run.parent / "elsewhere.json"
    shutil.move(run / "quality.json", target)
    (run / "quality.json").symlink_to(target)
    return "quality.json: expected SHA-256"


def a_folder_linked(run: Path) -> str:
    (run.parent / "other").mkdir()
    (run / "folds" / "99").symlink_to(run.parent / "other")
    return "folds/99: expected no file but those"


def a_pipe(run: Path) -> str:
    os.mkfifo(run / "pipe")
    return "pipe: expected no file but those"


def one_more(run: Path) -> str:
    (run / "folds" / "00" / "notes.txt").write_text("x")
    return "folds/00/notes.txt: expected no file but those"


def another_listing(run: Path) -> str:
    shutil.copy(run / "files.sha256", run / "folds" / "files.sha256")
    return "folds/files.sha256: expected no file but those"


def a_name_that_is_no_text(run: Path) -> str:
    Path(os.fsdecode(os.fsencode(run) + b"/\xff\n")).write_text("x")
    return r"'\udcff\n': expected no file but those"


@pytest.mark.parametrize("deed", [linked, a_folder_linked, a_pipe, one_more, another_listing, a_name_that_is_no_text])
def test_what_is_not_listed_or_no_file_is_named(deed: Callable[[Path], str], copy: Path) -> None:
    """Links are not followed, pipes are not waited for, and a name that is no text is shown as one."""
    said = deed(copy)
    done = asked(copy)

    assert done.exit_code in (3, 21)
    assert said in done.stdout


def test_many_files_are_counted_after_the_first(copy: Path) -> None:
    """A folder full of strangers does not flood the reader."""
    for n in range(SHOWN + 5):
        (copy / f"x{n}").write_text("x")

    found = [one for one in verify_run(copy, TrustedInputs()).findings if one.name == "files"]
    assert len(found) == SHOWN + 1
    assert found[-1].reason == "and 5 more files are not as listed"


def test_the_listing_is_that_of_an_independent_tool(tiny: Tiny) -> None:
    """`sha256sum -c` accepts it, and it lists every file but itself."""
    assert set(checksums.listed_digests(tiny.folder / "files.sha256")) == files(tiny.folder) - {"files.sha256"}
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    words = ["sha256sum", "--strict", "--quiet", "-c", "files.sha256"]
    assert subprocess.run(words, cwd=tiny.folder, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("text", [b"", b"\xff", b"x\n", b"a  b\n", b"a" * 64 + b"  x", (b"a" * 64 + b"  x\n") * 2])
def test_a_listing_that_is_none_is_3(text: bytes, copy: Path) -> None:
    """No hash, no line end, one name twice: refused, and an empty one lists nothing."""
    (copy / "files.sha256").write_bytes(text)
    assert asked(copy).exit_code == 3


def test_renewing_lists_what_was_written_and_leaves_the_rest(copy: Path) -> None:
    """A page written again is listed as it is; a table damaged before stays in sight."""
    halve(copy / "placements.parquet")
    (copy / "report.md").write_text("again")
    assert checksums.renew(copy, ["report.md", "results.exact.json"])

    found = [one for one in verify_run(copy, TrustedInputs()).findings if one.exit]
    assert [str(one.reason).partition(":")[0] for one in found] == ["placements.parquet"]


def test_nothing_lists_a_directory_but_the_run(copy: Path) -> None:
    """A directory without a listing gets none from a page that is written again."""
    (copy / "files.sha256").unlink()
    assert not checksums.renew(copy, ["report.md"])
    assert not (copy / "files.sha256").exists()


def test_a_directory_without_a_listing_says_what_to_do(copy: Path) -> None:
    """Exit 3: what it lacks, who wrote it, and what to do; the other checks are made and hold."""
    (copy / "files.sha256").unlink()
    found = verify_run(copy, TrustedInputs())

    commit = json.loads((copy / "manifest.json").read_text())["commit"]
    assert found.exit == 3
    assert [one.name for one in found.findings if one.exit] == ["files"]
    for words in ("files.sha256: expected the listing", f"commit {commit}", "run the plan again", "check the other"):
        assert words in str(found.reason)


def test_a_plan_of_another_version_says_so(copy: Path) -> None:
    """A registration that was accepted once and lacks a table today is 3, and no fault of its reader."""
    plan = copy / "registration.toml"
    lines = plan.read_text().splitlines(keepends=True)
    plan.write_text("".join(line for line in lines if not line.startswith('"power"')))
    checksums.renew(copy, [plan.name])
    old = verify_run(copy, TrustedInputs())
    assert old.exit == 3
    for words in ("power: expected this key, was missing", "written by commit", "run the plan again"):
        assert words in str(old.reason)

    halve(plan)
    changed = verify_run(copy, TrustedInputs())
    assert changed.exit == 26
    assert "changed after the run" in str(changed.reason)


def test_a_listing_is_refused_rather_than_read_wrong(tmp_path: Path) -> None:
    """One above the bound for whole texts is not read into memory."""
    path = tmp_path / "files.sha256"
    with path.open("wb") as stream:
        stream.truncate(checksums.MOST_TEXT + 1)
    with pytest.raises(MissingError, match="at most"):
        checksums.listed_digests(path)
