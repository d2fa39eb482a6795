"""Measuring: any number of workers, a kill, a broken null, an unknown cell.  [S9.1, R11.3, S8.5]"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from engine.errors import UsageError
from hypotheses.calibration import certificate, permutation_cells, registry, run, sign_flip_cells
from hypotheses.calibration.commands import calibrate
from hypotheses.calibration.plan import load_plan
from hypotheses.records import Proportion

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / "configs" / "calibration" / "registered.toml"
CELLS = tuple(registry.BY_NAME[name] for name in ("n1/zero", "leakage"))


def quiet(_cell: str, _done: int, _of: int) -> None:
    pass


def job(folder: Path) -> run.Job:
    return run.Job(CONFIG, True, folder, None)


def same(one: run.Job, two: run.Job, name: str) -> bool:
    left, right = run.finished(one, name), run.finished(two, name)
    return left.keys() == right.keys() and all(np.array_equal(left[key], right[key]) for key in left)


def test_the_limits_are_those_of_the_protocol() -> None:
    """Statistics 10, in per mille; none may be loosened, and every row's key is there."""
    limits = load_plan(CONFIG).document.limits
    table = {key: (round(1000 * float(one.low), 3), round(1000 * float(one.high), 3)) for key, one in limits.items()}
    assert table == {
            "n1_zero": (40, 60), "n1_ar1": (40, 65), "n1_garch": (40, 60), "n1_net_zero": (0, 60), "n1_skew": (0, 90),
            "n1_skew_both": (0, 65), "n2_zero": (0, 60), "n2_size": (0, 63), "n3_zero": (0, 60),
            "n2_net_zero": (900.001, 1000), "n3_net_zero": (900.001, 1000), "joint_1": (86, 146),
            "joint_2": (196, 256), "joint_3": (349, 409), "joint_5": (716, 776), "h3_dense": (915, 1000),
            "h3_skew": (880, 1000), "h3_retain": (0, 45), "h2_bound": (880, 1000), "all": (1000, 1000),
            "rare_loss": (0, 63), "rare_loss_engine": (0, 95),
    }  # fmt: skip
    assert {spec.limit for cell in registry.CELLS for spec in cell.rows} - {""} <= set(limits)


def test_registered_counts_are_those_of_the_protocol() -> None:
    """2,000 series, 500 that document, 200 canaries, 200 through the engine, 3 seeds for workers."""
    counts = load_plan(CONFIG).counts
    wanted = {"series": 2000, "documents": 500, "leakage": 200, "engine": 200, "workers": 3}
    assert wanted.items() <= counts.items()
    assert {cell.tier for cell in registry.CELLS} == {"engine", "series", "resampled"}
    drawn = [cell for cell in registry.CELLS if cell.name.startswith(("n1/", "n2/zero", "n3/zero", "joint/", "h2/"))]
    assert all(cell.count == "series" for cell in drawn)


def test_workers_change_nothing(tmp_path: Path) -> None:
    """One process and two: the same columns, chunk by chunk."""
    one, two = job(tmp_path / "one"), job(tmp_path / "two")
    run.measure(one, CELLS, 1, quiet)
    run.measure(two, CELLS, 2, quiet)
    assert all(same(one, two, cell.name) for cell in CELLS)


def test_a_killed_measurement_goes_on_where_it_stood(tmp_path: Path) -> None:
    """A kill after the first chunk keeps it whole; the next run draws the others only and equals an unbroken one."""

    def kill(cell: str, done: int, _of: int) -> None:
        if done:
            raise KeyboardInterrupt(cell)

    broken, whole = job(tmp_path / "broken"), job(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run.measure(broken, CELLS, 1, kill)
    kept = {path: path.stat().st_mtime_ns for path in broken.out.rglob("*.npz")}
    assert len(kept) == 1
    run.measure(broken, CELLS, 1, quiet)
    run.measure(whole, CELLS, 1, quiet)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in kept.items())
    assert all(same(broken, whole, cell.name) for cell in CELLS)


