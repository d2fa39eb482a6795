"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import tiny as tiny_market

ROOT = Path(__file__).resolve().parent.parent
VECTORS = Path(__file__).resolve().parent / "vectors"


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
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tiny_market.Tiny:
    """The main job on the tiny registration, made once; nobody writes into its folder."""
    folder = tmp_path_factory.mktemp("tiny")
    return tiny_market.make(tiny_market.write_config(folder), folder / "runs")
