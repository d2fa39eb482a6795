"""``cme judge RUN`` on a run directory with a registered plan and the streams of seeds.lock."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from backtest.registration.load import load_registration
from backtest.rundir import checksums
from engine.constraints.codes import NAMES
from engine.errors import MissingError
from engine.ledger.format.canonical_json import canonical
from engine.ledger.format.schemas import CONSTRAINT_NAMES
from engine.units import NS_PER_DAY
from hypotheses.commands import judge_command
from hypotheses.sensitivity.registry import SENSITIVITIES
from reports.load import sensitivities_of
from reports.sections import resampling, sensitivities
from tests.hypotheses.cases import DAY0
from tests.hypotheses.sensitivity.window import busy, judged
from tests.hypotheses.test_judge import write_run

ROOT = Path(__file__).resolve().parents[2]


def read(folder: Path) -> SimpleNamespace:
    """What the sections of the sensitivities read of a run."""
    return SimpleNamespace(path=folder, sensitivities=sensitivities_of(folder))


def later(frame: pd.DataFrame, move_ns: int) -> pd.DataFrame:
    """Return a table with its times moved."""
    return frame.assign(**{name: frame[name] + move_ns for name in ("t_ns", "exit_ns") if name in frame})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory of the demonstration's plan, with made returns, signals and trades."""
    tmp_path = tmp_path_factory.mktemp("run")
    registration = load_registration(ROOT / "configs" / "demo.toml")
    first = registration.plan.t0_ns // NS_PER_DAY
    move_ns = (first - DAY0) * NS_PER_DAY
    data = judged(tmp_path, busy()).run
    moved = replace(
        data,
        day=data.day + first - DAY0,
        signals=later(data.signals, move_ns),
        trades=later(data.trades, move_ns),
    )
    history = tmp_path / "folds" / "history" / "trades.parquet"
    later(pd.read_parquet(history), move_ns).to_parquet(history)
    accruals = pd.read_parquet(tmp_path / "accruals.parquet")
    accruals.assign(day=accruals["day"] + first - DAY0).to_parquet(tmp_path / "accruals.parquet")
    write_run(tmp_path, moved, window={"start": (date(1970, 1, 1) + timedelta(days=first)).isoformat()})
    (tmp_path / "registration.toml").write_text(registration.text, encoding="utf-8")
    shutil.copy(ROOT / "seeds.lock", tmp_path / "seeds.lock")
    return tmp_path


@pytest.fixture(scope="module")
def done(folder: Path) -> Result:
    """What the command answered, once, to a run whose listing knows nothing yet of verdicts."""
    checksums.write(folder)
    return CliRunner().invoke(judge_command, [str(folder), "--json", "--quiet"], catch_exceptions=False)


def test_the_command_prints_verdicts_and_writes_them(folder: Path, done: Result) -> None:
    """With --json stdout holds verdicts.json and nothing else; every stream it draws is listed in seeds.lock."""
    assert done.exit_code == 0
    assert json.loads(done.stdout) == json.loads((folder / "verdicts.json").read_text())
    assert json.loads(done.stdout)["H1"]["draws"] == 9_999
    assert "judging" not in done.stderr


def test_what_the_command_writes_is_listed_anew(folder: Path, done: Result) -> None:
    """Documents, digest, what is retained and sensitivities stand in the listing as they are now."""
    assert done.exit_code == 0
    assert checksums.listed_digests(folder / checksums.NAME) == checksums.file_digests(folder)
    assert "sensitivities.json" in checksums.listed_digests(folder / checksums.NAME)


def test_the_list_of_retained_constraints_is_canonical_and_sealed(folder: Path, done: Result) -> None:
    """CJ1 with names of records; it says what H3 says, and carries the digest and hashes of the run."""
    text = (folder / "retained.json").read_bytes()
    found, verdicts = json.loads(text), json.loads(done.stdout)

    assert canonical(found) + b"\n" == text
    assert found["retained"] == [NAMES[code] for code in verdicts["H3"]["retained"]]
    assert found["status"] == {NAMES[row["code"]]: row["status"] for row in verdicts["H3"]["constraints"]}
    assert found["results_digest"] == (folder / "digest.txt").read_text().strip()
    assert set(NAMES.values()) == CONSTRAINT_NAMES
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [found[name] for name in ("dataset_hash", "seeds_hash", "freeze_hash", "mode")] == [
        manifest[name] for name in ("dataset_hash", "seeds_hash", "freeze_hash", "mode")
    ]


def test_the_sensitivities_stand_beside_the_verdicts_and_change_nothing(folder: Path, done: Result) -> None:
    """Every member of the registry that needs no market is written and shown; the verdicts do not know of it."""
    assert json.loads(done.stdout)["run"]["digest"] == (folder / "digest.txt").read_text().strip()
    written = json.loads((folder / "sensitivities.json").read_text())

    assert [part["name"] for part in written["parts"]] == [one.name for one in SENSITIVITIES if not one.market]
    assert written["not_asked"] == [one.title for one in SENSITIVITIES if one.market]
    for part in written["parts"]:
        assert part["label"] in ("sensitivity", "exploratory")
        for table in part["tables"]:
            keys = {column["key"] for column in table["columns"]}
            assert all(keys <= set(row) for row in table["rows"])
    for section in (resampling.SECTION, sensitivities.SECTION):
        words = str(section.build(read(folder)))
        assert "decides nothing" in words
        assert not re.search(r"\bnan\b", words.lower())
    assert "cme judge" in str(resampling.build(read(folder / "folds")))


def test_the_market_is_looked_for_beside_the_run(folder: Path) -> None:
    """--sensitivities without a data set that has the run's hash: a message that names the folder, and what to do."""
    done = CliRunner().invoke(judge_command, [str(folder), "--quiet", "--sensitivities"])

    assert isinstance(done.exception, MissingError)
    assert "--data DIR" in str(done.exception)
