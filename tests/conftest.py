"""Fixtures that all tests share."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.cli import Done, RunCommand
    from tests.helpers.small_run import Tiny

ROOT = Path(__file__).resolve().parent.parent
VECTORS = Path(__file__).resolve().parent / "vectors"

# Property tests draw the same examples every time, and no clock of a busy machine fails one; to look further,
# ``pytest --hypothesis-profile=wide`` draws others, and `tests/fuzz/drive.py` drives the readers of files.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("wide", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that hold a slow test come first, so that no worker is left alone with a long one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def _journals_of_commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Commands that a test calls, here or as processes, leave their journals in a folder of the session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CME_JOURNALS", str(tmp_path_factory.mktemp("journals")))
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real market data: $CME_TEST_DATA, else ``../shared/data``; the test is skipped without it."""
    folder = Path(os.environ.get("CME_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "README.md").is_file():
        pytest.skip(f"real market data not found in {folder}: set CME_TEST_DATA to the folder to run this test")
    return folder


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of numbers computed elsewhere, each file with its source."""
    return VECTORS


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The main job on the tiny registration, made once; nobody writes into its folder."""
    from tests.helpers.small_run import make, write_config

    folder = tmp_path_factory.mktemp("tiny")
    return make(write_config(folder), folder / "runs")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty MLflow store, made once a session: migrating a new database takes seconds."""
    from backtest.tracking import mlflow_sync

    runs = tmp_path_factory.mktemp("template")
    # MLflow warns of its own libraries, and the first test that asks may be one that makes such warnings errors.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow_sync.sync(runs, [], None)
    return (runs / "mlflow.db").read_bytes()


@pytest.fixture
def run_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """Call ``cme`` in this process; no data folder or tracker of the machine is seen."""
    import cme
    from tests.helpers.cli import DOWN, Done

    monkeypatch.delenv("CME_DATA", raising=False)
    monkeypatch.setenv("CME_TRACKING", DOWN)

    def call(*arguments: object) -> Done:
        with pytest.raises(SystemExit) as ended:
            cme.main([str(word) for word in arguments])
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return call
