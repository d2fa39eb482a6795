"""The store that the tests of tracking share."""

from __future__ import annotations

import pytest

from backtest.tracking import mlflow_sync


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty store, made once a session: migrating a new database takes seconds."""
    runs = tmp_path_factory.mktemp("template")
    mlflow_sync.sync(runs, [], None)
    return (runs / "mlflow.db").read_bytes()
