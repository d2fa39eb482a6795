"""The gate: each single fault gives its code, and nothing starts a confirmatory run with any.  [audit 9, 11]"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtest.gate import checks, run_mode
from backtest.gate.access import open_looks
from backtest.gate.checks import Situation
from backtest.gate.freeze.installed_packages import Environment, Installed
from backtest.gate.looks import registry
from backtest.gate.looks.rule import Inputs, Look, permit
from engine.errors import GateError, UsageError
from tests.backtest.gate import sandbox
from tests.helpers import small_run
from tests.helpers.ledgers import cases

FACTS = {  # fact -> (value that holds, the check it belongs to)
    "lock_readable": (True, "lock files"), "tree_clean": (True, "clean tree"),
    "hidden_index_flags": (False, "clean tree"), "engine_match": (True, "code"), "config_match": (True, "plan"),
    "prereg_match": (True, "plan"), "data_match": (True, "data"), "seeds_match": (True, "seeds"),
    "kat_ok": (True, "seeds"), "env_match": (True, "environment"),
}  # fmt: skip
SPOT, FX = "binance:BTCUSDC", "binance:USDCUSDT"
INPUTS = Inputs("study/2026-01-01", "1" * 64, "2" * 64, "3" * 64)


def looks_before(which: str) -> list[Look]:
    if which == "none":
        return []
    state, inputs = which.split("_", 1)
    of = INPUTS if inputs == "same_inputs" else Inputs(INPUTS.analysis_id, "9" * 64, "2" * 64, "3" * 64)
    return [Look(of.name(0), of, 0, None, state, 1, None, None, "")]  # type: ignore[arg-type]  # open or closed


@pytest.mark.parametrize("case", cases("confirmatory_gate"), ids=lambda case: case["what"])
def test_the_order_and_the_looks_rule_are_those_of_the_shared_vectors(case: dict) -> None:
    """The exit code is the first failing one in the order of the gate.  [audit 11.2]"""
    facts = case["facts"]
    broken = {check for fact, (good, check) in FACTS.items() if facts[fact] is not good}
    earlier = looks_before(facts["prior_looks"])
    try:
        permit(earlier, INPUTS, earlier[0].look_id if facts["replication_declared"] else None)
    except GateError:
        broken.add("looks")
    found = [checks.GateFinding(c.name, c.code, c.kind, ("fault",) if c.name in broken else ()) for c in checks.CHECKS]

    assert case["exit"] == checks.exit_code(found)


def test_the_codes_stand_in_the_order_of_the_specification() -> None:
    """3, 22, 20, 26, 21, 24, 23, 25."""
    assert [check.code for check in checks.CHECKS] == [3, 22, 20, 26, 21, 24, 23, 25]


def append(name: str) -> Callable[[Situation], None]:
    def change(study: Situation) -> None:
        with (study.place.root / name).open("a") as stream:
            stream.write("#\n")
        sandbox.commit(study.place.root)

    return change


def hide(flag: str) -> Callable[[Situation], None]:
    def change(study: Situation) -> None:
        sandbox.git(study.place.root, "update-index", flag, "requirements.lock")

    return change


def untracked(study: Situation) -> None:
    (study.place.root / "notes.txt").write_text("x")


def replaced(study: Situation) -> None:
    sandbox.git(study.place.root, "replace", "HEAD", "HEAD~1")


def unrelated_history(study: Situation) -> None:
    sandbox.git(study.place.root, "checkout", "-q", "--orphan", "other")
    sandbox.commit(study.place.root)


def drop_freeze(study: Situation) -> None:
    study.place.freeze_path.unlink()
    sandbox.commit(study.place.root)


def data_byte(study: Situation) -> None:
    path = study.place.data_path / "manifest.json"
    path.write_text(path.read_text().replace('"cutoff_us":', '"cutoff_us":1'))


def data_file(study: Situation) -> None:
    next((study.place.data_path / "quotes").rglob("*.parquet")).write_bytes(b"x")


def seeds(study: Situation) -> None:
    path = study.place.root / "seeds.lock"
    path.write_text(path.read_text().replace('"replicates": 99999', '"replicates": 99998'))
    sandbox.commit(study.place.root)


def known_answer(study: Situation) -> None:
    """Another known answer is another seeds hash, which the freeze does not name either."""
    path = study.place.root / "seeds.lock"
    text = path.read_text()
    at = text.index('"raw_4096_sha256_le": "') + 23
    path.write_text(text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :])
    sandbox.commit(study.place.root)


def installed(study: Situation) -> None:
    other = Environment({"numpy": Installed("2.4.6", "b" * 64)}, (), ())
    study.place.__dict__["environment"] = other


def loose(study: Situation) -> None:
    study.place.__dict__["environment"] = Environment(sandbox.INSTALLED, (), ("evil.pth runs at start-up",))


def closed(study: Situation) -> None:
    sandbox.look(study, "open", "close")


def aborted(study: Situation) -> None:
    sandbox.look(study, "open", "abort")


def cut_looks(study: Situation) -> None:
    shutil.rmtree(study.looks)


def rewritten_looks(study: Situation) -> None:
    shutil.rmtree(study.looks)
    registry.begin(study.looks, "rehearsal", None, {"engine_hash": "0" * 64, "config_hash": "0" * 64}, 1)


def frozen_with(part: str, key: str, value: object) -> Callable[[Situation], None]:
    """The freeze names something else; the looks registry and the commit go along."""

    def change(study: Situation) -> None:
        path = study.place.freeze_path
        content = json.loads(path.read_text())
        content[part][key] = value
        path.write_text(json.dumps(content))
        sandbox.commit(study.place.root)

    return change


def hidden_file(study: Situation) -> None:
    """A file that git ignores and python would import: only the tree hash from the disk sees it."""
    root = study.place.root
    (root / ".git" / "info" / "exclude").write_text("extra.py\n")
    (root / "engine" / "extra.py").write_text("X = 1\n")


FAULTS: list[tuple[str, Callable[[Situation], None], int]] = [
    ("no freeze", drop_freeze, 3),
    ("an untracked file", untracked, 22),
    ("assume-unchanged", hide("--assume-unchanged"), 22),
    ("skip-worktree", hide("--skip-worktree"), 22),
    ("replace refs", replaced, 22),
    ("another history", unrelated_history, 22),
    ("an ignored file in the engine", hidden_file, 20),
    ("another engine", frozen_with("engine", "tree_hash", "0" * 64), 20),
    ("another analysis", frozen_with("analysis", "tree_hash", "0" * 64), 20),
    ("other kernels", frozen_with("numeric", "exact_kernel_version", 99), 20),
    ("another plan", frozen_with("config", "config_hash", "0" * 64), 26),
    ("another text of the plan", frozen_with("prereg", "text_sha256", "0" * 64), 26),
    ("another data set", frozen_with("data", "dataset_hash", "0" * 64), 21),
    ("another lock", frozen_with("env", "lock_sha256", "0" * 64), 23),
    ("seeds", seeds, 24),
    ("a known answer", known_answer, 24),
    ("data manifest", data_byte, 21),
    ("data file", data_file, 21),
    ("an edited installed file", installed, 23),
    ("a start-up file", loose, 23),
    ("a closed look", closed, 25),
    ("an aborted look", aborted, 25),
    ("no looks registry", cut_looks, 25),
    ("another looks registry", rewritten_looks, 25),
]


@pytest.mark.parametrize(
    ("without", "listed", "code"),
    [((), (), 0), ((SPOT,), (), 21), ((SPOT,), (SPOT,), 0), ((), (SPOT,), 21), ((SPOT, FX), (SPOT,), 21)],
)
def test_an_instrument_that_the_data_lack_is_listed_or_there_is_no_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: tuple[str, ...], listed: tuple[str, ...], code: int
) -> None:
    """Refused (21) before the look is opened, unless the plan lists just those.  [decisions of 2026-11-30]"""
    root = sandbox.checkout(tmp_path / "checkout")
    known = [{"instrument": name, "reason": "not offered"} for name in listed]
    plan = {**sandbox.STUDY, "data.known_missing": known}
    small_run.write_config(root / "configs" / "prereg" / "rehearsal", plan, "registration.toml")
    sandbox.commit(root)
    sandbox.dataset(tmp_path / "data", *without)
    monkeypatch.setattr(checks, "engine_root", lambda: root / "engine")

    found = sandbox.frozen(root, tmp_path / "data")
    decided = run_mode.decide_mode(found, "confirmatory")

    assert sandbox.code_of(found) == code
    assert decided.may_start == (code == 0)
    if code:
        with pytest.raises(GateError, match=r"data \(21\): expected .*binance:") as refused:
            open_looks(decided, found.place.registration, sandbox.NOW_US)
        assert refused.value.exit_code == 21
    assert registry.read(found.looks).looks == ()


def test_a_frozen_study_in_order_may_start(study: Situation) -> None:
    """All eight checks hold, and the run is confirmatory with nothing to declare."""
    found = run_mode.decide_mode(study, "auto")

    assert (found.mode, found.deviations, found.refusal) == ("confirmatory", (), None)
    assert study.freeze_hash == found.freeze_hash


def test_a_fix_of_the_recorder_breaks_no_freeze(study: Situation) -> None:
    """Its hash is recorded and not compared; the same change beside it is another analysis.  [live L1]"""
    root = study.place.root
    (root / "backtest" / "record").mkdir()
    (root / "backtest" / "record" / "socket.py").write_text("X = 1\n")
    sandbox.commit(root)

    assert sandbox.code_of(sandbox.situation(root, study.place.data_root)) == 0
    (root / "backtest" / "recorder.py").write_text("X = 1\n")
    sandbox.commit(root)
    assert sandbox.code_of(sandbox.situation(root, study.place.data_root)) in (20, 22)


@pytest.mark.parametrize(("what", "fault", "code"), FAULTS, ids=[name for name, _, _ in FAULTS])
def test_each_single_fault_has_its_code_and_starts_nothing(
    study: Situation, what: str, fault: Callable[[Situation], None], code: int
) -> None:
    """Refused with the code where confirmatory was asked for; exploratory with a departure otherwise."""
    fault(study)
    again = sandbox.situation(study.place.root, study.place.data_root)
    again.place.__dict__["environment"] = study.place.environment

    assert code == sandbox.code_of(again)
    refused = run_mode.decide_mode(again, "confirmatory").refusal
    assert refused is not None
    assert code == refused.exit_code
    assert run_mode.decide_mode(again, "auto").mode == "exploratory"
    assert run_mode.decide_mode(again, "auto").deviations
    assert run_mode.decide_mode(again, "exploratory").mode == "exploratory"


ONE_EACH = ("an untracked file", "another engine", "another plan", "data file", "a known answer",
            "an edited installed file", "a closed look")  # fmt: skip


@pytest.mark.parametrize(("one", "other"), list(combinations(ONE_EACH, 2)), ids="-".join)
def test_of_two_faults_the_first_in_the_order_of_the_gate_gives_the_code(
    study: Situation, one: str, other: str
) -> None:
    """Every pair of faults, one of each check: refused with the earlier code, and exploratory otherwise."""
    made = {name: (fault, code) for name, fault, code in FAULTS}
    order = [check.code for check in checks.CHECKS]
    for name in (other, one):
        made[name][0](study)
    again = sandbox.situation(study.place.root, study.place.data_root)
    again.place.__dict__["environment"] = study.place.environment
    findings = checks.examine(again)
    bad = {finding.code for finding in findings if not finding.holds}

    assert {made[one][1], made[other][1]} <= bad
    assert checks.exit_code(findings) == min(bad, key=order.index)
    refused = checks.refusal(findings)
    assert refused is not None
    assert refused.exit_code == min(bad, key=order.index)


@pytest.mark.parametrize(
    ("name", "code"),
    [("engine/core.py", 20), ("engine/venue/desk.py", 20), ("backtest/run.py", 20), ("hypotheses/judge.py", 20),
     ("cme.py", 20), ("configs/prereg/rehearsal/registration.toml", 26), ("requirements.lock", 23)],
)  # fmt: skip
@pytest.mark.parametrize("committed", [False, True])
def test_one_changed_byte_in_each_sealed_tree_is_seen(study: Situation, name: str, code: int, committed: bool) -> None:
    """Uncommitted the tree is not clean; committed HEAD departs from the freeze; the tree's own check says so too."""
    with (study.place.root / name).open("a") as stream:
        stream.write("#\n")
    if committed:
        sandbox.commit(study.place.root)
    again = sandbox.situation(study.place.root, study.place.data_root, opening=False)
    found = {finding.code: finding.holds for finding in checks.examine(again)}

    assert not found[code]
    assert found[22] is (committed and name == "requirements.lock")


