"""The gate of an emission: a freeze that amendments alone lead to goes on, another engine does not.  [live L0.2]"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from backtest.gate.checks import Situation
from backtest.gate.freeze import seal
from backtest.live.emit_gate import EmitSeal, check_descent, kept_freeze, open_seal, pass_gate, registered
from backtest.live.live_folder import LiveFolder
from engine.errors import CmeError, MissingError
from tests.backtest.gate import sandbox
from tests.helpers.five_days import amend


def kept(live: LiveFolder, content: dict[str, Any]) -> str:
    """Keep a freeze as an emission does; return its hash."""
    digest = seal.freeze_hash(content)
    live.freezes.mkdir(parents=True, exist_ok=True)
    (live.freezes / f"{digest}.json").write_text(json.dumps(content))
    return digest


def sealed(situation: Situation, freeze_hash: str) -> EmitSeal:
    current = open_seal(situation.place.registration, situation.frozen["seeds"]["seeds_hash"])
    return EmitSeal(freeze_hash, *(getattr(current, name) for name in current.__slots__[1:]))


def test_the_gate_of_an_emission_is_that_of_a_run_without_a_look(study: Situation, tmp_path: Path) -> None:
    live = LiveFolder(tmp_path / "live")
    assert registered(study.place.registration)
    passed = pass_gate(study, live, "d" * 64)
    assert (passed.freeze_hash, passed.seeds_hash) == (study.freeze_hash, "d" * 64)
    assert kept_freeze(live, study.freeze_hash) == study.frozen
    (study.place.root / "engine" / "core.py").write_text("changed\n")
    with pytest.raises(CmeError, match="an emission in the registered window may not start") as error:
        pass_gate(study, live, None)
    assert error.value.exit_code == 22
    sandbox.commit(study.place.root)
    with pytest.raises(CmeError) as error:
        pass_gate(study, live, None)
    assert error.value.exit_code == 22  # a freeze names the commit: this one does not descend with the same engine


def test_a_freeze_that_amendments_alone_lead_to_goes_on(study: Situation, tmp_path: Path) -> None:
    live = LiveFolder(tmp_path / "live")
    before = kept(live, study.frozen)
    on_record = {"engine_hash": sealed(study, before).engine_hash, "freeze_hash": before,
                 "config_hash": study.place.registration.config_hash}  # fmt: skip
    check_descent(live, study.place.registration, on_record, sealed(study, before))
    amended = amend(study.place.registration.path, "title", study.place.registration.title, "another title")
    content = deepcopy(study.frozen)
    content["config"]["config_hash"] = amended.config_hash
    content["prereg"]["text_sha256"] = "e" * 64
    now = EmitSeal(
        kept(live, content), on_record["engine_hash"], amended.config_hash, amended.judging_hash, None, "0001"
    )
    check_descent(live, amended, on_record, now)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda frozen: frozen["engine"].update(tree_hash="f" * 64), 20),
        (lambda frozen: frozen["analysis"].update(tree_hash="f" * 64), 20),
        (lambda frozen: frozen["seeds"].update(seeds_hash="f" * 64), 24),
    ],
)
def test_a_freeze_of_other_trees_or_seeds_is_refused(
    study: Situation, tmp_path: Path, change: Callable[[dict[str, Any]], None], code: int
) -> None:
    live = LiveFolder(tmp_path / "live")
    before, content = kept(live, study.frozen), deepcopy(study.frozen)
    change(content)
    plan = study.place.registration
    on_record = {"engine_hash": open_seal(plan, None).engine_hash, "freeze_hash": before, "config_hash": "a" * 64}
    with pytest.raises(CmeError) as error:
        check_descent(live, plan, on_record, sealed(study, kept(live, content)))
    assert error.value.exit_code == code


def test_another_engine_plan_or_a_freeze_that_was_not_kept_is_refused(study: Situation, tmp_path: Path) -> None:
    live, plan = LiveFolder(tmp_path / "live"), study.place.registration
    current = open_seal(plan, None)
    on_record = {"engine_hash": "b" * 64, "freeze_hash": None, "config_hash": plan.config_hash}
    for changed, code in (({}, 20), ({"engine_hash": current.engine_hash, "config_hash": "c" * 64}, 26),
                          ({"engine_hash": current.engine_hash, "freeze_hash": "d" * 64}, 20)):  # fmt: skip
        with pytest.raises(CmeError) as error:
            check_descent(live, plan, {**on_record, **changed}, current)
        assert error.value.exit_code == code
    elsewhere = {"engine_hash": current.engine_hash, "freeze_hash": "d" * 64, "config_hash": "c" * 64}
    with pytest.raises(MissingError, match="bring it back from git"):
        check_descent(live, plan, elsewhere, sealed(study, kept(live, study.frozen)))
