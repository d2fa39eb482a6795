"""What outlives a run: looks, amendments, receipts, failures, departures, and the start-up of a process."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from backtest.gate import amendments, deviations, receipts
from backtest.gate.access import abort_look
from backtest.gate.checks import Situation
from backtest.gate.freeze import clean_process
from backtest.gate.looks import null_results
from backtest.gate.looks import registry as looks_registry
from backtest.registration.load import load_registration
from engine.errors import AppendError, CmeError, GateError, LedgerError, UsageError
from tests.backtest.gate import sandbox


def test_a_clone_goes_on_where_the_published_ledger_ends(study: Situation) -> None:
    """Without the live store the ledger is rebuilt from the published form, to the same bytes."""
    sandbox.look(study, "open")
    before = (study.looks / looks_registry.LEDGER).read_bytes()
    shutil.rmtree(study.looks / "live")
    sandbox.look(sandbox.situation(study.place.root, study.place.data_root), "close")
    registry = looks_registry.read(study.looks)

    assert registry.body.startswith(before)
    assert (registry.looks[0].state, registry.looks[0].results_digest) == ("closed", "d" * 64)
    assert len(list((study.looks / "checkpoints").rglob("*.ckpt"))) == 3


def test_a_look_that_is_cut_off_is_missed(study: Situation) -> None:
    """The mark and the checkpoints say how far the registry had come."""
    sandbox.look(study, "open", "close")
    shutil.rmtree(study.looks / "live")
    path = study.looks / looks_registry.LEDGER
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:1]))

    with pytest.raises((LedgerError, AppendError)):
        looks_registry.read(study.looks)


def test_an_abort_needs_a_reason_and_counts(study: Situation) -> None:
    """It ends a look, never removes it."""
    sandbox.look(study, "open")
    name = looks_registry.read(study.looks).looks[0].look_id
    with pytest.raises(GateError, match="reason"):
        abort_look(study.looks, name, " ", 1)
    abort_look(study.looks, name, "the machine burnt", 1)

    found = looks_registry.read(study.looks).summary()
    assert (found["number"], found["aborted"]) == (1, 1)
    with pytest.raises(GateError, match="open look"):
        abort_look(study.looks, name, "twice", 1)


def amend(study: Situation, known: str = "false") -> None:
    home = study.place.home
    parent = hashlib.sha256((home / "registration.toml").read_bytes()).hexdigest()
    (home / "amendments").mkdir()
    (home / "amendments" / "0001.toml").write_text(
        f'[[amendments]]\nname = "0001"\nat = "2026-11-22T00:00:00Z"\nreason = "a test"\noutcome_known = {known}\n'
        f'affects = ["H1"]\nparent_sha256 = "{parent}"\n'
        '[[amendments.changes]]\nkey = "grid.persistence"\nbefore = 2\nafter = 3\n'
    )
    sandbox.commit(study.place.root)


def test_an_amendment_inside_the_freeze_of_the_first_look_came_before_it(study: Situation) -> None:
    """The proof is the frozen text, not a date.  [statistics R12.4]"""
    amend(study)
    again = sandbox.frozen(study.place.root, study.place.data_root)  # type: ignore[arg-type]  # a path is there
    (unlooked,) = amendments.ordered(again.place, again.looks)
    sandbox.look(again, "open")
    (looked,) = amendments.ordered(again.place, again.looks)

    assert (unlooked.order, looked.order) == ("before the first look", "before the first look")  # the data were there
    assert again.freeze_hash in looked.proof
    assert not list(amendments.faults(again.place, again.looks))


def test_an_amendment_after_the_look_is_found_out_whatever_it_says(study: Situation) -> None:
    """It says that no outcome was known; the freeze of the look does not hold it.  [statistics R12.4]"""
    sandbox.look(study, "open")
    amend(study)
    again = sandbox.situation(study.place.root, study.place.data_root)
    (found,) = amendments.ordered(again.place, again.looks)

    assert found.order == "after data access"
    assert len(list(amendments.faults(again.place, again.looks))) == 1
    assert sandbox.code_of(again) in (22, 26)


def test_no_freeze_after_a_look_and_none_of_a_tree_that_no_commit_holds(study: Situation) -> None:
    """A second freeze would hide the look; a dirty one would name bytes that nobody can fetch."""
    (study.place.root / "notes.txt").write_text("x")
    with pytest.raises(GateError) as dirty:
        sandbox.frozen(study.place.root, study.place.data_root)  # type: ignore[arg-type]  # a path is there
    (study.place.root / "notes.txt").unlink()
    sandbox.look(study, "open")
    with pytest.raises(GateError) as looked:
        sandbox.frozen(study.place.root, study.place.data_root)  # type: ignore[arg-type]  # a path is there

    assert (dirty.value.exit_code, looked.value.exit_code) == (22, 25)


def test_departures_are_listed_by_class(study: Situation) -> None:
    """A change of the split is one of the split, of the statistics one of the statistic."""
    before = load_registration(study.place.registration.path).content
    split = {**before["split"], "gap_h": "12"}
    after = {**before, "split": split, "statistics": {**before["statistics"], "alpha": "0.1"}, "title": "other"}

    found = deviations.in_order(list(deviations.between(before, after, "as frozen")))

    assert found == ("split: split.gap_h is not as frozen", "statistic: statistics.alpha is not as frozen")


RECEIPT = 'registry = "R"\nnumber = "1"\naddress = "a"\ndate = "2026-01-01"\n'


@pytest.mark.parametrize(
    ("evidence", "digest", "status"),
    [("", "", "pending"), ("page.pdf", hashlib.sha256(b"x").hexdigest(), "verified"), ("page.pdf", "0" * 64, "broken"),
     ("gone.pdf", "0" * 64, "broken"), ("page.pdf", "", "broken")],
)  # fmt: skip
def test_a_receipt_is_verified_pending_or_broken(tmp_path: Path, evidence: str, digest: str, status: str) -> None:
    """Only evidence beside the registration, with its hash, verifies."""
    (tmp_path / "page.pdf").write_bytes(b"x")
    text = f'[[receipts]]\n{RECEIPT}evidence = "{evidence}"\nevidence_sha256 = "{digest}"\n'
    (tmp_path / receipts.RECEIPTS_FILE).write_text(text)

    assert [status] == [receipt.status for receipt in receipts.read(tmp_path)]


@pytest.mark.parametrize("harm", ["ours", "empty", "no address", "no date"])
def test_what_is_no_evidence_of_others_verifies_nothing(tmp_path: Path, harm: str) -> None:
    """The plan itself, an empty file, and a page of no address or date."""
    name = "registration.toml" if harm == "ours" else "page.pdf"
    body = b"" if harm == "empty" else b"x"
    (tmp_path / name).write_bytes(body)
    said = RECEIPT.replace({"no address": '"a"', "no date": '"2026-01-01"'}.get(harm, "\\0"), '""')
    digest = hashlib.sha256(body).hexdigest()
    text = f'[[receipts]]\n{said}evidence = "{name}"\nevidence_sha256 = "{digest}"\n'
    (tmp_path / receipts.RECEIPTS_FILE).write_text(text)

    assert [receipt.status for receipt in receipts.read(tmp_path)] == ["broken"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[receipts]]\n" + RECEIPT + 'evidence = ""\n', r"receipts\[0\]\.evidence_sha256: expected this key"),
        ("[[receipts]]\n" + RECEIPT.replace('"1"', "1"), r"receipts\[0\]\.number: expected text in quotes, was 1"),
        ('[[receipts]]\nurl = "a"\n', r"receipts\[0\]\.url: unknown key, allowed here: registry, number"),
        ("[[receipt]]\n", r"receipt: unknown key, allowed here: receipts"),
    ],
)
def test_receipts_of_another_form_name_the_file_and_each_key(tmp_path: Path, text: str, named: str) -> None:
    """A key that is missing, unknown or no text is wrong usage, with what is allowed in its place."""
    (tmp_path / receipts.RECEIPTS_FILE).write_text(text)

    with pytest.raises(UsageError, match=rf"receipts\.toml: .*{named}"):
        receipts.read(tmp_path)


def test_the_registered_plans_receipt_is_pending() -> None:
    """AsPredicted #288615: no evidence is in this repository, and nothing says otherwise."""
    (receipt,) = receipts.read(sandbox.ROOT / "configs" / "prereg" / "288615")

    assert (receipt.number, receipt.status) == ("288615", "pending")


