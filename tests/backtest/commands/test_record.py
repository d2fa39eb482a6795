"""`cme record` end to end: the registered plan against four venues on loopback, and what it says of itself."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from backtest.data.raw.control_log import read_all_control
from backtest.data.raw.segments import RecordKind, read_records, segments_of
from backtest.record.recording import open_recording
from backtest.tracking.journal import journals, read
from tests.helpers.cli import RunCommand, refused
from tests.helpers.loopback_venue import LoopbackVenue, wait_until
from tests.helpers.raw_messages import StoredMessage, answers, unpacked

ROOT = Path(__file__).resolve().parents[3]
PLAN = ROOT / "configs" / "live" / "btc-eth.toml"
VENUES = {
    "binance-spot": "binance", "binance-usdm": "binance", "deribit": "deribit", "hyperliquid": "hyperliquid",
}  # fmt: skip
PARTIAL = b'{"stream":"%s","data":{"lastUpdateId":17044571457,"bids":[["1782.0","6.4"]],"asks":[["1782.01","15.4"]]}}'
BOOK = b'{"channel":"l2Book","data":{"coin":"%s","time":1730160007687,"levels":[[],[]]}}'
MARK = b'{"stream":"%s","data":{"e":"markPriceUpdate","E":1617308820003,"p":"58940.1","r":"0.0005","T":1617321600000}}'


def listing() -> dict[str, bytes]:
    """The stored list of Deribit with its expiries moved beyond today, and a summary of one option: so synthetic."""
    stored = answers("deribit/cryptofeed.DERIBIT.0")
    found = {}
    for coin in ("BTC", "ETH"):
        body = next(body for url, body in stored.items() if f"currency={coin}&" in url)
        moved = re.sub(
            rb'("expiration_timestamp":)(\d+)', lambda m: m[1] + b"%d" % (int(m[2]) % 10**10 + 1_798_000_000_000), body
        )
        found[f"get_instruments?currency={coin}"] = moved
        option = re.search(rb'"instrument_name":"([^"]+-C)"', body)
        assert option is not None
        found[f"get_book_summary_by_currency?currency={coin}"] = (
            b'{"jsonrpc":"2.0","result":[{"instrument_name":"%s","underlying_price":32000.0,"mark_iv":80.0}]}'
            % option[1]
        )
    return found


@pytest.fixture
def venues() -> Iterator[dict[str, LoopbackVenue]]:
    """One server a venue, with a message for each stream of the plan's fixed instruments."""
    pairs = ("btcusdt", "btcusdc", "ethusdt", "ethusdc", "usdcusdt")
    spot = [StoredMessage(s, PARTIAL % s.encode()) for s in (f"{p}@depth5" for p in pairs)]
    books = [StoredMessage(s, PARTIAL % s.encode()) for s in (f"{p}@depth5@500ms" for p in pairs)]
    marks = [StoredMessage(s, MARK % s.encode()) for s in (f"{p}@markPrice@1s" for p in pairs)]
    ticker = unpacked("deribit/cmp.ticker.inverse_swap.json")
    perps = [
        StoredMessage(f"ticker.{c}-PERPETUAL.100ms", ticker.replace(b"BTC-PERPETUAL", c.encode() + b"-PERPETUAL"))
        for c in ("BTC", "ETH")
    ]
    context = next(
        line for line in unpacked("hyperliquid/tardis.messages.jsonl").splitlines() if b"activeAssetCtx" in line
    )
    coins = [
        StoredMessage(f"activeAssetCtx:{c}", context.replace(b'"MOODENG"', b'"%s"' % c.encode()))
        for c in ("BTC", "ETH")
    ]
    coins += [StoredMessage(f"l2Book:{c}", BOOK % c.encode()) for c in ("BTC", "ETH")]
    found = {
        "binance-spot": LoopbackVenue("binance", spot), "binance-usdm": LoopbackVenue("binance", [*books, *marks]),
        "deribit": LoopbackVenue("deribit", perps, answers=listing()),
        "hyperliquid": LoopbackVenue("hyperliquid", coins),
    }  # fmt: skip
    with ExitStack() as stack:
        for venue in found.values():
            stack.enter_context(venue)
        yield found


def addresses(venues: dict[str, LoopbackVenue]) -> list[str]:
    return [word for name, venue in venues.items() for word in ("--venue-url", f"{name}={venue.url}")]


