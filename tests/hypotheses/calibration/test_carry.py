"""A certificate carried over: equal results are, one that differs is named, an edited record counts nothing.  [R12.3]

The two commits are of a toy checkout, whose `cme` writes what a file of it says: git, the checkouts and the processes
are real, the studies are not.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import CmeError, GateError, MissingError, ReproduceError, UsageError
from hypotheses.calibration import carry as carrying
from hypotheses.calibration import page, publish, registry
from hypotheses.calibration.carried import CARRIED, CERTIFIED, carried_to, in_force
from hypotheses.calibration.plan import statistics_hash
from hypotheses.calibration.run import Job
from hypotheses.sensitivity import certificate as sensitivity_certificate
from tests.hypotheses.calibration.test_certificate import CONFIG, PLAN, content

TOY = """
import json, sys
from pathlib import Path
def main():
    words = sys.argv[1:]
    says = json.loads(Path("says.json").read_text())
    out = Path(words[words.index("--out") + 1])
    if says["fails"]:
        raise SystemExit(4)
    if words[0] == "calibrate":
        out.mkdir(parents=True)
        rows = [dict(says["row"], cell=name) for name in ("n1/zero", "leakage", "n2-size/law")]
        rows[0]["count"] = says["count"]
        seals = {}
        (out / "certificate.json").write_text(json.dumps({"schema": "certificate/1", "rows": rows}))
        return
    run = out / (Path(words[1]).stem + "-2026-01-01-" + says["code"])
    (run / "ledger").mkdir(parents=True)
    (run / "digest.txt").write_text(says["code"])
    (run / "manifest.json").write_text("{}")
    for kind in ("emit", "resolution"):
        rows = [{"row": {"kind": "genesis", "content": {"engine": says["code"]}}}]
        rows += [{"row": {"kind": kind, "content": {"net": says["net"], "signal_row_hash": says["code"]}}}]
        (run / "ledger" / f"{kind}.jsonl").write_text("\\n".join(map(json.dumps, rows)))
    (run / "verdicts.json").write_text(json.dumps({"run": says["code"], "H1": {"p_n1": "0.01"}, **says["added"]}))