@pytest.mark.parametrize("said", ["", "0" * 64])
def test_a_plan_whose_power_statement_nobody_read_is_refused(
    said: str, original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen as it is, everything else in order: 26 and one fault; exploratory it is listed.  [statistics 1.4]"""
    monkeypatch.setattr(sandbox, "STUDY", {**sandbox.STUDY, "power.acknowledged": said})
    root = sandbox.checkout(tmp_path / "checkout")
    monkeypatch.setattr(checks, "engine_root", lambda: root / "engine")
    with pytest.raises(GateError, match="cme power") as refused:
        sandbox.frozen(root, original / "data")
    assert refused.value.exit_code == 26
    with pytest.MonkeyPatch.context() as patch:  # of an older version, which froze it
        patch.setattr("backtest.registration.acknowledged.not_acknowledged", lambda _: None)
        unread = sandbox.frozen(root, original / "data")

    faults = [fault for finding in checks.examine(unread) for fault in finding.faults]
    found = run_mode.decide_mode(unread, "auto")

    assert sandbox.code_of(unread) == 26
    assert len(faults) == 1
    assert "cme power" in faults[0]
    assert found.mode == "exploratory"
    assert [text.split(":")[0] for text in found.deviations] == ["config"]
    unread.place.freeze_path.unlink()
    assert any("cme power" in text for text in run_mode.decide_mode(unread, "auto").deviations)


def test_a_family_that_is_not_in_force_breaks_no_freeze(study: Situation) -> None:
    """engine/covenants may appear after the freeze; the registration does not name it.  [spec README]"""
    path = study.place.root / "engine" / "covenants" / "rule.py"
    path.parent.mkdir()
    path.write_text("RULE = 1\n")
    sandbox.commit(study.place.root)

    assert sandbox.code_of(sandbox.situation(study.place.root, study.place.data_root)) == 0


def test_an_open_look_of_the_same_inputs_is_taken_up_again(study: Situation) -> None:
    """A crash leaves the look open, uncommitted; the same command goes on with it."""
    sandbox.look(study, "open")
    again = sandbox.situation(study.place.root, study.place.data_root)

    assert sandbox.code_of(again) == 0
    assert again.permits()[0].resumes


def test_a_replication_is_named_and_numbered(study: Situation) -> None:
    """It may run only as the replication of a look on record, and must end with the recorded digest."""
    sandbox.look(study, "open", "close")
    name = registry.read(study.looks).looks[0].look_id
    again = sandbox.situation(study.place.root, study.place.data_root, replication_of=name)

    found = run_mode.decide_mode(again, "confirmatory")

    assert found.refusal is None
    assert (found.permits[0].replication, found.permits[0].digest) == (1, "d" * 64)


VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG_COUNT")


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_that_redirects_git_is_no_clean_tree(study: Situation, name: str) -> None:
    """It is looked for and named; git itself is asked without it."""
    again = sandbox.situation(study.place.root, study.place.data_root, variables={name: "/elsewhere"})

    assert sandbox.code_of(again) == 22


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    broken=st.sets(st.sampled_from([check.name for check in checks.CHECKS]), min_size=1),
    confirmatory=st.booleans(),
    exploratory=st.booleans(),
    replication=st.sampled_from([None, "78e139d4-4eb2-5b65-833d-a09df45876fe"]),
)
def test_no_combination_of_flags_starts_a_confirmatory_run_with_any_fault(
    study: Situation, broken: set[str], confirmatory: bool, exploratory: bool, replication: str | None
) -> None:
    """For every set of faults and every set of flags: refused, or exploratory with something declared."""
    inject = tuple(
        checks.Check(c.name, c.code, c.kind, lambda s, bad=c.name in broken: iter(["a fault"] if bad else []))
        for c in checks.CHECKS
    )
    first = next(check.code for check in checks.CHECKS if check.name in broken)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "CHECKS", inject)
        if exploratory and (confirmatory or replication):
            with pytest.raises(UsageError):
                run_mode.requested_mode(confirmatory, exploratory, replication)
            return
        requested = run_mode.requested_mode(confirmatory, exploratory, replication)
        found = run_mode.decide_mode(study, requested)

    if found.mode == "confirmatory":
        assert found.refusal is not None
        assert first == found.refusal.exit_code
        assert not found.permits
    else:
        assert found.deviations