def test_the_registered_plan_is_recorded_from_four_venues(
    run_command: RunCommand, venues: dict[str, LoopbackVenue], tmp_path: Path
) -> None:
    done = run_command("record", PLAN, "--out", tmp_path, "--for", "8s", "--json", *addresses(venues))

    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert (said["dropped"], said["disk"]) == (0, "ok")
    assert {row["venue"] for row in said["unverified"]} == set(VENUES)
    paths = {name: {link.path for link in venue.sent} for name, venue in venues.items()}
    assert paths == {
        "binance-spot": {"/stream"}, "binance-usdm": {"/public/stream", "/market/stream"},
        "deribit": {"/ws/api/v2"}, "hyperliquid": {"/ws"},
    }  # fmt: skip
    stored = {(s.feed, r.connection): [] for s in segments_of(tmp_path) for r in read_records(s.path)}  # type: ignore[var-annotated]
    for segment in segments_of(tmp_path):
        for record in read_records(segment.path):
            if record.kind <= RecordKind.BINARY:
                stored[(segment.feed, record.connection)].append(record.body)
    for name, venue in venues.items():
        got = sorted(bodies for (feed, _), bodies in stored.items() if feed.startswith(name) and bodies)
        assert got == sorted(link.bodies for link in venue.sent if link.bodies), name
    subscribed = {s for e in read_all_control(tmp_path) if e.event == "subscribe" for s in e.fields["streams"]}
    assert {"btcusdt@depth5", "btcusdt@depth5@500ms", "ethusdc@markPrice@1s", "ticker.BTC-PERPETUAL.100ms",
            "l2Book:ETH", "activeAssetCtx:BTC"} <= subscribed  # fmt: skip
    universe = [e.fields for e in read_all_control(tmp_path) if e.event == "universe"]
    added = [name for fields in universe for name in fields["added"]]
    assert len(added) == len(set(added)) == universe[-1]["subscribed"] > 50
    assert {name.split("-")[0] for name in added if name.endswith(("-C", "-P"))} == {"BTC", "ETH"}
    answered = [r.body for s in segments_of(tmp_path) if s.feed == "deribit-rest" for r in read_records(s.path)]
    assert listing()["get_instruments?currency=BTC"] in answered
    (journal,) = journals(tmp_path)
    assert read(journal).exit_code == 0


def test_what_the_unverified_table_says(run_command: RunCommand, tmp_path: Path) -> None:
    """Printed at the start, on stderr; the results on stdout name nothing of it."""
    nowhere = [word for name in VENUES for word in ("--venue-url", f"{name}=ws://127.0.0.1:9")]
    done = run_command("record", PLAN, "--out", tmp_path, "--for", "1s", *nowhere)

    assert done.code == 0
    assert re.search(r"deribit +request delivery-prices +GET /api/v2/public/get_delivery_prices", done.err)
    assert re.search(r"deribit +request last-settlements", done.err)
    assert "nothing was received" in done.err
    assert "messages          0" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--for", "10"], "expected a whole number with its unit"),
        (["--venue-url", "deribit"], "expected NAME=URL"),
        (
            ["--venue-url", "kraken=ws://127.0.0.1:9"],
            "expected a venue of binance-spot, binance-usdm, deribit, hyperliquid",
        ),
        (["--venue-url", "deribit=ws://127.0.0.1:9/path"], "expected an address without path"),
    ],
)
def test_a_wrong_option_is_refused(words: list[str], said: str, run_command: RunCommand, tmp_path: Path) -> None:
    refused(run_command("record", PLAN, "--out", tmp_path / "out", *words), 2, said)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ('streams = ["book"]', 'streams = ["bok"]', 2, "expected streams of book"),
        ('"binance:USDCUSDT",', "", 2, "was none of binance:USDCUSDT"),
        ('expiry_d = "200"\n', "", 2, "expected expiry_d and delta in a chain of options"),
        ("feeds/deribit.toml", "feeds/none.toml", 3, "expected a file"),
        ('["0.01", "0.99"]', '["0.99", "0.01"]', 2, "expected delta = two shares that rise"),
        ('name = "btc-eth"', "", 2, "name: expected this key"),
        ("binance:BTCUSDT-PERP", "binance:BTCUSDT-P", 2, "expected names like"),
    ],
)
def test_a_wrong_plan_is_refused(
    old: str, new: str, code: int, said: str, run_command: RunCommand, tmp_path: Path
) -> None:
    configs = tmp_path / "configs"
    shutil.copytree(ROOT / "configs" / "venues", configs / "venues")
    shutil.copytree(ROOT / "configs" / "prereg", configs / "prereg")
    (configs / "live").mkdir()
    text = PLAN.read_text("utf-8")
    assert old in text
    (configs / "live" / "plan.toml").write_text(text.replace(old, new, 1), "utf-8")
    refused(run_command("record", configs / "live" / "plan.toml", "--out", tmp_path / "out"), code, said)


def test_a_second_recorder_is_refused_and_leaves_nothing(run_command: RunCommand, tmp_path: Path) -> None:
    """Cron begins one each minute; the one that runs keeps its lock."""
    with open_recording(tmp_path, time.time_ns):
        refused(run_command("record", PLAN, "--out", tmp_path, "--for", "1s"), 42, "expected no other recorder")
    assert not (tmp_path / "journals").exists()


def test_sigterm_ends_it_in_order(run_command: RunCommand, venues: dict[str, LoopbackVenue], tmp_path: Path) -> None:
    """As a service manager does: files are closed and committed to, the journal has its end, the code is 143."""
    words = [sys.executable, str(ROOT / "cme.py"), "record", str(PLAN), "--out", str(tmp_path), "--json"]
    process = subprocess.Popen([*words, *addresses(venues)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: len(segments_of(tmp_path)) > 5, 60)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 128 + signal.SIGTERM, err
    assert json.loads(out)["segments"] > 5
    assert [e.fields["reason"] for e in read_all_control(tmp_path) if e.event == "stop"] == ["asked to stop"]
    (journal,) = journals(tmp_path)
    assert read(journal).exit_code == 143
    done = run_command("data", "check", tmp_path)
    assert (done.code, "(0 not committed to yet)" in done.out) == (0, True), done.out
