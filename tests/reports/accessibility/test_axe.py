"""Every page that the commands write, under axe-core in Debian's Chromium: no violation, light and dark.

axe-core is a test tool of npm, fixed by the hash in package-lock.json; ``make axe`` installs it, and `.ci/run` fails
without npm.  Where it is not installed these tests are skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from backtest.live.live_folder import LiveFolder
from backtest.live.status import status_of
from backtest.live.status_page import page_of
from engine.units import NS_PER_US
from hypotheses.covenants.run import study_job, write_study
from reports.covenants.page import write_page as write_covenants
from reports.many.commands import compare
from reports.venue_risk.commands import simulate
from reports.verifier.build import PAGE
from tests.backtest.live.test_status import NOW, PLAN, recording
from tests.backtest.simulation import adl_files
from tests.helpers.small_run import Tiny
from tests.reports.test_covenants import PLAN as COVENANTS
from tests.reports.verifier.chromium import Browser

HERE = Path(__file__).resolve().parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE_S = 300.0


@pytest.fixture(scope="session")
def axe() -> str:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: make axe")
    return AXE.read_text(encoding="utf-8")


def report(tiny: Tiny, _: Path) -> Path:
    return tiny.folder / "report.html"


def comparison(tiny: Tiny, folder: Path) -> Path:
    copy = shutil.copytree(tiny.folder, folder / "copy")
    page = folder / "compare.html"
    CliRunner().invoke(compare, [str(tiny.folder), str(copy), "--page", str(page)], catch_exceptions=False)
    return page


def status(_: Tiny, folder: Path) -> Path:
    raw = recording(folder / "raw")
    document = status_of(PLAN, LiveFolder(folder / "live"), raw, folder / "runs", NOW // NS_PER_US)
    page = folder / "status.html"
    page.write_text(page_of(document), encoding="utf-8")
    return page


def simulation(_: Tiny, folder: Path) -> Path:
    adl_files.write(folder)
    plan = folder / "made.toml"
    plan.write_text(adl_files.ADL)
    words = [str(plan), "--out", str(folder / "runs"), "--data", str(folder), "--json", "--quiet", "--workers", "1"]
    return Path(json.loads(CliRunner().invoke(simulate, words, catch_exceptions=False).stdout)["report"])


def covenants(_: Tiny, folder: Path) -> Path:
    plan = folder / "tiny.toml"
    plan.write_text(COVENANTS.replace("KIND", "synthetic"))
    run = write_study(study_job(plan, None), folder / "runs", lambda stage: None)
    write_covenants(run)
    return run / "report.html"


def verifier(_: Tiny, folder: Path) -> Path:
    del folder
    return PAGE


PAGES: tuple[Callable[[Tiny, Path], Path], ...] = (report, comparison, status, simulation, covenants, verifier)


@pytest.mark.parametrize("make_page", PAGES)
def test_no_page_has_a_violation_in_light_or_dark(
    axe: str,
    chromium: Browser,
    tiny: Tiny,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_page: Callable[[Tiny, Path], Path],
) -> None:
    """All rules of axe: contrast, names, landmarks, tables, keyboard; and a fault put into the page is seen."""
    monkeypatch.setattr("backtest.tracking.background.Tracker.sync", lambda self, journal: "")
    page = chromium.open(make_page(tiny, tmp_path).as_uri())
    page.run(f"{axe};0")
    for scheme in ("light", "dark"):
        page.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        assert violations(page) == [], scheme
    page.run("document.body.append(document.createElement('img'));0")
    assert [name for name in violations(page) if name.startswith("image-alt: <img")]


def violations(page: object) -> list[str]:
    """Return each broken rule with the start of the element that breaks it."""
    shown = "r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.html.slice(0, 200)))"
    return list(page.run(f"axe.run(document).then(r => {shown})", PATIENCE_S))  # type: ignore[attr-defined]


def test_axe_is_fixed_by_its_hash_and_no_registry_is_named() -> None:
    """The lock file has a version, a SHA-512 and no address; the plan asks for that version alone."""
    lock = json.loads((HERE / "package-lock.json").read_text())["packages"]
    wanted = json.loads((HERE / "package.json").read_text())["devDependencies"]

    assert {name: lock[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert len(lock) == 1 + len(wanted)
    for package in (lock[f"node_modules/{name}"] for name in wanted):
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package


def test_a_machine_without_npm_fails_and_skips_nothing(tmp_path: Path) -> None:
    """`.ci/run` ends before its first test and says what is missing."""
    for tool in ("bash", "dirname"):
        program = shutil.which(tool)
        assert program is not None
        (tmp_path / tool).symlink_to(program)
    script = HERE.parents[2] / ".ci" / "run"
    bash = str(tmp_path / "bash")
    done = subprocess.run([bash, str(script)], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "expected npm, was none" in done.stderr
