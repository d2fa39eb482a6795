"""What all tests of pages share, made once a session: a browser, the small run as read, its page, a covenant study.

No test changes them: one that needs another run replaces a part of this one.  Tests that need the browser are
skipped where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from reports.covenants.commands import covenants
from reports.load import Run, load
from reports.render import Built, build
from tests.helpers.small_run import Tiny
from tests.reports import covenant_run
from tests.reports.drawn import Drawn, catch_axes
from tests.reports.verifier.chromium import Browser, browser, find


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if find() is None:
        pytest.skip("no Chromium on this machine: the page was not run")
    with browser(tmp_path_factory.mktemp("profile")) as session_browser:
        yield session_browser


@pytest.fixture(scope="session")
def run(tiny: Tiny) -> Run:
    """The files of the small run."""
    return load(tiny.folder)


@pytest.fixture(scope="session")
def drawn(run: Run) -> tuple[list[Built], Drawn]:
    """Each section of the page of the small run with its blocks, and the axes of its figures by their names."""
    with pytest.MonkeyPatch.context() as patch:
        axes = catch_axes(patch)
        return build(run), axes


@pytest.fixture(scope="session")
def built(drawn: tuple[list[Built], Drawn]) -> list[Built]:
    """Each section of the page of the small run with its blocks."""
    return drawn[0]


@pytest.fixture(scope="session")
def covenant_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder below which `cme covenants` wrote the small study `covenant_run.PLAN`."""
    folder = tmp_path_factory.mktemp("covenants")
    plan = folder / "tiny.toml"
    plan.write_text(covenant_run.PLAN.replace("KIND", "synthetic"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backtest.tracking.background.Tracker.sync", lambda self, journal: "")
        words = [str(plan), "--out", str(folder / "runs"), "--json", "--quiet"]
        assert CliRunner().invoke(covenants, words, catch_exceptions=False).exit_code == 0
    return folder / "runs"
