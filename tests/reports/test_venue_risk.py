"""`cme simulate` end to end on hand-made files: directory, page, verify, reproduce, one digest whatever the workers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from backtest.commands.verify import verify
from backtest.rundir import checksums
from hypotheses.reproduction.commands import reproduce
from reports.venue_risk.commands import simulate
from tests.backtest.simulation import adl_files


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("backtest.tracking.background.Tracker.sync", lambda self, journal: "")
    adl_files.write(tmp_path)
    path = tmp_path / "made.toml"
    path.write_text(adl_files.ADL)
    return path


def simulated(plan: Path, *options: str) -> dict[str, str]:
    words = [str(plan), "--out", str(plan.parent / "runs"), "--data", str(plan.parent), "--json", "--quiet", *options]
    done = CliRunner().invoke(simulate, words, catch_exceptions=False)
    return dict(json.loads(done.stdout))


def test_the_directory_and_its_page(plan: Path) -> None:
    document = simulated(plan, "--workers", "1")
    run = Path(document["run"])

    assert checksums.file_digests(run) == checksums.listed_digests(run / "files.sha256")
    assert (run / "digest.txt").read_text().strip() == document["digest"]
    page = (run / "report.html").read_text()
    assert "a sum of a published table, not recomputed" in page
    assert page.count("<svg") == 2
    assert "| taken\\_usd | 60 | read |" in (run / "report.md").read_text()
    assert "| needed\\_usd | 60 | recomputed |" in (run / "report.md").read_text()
    first = {name: (run / name).read_bytes() for name in checksums.file_digests(run)}
    again = simulated(plan, "--workers", "2")
    assert again["digest"] == document["digest"]
    assert first == {name: (run / name).read_bytes() for name in checksums.file_digests(run)}


def test_seed_and_venue_are_part_of_the_run(plan: Path) -> None:
    first, other = simulated(plan), simulated(plan, "--seed", "8", "--venue", "deribit")

    assert first["run"] != other["run"]
    manifest = json.loads((Path(other["run"]) / "manifest.json").read_text())
    assert (manifest["seed"], manifest["venue"]) == (8, "deribit")


def test_verify_computes_the_scenario_again(plan: Path) -> None:
    run = Path(simulated(plan)["run"])
    data = ["--data", str(plan.parent)]

    assert CliRunner().invoke(verify, ["path", str(run), *data]).exit_code == 0
    without = CliRunner().invoke(verify, ["path", str(run), "--json"], env={"CME_DATA": ""})
    assert without.exit_code == 0
    assert "set CME_DATA" in json.loads(without.stdout)["unchecked"][0]
    assert CliRunner().invoke(reproduce, [str(run), *data]).exit_code == 0
    assert CliRunner().invoke(reproduce, [str(run)], env={"CME_DATA": ""}).exit_code == 3
    # A consistent forger changes figure, digest, manifest and listing: only computing it again shows that.
    figures = run / "figures.json"
    figures.write_text(figures.read_text().replace('"taken_usd": 60.0', '"taken_usd": 61.0'))
    assert CliRunner().invoke(verify, ["path", str(run), *data]).exit_code == 16
    checksums.write(run)
    assert CliRunner().invoke(verify, ["path", str(run), *data]).exit_code == 16
    forged = _digest_of_results(run)
    (run / "digest.txt").write_text(forged + "\n")
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"digest": forged}))
    checksums.write(run)
    assert CliRunner().invoke(verify, ["path", str(run), *data]).exit_code == 30
    assert CliRunner().invoke(reproduce, [str(run), *data]).exit_code == 30
    source = plan.parent / adl_files.FOLDER / "adl_by_coin_REALTIME.csv"
    source.write_text(source.read_text().replace("CCC,50", "CCC,60"))
    assert CliRunner().invoke(verify, ["path", str(run), *data]).exit_code == 3


def _digest_of_results(run: Path) -> str:
    from backtest.simulation.result import digest_of_files

    names = [path.name for path in run.glob("*.csv")] + ["figures.json", "layers.json"]
    return digest_of_files({name: (run / name).read_bytes() for name in names})


def test_an_unknown_key_ends_with_2_and_leaves_no_run(plan: Path) -> None:
    plan.write_text(adl_files.ADL.replace("seed = 7", "seed = 7\nspeed = 1"))
    out = plan.parent / "runs"
    done = CliRunner().invoke(simulate, [str(plan), "--out", str(out), "--quiet"])

    assert getattr(done.exception, "exit_code", 0) == 2
    assert [path.name for path in out.rglob("*") if path.is_file()] == ["journal.jsonl"]


@pytest.mark.parametrize("name", ["cascade-phase", "network-contagion"])
def test_synthetic_scenarios_have_their_picture_and_verify(name: str, plan: Path) -> None:
    scenario = Path(__file__).resolve().parents[2] / "configs" / "scenarios" / f"{name}.toml"
    text = scenario.read_text().replace("markets = 100", "markets = 3").replace("accounts = 5000", "accounts = 500")
    plan.write_text(text)
    run = Path(simulated(plan)["run"])

    page = (run / "report.html").read_text()
    assert page.count("<svg") == 1
    assert "Every number on this page is synthetic" in page
    assert CliRunner().invoke(verify, ["path", str(run)]).exit_code == 0
    assert CliRunner().invoke(reproduce, [str(run)]).exit_code == 0
