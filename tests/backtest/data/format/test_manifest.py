"""A manifest leads nowhere but to files of its own folder, and a wrong one is refused.  [audit 9.4]"""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.data.format import manifest
from backtest.data.format.dataset import open_dataset
from backtest.data.panels import reader
from engine.errors import CmeError, DataError
from tests.backtest.data.format.test_dataset import DAY_FILE, small
from tests.backtest.data.markets import START


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a\\b", "", "./a", "a//b", "a/."])
def test_paths_that_lead_outside_are_refused(tmp_path: Path, path: str) -> None:
    """A manifest cannot make the reader open anything but files of its own folder."""
    with pytest.raises(DataError, match="inside the data set"):
        manifest.safe_path(tmp_path, path)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    """Also where the bytes behind the link have the right hash."""
    dataset = small(tmp_path)
    place = dataset.path / DAY_FILE
    place.rename(tmp_path / "outside.parquet")
    place.symlink_to(tmp_path / "outside.parquet")

    with pytest.raises(DataError, match="inside the data set"):
        list(reader.panels(dataset, "BTC", START, START + 1))


@pytest.mark.parametrize(
    "content",
    [
        b"{}", b"[]", b'{"schema":"dataset/1"}', b"\xff", b'{"schema": "dataset/1"}',
        b'{"cutoff_us":0,"files":[{"path":"a"}],"name":"n","schema":"dataset/1"}',
        b'{"cutoff_us":0,"files":{},"name":"n","schema":"dataset/1"}',
    ],
)  # fmt: skip
def test_a_manifest_out_of_form_is_refused(tmp_path: Path, content: bytes) -> None:
    """Unknown schema is exit 3, wrong form exit 4; never a traceback."""
    (tmp_path / "manifest.json").write_bytes(content)

    with pytest.raises(CmeError) as refused:
        open_dataset(tmp_path)
    assert refused.value.exit_code in (3, 4)
