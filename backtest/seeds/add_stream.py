"""Adds a stream with its known answer to the end of ``seeds.lock``: ``python -m backtest.seeds.add_stream``.  [S8.5]"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from backtest.seeds.streams import lock_content, lock_text
from engine.errors import UsageError


def with_stream(text: str, name: str, purpose: str, replicates: int) -> str:
    """Return the text of a ``seeds.lock`` with one more stream; the words of earlier streams do not change.

    Raises ``UsageError`` if the name is there already, or if the number of replicates is under 1.
    """
    content = json.loads(text)
    if replicates < 1:
        raise UsageError(f"seeds.lock: expected at least 1 replicate of {name!r}, was {replicates}")
    if any(stream["name"] == name for stream in content["streams"]):
        raise UsageError(
            f"seeds.lock: expected a new stream, {name!r} is there; its words are fixed, choose another name"
        )
    stream = {"name": name, "purpose": purpose, "replicates": replicates}
    return lock_text(lock_content(content["root_text"], [*content["streams"], stream]))


def main() -> None:
    """Write ``seeds.lock`` of the current folder anew, with the stream that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m backtest.seeds.add_stream", description=__doc__)
    parser.add_argument("name", help="such as h3/bootstrap/C8")
    parser.add_argument("purpose", help="one line: what is drawn from it")
    parser.add_argument("replicates", type=int, help="how many generators the stream has")
    wanted = parser.parse_args()
    lock = Path("seeds.lock")
    lock.write_text(
        with_stream(lock.read_text(encoding="utf-8"), wanted.name, wanted.purpose, wanted.replicates), "utf-8"
    )


if __name__ == "__main__":
    main()