def test_what_is_kept_so_far_makes_a_certificate_that_says_so(tmp_path: Path) -> None:
    """One of two chunks of the canaries: a hundred replications of two hundred, and the certificate is not whole."""
    cell = registry.BY_NAME["leakage"]
    run.measure(job(tmp_path), [cell], 1, quiet)
    max(tmp_path.rglob("*.npz")).unlink()
    plan, so_far = load_plan(CONFIG, True), run.Job(CONFIG, True, tmp_path, None, True)
    content = certificate.document(plan, [cell], {cell.name: run.finished(so_far, cell.name)}, "0" * 64)
    assert [(row["of"], row["registered"]) for row in content["rows"]] == [(100, 200)]
    assert not content["whole"]


def test_other_code_never_reads_old_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a chunk changes with the judging code, and with the draws of a replication."""
    plan, cell = load_plan(CONFIG, True), registry.BY_NAME["n1/zero"]
    before = run.chunk_path(job(tmp_path), plan, cell, 0)
    monkeypatch.setattr(run, "closure_hash", lambda _roots: "other")
    assert run.chunk_path(job(tmp_path), plan, cell, 0) != before


def test_a_broken_null_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign flip that forgets half the group, a permutation p-value that is always small: rows miss their limits.

    They could only be caught because the cells ask the judging functions themselves.
    """
    plan = load_plan(CONFIG, True)

    def row_of(name: str) -> str:
        cell = registry.BY_NAME[name]
        context = run._context(job(tmp_path))
        found = run.columns([cell.replicate(context, r) for r in range(60)])
        return str(certificate.row(cell, cell.rows[0], found, plan)["met"])

    assert row_of("n1/zero") != "not met"
    monkeypatch.setattr(sign_flip_cells, "n1", lambda sums: Proportion(int(sum(sums) <= 0) * 1024 + 1, 1025))
    assert row_of("n1/zero") == "not met"
    assert row_of("n2/zero") != "not met"
    monkeypatch.setattr(permutation_cells, "n2", lambda *_: type("Null", (), {"p": Proportion(1, 1000)}))
    assert row_of("n2/zero") == "not met"


def test_the_command_measures_cells_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    """One cell by name; an unknown one and a quick certificate to be published are usage errors."""
    runner = CliRunner()
    asked = [str(CONFIG), "--quick", "--out", str(tmp_path), "--workers", "1", "--quiet"]
    done = runner.invoke(calibrate, [*asked, "--cell", "n1/zero"])
    assert done.exit_code == 0, done.output
    assert "N1 rejects, zero edge and zero cost" in done.output
    data = ["--data", str(tmp_path)]
    for wrong in (["--cell", "n9"], ["--publish"], ["--carry", "HEAD"], ["--carry", "HEAD", *data]):
        refused = runner.invoke(calibrate, [*asked, *wrong])
        assert isinstance(refused.exception, UsageError)


def test_a_configuration_with_a_missing_count_is_refused(tmp_path: Path) -> None:
    """What is expected and what was found, by file and table."""
    text = CONFIG.read_text(encoding="utf-8").replace("../prereg", str(CONFIG.parent.parent / "prereg"))
    (tmp_path / "bad.toml").write_text(text.replace("leakage = 200\n", "", 1), encoding="utf-8")
    with pytest.raises(UsageError, match="replications: expected positive counts"):
        load_plan(tmp_path / "bad.toml")


def test_a_certificate_lacks_nothing_it_has_no_rows_for(tmp_path: Path) -> None:
    """Markets have no rows of their own; a cell with rows that was not measured makes the certificate not whole."""
    cells = [registry.BY_NAME["leakage"], registry.BY_NAME["market/free"]]
    run.measure(job(tmp_path), cells[:1], 1, quiet)
    plan, found = load_plan(CONFIG, True), {"leakage": run.finished(job(tmp_path), "leakage")}
    assert certificate.document(plan, cells, found, "0" * 64)["whole"]
    cells.append(registry.BY_NAME["n1/zero"])
    assert not certificate.document(plan, cells, found, "0" * 64)["whole"]
