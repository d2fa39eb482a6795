"""A frozen study, made once and copied for each test that breaks it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backtest.gate import checks
from backtest.gate.checks import Situation
from tests.backtest.gate import sandbox


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``checkout`` (frozen, committed) and ``data``."""
    folder = tmp_path_factory.mktemp("frozen")
    sandbox.dataset(folder / "data")
    root = sandbox.checkout(folder / "checkout")
    sandbox.frozen(root, folder / "data")
    return folder


@pytest.fixture
def study(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Situation:
    """The situation of a confirmatory run for which every check holds."""
    shutil.copytree(original, tmp_path / "s", symlinks=True)
    sandbox.git(tmp_path / "s" / "checkout", "update-index", "-q", "--refresh")
    root = tmp_path / "s" / "checkout"
    monkeypatch.setattr(checks, "engine_root", lambda: root / "engine")
    return sandbox.situation(root, tmp_path / "s" / "data")
