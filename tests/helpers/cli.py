"""The command line called in this process, and a study of one file of candles to call it with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers.small_run import write_config

DOWN = "http://127.0.0.1:9"
"""A tracker that refuses at once: runs here need none."""

T0_MS, HOUR_MS = 1_767_571_200_000, 3_600_000
OPTIONS = {
    "venue": "binance", "kind": "spot", "base": "BTC", "quote": "USDC", "feed": "bar", "bar": "1h",
    "label": "ms", "drop_zero_volume": True, "drop_last": False,
}  # fmt: skip


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


RunCommand = Callable[..., Done]


def refused(done: Done, code: int, *words: str) -> None:
    """The command ended with ``code``, nothing on stdout, and one paragraph that holds ``words``."""
    lines = [line for line in done.err.splitlines() if line and "MLflow was not brought up" not in line]
    assert done.code == code, done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    assert len(lines) == 1, done.err
    for word in words:
        assert word in done.err


def bars(prices: Mapping[int, object] | None = None, stamps: list[int] | None = None, head: str = "close") -> str:
    """An hour's candles a row as CSV; ``prices`` replaces closes by row."""
    labels = stamps if stamps is not None else [T0_MS + HOUR_MS * k for k in range(48)]
    closes = {k: 95_000 + k for k in range(len(labels))} | dict(prices or {})
    return f"timestamp,open,{head},volume\n" + "".join(f"{t},1,{closes[k]},5\n" for k, t in enumerate(labels))


def study(folder: Path, text: str = "", options: Mapping[str, Any] | None = None, **more: Any) -> tuple[Path, Path]:
    """A study of one file of candles: its registration and its data folder."""
    source = {"path": "bars.csv", "licence": "none", "reason": "a test", "adapter": "candles_csv"}
    source |= {"options": {**OPTIONS, **(options or {})}, **more}
    config = write_config(
        folder,
        {
            "synthetic": False,
            "data.kind": "sources",
            "data.synthetic": {},
            "data.sources": [source],
            "grid.step_s": "3600",
        },
    )
    (folder / "real").mkdir()
    (folder / "real" / "bars.csv").write_text(text or bars())
    return config, folder / "real"
