"""What H3 dropped goes to a shadow ledger; before the freeze all days may be sealed anew.  [live L0.1, L2.2]"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backtest.gate.run_mode import UNCHECKED
from backtest.live.day_chain import read_days
from backtest.live.final_gate import pass_final_gate
from backtest.live.join import join_days
from backtest.live.operate import operate, restart
from backtest.registration.load import load_registration
from engine.errors import CmeError
from tests.helpers import five_days
from tests.helpers.five_days import Study, emitted, operation, signals


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return five_days.make(tmp_path_factory.mktemp("shadow"))


def test_dropped_constraints_are_emitted_into_the_shadow_ledger(study: Study, tmp_path: Path) -> None:
    everything = replace(study, live=type(study.live)(tmp_path / "all"))
    emitted(everything, 4)
    kept = frozenset({"put_call", "triangle"})
    operate(replace(operation(study, 4), retained=kept))
    main, shadow = signals(study), signals(study, "five-shadow")
    assert {content["provenance"]["constraint"] for content in main.values()} <= kept
    assert main
    assert not kept & {content["provenance"]["constraint"] for content in shadow.values()}
    assert shadow
    assert {**main, **shadow} == signals(everything)
    joined = join_days(study.live.days, tmp_path / "joined", "joined")
    registration = load_registration(study.plan)
    compared = pass_final_gate(UNCHECKED, registration, lambda: joined, study.live.root, tmp_path / "runs", 1)
    assert compared.run_mode.facts["emitted"]["signals"] == len(main) + len(shadow)


def test_all_days_are_sealed_anew_before_the_freeze_and_never_after(study: Study, tmp_path: Path) -> None:
    study = replace(study, live=type(study.live)(tmp_path / "live"))
    emitted(study, 2)
    before = read_days(study.live.days)
    registration = load_registration(study.plan)
    with pytest.raises(CmeError, match="sealed for good") as error:
        restart(study.live, registration, frozen=True)
    assert error.value.exit_code == 21
    head = restart(study.live, registration, frozen=False)
    assert head == before.head.hash
    assert read_days(study.live.days).rows == ()
    again, _ = emitted(study, 1)
    assert again.rows[0]["digest"] == before.rows[0]["digest"]
    assert (study.live.days / f"days-{head[:16]}.jsonl").exists()
    assert list(study.live.root.glob(f"ledgers/five-history-{head[:16]}/emit.jsonl"))
