"""What is said to somebody who names a Dask cluster that cannot be used."""

from __future__ import annotations

import pytest

from backtest.gate.run_mode import mode_on_cluster
from backtest.tasks import dask_backend
from engine.errors import MissingError, UsageError

LOOPBACK = "tcp://127.0.0.1:9"


@pytest.mark.parametrize("address", ["", "10.0.0.5:8786", "http://10.0.0.5:8786", "tcp://10.0.0.5", "tcp://host:port"])
def test_an_address_that_is_none_is_usage(address: str) -> None:
    with pytest.raises(UsageError, match="such as tcp://"):
        dask_backend.check_address(address)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 3, the packages by name, and both ways to get them."""
    monkeypatch.setattr(dask_backend, "find_spec", lambda _name: None)
    with pytest.raises(MissingError, match=r"dask and distributed.*pip install 'cme-perps\[cluster\]'") as refused:
        dask_backend.check_address(LOOPBACK)
    assert refused.value.exit_code == 3


def test_where_nobody_answers_it_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_backend, "CONNECT_S", 0.2)
    with pytest.raises(MissingError, match="dask worker ADDRESS"), dask_backend.backend(LOOPBACK):
        pass


def test_a_confirmatory_run_is_done_by_processes_of_its_own() -> None:
    """[audit 9.6]"""
    with pytest.raises(UsageError, match="leave --scheduler out"):
        mode_on_cluster(None, "confirmatory", LOOPBACK)  # type: ignore[arg-type]  # refused before it is looked at
