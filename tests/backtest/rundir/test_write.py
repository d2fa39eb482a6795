"""A run directory: whole or not at all, named by what went in, the same bytes each time.  [S8.6]"""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
import rfc8785

from backtest.gate.run_mode import UNCHECKED
from backtest.registration.load import load_registration
from backtest.rundir import write
from backtest.seeds import streams
from engine.errors import WriteError
from engine.freeze import engine_hash
from tests.helpers.small_run import ROOT, Tiny

FILES = {
    "manifest.json",
    "registration.toml",
    "data.json",
    "seeds.lock",
    "ledger/emit.jsonl",
    "ledger/resolution.jsonl",
    "folds.json",
    "accruals.parquet",
    "returns.parquet",
    "curves.parquet",
    "funnel.json",
    "coverage.json",
    "coverage_days.json",
    "quality.json",
    "deliveries.json",
    "recovery.json",
    "folds/history/trades.parquet",
    *(f"folds/{n:02d}/{name}" for n in range(10) for name in ("signals.parquet", "trades.parquet", "fitted.json")),
}
JUDGED = {"verdicts.json", "results.exploratory.json", "results.float.json", "digest.txt"}
RENDERED = {"report.html", "report.md"}
BESIDE = {
    "placements.parquet",
    "unplaced.parquet",
    "delayed.parquet",
    "touch.parquet",
    "retained.json",
    "sensitivities.json",
}
FINISHED = FILES | JUDGED | RENDERED | BESIDE
"""Every file of a finished run but its listing."""


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def tagged(tag: str, value: object) -> str:
    """H(tag, CJ(value)) by another library."""
    return sha256(b"cme-audit/1/" + tag.encode() + b"\0" + rfc8785.dumps(value)).hexdigest()  # type: ignore[arg-type]


def test_every_file_of_a_run_is_there(tiny: Tiny) -> None:
    """What is given, what came out, verdicts and pages, and the listing; nothing half-written lies about."""
    assert files(tiny.folder) == FINISHED | {"files.sha256"}
    assert [path.name for path in tiny.folder.parent.iterdir() if path.name.startswith(".")] == []


def test_a_run_is_named_by_the_hash_of_what_went_in(tiny: Tiny) -> None:
    """Study, first day, and twelve characters of a hash over seal, plan, data and seeds, recomputed here."""
    manifest = json.loads((tiny.folder / "manifest.json").read_text())
    inputs = {
        **{key: manifest[key] for key in write._seal(tiny.registration, tiny.dataset, tiny.seeds, UNCHECKED)},
        "engine_hash": engine_hash(),
        "t0_us": tiny.run.plan.t0_ns // 1000,
        "t1_us": tiny.run.plan.t1_ns // 1000,
    }

    assert tiny.folder.name == manifest["id"] == f"tiny-2026-01-23-{tagged('config', inputs)[:12]}"