def run_of(folder: Path, name: str = "run-1") -> Path:
    folder.mkdir(exist_ok=True)
    power = {"n_days": 90, "sharpe": [1.0], "rows": [{"name": "rule", "kind": "exact", "power": [0.05]}]}
    verdicts = {"run": {"id": name, "mode": "exploratory", "digest": "d" * 64}, "H1": {"power": power}}
    claim = {"statistic": "0.5", "p_num": 1, "p_den": 2, "ci_low": None, "ci_high": None}
    claims = [{"id": "h1", "decision": "inconclusive", **claim}, {"id": "h2", "decision": "supported", **claim},
              {"id": "h3/C1", "decision": "not_supported", **claim}]  # fmt: skip
    results = {"study": "s", "freeze_hash": None, "dataset_hash": "e" * 64, "hypotheses": claims}
    (folder / "verdicts.json").write_text(json.dumps(verdicts))
    (folder / "results.exploratory.json").write_text(json.dumps(results))
    return folder


def test_every_failed_claim_is_kept_once_with_its_power(tmp_path: Path) -> None:
    """What was supported is no failure; the same run again adds nothing."""
    path = tmp_path / "negatives.jsonl"
    asked: list[str] = []
    third = {"days": 90, "sharpe": ["3"], "rows": [{"rule": "C1", "kind": "simulated", "power": ["0.2"]}]}

    def power() -> dict[str, dict]:
        asked.append("once")
        return {"h3/C1": third}

    first = null_results.record(path, run_of(tmp_path / "a"), 1, power)
    again = null_results.record(path, tmp_path / "a", 2, power)
    more = null_results.record(path, run_of(tmp_path / "b", "run-2"), 3, dict)

    assert [row["claim"] for row in first.rows] == ["h1", "h3/C1"]
    assert first.rows[0]["power"]["rows"][0]["power"] == ["0.05"]
    assert (first.rows[1]["power"], first.rows[1]["power_reason"]) == (third, None)
    assert (more.rows[3]["power"], more.rows[3]["power_reason"]) == (None, null_results.NO_POWER)
    assert asked == ["once"]
    assert first == again
    assert (4, first.rows) == (len(more.rows), more.rows[:2])


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_failure_cannot_be_taken_out_or_changed(tmp_path: Path, line: int) -> None:
    """The chain breaks at the place."""
    path = tmp_path / "negatives.jsonl"
    for name in ("a", "b"):
        null_results.record(path, run_of(tmp_path / name, name), 1, dict)
    lines = path.read_bytes().splitlines(keepends=True)

    path.write_bytes(b"".join(lines[:line] + lines[line + 1 :]))
    with pytest.raises(LedgerError):
        null_results.read(path)

    path.write_bytes(b"".join(lines).replace(b"inconclusive", b"supportedxxx", 1))
    with pytest.raises(CmeError):
        null_results.read(path)


