"""The signals of a run were judged by the tables of its plan.  [live L0.2]"""

from __future__ import annotations

from dataclasses import replace

import pytest

from backtest.audit.run import check_tables
from engine.errors import CmeError
from tests.helpers.small_run import Tiny


def test_signals_that_other_tables_judged_are_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 26 with the signal's id; a run of before holds the hash of its whole plan and is accepted."""
    check_tables.tables(tiny.folder, {})
    plan = tiny.registration
    other = replace(plan, judging_hash="0" * 64)
    monkeypatch.setattr(check_tables, "registration_of", lambda _folder: other)
    with pytest.raises(CmeError, match="config_hash of") as caught:
        check_tables.tables(tiny.folder, {})
    assert caught.value.exit_code == 26

    before = replace(plan, config_hash=plan.judging_hash, judging_hash="0" * 64)
    monkeypatch.setattr(check_tables, "registration_of", lambda _folder: before)
    check_tables.tables(tiny.folder, {})
