"""What somebody does who wants a second look, an unseen change, or an amendment before its time.  [audit 9.5, 11, 15.4]

Each is tried on a frozen study for which every check holds.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from backtest.gate import amendments, checks
from backtest.gate.checks import Situation
from backtest.gate.looks import registry
from backtest.gate.looks.rule import Inputs, Look, permits
from backtest.registration.acknowledged import power_hash
from backtest.registration.fields import time_ns
from backtest.registration.load import load_registration
from engine.errors import CmeError, GateError
from tests.backtest.gate import sandbox
from tests.helpers import small_run


def now(study: Situation) -> Situation:
    """The situation of the study as it is now."""
    return sandbox.situation(study.place.root, study.place.data_root)  # type: ignore[arg-type]  # a path is there


def looked(study: Situation) -> None:
    """Look once, and commit the look."""
    sandbox.look(study, "open", "close")
    sandbox.commit(study.place.root)


def another_folder(study: Situation) -> Situation:
    """The registry as it was before the look, in a folder of its own that is committed."""
    other = study.looks.with_name("looks2")
    shutil.copytree(study.looks, other)
    looked(study)
    return replace(now(study), looks=other)


def outside(study: Situation) -> Situation:
    """The same, outside the checkout."""
    other = study.place.root.parent / "elsewhere"
    shutil.copytree(study.looks, other)
    looked(study)
    return replace(now(study), looks=other)


def rewound(study: Situation) -> Situation:
    """HEAD is brought back to before the look, and the live store is removed; the branch is what it was."""
    looked(study)
    shutil.rmtree(study.looks / registry.LIVE.parent)
    sandbox.git(study.place.root, "checkout", "-q", "HEAD~1")
    return now(study)


def reset(study: Situation) -> Situation:
    """The branch itself is brought back: only git's own log of it remembers."""
    looked(study)
    shutil.rmtree(study.looks / registry.LIVE.parent)
    sandbox.git(study.place.root, "reset", "-q", "--hard", "HEAD~1")
    return now(study)


def begun_anew(study: Situation) -> Situation:
    """Registry and freeze are removed and made again."""
    looked(study)
    shutil.rmtree(study.looks)
    study.place.freeze_path.unlink()
    sandbox.commit(study.place.root)
    return sandbox.frozen(study.place.root, study.place.data_root)  # type: ignore[arg-type]  # a path is there


def moved(study: Situation) -> Situation:
    """The same study from another folder, with a registry of its own."""
    looked(study)
    home = study.place.home
    other = home.with_name("again")
    other.mkdir()
    shutil.copyfile(home / "registration.toml", other / "registration.toml")
    for venue in home.glob("*.toml"):
        shutil.copyfile(venue, other / venue.name)
    sandbox.commit(study.place.root)
    found = now(study)
    place = replace(found.place, registration=load_registration(other / "registration.toml"))
    place.__dict__["environment"] = found.place.environment
    again = replace(found, place=place, looks=other / "looks")
    from backtest.commands.freeze import sealed

    sealed(again, sandbox.NOW_US)
    sandbox.commit(study.place.root)
    return again


@pytest.mark.parametrize("attack", [another_folder, outside, rewound, reset, begun_anew, moved])
def test_no_second_look_is_had(study: Situation, attack: Callable[[Situation], Situation]) -> None:
    """Whatever is made of the registry: what any commit of this clone knows of looks must be in it."""
    try:
        code = sandbox.code_of(attack(study))
    except GateError as refused:
        code = refused.exit_code
    assert code == 25


def test_a_registry_that_is_behind_its_branch_says_what_to_do(study: Situation) -> None:
    found = checks.examine(rewound(study))[-1]
    assert any("look" in fault and "bring it back" in fault for fault in found.faults), found


def committed_module(root: Path) -> None:
    (root / "click.py").write_text("")
    sandbox.commit(root)