def test_a_confirmatory_process_starts_with_a_cleared_environment() -> None:
    """Only the allow-list goes through; hash seed, zone, locale and threads are fixed.  [audit 9.6]"""
    given = {"PATH": "/bin", "LD_PRELOAD": "x.so", "PYTHONPATH": "/evil", "GIT_DIR": "/x", "PYTHONSTARTUP": "y"}
    found = clean_process.variables(given, "/empty")
    command = clean_process.command(Path("/root"), "/empty", ["run", "x"])

    assert {name: found[name] for name in given if name in found} == {"PATH": "/bin"}
    assert tuple(found[name] for name in ("PYTHONHASHSEED", "TZ", "LC_ALL", "OPENBLAS_NUM_THREADS")) == (
        "0",
        "UTC",
        "C.UTF-8",
        "1",
    )
    assert command[1:8] == ["-s", "-P", "-B", "-X", "pycache_prefix=/empty", "--check-hash-based-pycs", "always"]
    assert not clean_process.is_confirmatory({"PATH": "/bin"})


def test_a_process_started_here_that_does_not_hold_is_refused_not_started_again() -> None:
    """Otherwise a start-up file that changes a variable would start processes for ever."""
    with pytest.raises(GateError) as refused:
        clean_process.is_confirmatory({**clean_process.FIXED, clean_process.MARKER: "1", "LD_PRELOAD": "x.so"})

    assert refused.value.exit_code == 23


