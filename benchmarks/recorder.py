"""How many messages a second one recorder process takes, against merely reading the socket and writing the bytes.

    python benchmarks/recorder.py [MESSAGES [RATE]]

Both are pinned to one core where the system allows it, and the venue is a process of its own (`fast_venue`).  Both
are sent RATE a second.  The capacity is messages over CPU seconds of the whole process, all threads: stamps, frames,
zstd, `fdatasync`, sequence checks and hashes in one, nothing but reading and `write` in the other.  What the recorder
dropped, and how much memory it took, is in the second row.  Messages are multiplied stored ones: the load is synthetic.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import aiohttp

from backtest.record.clocks import SYSTEM
from backtest.record.counts import RecorderCounts
from backtest.record.record_plan import Budget, FeedTable, PlannedFeed, RecordPlan
from backtest.record.recorder import Recorder
from backtest.record.recording import open_recording
from backtest.record.venue_file import load_feed_file, with_addresses
from backtest.tasks.gc_tuning import collect_seldom
from benchmarks.measure import Row, machine, table

HERE = Path(__file__).resolve().parent
MESSAGES, RATE = 300_000, 60_000
SYMBOLS = ("SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT")
FORMS = {"difference": "{lower}@depth@100ms", "quote": "{lower}@bookTicker", "trade": "{lower}@aggTrade",
         "candle": "{lower}@kline_1m"}  # fmt: skip


async def read_and_write(port: int, path: Path) -> int:
    """Read the socket and write the bytes: the yardstick.  Returns the number of messages."""
    count = 0
    url = f"http://127.0.0.1:{port}/"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, decode_text=False) as link:
        await link.send_str("{}")
        with path.open("wb") as stream:
            async for message in link:
                stream.write(message.data)
                count += 1
    return count


async def recorded(port: int, folder: Path, count: int) -> dict[str, int]:
    """Record ``count`` messages as `cme record` does; return its counts."""
    file = with_addresses(
        load_feed_file(HERE.parent / "configs/venues/feeds/binance-usdm.toml"),
        {"binance-usdm": f"ws://127.0.0.1:{port}"},
    )
    forms = [file.streams[0].model_copy(update={"kind": k, "form": form}) for k, form in FORMS.items()]
    file = file.model_copy(update={"streams": forms, "lists": [], "polls": [], "clock": None})
    names = [f"binance:{symbol}-PERP" for symbol in SYMBOLS]
    budget = Budget(stored_gb_a_day="1000", message_gb_a_day="10000", disk_free_gb="0.001", queue_mb="64")
    plan = RecordPlan(
        "rate", "0" * 64, budget,
        (PlannedFeed(file, FeedTable(venue_file="x", instruments=names, streams=list(FORMS))),),
    )  # fmt: skip
    stop = asyncio.Event()

    def seen(counts: RecorderCounts) -> None:
        if counts.messages >= count:
            stop.set()

    with open_recording(folder, SYSTEM.wall_ns) as recording:
        recorder = Recorder(plan, recording, SYSTEM)
        started = {"run_uid": "rate", "plan": "rate", "plan_sha256": "", "recorder_sha256": ""}
        return {k: v for k, v in asdict(await recorder.run(stop, started, seen)).items() if isinstance(v, int)}


def work(kind: str, port: int, folder: str, count: int) -> None:
    """Do one of the two in this process, and print what it took."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    counts: dict[str, int] = {}
    collect_seldom()
    cpu, wall = time.process_time(), time.perf_counter()
    if kind == "bytes":
        counts["messages"] = asyncio.run(read_and_write(port, Path(folder) / "bytes"))
    else:
        counts = asyncio.run(recorded(port, Path(folder), count))
    status = Path("/proc/self/status").read_text() if Path("/proc/self/status").exists() else ""
    peak_kb = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
    print(json.dumps({
        **counts, "cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "peak_mb": peak_kb // 1000,
    }))  # fmt: skip


def measured(kind: str, count: int, rate: int) -> dict[str, float]:
    """Return what one process took for ``count`` messages of a venue that sends ``rate`` a second, 0 for all it can."""
    venue = subprocess.Popen(
        [sys.executable, str(HERE / "fast_venue.py"), str(count), str(rate)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert venue.stdout is not None
        port = venue.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, __file__, "--", kind, port, folder, str(count)],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            stored = sum(path.stat().st_size for path in Path(folder).rglob("*.seg"))
        return {**json.loads(done.stdout), "stored": stored}
    finally:
        venue.kill()
        venue.wait()


def rows(count: int = MESSAGES, rate: int = RATE) -> list[Row]:
    """Return the rows of the table: capacity and its ratio, three turns, and the sustained rate."""
    turns = [(measured("bytes", count, rate), measured("record", count, rate)) for _ in range(3)]
    ratios = sorted(ours["cpu_s"] / count / (bare["cpu_s"] / bare["messages"]) for bare, ours in turns)
    bare, ours = turns[0]
    capacity = f"{count / ours['cpu_s']:,.0f} messages/s of CPU"
    yardstick = f"{bare['messages'] / bare['cpu_s']:,.0f} messages/s of CPU"
    worst = max(turns, key=lambda turn: turn[1]["dropped"])[1]
    slowest = max(ours["wall_s"] for _, ours in turns)
    sustained = (
        f"{count:,} messages at {rate:,}/s: {worst['dropped']:.0f} dropped, {slowest:.1f} s, peak "
        f"{worst['peak_mb']:.0f} MB, {worst['message_bytes'] / worst['stored']:.1f} times smaller on disk"
    )
    return [
        Row("record (stamps, frames, fdatasync, checks)", capacity, "read the socket, write the bytes", yardstick,
            ratios[1], ratios[0], ratios[2], "2.0 at most; 60,000/s"),
        Row(sustained, "", "", "", 1.0, 1.0, 1.0, "no drop", "of synthetic load"),
    ]  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        work(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
    else:
        print(table(rows(*(int(word) for word in sys.argv[1:]))))
        print(machine())