def ignored_module(root: Path) -> None:
    (root / ".git" / "info" / "exclude").write_text("numpy\n")
    (root / "numpy").mkdir()
    (root / "numpy" / "__init__.py").write_text("")


def compiled_module(root: Path) -> None:
    (root / ".git" / "info" / "exclude").write_text("*.so\n")
    (root / "click.abi3.so").write_bytes(b"")


def changed_report(root: Path) -> None:
    (root / "reports" / "page.py").write_text("import hypotheses.judge\n")
    sandbox.commit(root)


@pytest.mark.parametrize("attack", [committed_module, ignored_module, compiled_module, changed_report])
def test_nothing_unsealed_is_imported_by_a_confirmatory_process(
    study: Situation, attack: Callable[[Path], None]
) -> None:
    """The checkout comes first on the path, and reports are drawn in the process that judges the next window."""
    attack(study.place.root)
    found = {one.check: one.faults for one in checks.examine(now(study))}
    assert found["code"], found


@pytest.mark.parametrize("out", [".", "..", "configs", "tests"])
def test_an_output_folder_excuses_no_change_of_what_is_committed(study: Situation, out: str) -> None:
    root = study.place.root
    (root / "tests").mkdir()
    (root / "tests" / "one.py").write_text("")
    sandbox.commit(root)
    for name in ("tests/one.py", "configs/notes.txt" if out != "tests" else "notes.txt"):
        (root / name).write_text("x")
    assert sandbox.code_of(replace(now(study), outputs=(root / out,))) == 22


def test_what_runs_write_may_lie_about(study: Situation) -> None:
    (study.place.root / "runs").mkdir()
    (study.place.root / "runs" / "x.json").write_text("x")
    assert sandbox.code_of(now(study)) == 0


def test_git_that_answers_for_another_folder_is_no_clean_tree(study: Situation) -> None:
    root = study.place.root
    shutil.copytree(root, root.parent / "clean")
    sandbox.git(root, "config", "core.worktree", str(root.parent / "clean"))
    (root / "notes.txt").write_text("x")
    assert sandbox.code_of(now(study)) == 22


def test_a_freeze_that_git_hides_a_change_of_is_seen(study: Situation) -> None:
    """A filter that cleans the file on its way to git makes status call it unchanged."""
    root, path = study.place.root, study.place.freeze_path
    whole = path.read_text()
    (root / ".git" / "info" / "attributes").write_text("freeze.json filter=old\n")
    (root.parent / "old.json").write_text(whole)
    sandbox.git(root, "config", "filter.old.clean", f"cat '{root.parent / 'old.json'}'")
    path.write_text(whole.replace('"created_at_us": 1', '"created_at_us": 2'))
    assert sandbox.code_of(now(study)) == 22


def test_a_data_set_is_sealed_once(study: Situation) -> None:
    """The seal is taken away and made again for other data: the first is in the history."""
    root, home = study.place.root, study.place.home
    data = study.place.data_path
    shutil.move(data, data.with_name("kept"))
    study.place.freeze_path.unlink()
    sandbox.commit(root)
    from backtest.commands.freeze import sealed
    from backtest.gate.freeze import seal

    sealed(now(study), sandbox.NOW_US)
    shutil.copytree(data.with_name("kept"), data)
    seal.write_data_seal(now(study).place, now(study).frozen, 1)
    sandbox.commit(root)
    assert sandbox.code_of(now(study)) == 0
    (home / seal.DATA_SEAL_FILE).unlink()
    manifest = data / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"name":"small"', '"name":"other"'))
    seal.write_data_seal(now(study).place, now(study).frozen, 2)
    sandbox.commit(root)
    assert sandbox.code_of(now(study)) == 21


