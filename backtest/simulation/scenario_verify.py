"""`cme verify` and `cme reproduce` of a simulation: its files, its digest, and the scenario computed again.  [S8.6]"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from backtest.rundir import checksums
from backtest.rundir.files import read_object
from backtest.simulation.registry import kind_of
from backtest.simulation.result import digest_of_files
from backtest.simulation.run_document import CHANGED, DIFFERENT, check_entry, document_of, files_entry, has_schema
from backtest.simulation.scenario import Scenario, read_scenario
from backtest.simulation.scenario_run import DIGEST, SCHEMA, compute, with_options
from engine.errors import CmeError

_NOT_RESULTS: Final = {"manifest.json", "scenario.toml", DIGEST, checksums.NAME, "report.html", "report.md"}


def is_simulation_run(path: Path) -> bool:
    """Return whether a folder is a run of `cme simulate`."""
    return has_schema(path, SCHEMA)


def verify_simulation_run(path: Path, data_root: Path | None, workers: int = 1) -> dict[str, Any]:
    """Return the document of `cme verify --json`: one entry a check, the exit code of the first that fails.

    A scenario is computed again from the run's own copy; one that reads published files needs ``data_root``, and is
    named under ``unchecked`` without it.
    """
    checks, unchecked = [files_entry(path)], []
    # What is in a damaged run is not looked into.
    if not checks[0]["exit"]:
        checks += [check_entry(*problem) for problem in _problems(path)]
    if not any(check["exit"] for check in checks):
        manifest, plan = _plan_of(path)
        if kind_of(plan.kind).is_real and data_root is None:
            unchecked.append("results are not computed again: set CME_DATA to the folder of the published files")
        else:
            checks.append(check_entry("recomputed", *_computed_again(plan, manifest, data_root, workers)))
    return document_of(checks, unchecked)


def _plan_of(path: Path) -> tuple[dict[str, Any], Scenario]:
    manifest = read_object(path / "manifest.json")
    plan = read_scenario((path / "scenario.toml").read_text(encoding="utf-8"), "scenario.toml").plan
    return manifest, with_options(plan, manifest.get("venue"), manifest.get("seed"))


def _computed_again(
    plan: Scenario, manifest: dict[str, Any], data_root: Path | None, workers: int
) -> tuple[str, int]:  # fmt: skip
    try:
        result = compute(plan, data_root, workers)
    except CmeError as error:
        return str(error), error.exit_code
    if result.sources != manifest["sources"]:
        return "the published files are not those that manifest.json names", 3
    digest = digest_of_files(result.files())
    if digest != manifest["digest"]:
        return f"digest: expected {manifest['digest']} as in the run, was {digest} computed again", DIFFERENT
    return "", 0


def _problems(path: Path) -> Iterator[tuple[str, str, int]]:
    actual = checksums.file_digests(path)
    manifest = read_object(path / "manifest.json")
    same = sha256((path / "scenario.toml").read_bytes()).hexdigest() == manifest.get("config")
    yield "scenario", "" if same else "scenario.toml is not the plan that manifest.json names", CHANGED
    files = {name: (path / name).read_bytes() for name in actual if name not in _NOT_RESULTS}
    stored = (path / DIGEST).read_text(encoding="utf-8").strip() if DIGEST in actual else "no digest.txt"
    digests = {digest_of_files(files), stored, str(manifest.get("digest"))}
    yield (
        "digest",
        "" if len(digests) == 1 else f"digest: expected one of files, {DIGEST} and manifest, was {digests}",
        16,
    )