def test_a_module_at_the_top_of_the_checkout_takes_no_installed_ones_place(tmp_path: Path) -> None:
    """Nor does an editable installation take that of the checkout; looked at in a process started as one is."""
    (tmp_path / "click.py").write_text("raise SystemExit(99)")
    (tmp_path / "cme.py").write_text("def main():\n import click, sys\n print(click.__file__)\n print(__file__)\n")
    done = subprocess.run(
        clean_process.command(tmp_path, str(tmp_path / "empty"), []),
        env=clean_process.variables({}, str(tmp_path / "empty")),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    theirs, ours = done.stdout.split()
    assert "site-packages" in theirs
    assert ours == str(tmp_path / "cme.py")


def test_code_that_no_digest_covers_is_named(tmp_path: Path) -> None:
    """A folder that a variable or a link puts on the path; a start-up hook from elsewhere.  [audit 9.6]"""
    library, site = Path(os.__file__).parent, Path(pytest.__file__).parents[1]
    usual = [str(library), str(library / "lib-dynload"), str(site), str(clean_process.ROOT), "a.finder.__path_hook__"]

    assert list(clean_process.unmeasured_code(usual, {"sitecustomize": None})) == []
    assert list(clean_process.unmeasured_code([*usual, str(tmp_path)], {})) == [str(tmp_path)]
    hook = str(tmp_path / "sitecustomize.py")
    assert list(clean_process.unmeasured_code(usual, {"sitecustomize": hook})) == [hook]
    for measured in (library, site):
        assert list(clean_process.unmeasured_code(usual, {"sitecustomize": str(measured / "sitecustomize.py")})) == []


def test_a_confirmatory_process_that_a_hook_reached_first_is_refused(tmp_path: Path) -> None:
    """The very command, in an environment whose interpreter has one more folder: 23, and one that has not: none."""
    code = (
        "import sys, os; sys.path.insert(0, sys.argv[1]); sys.path[1:1] = sys.argv[2:]; "
        "from backtest.gate.freeze import clean_process; print(clean_process.is_confirmatory(os.environ))"
    )
    prefix = str(tmp_path / "empty")
    command = clean_process.command(clean_process.ROOT, prefix, [])
    command[command.index("-c") + 1 :] = [code, str(clean_process.ROOT)]
    plain = clean_process.variables(os.environ, prefix)
    holds = subprocess.run(command, env=plain, capture_output=True, text=True, check=True)
    odd = subprocess.run([*command, str(tmp_path)], env=plain, capture_output=True, text=True, check=False)

    assert holds.stdout == "True\n"
    assert odd.returncode
    assert f"was also {tmp_path}" in odd.stderr
