"""A rerun after a proven defect: beside the first look, with nothing changed but what the amendment names.  [R12.3]"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from backtest.gate import run_mode
from backtest.gate.checks import Situation
from backtest.gate.looks import registry
from backtest.gate.looks.repairs import Defect, repair_permits
from backtest.gate.looks.rule import Inputs, Look, looks_of
from engine.errors import GateError, UsageError
from tests.backtest.gate import sandbox

TEST = "tests/test_run.py::test_it"
DEFECT = Defect("a0", "c" * 40, TEST, ("backtest/run.py", "tests/test_run.py"))


def look(state: str = "closed", analysis: str = "s/a", freeze: str = "f", **changed: object) -> Look:
    name = f"{analysis[-1]}0" if freeze == "f" else f"{analysis[-1]}-{freeze}"
    given = {
        "look_id": name, "inputs": Inputs(analysis, freeze, "d", "s"), "replication": 0, "replication_of": None,
        "state": state, "opened_us": 1, "ended_us": None, "results_digest": None, "reason": "the registered analysis",
    }  # fmt: skip
    return Look(**{**given, **changed})  # type: ignore[arg-type]


WANTED = [Inputs("s/a", "g", "d", "s")]


def test_a_repair_is_a_look_of_its_own_beside_the_first() -> None:
    """Another freeze, so another id; it names the first, has no digest to reach, is taken up if cut off."""
    (permit,) = repair_permits([look()], WANTED, "a0", DEFECT)

    assert permit.look_id == WANTED[0].name(0)
    assert (permit.repair_of, permit.replication_of, permit.digest, permit.resumes) == ("a0", None, None, False)
    begun = look("open", freeze="g", repair_of="a0", reason=permit.reason)
    assert repair_permits([look(), begun], WANTED, "a0", DEFECT)[0].resumes


@pytest.mark.parametrize(
    ("looks", "wanted", "name", "says"),
    [
        ([look()], WANTED, "b0", "no look b0"),
        ([look("open")], WANTED, "a0", "still open"),
        ([look()], [Inputs("s/a", "f", "d", "s")], "a0", "freeze is that"),
        ([look()], [Inputs("s/a", "g", "other", "s")], "a0", "data or seeds"),
        ([look()], [Inputs("s/a", "g", "d", "other")], "a0", "data or seeds"),
        ([look()], [Inputs("s/b", "g", "d", "s")], "a0", "s/b had no look"),
        ([look(), look(freeze="g", repair_of="a0")], [Inputs("s/a", "h", "d", "s")], "a-g", "no first look"),
        (
            [look(), look(freeze="g", repair_of="a0", reason=f"repair of a0 after {TEST}")],
            [Inputs("s/a", "h", "d", "s")], "a0", "one defect test allows one repair",
        ),
    ],
)  # fmt: skip
def test_anything_else_is_refused(looks: list[Look], wanted: list[Inputs], name: str, says: str) -> None:
    """With the code of the looks and the reason."""
    with pytest.raises(GateError, match=says) as refused:
        repair_permits(looks, wanted, name, DEFECT)
    assert refused.value.exit_code == 25


def test_another_defect_allows_another_repair() -> None:
    """The number of repairs is the number of proven defects."""
    repaired = look(freeze="g", repair_of="a0", reason=f"repair of a0 after {TEST}")
    other = Defect("a0", "c" * 40, "tests/test_other.py::test_it", ())

    assert repair_permits([look(), repaired], [Inputs("s/a", "h", "d", "s")], "a0", other)[0].repair_of == "a0"


def test_a_blinded_rehearsal_is_no_look() -> None:
    """It saw no outcome; rows of the older form have no repair."""
    row = {
        "look_id": "a0", "analysis_id": "s/a", "freeze_hash": "f", "dataset_hash": "d", "seeds_hash": "s",
        "results_digest": None, "replication": 0, "replication_of": None, "reason": "r",
    }  # fmt: skip

    (found,) = looks_of([({**row, "event": "blinded"}, 1), ({**row, "event": "open"}, 2)])

    assert (found.state, found.repair_of, found.opened_us) == ("open", None, 2)
    assert looks_of([({**row, "event": "open", "repair_of": "z0"}, 2)])[0].repair_of == "z0"


def test_a_repair_asks_for_a_confirmatory_run() -> None:
    """It is no replication and not exploratory."""
    assert run_mode.requested_mode(False, False, None, "a0") == "confirmatory"
    for wrong in ((False, True, None, "a0"), (False, False, "b0", "a0")):
        with pytest.raises(UsageError):
            run_mode.requested_mode(*wrong)


def mended(study: Situation, files: str, edit: Callable[[Path], None] = lambda root: None) -> Situation:
    """The study after a closed look, a mended file, its test, the amendment and a new freeze, all committed."""
    root, home = study.place.root, study.place.home
    sandbox.look(study, "open", "close")
    first = registry.read(study.looks).looks[0].look_id
    (root / "backtest" / "run.py").write_text('"""mended"""\n')
    (root / "tests").mkdir(exist_ok=True)
    (root / "tests" / "test_run.py").write_text('"""fails before, passes after"""\n')
    edit(root)
    parent = sha256((home / "registration.toml").read_bytes()).hexdigest()
    (home / "amendments").mkdir(exist_ok=True)
    (home / "amendments" / "0001.toml").write_text(
        f"""[[amendments]]
