"""One browser a session for all pages; tests that need it are skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reports.verifier.chromium import Browser, browser, find


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if find() is None:
        pytest.skip("no Chromium on this machine: the page was not run")
    with browser(tmp_path_factory.mktemp("profile")) as session_browser:
        yield session_browser