"""
SEALS = "import json; seals = lambda: json.load(open('seals.json'))\n"
ROW = {"tier": "series", "name": "N1 rejects", "role": "", "count": 5, "of": 60}
PLANS = ("configs/studies/small.toml",)


class Toy:
    """A repository with a `cme` that obeys a file; each commit is another code."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.calls = root, 0
        self._patch = monkeypatch
        for name in ("hypotheses/__init__.py", "hypotheses/calibration/__init__.py"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("")
        (root / "hypotheses/calibration/code_hashes.py").write_text(SEALS)
        (root / "cme.py").write_text(TOY)
        config = root / "configs" / "calibration" / "registered.toml"
        config.parent.mkdir(parents=True)
        text = CONFIG.read_text(encoding="utf-8").replace("../prereg", str(CONFIG.parents[1] / "prereg"))
        for name in ("market", "market-free", "seven", "resampled-carry", "resampled-btc"):
            text = text.replace(f'"{name}.toml"', f'"{CONFIG.parent / name}.toml"')
        config.write_text(text)
        self.config = config
        self.git("init", "-q")

    def git(self, *words: str) -> str:
        command = ["git", "-C", str(self.root), "-c", "user.name=t", "-c", "user.email=t@t", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, code: str, **changes: Any) -> str:
        """Commit another code, make it the one that is running, and return its name."""
        says = {"code": code, "net": "1", "count": 5, "row": ROW, "added": {}, "fails": False, **changes}
        seals = dict.fromkeys((*CERTIFIED, "analysis_hash"), code * 64)
        (self.root / "says.json").write_text(json.dumps(says))
        (self.root / "seals.json").write_text(json.dumps(seals))
        for module in (carrying, sensitivity_certificate):
            self._patch.setattr(module, "seals", lambda: seals)
        self.git("add", "-A")
        self.git("commit", "-qm", code)
        return self.git("rev-parse", "HEAD")

    def certificate(self, code: str) -> dict[str, Any]:
        name = registry.BY_NAME["n1/zero"].rows[0].name
        rows = [{**row, "name": name} for row in content()["rows"] if row["cell"] == "n1/zero"]
        seals = dict.fromkeys(CERTIFIED, code * 64)
        return content(seals={**seals, "statistics_hash": statistics_hash(PLAN.study.content)}, rows=rows)

    def carry(self, kept: dict[str, Any], commit: str, anew: tuple[str, ...] = ()) -> dict[str, Any]:
        self.steps: list[str] = []
        job = Job(self.config, False, self.root.parent / "out", None)
        request = carrying.Request(self.root, job, commit, 1, anew, PLANS, quiet=True)
        return carrying.carry(request, kept, self.steps.append, lambda *_: None)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    return Toy(tmp_path / "toy", monkeypatch)


def said(kept: dict[str, Any]) -> str:
    return sensitivity_certificate.freshness(kept, PLAN.study.content)


def test_equal_results_carry_a_certificate_over_and_every_page_says_so(toy: Toy) -> None:
    """Ids may differ, and what only the later code writes is named; the rows stay, the running hashes are accepted."""
    old = toy.commit("a")
    kept = toy.certificate("a")
    assert said(kept) == "of this engine, this judging code, these statistics"
    new = toy.commit("b", added={"H4": "new"})
    assert said(kept).startswith("of another engine and other judging code and other pipeline")
    carried = toy.carry(kept, old)
    record = carried[CARRIED][0]
    assert {key: carried[key] for key in kept} == kept
    assert (record["from"]["commit"], record["to"]["commit"], record["rows"]) == (old, new, 3)
    assert record["at"] == toy.git("show", "-s", "--format=%cI")
    assert [(run["name"], run["ledger_rows"], run["added"]) for run in record["runs"]] == [
        ("small-2026-01-01", 2, ["verdicts.json: H4"])
    ]
    expected = f"of this engine, this judging code, these statistics, carried over from commit {old[:12]} to {new[:12]}"
    assert said(carried).startswith(expected)
    assert "small-2026-01-01 and 3 rows of a quick certificate" in said(carried)
    published = page.changed(carried, "# old\n\n## What it cost\n\n7 minutes\n")
    assert "carried over from commit" in published
    assert published.endswith("\n\n## What it cost\n\n7 minutes\n")
    assert toy.git("worktree", "list").count("\n") == 0


def test_a_second_step_begins_at_the_code_of_the_first_and_keeps_what_was_run(toy: Toy) -> None:
    """The commit of the first certificate is no longer the one it is of; what a commit gave is not run twice."""
    old = toy.commit("a")
    kept = toy.certificate("a")
    middle = toy.commit("b")
    kept = toy.carry(kept, old)
    assert toy.carry(kept, old) == kept  # of this code already
    toy.commit("c")
    with pytest.raises(UsageError, match="another engine_hash, judging, pipeline: name the commit"):
        toy.carry(kept, old)
    twice = toy.carry(kept, middle)
    assert len(twice[CARRIED]) == 2
    assert [step for step in toy.steps if "(kept)" in step] == [
        f"{middle[:12]}: {n} (kept)" for n in ("small", "quick")
    ]
    assert said(twice).startswith("of this engine")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"count": 6}, r"cell n1/zero \| N1 rejects \| : 5 of 60 and 6 of 60"),
        ({"net": "2"}, r"run small-2026-01-01: ledger/resolution.jsonl: 1 and 1 rows, first difference at row 0"),
    ],
)
def test_one_cell_or_one_trade_that_differs_is_refused_by_name(toy: Toy, change: dict[str, Any], named: str) -> None:
    """32: two codes disagree; nothing is carried over, and the message says where and what to do."""
    old = toy.commit("a")
    toy.commit("b", **change)
    with pytest.raises(ReproduceError, match=named) as refused:
        toy.carry(toy.certificate("a"), old)
    assert refused.value.exit_code == 32
    assert "--cell" in str(refused.value)