name = "0001"
at = "2027-03-05T00:00:00Z"
reason = "a defect"
outcome_known = true
affects = ["H1"]
parent_sha256 = "{parent}"
changes = []
[amendments.defect]
look = "{first}"
commit = "{"c" * 40}"
test = "{TEST}"
files = [{files}]
"""
    )
    sandbox.commit(root)
    study.place.freeze_path.unlink()
    sandbox.frozen(root, study.place.data_root)  # type: ignore[arg-type]
    return sandbox.situation(root, study.place.data_root, repair_of=first)  # type: ignore[arg-type]


def test_the_gate_lets_a_repair_through(study: Situation) -> None:
    """Confirmatory, with a look of its own; once closed, all of them are on record and the first stays what it was."""
    found = mended(study, '"backtest/run.py", "tests/test_run.py"')

    mode = run_mode.decide_mode(found, "confirmatory")

    assert mode.refusal is None
    (permit,) = mode.permits
    for event in ("open", "close"):
        digest = "e" * 64 if event == "close" else None
        registry.record(found.looks, permit, event, sandbox.LEDGERS, 1, results_digest=digest, reason=permit.reason)
    summary = registry.read(found.looks).summary()
    assert (summary["number"], summary["closed"], summary["repaired"], summary["blinded"]) == (2, 2, 1, 0)
    assert [entry["repair_of"] for entry in summary["looks"]] == [None, permit.repair_of]
    assert registry.read(found.looks).looks[0].results_digest == "d" * 64


def test_a_file_that_the_amendment_does_not_name_is_a_fault(study: Situation) -> None:
    """A repair that also touches a hypothesis is another analysis."""
    found = mended(
        study,
        '"backtest/run.py", "tests/test_run.py"',
        lambda root: (root / "hypotheses" / "judge.py").write_text('"""other"""\n') and None,
    )

    refusal = run_mode.decide_mode(found, "confirmatory").refusal

    assert refusal is not None
    assert refusal.exit_code == 25
    assert "hypotheses/judge.py" in str(refusal)


def test_without_the_amendment_nothing_is_repaired(study: Situation) -> None:
    """The look is on record and the freeze is its own: the plan names no defect."""
    sandbox.look(study, "open", "close")
    first = registry.read(study.looks).looks[0].look_id
    sandbox.commit(study.place.root)
    found = sandbox.situation(study.place.root, study.place.data_root, repair_of=first)  # type: ignore[arg-type]

    refusal = run_mode.decide_mode(found, "confirmatory").refusal

    assert refusal is not None
    assert "table defect" in str(refusal)
