"""Ledger, journal and report name the same runs; what stands alone is found and fails the audit.  [audit 13, 15.5]"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backtest.audit.reconcile import orphans
from backtest.commands.track import track
from backtest.gate.looks import null_results
from backtest.tracking import journal, mlflow_sync


@pytest.fixture
def runs(tiny: Any, tmp_path: Path) -> Path:
    """A folder with one run and the journal that names it."""
    shutil.copytree(tiny.folder, tmp_path / tiny.folder.name)
    recorded(tmp_path, tmp_path / tiny.folder.name)
    return tmp_path


def recorded(runs: Path, run: Path, name: str = "one", digest: str | None = None, start: int = 10**15) -> Path:
    ticks = iter(range(start, start + 10**6))
    verdicts = json.loads((run / "verdicts.json").read_text())["run"]
    log = journal.start(runs / name, "tiny", "exploratory", "run", lambda: next(ticks))
    log.tag("digest.2026-01-23", digest or verdicts["digest"])
    (runs / name / run.name).mkdir()
    shutil.copyfile(run / "verdicts.json", runs / name / run.name / "verdicts.json")
    log.artifact(f"{run.name}/verdicts.json")
    log.end(0)
    return log.path


def kinds(runs: Path) -> list[str]:
    return [one.kind for one in orphans(runs)]


def run_of(runs: Path) -> Path:
    return next(path for path in runs.iterdir() if path.name.startswith("tiny-"))


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


def test_a_run_with_its_journal_and_report_is_no_orphan(runs: Path) -> None:
    """Nothing is found where all three name the run and its digest."""
    assert orphans(runs) == ()


def test_a_run_without_a_journal_is_found(runs: Path) -> None:
    """As is one whose journal names another run."""
    shutil.rmtree(runs / "one")
    assert kinds(runs) == ["run without a journal"]


def test_a_run_that_was_killed_says_that_its_command_takes_it_up(runs: Path) -> None:
    """No listing, no journal that names it, half of its files: one line, and no other advice."""
    shutil.rmtree(runs / "one")
    for name in ("files.sha256", "report.html", "verdicts.json"):
        (run_of(runs) / name).unlink(missing_ok=True)
    (one,) = orphans(runs)
    assert one.kind == "run is not finished"
    assert "takes it up again" in one.reason


def test_a_journal_of_a_run_that_is_gone_is_found(runs: Path) -> None:
    """Deleting the run directory leaves its journal standing."""
    shutil.rmtree(run_of(runs))
    assert kinds(runs) == ["run is gone"]


def test_another_digest_than_the_journals_is_found(runs: Path) -> None:
    """The newest journal decides; an older one of a run made again is history."""
    recorded(runs, run_of(runs), "older", "a" * 64, start=10**14)
    assert kinds(runs) == []
    recorded(runs, run_of(runs), "newer", "b" * 64, start=8 * 10**15)
    assert kinds(runs) == ["digest differs"]


def test_a_journal_that_does_not_hold_is_found(runs: Path) -> None:
    """And the run it named then has none."""
    rewrite(runs / "one" / "journal.jsonl", lambda text: text.replace("exploratory", "confirmatory"))
    assert kinds(runs) == ["journal does not hold", "run without a journal"]


def test_a_report_of_other_results_is_found(runs: Path) -> None:
    """A page that names another digest, and a page that is not there."""
    digest = (run_of(runs) / "digest.txt").read_text().strip()
    rewrite(run_of(runs) / "report.md", lambda text: text.replace(digest, "c" * 64))
    assert kinds(runs) == ["report of other results"]
    (run_of(runs) / "report.html").unlink()
    assert kinds(runs) == ["run without a report", "report of other results"]


def test_verdicts_under_another_name_or_digest_are_found(runs: Path) -> None:
    """verdicts.json, digest.txt and the folder's name say one thing."""
    run = run_of(runs)
    rewrite(run / "digest.txt", lambda _: "d" * 64 + "\n")
    assert set(kinds(runs)) == {"digest differs", "report of other results"}
    run.rename(runs / "tiny-other")
    assert {"run is gone", "run under another name", "run without a journal"} <= set(kinds(runs))


@pytest.mark.parametrize("name", ["manifest.json", "verdicts.json", "digest.txt"])
def test_a_run_that_cannot_be_read_is_found(runs: Path, name: str) -> None:
    """Half a file is reported, not raised."""
    rewrite(run_of(runs) / name, lambda text: text[: len(text) // 2] if name != "digest.txt" else "")
    assert kinds(runs)


@pytest.mark.parametrize("kind", ["emit", "resolution"])
def test_a_ledger_of_another_run_is_found(runs: Path, kind: str) -> None:
    """The other ledger in its place, whose rows hold among themselves, and one whose tail was cut."""
    folder = run_of(runs) / "ledger"
    body = (folder / f"{kind}.jsonl").read_bytes()
    other = "resolution" if kind == "emit" else "emit"
    shutil.copyfile(folder / f"{other}.jsonl", folder / f"{kind}.jsonl")
    assert kinds(runs) == [f"{kind} ledger of another run"]
    (folder / f"{kind}.jsonl").write_bytes(b"".join(body.splitlines(keepends=True)[:-1]))
    assert kinds(runs) == [f"{kind} ledger of another run"]


def test_failed_claims_that_were_removed_are_found(runs: Path) -> None:
    """A journal names the head it saw: the whole file, its tail, or a line inside is missed."""
    run, path = run_of(runs), runs / "negatives.jsonl"
    ticks = iter(range(2 * 10**15, 3 * 10**15))
    log = journal.start(runs / "two", "tiny", "exploratory", "run", lambda: next(ticks))
    log.tag("negatives", null_results.record(path, run, 1, dict).head)
    log.end(0)
    assert kinds(runs) == []
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) > 2
    path.write_bytes(b"".join(lines[:-1]))
    assert kinds(runs) == ["failed claims were removed"]
    path.unlink()
    assert kinds(runs) == ["failed claims were removed"]
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    assert kinds(runs) == ["failed claims do not hold"]


def test_a_failed_claim_outlives_its_run(runs: Path) -> None:
    """Run directory and journal are removed together: the claim still names them."""
    null_results.record(runs / "negatives.jsonl", run_of(runs), 1, dict)
    shutil.rmtree(run_of(runs))
    shutil.rmtree(runs / "one")
    assert kinds(runs) == ["failed claim of a run that is gone"]


def test_a_journal_that_is_there_twice_is_found(runs: Path) -> None:
    shutil.copytree(runs / "one", runs / "copy")
    assert kinds(runs) == ["journal twice"]


@pytest.mark.filterwarnings("ignore")
def test_an_orphan_fails_the_audit(runs: Path) -> None:
    """`cme track audit` ends with 50 and names it, in text and as JSON; without one it ends with 0."""
    mlflow_sync.sync(runs, [runs / "one" / "journal.jsonl"], None)
    good = CliRunner().invoke(track, ["audit", "--out", str(runs)])
    assert good.exit_code == 0, good.output

    name = run_of(runs).name
    shutil.rmtree(run_of(runs))
    bad = CliRunner().invoke(track, ["audit", "--out", str(runs), "--json"])
    assert bad.exit_code == 50
    assert [one["subject"] for one in json.loads(bad.stdout)["orphans"]] == [name]