def test_a_cell_that_differs_is_measured_anew_and_takes_its_row_s_place(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The named cell is no difference; its row is the one of the running code, the rest stays."""
    old = toy.commit("a")
    toy.commit("b", count=6)
    kept = toy.certificate("a")
    kept["rows"].append({**ROW, "cell": "leakage", "limit": {"low": "1", "high": "1"}, "registered": 200})
    asked: list[str] = []
    document = {"rows": [{**ROW, "cell": "n1/zero", "count": 99}], "sources": [], "whole": True, "n2_choice": None}
    monkeypatch.setattr(carrying, "measure", lambda _job, cells, *_: asked.extend(cell.name for cell in cells))
    monkeypatch.setattr(carrying, "certificate_of", lambda *_: document)
    carried = toy.carry(kept, old, ("n1/zero",))
    assert asked == ["n1/zero"]
    assert [(row["cell"], row["count"]) for row in carried["rows"]] == [("n1/zero", 99), ("leakage", 5)]
    assert carried[CARRIED][0]["measured_anew"] == ["n1/zero"]
    assert carried[CARRIED][0]["rows"] == 2
    assert "(1 cells measured anew)" in said(carried)


def test_cells_whose_figures_hang_together_are_measured_together() -> None:
    """One cell of N2's size asks for all of them; a point of H3's power for the market with every constraint."""
    job = Job(CONFIG, False, Path("out"), None)

    def cells(name: str) -> set[str]:
        return set(carrying.anew(carrying.Request(Path(), job, "HEAD", 1, (name,))))

    assert cells("n1/zero") == {"n1/zero"}
    assert cells("n2-size/law") == {name for name in registry.BY_NAME if name.startswith("n2-size/")}
    assert cells("power/h3/8") == {"power/h3/8", "seven"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda kept: kept["rows"][0].update(count=1),
        lambda kept: kept[CARRIED][0].update(rows=9),
        lambda kept: kept[CARRIED][0]["to"]["seals"].update(judging="c" * 64),
        lambda kept: kept[CARRIED][0]["from"]["seals"].update(judging="c" * 64),
        lambda kept: kept[CARRIED].insert(0, kept[CARRIED][0]),
        lambda kept: kept.update({CARRIED: ["b"]}),
    ],
    ids=["a row", "a count of the record", "its hashes", "the hashes before", "a record twice", "no record"],
)
def test_an_edited_record_or_row_carries_nothing(
    monkeypatch: pytest.MonkeyPatch, edit: Callable[[dict[str, Any]], None]
) -> None:
    """The certificate is again of the code that it was measured with, and says why."""
    old, running = (dict.fromkeys(CERTIFIED, code * 64) for code in "ab")
    monkeypatch.setattr(sensitivity_certificate, "seals", lambda: running)
    kept = content(seals={**old, "statistics_hash": statistics_hash(PLAN.study.content)})
    sides = {"from": {"commit": "1" * 40, "seals": old}, "to": {"commit": "2" * 40, "seals": running}}
    record = {**sides, "at": "2026-11-30", "runs": [{"name": "demo"}], "rows": 3, "measured_anew": []}
    carried = json.loads(json.dumps(carried_to(kept, record)))
    assert said(carried).startswith("of this engine")
    edit(carried)
    assert said(carried).startswith("of another engine")
    assert said(carried).endswith("does not fit it and counts nothing")
    assert in_force(carried).seals == kept["seals"]


def test_what_cannot_be_carried_is_refused_before_anything_runs(toy: Toy) -> None:
    """Other code than HEAD's, other registered numbers, a certificate that is not whole, other configuration."""
    old = toy.commit("a")
    kept = toy.certificate("a")
    head = toy.commit("b")
    with pytest.raises(UsageError, match="another engine_hash"):
        toy.carry(kept, head)
    with pytest.raises(UsageError, match="whole certificate"):
        toy.carry({**kept, "whole": False}, old)
    with pytest.raises(GateError, match="was another: draws") as other:
        toy.carry({**kept, "draws": {"n2": 19, "bootstrap": 19}}, old)
    assert other.value.exit_code == 26
    moved = [{**row, "limit": {"low": "0", "high": "1"}} for row in kept["rows"]]
    with pytest.raises(GateError, match="limit of N1 rejects, zero edge"):
        toy.carry({**kept, "rows": moved}, old)
    with pytest.raises(MissingError, match="rev-parse"):
        toy.carry(kept, "0" * 40)
    toy._patch.setattr(carrying, "seals", lambda: dict.fromkeys((*CERTIFIED, "analysis_hash"), "d" * 64))
    with pytest.raises(GateError, match="commit first") as dirty:
        toy.carry(kept, old)
    assert dirty.value.exit_code == 22
    assert not (toy.root.parent / "out").exists()


def test_a_step_that_fails_ends_with_its_code_and_is_run_again(toy: Toy) -> None:
    """4 from the command inside; what the other commit gave is kept."""
    old = toy.commit("a")
    kept = toy.certificate("a")
    toy.commit("b", fails=True)
    for _ in range(2):
        with pytest.raises(CmeError, match=r"`cme run configs/studies/small.toml .* was 4") as failed:
            toy.carry(kept, old)
        assert failed.value.exit_code == 4
    assert [step[14:] for step in toy.steps] == ["small (kept)", "quick (kept)", "small"]


def test_a_kept_certificate_is_written_with_its_page(tmp_path: Path) -> None:
    """Both files; a certificate that is none is refused (3)."""
    kept, shown = tmp_path / "certificate.json", tmp_path / "calibration.md"
    publish.keep_carried(content(), kept, shown)
    assert publish.kept_certificate(kept) == content()
    assert shown.read_text(encoding="utf-8").startswith("# t\n")
    for text in ("{", "[]", '{"schema": "other/1"}'):
        kept.write_text(text)
        with pytest.raises(MissingError, match="expected a certificate"):
            publish.kept_certificate(kept)
