"""A small synthetic market and plain streams, for tests: the demonstration's table with fewer days and plants."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

from numpy.random import PCG64, SeedSequence

ROOT = Path(__file__).resolve().parents[2]


def demo_table(**changes: Any) -> dict[str, Any]:
    """Return the `[data.synthetic]` table of configs/demo.toml with top-level ``changes``."""
    document = tomllib.loads((ROOT / "configs" / "demo.toml").read_text())
    return document["data"]["synthetic"] | changes


def small_table(days: int = 24, share: int = 10) -> dict[str, Any]:
    """Return a market of ``days`` days with a ``share``-th of the demonstration's plants."""
    table = demo_table(days=days)
    for plants in table["plants"]["constraints"].values():
        plants["count"] //= share
        plants["untradable"] //= share
    return table


def streams_of(root: str):
    """Return a function that opens streams which depend on ``root``, the name and the replicate only."""

    def open_stream(name: str, replicate: int) -> PCG64:
        seed = int.from_bytes(hashlib.sha256(f"{root}/{name}".encode()).digest()[:16], "big")
        return PCG64(SeedSequence(seed, spawn_key=(replicate,)))

    return open_stream
