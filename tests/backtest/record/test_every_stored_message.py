"""Every stored message and answer goes through a loopback venue and the recorder byte for byte."""

from __future__ import annotations

import csv
import gzip
import itertools
from hashlib import sha256
from pathlib import Path

import pytest

from backtest.data.raw.segments import RecordKind, read_records, segments_of
from backtest.record.venue_file import PolledRequest
from tests.backtest.record.loopback import feed_file, plan_of, received, record
from tests.helpers.loopback_venue import LoopbackVenue
from tests.helpers.raw_messages import FOLDER, StoredMessage


def plain(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def bodies(name: str, data: bytes) -> tuple[list[bytes], list[bytes]]:
    """Messages and answers of one stored file, by the forms that the README of the data names."""
    if name.endswith(".yaml"):
        quoted = data.split(b"string: '")[1:]
        return [], [part.split(b"'\n")[0].replace(b"\n\n", b"\n") for part in quoted]
    if " -> " in data[:400].decode("utf-8", "replace"):
        return [], [line.partition(b" -> ")[2].partition(b": ")[2] for line in data.splitlines() if b" -> " in line]
    if ".ws." in name or "btcusd" in name:
        lines = [line.partition(b" ") for line in data.splitlines()]
        return [body for stamp, _, body in lines if stamp.rstrip(b":").replace(b".", b"").isdigit() and body], []
    if name.endswith((".jsonl", ".jsonl.gz")):
        return data.splitlines(), []
    return [data], [data]


def check(named: list[tuple[str, bytes]], folder: Path) -> None:
    """Serve what the files hold, each message on a socket and each answer by REST, and compare what is stored."""
    messages = [body for name, data in named for body in bodies(name, data)[0]]
    answers = {f"answer={n:03d}.": body for n, body in enumerate(b for name, d in named for b in bodies(name, d)[1])}
    assert messages
    assert answers
    stored = [StoredMessage("l2Book:BTC", body) for body in messages]
    with LoopbackVenue("hyperliquid", stored, pause_s=0, answers=answers) as venue:
        polls = [
            PolledRequest(name=f"p{n}", request=f"GET /x?{key}", each="", every_s=3_600, after_s=0, verified="")
            for n, key in enumerate(answers)
        ]
        file = feed_file("hyperliquid", venue.url, requests_per_s=1_000)
        plan = plan_of(file.model_copy(update={"lists": [], "polls": polls}), ["BTC"], ["book"])
        record(folder, plan, lambda _: 0 in venue.finished and len(venue.requests) > len(answers), seconds=60)

    recorded = [r.body for r in received(folder)[0]]
    assert recorded == venue.sent[0].bodies
    assert recorded[-len(messages) :] == messages
    rest = [r for s in segments_of(folder) if s.feed.endswith("-rest") for r in read_records(s.path)]
    answered = {
        asked.body.split(b"?")[1].decode(): answer.body
        for asked, answer in itertools.pairwise(rest)
        if (asked.kind, answer.kind) == (RecordKind.REQUEST, RecordKind.ANSWER)
    }
    assert answered == answers


def test_every_message_in_the_checkout(tmp_path: Path) -> None:
    """The copies are those of their sources, and come through as they are."""
    with (FOLDER / "SOURCES.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    named = [(row["file"], plain(FOLDER / row["file"])) for row in rows]

    assert {name for name, _ in named} == {p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*.gz")}
    for row, (name, data) in zip(rows, named, strict=True):
        assert sha256(data).hexdigest() == row["sha256_unpacked"], name
    check(named, tmp_path)


@pytest.mark.real
def test_every_stored_message(real_data: Path, tmp_path: Path) -> None:
    """All files of the shared folder, those whose licence keeps them out of the checkout among them."""
    folder = real_data / "raw-messages"
    with (folder / "INDEX.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    check([(row["file"], plain(folder / row["file"])) for row in rows], tmp_path)
