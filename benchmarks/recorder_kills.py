"""kill -9 at random moments of recording: nothing acknowledged is lost, nothing is there twice.

    python benchmarks/recorder_kills.py [KILLS [FOLDER]]

Each turn starts a recorder on one recording, lets it run for a random time, kills it, and compares what lies on the
disk with what the venue sent: every connection's records are the first ones that it sent, byte for byte, and there are
at least as many as the recorder had acknowledged.  The messages are multiplied stored ones.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.data.raw.segment_chain import check_file, read_segment_chain
from backtest.data.raw.segments import RawRecord, RecordKind, read_records, segment_path, segments_of
from backtest.record.clocks import SYSTEM
from backtest.record.record_plan import Budget, FeedTable, PlannedFeed, RecordPlan
from backtest.record.recorder import Recorder
from backtest.record.recording import open_recording
from backtest.record.venue_file import load_feed_file, with_addresses
from tests.helpers.loopback_venue import LoopbackVenue
from tests.helpers.raw_messages import advancing, recording

HERE = Path(__file__).resolve().parent
KILLS = 50
LONGEST_S = 3.0


@dataclass(frozen=True)
class KillResult:
    """What one kill left: records acknowledged before it, records of that recorder on the disk."""

    acknowledged: int
    stored: int
    after_s: float


def child(url: str, folder: Path) -> None:
    """Record until killed; print how many records are acknowledged each second."""
    file = with_addresses(load_feed_file(HERE.parent / "configs/venues/feeds/hyperliquid.toml"), {"hyperliquid": url})
    file = file.model_copy(update={"lists": [], "polls": []})
    table = FeedTable(venue_file="x", instruments=["hyperliquid:BTC-PERP"], streams=["book"])
    budget = Budget(stored_gb_a_day="10", message_gb_a_day="10", disk_free_gb="0.001", queue_mb="64")
    plan = RecordPlan("kills", "0" * 64, budget, (PlannedFeed(file, table),))
    started = {"run_uid": "kills", "plan": "kills", "plan_sha256": "", "recorder_sha256": ""}
    with open_recording(folder, SYSTEM.wall_ns) as opened:
        recorder = Recorder(plan, opened, SYSTEM)
        asyncio.run(recorder.run(asyncio.Event(), started, lambda counts: print(counts.acknowledged, flush=True)))


def killed(venue: LoopbackVenue, folder: Path, after_s: float) -> KillResult:
    """Start a recorder, kill it ``after_s`` seconds after its first acknowledgement, and compare."""
    before = {segment.path for segment in segments_of(folder)}
    connections = len(venue.sent)
    command = [sys.executable, __file__, "--child", venue.url, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline()]
        time.sleep(after_s)
        process.kill()
        said += process.stdout.readlines()
    acknowledged = max(int(line) for line in said if line.strip().isdigit())
    records = [
        record for segment in segments_of(folder) if segment.path not in before for record in read_records(segment.path)
    ]
    compare(records, venue, connections)
    return KillResult(acknowledged, len(records), after_s)


def compare(records: list[RawRecord], venue: LoopbackVenue, first: int) -> None:
    """Check that the records of each connection are the first that the venue sent, each once."""
    links: dict[int, list[RawRecord]] = {}
    for record in records:
        links.setdefault(record.connection, []).append(record)
    sent = iter(venue.sent[first:])
    for number in sorted(links):
        link = links[number]
        assert [record.number for record in link] == list(range(len(link))), "a number is missing or there twice"
        received = [record.body for record in link if record.kind <= RecordKind.BINARY]
        if received:
            assert received == next(sent).bodies[: len(received)], "other bytes than were sent"


def kill(count: int, folder: Path) -> list[KillResult]:
    """Kill ``count`` recorders of one recording; raise ``AssertionError`` if one lost what it had acknowledged."""
    messages = advancing(recording("hyperliquid/hftbacktest.btcusd_20250126"), 2_000)
    results = []
    with LoopbackVenue("hyperliquid", messages, pause_s=0.001) as venue:
        for _ in range(count):
            after_s = int.from_bytes(os.urandom(2), "big") / 65_535 * LONGEST_S
            result = killed(venue, folder, after_s)
            assert result.stored >= result.acknowledged, f"{result}: acknowledged records are lost"
            results.append(result)
    with open_recording(folder, SYSTEM.wall_ns):  # the next recorder commits to what the last one left
        pass
    lines = read_segment_chain(folder)
    for line in lines:
        if line.connection != "control":
            check_file(line, segment_path(folder, line.connection, line.hour, line.part))
    assert {(s.feed, s.hour, s.part) for s in segments_of(folder)} <= {(x.connection, x.hour, x.part) for x in lines}
    return results


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as place:
            done = kill(int(sys.argv[1]) if sys.argv[1:] else KILLS, Path(sys.argv[2] if sys.argv[2:] else place))
        more = [result.stored - result.acknowledged for result in done]
        print(f"{len(done)} kills: {sum(r.acknowledged for r in done):,} records acknowledged, none lost, none twice; "
              f"{sum(more):,} more were on the disk, not yet acknowledged")  # fmt: skip
