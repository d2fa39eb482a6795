"""Reading a source the way the build does, for the tests of adapters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.registry import adapter
from backtest.data.format.schema import CHANNEL_COLUMNS, VALUE_COLUMNS, Channel, instruments_from_frame

Read = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]


@pytest.fixture
def read() -> Read:
    """Return ``read(name, root, path, **options) -> (instruments by name, rows)``, each chunk checked for its form."""

    def reader(name: str, root: Path, path: str, **options: object) -> tuple[pd.DataFrame, pd.DataFrame]:
        spec = SourceSpec(name, path, options, "a test", "none")
        instruments, rows = [], []
        for chunk in adapter(name).read(root, spec):
            instruments_from_frame(chunk.instruments)
            assert set(chunk.rows["name"]) <= set(chunk.instruments["name"]), chunk.file
            assert not chunk.rows.duplicated(["channel", "t_ns", "name"]).any(), chunk.file
            for channel, part in chunk.rows.groupby("channel"):
                foreign = [c for c in VALUE_COLUMNS if c in part and c not in CHANNEL_COLUMNS[Channel(channel)]]
                assert part[foreign].isna().all(axis=None), (chunk.file, channel)
            assert (chunk.rows.groupby(["channel", "name"])["t_ns"].diff().dropna() > 0).all(), chunk.file
            instruments.append(chunk.instruments)
            rows.append(chunk.rows)
        return pd.concat(instruments).drop_duplicates("name").set_index("name"), pd.concat(rows, ignore_index=True)

    return reader
