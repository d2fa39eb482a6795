"""`cme leaks`: a table and 0 for an honest engine, the leak and 32 for another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from backtest.commands import leaks as command
from backtest.leakage import observables, survey
from backtest.leakage.battery import CHECKS, Leak, Result
from engine.records import Panel
from tests.leakage import small_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny market with its registration inside."""
    # a look-back so short that most days have curves older than it, and three cuts find each leak
    plan = small_study.text(z_window_d="25", min_curves="25")
    return small_study.market(tmp_path_factory.mktemp("leaks"), plan).path


def test_an_honest_engine_has_no_leak(folder: Path) -> None:
    """Code 0, one document, every subject under every check, both fitted parts of every fold."""
    done = CliRunner().invoke(command.leaks, [str(folder), "--cuts", "2", "--json", "--quiet"])
    document = json.loads(done.stdout)

    assert done.exit_code == 0, done.output
    assert document["leaks"] == 0
    assert list(document["table"])[:3] == ["quotes", "costs", "C1"]
    assert set(document["table"]["whole"]) == set(CHECKS)
    assert document["table"]["fits"] == {"gap": {"cases": 2, "leaks": 0}}


def test_a_leak_is_told_with_code_32(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that knows the block's last price: found in the whole command, on the data set as it is."""
    honest = observables.quote_facts

    def leaky(panel: Panel) -> observables.Facts:
        last = np.nan_to_num(panel.bid[-1]).tobytes()
        return [(t, said + last) for t, said in honest(panel)]

    monkeypatch.setattr(observables, "quote_facts", leaky)
    # two, because one may fall before the first quote of the data: where they fall follows the data's hash
    done = CliRunner().invoke(command.leaks, [str(folder), "--cuts", "2", "--quiet"])

    assert done.exit_code == 32
    assert "leak: BTC quotes under cut" in done.output


def test_the_negative_control_is_caught_in_each_way(folder: Path) -> None:
    """A constraint, a writer and a fit that leak: every check finds its own, and code 0 says so.  [S8.8]"""
    done = CliRunner().invoke(command.leaks, [str(folder), "--cuts", "3", "--negative-control", "--json", "--quiet"])
    document = json.loads(done.stdout)
    table = document["table"]
    caught = {check for check, cell in table["control"].items() if cell["leaks"]}

    assert done.exit_code == 0, done.output
    assert document["missed"] == []
    assert caught == {*CHECKS}
    assert table["quotes"]["rows"]["leaks"] > 0
    assert table["capture"]["gap"]["leaks"] == 2
    assert not any(table["quotes"][check]["leaks"] for check in {*CHECKS} - {"rows"})


def test_a_control_that_a_check_lets_pass_is_code_32(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A battery that finds the leaks of all checks but one has failed, and the command names the one."""
    found = Result(leaks=[Leak(check, "control", "BTC", 0, 0) for check in (*CHECKS, "gap") if check != "rows"])
    monkeypatch.setattr(survey, "survey", lambda *_, negative: found if negative else Result())

    done = CliRunner().invoke(command.leaks, [str(folder), "--negative-control", "--quiet"])
    plain = CliRunner().invoke(command.leaks, [str(folder), "--quiet"])

    assert (done.exit_code, plain.exit_code) == (32, 0)
    assert done.output.splitlines()[-1] == "negative control: missed by rows"


def test_the_same_places_are_altered_each_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The draws follow from the data set's hash."""
    drawn = []

    def look(
        _dataset: object,
        _registration: object,
        _cuts: int,
        draw: np.random.Generator,
        _tell: object,
        *,
        negative: bool,
    ) -> Result:
        assert not negative
        drawn.append(int(draw.integers(2**62)))
        return Result(leaks=[Leak("cut", "C1", "BTC", 0, 0)])

    monkeypatch.setattr(survey, "survey", look)
    codes = [CliRunner().invoke(command.leaks, [str(folder), "--quiet"]).exit_code for _ in range(2)]

    assert drawn[0] == drawn[1]
    assert codes == [32, 32]