@pytest.mark.parametrize("part", ["engine_hash", "config_hash", "dataset_hash", "seeds_hash", "study", "prereg"])
def test_another_input_is_another_run(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """Each of the seals, and each end of the window, changes the id."""
    registration, plan = tiny.registration, tiny.run.plan
    seal = write._seal(registration, tiny.dataset, tiny.seeds, UNCHECKED)
    here = write.run_id(registration, plan, tiny.dataset, tiny.seeds)
    longer = replace(plan, t1_ns=plan.t1_ns + 1000 * plan.folds, fold_ns=plan.fold_ns + 1000)

    assert here == tiny.folder.name
    assert write.run_id(registration, longer, tiny.dataset, tiny.seeds) != here
    monkeypatch.setattr(write, "_seal", lambda *_: {**seal, part: "f" * 64})
    assert write.run_id(registration, plan, tiny.dataset, tiny.seeds) != here


def test_the_directory_is_complete_in_itself(tiny: Tiny) -> None:
    """Registration, seeds and data manifest of the folder have the hashes that the manifest names."""
    manifest = json.loads((tiny.folder / "manifest.json").read_text())
    data = json.loads((tiny.folder / "data.json").read_text())

    assert load_registration(tiny.folder / "registration.toml").config_hash == manifest["config_hash"]
    assert streams.load(tiny.folder / "seeds.lock").seeds_hash == manifest["seeds_hash"]
    assert tagged("dataset", data) == manifest["dataset_hash"] == tiny.dataset.dataset_hash


def test_a_synthetic_run_is_exploratory_and_says_so(tiny: Tiny) -> None:
    """No freeze, no confirmation; what the market cannot say is carried along.  [S8.1]"""
    manifest = json.loads((tiny.folder / "manifest.json").read_text())

    assert (manifest["synthetic"], manifest["mode"], manifest["freeze_hash"]) == (True, "exploratory", None)
    assert manifest["deviations"]
    assert manifest["cannot_say"] == list(tiny.registration.data.cannot_say)
    assert manifest["lock_sha256"] == sha256((ROOT / "requirements.lock").read_bytes()).hexdigest()


def test_the_same_run_gives_the_same_bytes(tiny: Tiny) -> None:
    """Every file of the directory, machine facts of the manifest apart, is written alike twice."""
    again = write.run_files(tiny.run, tiny.dataset, tiny.seeds)

    assert set(again) == FILES
    for name, data in again.items():
        if name != "manifest.json":
            assert data == (tiny.folder / name).read_bytes(), name


def test_json_holds_no_nan_and_ends_with_a_line(tiny: Tiny) -> None:
    """Strict JSON: what is unknown is null; a canonical document is its bytes and nothing after them."""
    for path in tiny.folder.rglob("*.json"):
        text = path.read_text()
        json.loads(text, parse_constant=lambda word, path=path: pytest.fail(f"{path}: {word}"))
        assert text.endswith("}" if path.name == "results.exploratory.json" else "\n")


def test_a_curve_that_is_not_identified_is_null(tiny: Tiny) -> None:
    """NaN of an unidentified fit is null in fitted.json and folds.json."""
    fit = tiny.run.fitted[0]
    lost = replace(fit.curve["BTC"], identified=False, train_mean=float("nan"), train_sd=float("nan"))
    run = replace(tiny.run, fitted=(replace(fit, curve={"BTC": lost}), *tiny.run.fitted[1:]))
    written = write.run_files(run, tiny.dataset, tiny.seeds)

    assert json.loads(written["folds/00/fitted.json"])["curve"]["BTC"]["train_sd"] is None
    assert json.loads(written["folds.json"])["folds"][0]["curve"]["BTC"]["train_mean"] is None


def test_returns_have_a_row_a_day_and_count_what_is_open(tiny: Tiny) -> None:
    """Ten days, all with data; open positions at 24:00 are those entered and not yet left."""
    returns = pd.read_parquet(tiny.folder / "returns.parquet")
    trades = [trade.position for trade in tiny.run.trades if not trade.rejected]
    day = 86_400 * 10**9

    assert returns.day.tolist() == list(range(tiny.run.plan.t0_ns // day, tiny.run.plan.t1_ns // day))
    assert returns.has_data.all()
    for row in returns.itertuples():
        end = (row.day + 1) * day
        assert row.open_positions == sum(t.entry_ns < end < t.exit_ns for t in trades)


def test_a_directory_of_the_same_id_is_replaced_whole(tiny: Tiny, tmp_path: Path) -> None:
    """Nothing of an older run of that name survives, and the parent is made."""
    folder = write.write_run(tiny.run, tiny.dataset, tiny.seeds, tmp_path / "deep" / "runs")
    (folder / "folds" / "99").mkdir()
    (folder / "returns.parquet").write_bytes(b"old")

    assert write.write_run(tiny.run, tiny.dataset, tiny.seeds, tmp_path / "deep" / "runs") == folder
    assert files(folder) == FILES
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_full_disk_leaves_nothing(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 5 naming the folder; neither a half directory nor a hidden one stays behind."""
    written = Path.write_bytes
    count = iter(range(100))

    def full(path: Path, data: bytes) -> int:
        if next(count) == 7:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteError, match=r"No space left on device.*nothing half-written") as refused:
        write.write_run(tiny.run, tiny.dataset, tiny.seeds, tmp_path)

    assert refused.value.exit_code == 5
    assert list(tmp_path.iterdir()) == []
