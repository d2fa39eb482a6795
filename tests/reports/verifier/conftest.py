"""The verifier's page in the browser of the session."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from reports.verifier.build import PAGE
from tests.helpers.ledgers import ledger
from tests.reports.verifier.chromium import Browser, Page


@pytest.fixture(scope="session")
def open_page(chromium: Browser) -> Page:
    """The verifier, opened from its file, its self-test passed; for tests that leave it as it was."""
    return ready(chromium, PAGE)


def ready(chromium: Browser, path: Path, width: int = 1280) -> Page:
    """A page of its own whose self-test has ended; it counts the files chosen, see `give`."""
    page = chromium.open(path.as_uri(), width)
    page.until("busy.ready || !document.getElementById('broken').hidden")
    page.run("window.chosen = 0; document.addEventListener('change', () => { window.chosen += 1; }, true); 0")
    return page


def give(page: Page, files: Sequence[Path], selector: str = "#pick-all") -> None:
    """Choose files in a dialog of the page and wait until each has found its place."""
    before = page.run("window.chosen")
    page.choose(selector, files)
    page.until(f"window.chosen > {before} && busy.placing === 0")


@pytest.fixture
def page(chromium: Browser) -> Page:
    return ready(chromium, PAGE)


@pytest.fixture
def emit(tmp_path: Path) -> Path:
    path = tmp_path / "emit.jsonl"
    path.write_bytes(b"".join(ledger(5)))
    return path


def check(page: Page, *files: Path) -> str:
    """The words of the result for these files, given through the dialog."""
    give(page, files)
    page.until("!document.getElementById('check').disabled")
    page.run("document.getElementById('check').click()")
    page.until("!busy.on")
    return str(page.run("document.getElementById('results').innerText"))
