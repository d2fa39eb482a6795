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
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from backtest.live.live_folder import LiveFolder
from backtest.live.status import status_of
from backtest.live.status_page import page_of
from engine.units import NS_PER_US
from reports.many.commands import compare
from reports.venue_risk.commands import simulate
from reports.verifier.build import PAGE
from tests.backtest.live.test_status import NOW, PLAN, recording
from tests.backtest.simulation import adl_files
from tests.helpers.small_run import Tiny
from tests.reports.verifier.chromium import Browser, Page

HERE = Path(__file__).resolve().parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE_S = 300.0


@pytest.fixture(scope="session")
def axe() -> str:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: make axe")
    return AXE.read_text(encoding="utf-8")


class Made(NamedTuple):
    """What the session made already: the small run, and the folder of the covenant study."""

    run: Path
    studies: Path


def report(made: Made, _: Path) -> Path:
    return made.run / "report.html"


def comparison(made: Made, folder: Path) -> Path:
    copy = shutil.copytree(made.run, folder / "copy")
    page = folder / "compare.html"
    CliRunner().invoke(compare, [str(made.run), str(copy), "--page", str(page)], catch_exceptions=False)
    return page


def status(_: Made, folder: Path) -> Path:
    raw = recording(folder / "raw")
    document = status_of(PLAN, LiveFolder(folder / "live"), raw, folder / "runs", NOW // NS_PER_US)
    page = folder / "status.html"
    page.write_text(page_of(document), encoding="utf-8")
    return page


def simulation(_: Made, folder: Path) -> Path:
    adl_files.write(folder)
    plan = folder / "made.toml"
    plan.write_text(adl_files.ADL)
    words = [str(plan), "--out", str(folder / "runs"), "--data", str(folder), "--json", "--quiet", "--workers", "1"]
    return Path(json.loads(CliRunner().invoke(simulate, words, catch_exceptions=False).stdout)["report"])


def covenants(made: Made, _: Path) -> Path:
    (page,) = made.studies.glob("*/report.html")
    return page


def verifier(_: Made, folder: Path) -> Path:
    del folder
    return PAGE


PAGES: tuple[Callable[[Made, Path], Path], ...] = (report, comparison, status, simulation, covenants, verifier)


@pytest.mark.parametrize("make_page", PAGES)
def test_no_page_has_a_violation_in_light_or_dark(
    axe: str,
    chromium: Browser,
    tiny: Tiny,
    covenant_runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_page: Callable[[Made, Path], Path],
) -> None:
    """All rules of axe in the light form, and those of colour in the dark one, which differs in nothing else.

    Contrast, names, landmarks, tables, keyboard.  A picture without words and grey on grey are seen where they stand.
    """
    monkeypatch.setattr("backtest.tracking.background.Tracker.sync", lambda self, journal: "")
    page = chromium.open(make_page(Made(tiny.folder, covenant_runs), tmp_path).as_uri())
    page.run(f"{axe};0")
    # coloured by script: the verifier's policy allows no style in an element
    fault = "<div id=fault><img><p>grey</p></div>"
    grey = "Object.assign(document.querySelector('#fault p').style, {color: '#777', background: '#888'});0"
    for scheme, rules in (("light", "{}"), ("dark", "{runOnly: ['color-contrast', 'link-in-text-block']}")):
        page.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        assert violations(page, "document", rules) == [], scheme
        page.run(f"document.body.insertAdjacentHTML('beforeend', '{fault}'); {grey}")
        seen = {found.partition(":")[0] for found in violations(page, "'#fault'", rules)}
        assert seen >= ({"image-alt", "color-contrast"} if scheme == "light" else {"color-contrast"}), scheme
        page.run("document.getElementById('fault').remove();0")


def violations(page: Page, part: str, rules: str) -> list[str]:
    """Return each broken rule with the start of the element that breaks it."""
    shown = "r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.html.slice(0, 200)))"
    return list(page.run(f"axe.run({part}, {rules}).then(r => {shown})", PATIENCE_S))


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
