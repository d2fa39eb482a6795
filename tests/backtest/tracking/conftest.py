"""The store that the tests of tracking share."""

from __future__ import annotations

import warnings

import pytest

from backtest.tracking import mlflow_sync


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An empty store, made once a session: migrating a new database takes seconds."""
    runs = tmp_path_factory.mktemp("template")
    # MLflow warns of its own libraries, and the first test that asks may be one that makes such warnings errors.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow_sync.sync(runs, [], None)
    return (runs / "mlflow.db").read_bytes()
