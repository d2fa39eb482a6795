"""`cme list` and `cme compare`: what they say of real run directories, and what they refuse."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import MissingError
from reports.many.page import pages_of
from reports.many.sections import caution, constraints, differences, differing_keys, labels
from reports.many.summary import Summary, summaries, summary_of
from tests.helpers.cli import RunCommand, refused
from tests.helpers.small_run import Tiny


@pytest.fixture
def runs(tiny: Tiny, tmp_path: Path) -> Path:
    """A folder with the tiny run, and the same under another name with one registered number changed by hand."""
    folder = tmp_path / "runs"
    for name in ("first", "second"):
        shutil.copytree(tiny.folder, folder / name)
    other = folder / "second"
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps(manifest | {"id": "second", "commit": "f" * 40}))
    plan = (other / "registration.toml").read_text()
    assert '"n2_draws" = 99' in plan
    (other / "registration.toml").write_text(plan.replace('"n2_draws" = 99', '"n2_draws" = 98'))
    return folder


def test_a_summary_has_what_the_run_has(tiny: Tiny) -> None:
    """Every field against the file that it comes from."""
    run = summary_of(tiny.folder)
    verdicts = json.loads((tiny.folder / "verdicts.json").read_text())

    assert run.answers == {name: verdicts[name]["verdict"] for name in ("H1", "H2", "H3")}
    assert (run.sharpe, run.p_n1, run.p_n2) == tuple(verdicts["H1"][name] for name in ("sharpe", "p_n1", "p_n2"))
    assert run.ev_usd == verdicts["H2"]["mean_usd_per_day"]
    assert run.trades == sum(row["trades"] for row in verdicts["H3"]["constraints"]) > 0
    assert list(run.constraints) == [f"C{k}" for k in range(1, 8)]
    assert (run.start, run.end) == ("2026-01-23", "2026-02-02")
    assert run.synthetic
    assert run.plan["statistics.n2_draws"] == "99"
    assert run.plan["underlyings[BTC].curve[0].min_curves"] == "15"


def test_what_differs_is_named_and_nothing_else_is(runs: Path) -> None:
    """One key and the commit; the copy has all else."""
    both, _ = summaries(runs)

    assert differing_keys(both) == ["statistics.n2_draws"]
    inputs, keys, rest = differences(both)
    assert [row[0] for row in inputs.rows] == ["commit", "commit"]
    assert [(row[1], row[2]) for row in keys.rows] == [("98", labels(both)[0]), ("99", labels(both)[1])]
    assert rest.text == "All else in the plans is equal."


def test_the_caution_counts_pairs_that_share_days(tiny: Tiny) -> None:
    """Half-open windows: one that begins on the day another ends shares none."""
    run = summary_of(tiny.folder)
    windows = [("2026-01-01", "2026-01-10"), ("2026-01-10", "2026-01-20"), ("2026-01-19", "2026-02-01")]
    three = [replace(run, start=start, end=end) for start, end in windows]

    assert "share days" not in caution(three[:2])
    assert " 1 pair of them share" in caution(three)


def test_labels_tell_runs_apart(tiny: Tiny) -> None:
    """By first day within a study, by study among several, by the end of the id where both agree, else by number."""
    run = summary_of(tiny.folder)
    later = replace(run, start="2026-03-01")
    twin = replace(run, run_id="tiny-0123456789ab")

    assert labels([run, later]) == ["2026-01-23", "2026-03-01"]
    assert labels([run, replace(later, study="other")]) == ["tiny 2026-01-23", "other 2026-03-01"]
    assert len(set(labels([run, run, twin, later]))) == 4
    assert labels([run, twin]) == [f"2026-01-23 {run.run_id[-6:]}", "2026-01-23 6789ab"]


def test_a_run_without_verdicts_of_ours_is_shown_with_dashes(tiny: Tiny) -> None:
    """A covenant study judges none of H1, H2, H3: it is listed, and drawn in no picture."""
    run = summary_of(tiny.folder)
    bare = replace(run, start="2026-01-24", answers={}, sharpe=None, sharpe_interval=None, constraints={}, plan={})
    html, text = pages_of([run, bare])

    assert constraints([bare])[0].rows[0][1:] == ("–",) * 7
    assert html.count("<svg") == 1
    assert f"{labels([run, bare])[1]}: " not in text


def test_a_folder_with_a_damaged_run_lists_the_others(runs: Path, run_command: RunCommand) -> None:
    """The damaged one is named with its reason, on stderr and in the document."""
    (runs / "second" / "verdicts.json").write_text("{")
    done = run_command("list", "--out", runs)
    assert (done.code, len(done.out.splitlines())) == (0, 1)
    assert "second" in done.err
    assert "verdicts.json" in done.err

    document = json.loads(run_command("list", "--out", runs, "--json").out)
    assert [run["path"] for run in document["runs"]] == [str(runs / "first")]
    assert list(document["unreadable"]) == ["second"]


def test_a_simulation_is_listed_without_a_window(runs: Path, run_command: RunCommand) -> None:
    """Its manifest has neither dates nor answers."""
    folder = runs / "third"
    folder.mkdir()
    facts = {"id": "sim", "study": "cascade", "title": "t", "mode": "exploratory", "synthetic": True,
             "window": {"start": "", "end": ""}}  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(facts))
    (line,) = run_command("list", "--out", runs, "--study", "cascade").out.splitlines()
    assert line.split()[:4] == ["sim", "–", "H1", "–"]


def test_list_takes_one_study_and_says_where_there_is_none(runs: Path, run_command: RunCommand) -> None:
    """A name that no run has: nothing on stdout, one remark."""
    assert len(run_command("list", "--out", runs, "--study", "tiny").out.splitlines()) == 2
    done = run_command("list", "--out", runs, "--study", "nothing")
    assert (done.code, done.out) == (0, "")
    assert "no finished run of nothing" in done.err
    refused(run_command("list", "--out", runs / "absent"), 3, "expected a folder of runs")


def test_compare_prints_and_writes_a_page(runs: Path, tmp_path: Path, run_command: RunCommand) -> None:
    """Both runs, the key that differs, and a page with its twin; the document lists all keys with their values."""
    page = tmp_path / "page.html"
    done = run_command("compare", runs / "first", runs / "second", "--page", page)
    assert done.code == 0
    assert "differs  statistics.n2_draws" in done.out
    assert "is no test" in done.err
    assert page.read_text().count("<svg") == 1
    assert "statistics.n2" in page.with_suffix(".md").read_text()

    document = json.loads(run_command("compare", runs / "first", runs / "second", "--json").out)
    assert document["differing_keys"] == {"statistics.n2_draws": ["99", "98"]}


def test_compare_refuses_what_it_cannot_mean(runs: Path, tmp_path: Path, run_command: RunCommand) -> None:
    """One run, a run twice, a page inside a run, a folder that is none; no page is written."""
    first, second = runs / "first", runs / "second"
    refused(run_command("compare", first), 2, "expected two runs or more")
    refused(run_command("compare", first, first), 2, "expected each run once")
    refused(run_command("compare", first, second, "--page", first / "page.html"), 2, "outside the runs")
    refused(run_command("compare", first, second, "--page", tmp_path / "page.pdf"), 2, "ends in .html")
    refused(run_command("compare", first, tmp_path), 3, "expected a finished run")
    assert not (first / "page.html").exists()


def test_a_hostile_title_stays_text(tiny: Tiny) -> None:
    """Study, label and key go through the one place that escapes."""
    run: Summary = summary_of(tiny.folder)
    text = "<script>alert(1)</script>\x1b[31m"
    html, twin = pages_of([replace(run, study=text, plan={text: "1"}), run])

    assert "<script>" not in html
    assert "\x1b" not in html + twin


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    """Exit 3."""
    with pytest.raises(MissingError, match="expected a finished run"):
        summary_of(tmp_path)
