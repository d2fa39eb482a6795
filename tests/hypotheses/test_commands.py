"""``cme judge RUN`` on a run directory with a registered plan and the streams of seeds.lock."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from backtest.config import load_registration
from engine.units import NS_PER_DAY
from hypotheses.commands import judge_command
from tests.hypotheses.cases import DAY0
from tests.hypotheses.test_judge import window, write_run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run directory of the demonstration's plan, with made returns, signals and trades."""
    registration = load_registration(ROOT / "configs" / "demo.toml")
    first = registration.plan.t0_ns // NS_PER_DAY
    data, move_ns = window(), (first - DAY0) * NS_PER_DAY
    moved = replace(
        data,
        day=data.day + first - DAY0,
        signals=data.signals.assign(t_ns=data.signals["t_ns"] + move_ns),
        trades=data.trades.assign(t_ns=data.trades["t_ns"] + move_ns),
    )
    write_run(tmp_path, moved, window={"start": (date(1970, 1, 1) + timedelta(days=first)).isoformat()})
    (tmp_path / "registration.toml").write_text(registration.text, encoding="utf-8")
    shutil.copy(ROOT / "seeds.lock", tmp_path / "seeds.lock")
    return tmp_path


def test_the_command_prints_verdicts_and_writes_them(folder: Path) -> None:
    """With --json stdout holds verdicts.json and nothing else; every stream it draws is listed in seeds.lock."""
    done = CliRunner().invoke(judge_command, [str(folder), "--json", "--quiet"], catch_exceptions=False)

    assert done.exit_code == 0
    assert json.loads(done.stdout) == json.loads((folder / "verdicts.json").read_text())
    assert json.loads(done.stdout)["H1"]["draws"] == 9_999
    assert "judging" not in done.stderr
