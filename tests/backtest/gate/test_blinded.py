"""A blinded run is a row of the registry, uses no look, and every later amendment says so.  [live L0.7]"""

from __future__ import annotations

from hashlib import sha256

import pytest

from backtest.gate import amendments
from backtest.gate.access import record_blinded
from backtest.gate.checks import Situation
from backtest.gate.looks import registry
from backtest.gate.looks.rule import amendments_when_blinded, blinded_reason
from backtest.gate.run_mode import RunMode, decide_mode, when_blinded
from engine.errors import GateError, UsageError
from tests.backtest.gate import sandbox


def mode_of(found: Situation) -> RunMode:
    return RunMode("confirmatory", looks=found.looks, permits=found.permits())


def recorded(found: Situation, now_us: int = 1) -> RunMode:
    return record_blinded(mode_of(found), found.place.registration, now_us)


def amended(found: Situation, after_blinded: str = "") -> Situation:
    """The study with a first amendment that changes nothing."""
    home, root = found.place.home, found.place.root
    parent = sha256((home / "registration.toml").read_bytes()).hexdigest()
    (home / "amendments").mkdir(exist_ok=True)
    (home / "amendments" / "0001.toml").write_text(
        f'[[amendments]]\nname = "0001"\nat = "2027-03-05T00:00:00Z"\nreason = "a test"\noutcome_known = false\n'
        f'affects = []\nparent_sha256 = "{parent}"\nchanges = []\n{after_blinded}'
    )
    sandbox.commit(root)
    assert found.place.data_root is not None
    return sandbox.situation(root, found.place.data_root)


def test_it_is_one_row_and_uses_no_look(study: Situation) -> None:
    """Again with the same inputs it is the same row; the look may be had afterwards, and only once."""
    for now_us in (1, 2):
        assert recorded(study, now_us).facts["looks"]["blinded"] == 1
    assert registry.read(study.looks).looks == ()
    assert decide_mode(study, "confirmatory").refusal is None
    sandbox.look(study, "open", "close")
    assert registry.read(study.looks).summary()["blinded"] == 1
    with pytest.raises(GateError, match="cannot be had again"):
        mode_of(study)


def test_it_is_refused_once_a_look_is_open(study: Situation) -> None:
    sandbox.look(study, "open")
    with pytest.raises(GateError, match="before the look") as error:
        recorded(study)
    assert error.value.exit_code == 25
    assert registry.read(study.looks).summary()["blinded"] == 0


def test_a_run_that_may_not_start_is_no_blinded_run(study: Situation) -> None:
    refusal = GateError("engine differs", exit_code=20)
    with pytest.raises(GateError, match="engine differs"):
        record_blinded(RunMode("confirmatory", refusal=refusal, looks=study.looks), study.place.registration, 1)
    assert registry.read(study.looks).summary()["blinded"] == 0


@pytest.mark.parametrize(("line", "faults"), [("", 1), ("after_blinded = false\n", 1), ("after_blinded = true\n", 0)])
def test_every_amendment_after_it_says_so(study: Situation, line: str, faults: int) -> None:
    recorded(study)
    found = amended(study, line)
    complaints = list(amendments.faults(found.place, found.looks))
    assert len(complaints) == faults
    assert all("expected after_blinded = true, was not" in one for one in complaints)
    (order,) = amendments.ordered(found.place, found.looks)
    assert order.after_blinded == (not faults)


def test_an_amendment_before_it_need_not_say_so(study: Situation) -> None:
    found = amended(study)
    assert not list(amendments.faults(found.place, found.looks))
    found.place.freeze_path.unlink()
    again = sandbox.frozen(found.place.root, found.place.data_root)  # type: ignore[arg-type]
    recorded(again)
    assert registry.read(again.looks).amendments_when_blinded() == 1
    assert not list(amendments.faults(again.place, again.looks))


def test_the_reason_of_the_row_counts_the_amendments() -> None:
    rows = [
        {"event": "open", "reason": "the registered analysis"},
        {"event": "blinded", "reason": blinded_reason(17)},
        {"event": "blinded", "reason": blinded_reason(16)},
    ]
    assert amendments_when_blinded(rows) == 16
    assert amendments_when_blinded(rows[:1]) is None


def test_a_frozen_plan_is_rehearsed_under_its_gate(study: Situation) -> None:
    """Without a freeze there is nothing to hold the rehearsal to; other requests go with no blinded run."""
    none = {"scheduler": None, "again": False, "plan": False}
    assert when_blinded(study, "auto", **none) == "confirmatory"  # type: ignore[arg-type]
    study.place.freeze_path.unlink()
    assert when_blinded(study, "auto", **none) == "auto"  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--scheduler"):
        when_blinded(study, "auto", scheduler="tcp://a:1", again=False, plan=False)
