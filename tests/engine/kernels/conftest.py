"""The compiled kernels of these sources, whatever is installed."""

from __future__ import annotations

import pytest

from engine.kernels.choose import KernelPath, load
from tests.helpers.kernels import build


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> KernelPath:
    """The path of a library built now; skips without a compiler, fails where it does not give the known answers."""
    path = load(build(tmp_path_factory.mktemp("kernels")))
    assert path.library is not None, path.warning
    return path
