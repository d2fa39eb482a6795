"""Code and edits that neither git nor a tree hash shows.  [audit 9.1, 9.5]"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from backtest.commands.freeze import sealed
from backtest.gate import checks, run_mode
from backtest.gate.checks import Situation
from engine.errors import GateError
from tests.backtest.gate import sandbox


def asked(study: Situation, **changes: object) -> int:
    """The code of the gate now, by a process that begins anew."""
    again = sandbox.situation(study.place.root, study.place.data_root, **changes)
    again.place.__dict__["environment"] = study.place.environment
    code = sandbox.code_of(again)
    refused = run_mode.decide_mode(again, "confirmatory").refusal
    assert (refused.exit_code if refused else 0) == code
    assert (run_mode.decide_mode(again, "auto").mode == "confirmatory") is (code == 0)
    return code


@pytest.mark.parametrize(
    "name", ["engine/core/__init__.pyc", "backtest/run/__init__.pyc", "tests/tables.so", "configs/x/__init__.py"]
)
def test_an_ignored_file_that_python_would_import_is_no_sealed_code(study: Situation, name: str) -> None:
    """A folder with ``__init__.pyc`` is taken before the module of its name, and no tree hash counts it."""
    root = study.place.root
    (root / "tests").mkdir()
    (root / "tests" / "tables.py").write_text("")
    sandbox.commit(root)
    (root / ".git" / "info" / "exclude").write_text(f"/{name}\n")
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("X = 1\n")

    assert asked(study) == 20


def test_a_linked_package_beside_the_sources_is_seen(study: Situation, tmp_path: Path) -> None:
    """A link has no suffix; what it leads to is asked."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "__init__.py").write_text("")
    (study.place.root / ".git" / "info" / "exclude").write_text("/configs/numpy\n")
    (study.place.root / "configs" / "numpy").symlink_to(tmp_path / "elsewhere")

    assert asked(study) == 20


def test_what_tools_leave_in_a_checkout_is_no_fault(study: Situation) -> None:
    """Environment, compiled files, caches, egg-info: ignored, and nothing imports them from there."""
    root = study.place.root
    (root / ".git" / "info" / "exclude").write_text(".venv/\n__pycache__/\n*.egg-info/\n/build/\n.mypy_cache/\n")
    for name in (".venv/lib/site.py", "engine/__pycache__/core.cpython-311.pyc", "x.egg-info/PKG-INFO", "build/a.json",
                 ".mypy_cache/a.py"):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")

    assert asked(study) == 0


def test_an_output_folder_that_holds_committed_files_excuses_nothing(study: Situation) -> None:
    """A new file beside them is as untracked as anywhere."""
    (study.place.root / "configs" / "notes.txt").write_text("x")

    assert asked(study, outputs=(study.place.root / "configs",)) == 22


def clean_filter(root: Path) -> None:
    """Git is told that the edited file is, cleaned, the committed one."""
    original = (root / "requirements.lock").read_bytes()
    (root / ".git" / "kept").write_bytes(original)
    sandbox.git(root, "config", "filter.hide.clean", f"cat '{root / '.git' / 'kept'}'")
    (root / ".git" / "info" / "attributes").write_text("requirements.lock filter=hide\n")
    (root / "requirements.lock").write_bytes(original + b"# more\n")
    sandbox.git(root, "add", "requirements.lock")  # the index remembers the time, and the committed content


def mode_ignored(root: Path) -> None:
    sandbox.git(root, "config", "core.fileMode", "false")
    (root / "seeds.lock").chmod(0o755)


def line_ends(root: Path) -> None:
    """Git is told that the line ends are its own affair."""
    (root / ".git" / "info" / "attributes").write_text("seeds.lock text eol=crlf\n")
    path = root / "seeds.lock"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    sandbox.git(root, "add", "seeds.lock")


def link(root: Path) -> None:
    """The same bytes by way of a link."""
    path = root / "requirements.lock"
    path.rename(root / ".git" / "kept")
    path.symlink_to(root / ".git" / "kept")


@pytest.mark.parametrize("hide", [clean_filter, mode_ignored, line_ends, link])
def test_settings_of_the_clone_hide_no_edit(study: Situation, hide: Callable[[Path], None]) -> None:
    """Committed files are compared by their bytes and modes on the disk, whatever git is told to show."""
    hide(study.place.root)

    assert asked(study) == 22


def cloned(study: Situation, to: Path, *options: str) -> Situation:
    """Clone the checkout of the study, two commits after the freeze; return the situation there."""
    root = study.place.root
    for _ in range(2):
        sandbox.commit(root)
    sandbox.git(root, "clone", "-q", *options, f"file://{root}", str(to))
    return sandbox.situation(to, study.place.data_root)


@pytest.mark.parametrize("depth", [1, 4, 50])
def test_a_shallow_clone_is_told_from_another_history(study: Situation, tmp_path: Path, depth: int) -> None:
    """Whether the frozen commit is in it or not: what is missing could hold looks."""
    shallow = cloned(study, tmp_path / "shallow", "--depth", str(depth))
    cut = subprocess.check_output(["git", "-C", tmp_path / "shallow", "rev-parse", "--is-shallow-repository"])
    (finding,) = [finding for finding in checks.examine(shallow) if finding.check == "clean tree"]

    assert (cut.strip() == b"true") is (depth < 50)
    assert len(finding.faults) == (depth < 50)
    assert all("git fetch --unshallow" in fault for fault in finding.faults)
    if depth < 50:
        with pytest.raises(GateError, match="unshallow") as refused:
            sealed(shallow, sandbox.NOW_US)
        assert refused.value.exit_code == 22
        sandbox.git(tmp_path / "shallow", "fetch", "-q", "--unshallow")
        assert not any(finding.faults for finding in checks.examine(shallow) if finding.check == "clean tree")


def test_a_frozen_commit_that_is_on_no_fetched_branch_is_named(study: Situation, tmp_path: Path) -> None:
    """A clone of one branch that never had the freeze's commit: fetch it; HEAD is not blamed."""
    root = study.place.root
    frozen = study.frozen["git"]["commit"]
    sandbox.git(root, "checkout", "-q", "--orphan", "other")
    other = cloned(study, tmp_path / "other", "--single-branch", "--branch", "other")
    (finding,) = [finding for finding in checks.examine(other) if finding.check == "clean tree"]

    assert [frozen in fault and "git fetch --all" in fault for fault in finding.faults] == [True]