def amendment(study: Situation, name: str, tables: int = 1, more: str = "") -> None:
    """Write the next amendment file, of so many tables."""
    home = study.place.home
    folder = home / "amendments"
    folder.mkdir(exist_ok=True)
    last = max(folder.glob("*.toml"), default=home / "registration.toml")
    parent = f'parent_sha256 = "{sha256(last.read_bytes()).hexdigest()}"'
    table = (
        f'[[amendments]]\nname = "{name}"\nat = "2026-01-01T00:00:00Z"\nreason = "a test"\noutcome_known = false\n'
        f"affects = []\n{parent}\nchanges = []\n"
    )
    (folder / f"{name}.toml").write_text(f"{more}# {parent}\n" + table * tables)
    sandbox.commit(study.place.root)


def test_an_amendment_frozen_without_data_before_the_window_precedes_them(
    study: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The freeze of the look names no data set, and was made before there could be any."""
    from backtest.commands.freeze import sealed
    from backtest.gate.freeze import seal

    data = study.place.data_path
    shutil.move(data, data.with_name("kept"))
    amendment(study, "0001")
    orders = []
    early = study.place.registration.windows[0].t0_ns // 1000 - 1
    for made_us in (early, early + 2):
        sealed(now(study), made_us)
        sandbox.commit(study.place.root)
        (one,) = amendments.ordered(now(study).place, study.looks)
        assert one.order == "no data accessed yet"
        monkeypatch.setattr(seal, "sealed_data", lambda *_: "d" * 64)
        (one,) = amendments.ordered(now(study).place, study.looks)
        orders.append(one.order)
        monkeypatch.undo()
        monkeypatch.setattr(checks, "engine_root", lambda: study.place.root / "engine")
    assert orders == ["before data access", "before the first look"]


RELATIVE = {"history_start": "recording_start", "start": "recording_start + 18 d", "end": "recording_start + 28 d"}
DATES = {"history_start": "2026-01-05T00:00:00Z", "start": "2026-01-23T00:00:00Z", "end": "2026-02-02T00:00:00Z"}


def undated(study: Situation) -> Situation:
    """The study with a window in days of the recording, one amendment, and no data."""
    data = study.place.data_path
    shutil.move(data, data.with_name("kept"))
    plan = {**sandbox.STUDY, "split.windows": [RELATIVE]}
    small_run.write_config(study.place.home, plan, "registration.toml")
    amendment(study, "0001")
    return now(study)


def test_a_plan_without_dates_is_not_frozen(study: Situation) -> None:
    """26, with what sets the dates; the gate of a freeze that is there all the same says so too.  [live L0.1]"""
    from backtest.commands.freeze import sealed

    again = undated(study)

    with pytest.raises(GateError, match="the record sets the dates") as refused:
        sealed(again, sandbox.NOW_US)
    (plan,) = [finding for finding in checks.examine(again) if finding.check == "plan"]

    assert refused.value.exit_code == plan.code == 26
    assert any("was a window from day 18 to day 28 of the recording" in fault for fault in plan.faults)


def test_amendments_of_a_plan_without_dates_precede_its_window(
    study: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its window has not begun; once an amendment writes the dates, the freeze has to precede the first of them."""
    from backtest.commands.freeze import sealed
    from backtest.gate.freeze import git_checkout, seal

    def orders() -> list[str]:
        with monkeypatch.context() as patched:
            patched.setattr(seal, "sealed_data", lambda *_: "d" * 64)
            return [one.order for one in amendments.ordered(now(study).place, study.looks)]

    again = undated(study)
    seal.write(study.place.freeze_path, seal.content(again.place, git_checkout.identity(study.place.root), 10**15))
    assert orders() == ["before data access"]

    changes = "".join(
        f'[[amendments.changes]]\nkey = "split.windows[0].{key}"\nbefore = "{RELATIVE[key]}"\nafter = "{DATES[key]}"\n'
        for key in RELATIVE
    )
    acknowledged = '[[amendments.changes]]\nkey = "power.acknowledged"\nbefore = "{}"\nafter = "{}"\n'
    path = study.place.home / "amendments" / "0002.toml"
    amendment(study, "0002")
    path.write_text(path.read_text().replace("changes = []\n", changes))
    content = load_registration(again.place.registration.path).content
    path.write_text(path.read_text() + acknowledged.format(content["power"]["acknowledged"], power_hash(content)))
    sandbox.commit(study.place.root)
    assert orders() == ["before data access", "before the first look"]  # the second is in no freeze yet

    begins_us = time_ns(DATES["start"]) // 1000
    for made_us, order in ((begins_us, "before data access"), (begins_us + 1, "before the first look")):
        sealed(now(study), made_us)
        sandbox.commit(study.place.root)
        assert orders() == [order] * 2


@pytest.mark.parametrize("form", [{"tables": 0}, {"tables": 2}, {"more": 'note = "x"\n'}])
def test_an_amendment_file_holds_one_amendment(study: Situation, form: dict[str, int]) -> None:
    """Files without a table before a freeze would lend their places to amendments made after the look."""
    amendment(study, "0001", **form)  # type: ignore[arg-type]  # two kinds
    with pytest.raises(CmeError, match=r"one \[\[amendments\]\]"):
        now(study)


def test_two_amendments_do_not_share_a_name(study: Situation) -> None:
    """The report tells their places in time by name."""
    amendment(study, "0001")
    amendment(study, "0002")
    path = study.place.home / "amendments" / "0002.toml"
    path.write_text(path.read_text().replace('name = "0002"', 'name = "0001"'))
    with pytest.raises(CmeError, match="name"):
        now(study)


def test_an_amendment_frozen_with_the_data_there_does_not_claim_to_precede_them(study: Situation) -> None:
    """The text was frozen before the look, but nothing shows that the data were not there: it says just that."""
    amendment(study, "0001")
    again = sandbox.frozen(study.place.root, study.place.data_root)  # type: ignore[arg-type]  # a path is there
    (before,) = amendments.ordered(again.place, again.looks)
    sandbox.look(again, "open")
    (after,) = amendments.ordered(again.place, again.looks)
    assert (before.order, after.order) == ("before the first look", "before the first look")
    assert "data set was sealed with" in after.proof


def windows(*states: str, number: int = 0) -> list[Look]:
    """Looks of the windows a, b, ... of one study, in these states."""
    named = zip("abcd", states, strict=False)
    return [
        Look(f"{name}{number}", Inputs(f"s/{name}", *"fds"), number, None, state, 1, None, None, "")  # type: ignore[arg-type]
        for name, state in named
        if state != "none"
    ]


WANTED = [Inputs(f"s/{name}", *"fds") for name in "ab"]


def test_a_run_of_several_windows_that_was_killed_between_them_is_taken_up() -> None:
    """The first look is closed, the second open: the second alone is to be had, by the same command."""
    (left,) = permits(windows("closed", "open"), WANTED, None)
    assert (left.look_id, left.resumes) == ("b0", True)
    assert [one.resumes for one in permits(windows("open", "open"), WANTED, None)] == [True, True]
    for ended in (("closed", "closed"), ("aborted", "closed"), ("closed", "aborted")):
        with pytest.raises(GateError):
            permits(windows(*ended), WANTED, None)
    with pytest.raises(GateError):
        permits(windows("aborted", "open"), WANTED, None)


def test_a_replication_of_several_windows_repeats_the_look_of_each() -> None:
    ended = windows("closed", "closed")
    found = permits(ended, WANTED, "b0")
    assert [(one.replication, one.replication_of) for one in found] == [(1, "a0"), (1, "b0")]
    again = [replace(look, replication_of=f"{look.look_id[0]}0") for look in windows("closed", "open", number=1)]
    (left,) = permits([*ended, *again], WANTED, "b0")
    assert (left.look_id, left.replication_of) == ("b1", "b0")
    with pytest.raises(GateError, match="nothing can replicate"):
        permits(ended, WANTED, "unheard of")
