"""Inside a registered window nothing is settled before its look.  [live L0.6]"""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.live.resolve import require_look
from backtest.registration.load import load_registration
from engine.errors import GateError
from tests.backtest.gate import sandbox
from tests.helpers.small_run import write_config


def test_a_registered_window_is_resolved_only_after_its_look_was_opened(tmp_path: Path, study: object) -> None:
    situation = study
    registration = situation.place.registration  # type: ignore[attr-defined]
    with pytest.raises(GateError, match="expected an open look") as error:
        require_look(registration)
    assert error.value.exit_code == 28
    sandbox.look(situation, "open")  # type: ignore[arg-type]
    require_look(registration)


def test_a_plan_that_registers_nothing_is_resolved_daily(tmp_path: Path) -> None:
    require_look(load_registration(write_config(tmp_path)))
