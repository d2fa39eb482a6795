"""Addresses, requests, refusals, budgets, the service manager: what the recorder is made of."""

from __future__ import annotations

import socket
from pathlib import Path

import aiohttp
import pytest

from backtest.record.clocks import SYSTEM
from backtest.record.counts import BudgetWatch, RecorderCounts
from backtest.record.disk_writer import Batch, DiskWriter
from backtest.record.record_plan import load_record_plan
from backtest.record.record_queue import RecordQueue
from backtest.record.recording import open_recording
from backtest.record.refusals import retry_after_ms, status_of
from backtest.record.rest_polls import filled, seconds_until
from backtest.record.service_notify import notify
from backtest.record.venue_file import PolledRequest, load_feed_file, unverified_forms, with_addresses
from engine.errors import UsageError
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND
from tests.backtest.record.loopback import BUDGET

ROOT = Path(__file__).resolve().parents[3]
FEEDS = ROOT / "configs" / "venues" / "feeds"
COUNTS = RecorderCounts(1, 1, 1, 0, 0, 0, 0, 0, 0, 0, "ok")


def test_every_venue_file_of_ours_is_read_and_has_its_table_of_unverified_forms() -> None:
    for path in sorted(FEEDS.glob("*.toml")):
        assert all(form.venue == path.stem for form in unverified_forms(load_feed_file(path)))
    deribit = [form.what for form in unverified_forms(load_feed_file(FEEDS / "deribit.toml"))]
    assert {"stream ticker", "request delivery-prices", "request last-settlements"} <= set(deribit)


def test_the_plan_of_ours_records_every_instrument_of_the_registration() -> None:
    plan = load_record_plan(ROOT / "configs" / "live" / "btc-eth.toml")
    assert [feed.file.name for feed in plan.feeds] == ["binance-spot", "binance-usdm", "deribit", "hyperliquid"]
    usdm = plan.feeds[1]
    assert usdm.symbol("binance:BTCUSDT-PERP") == "BTCUSDT"
    assert usdm.instrument("BTCUSDT") == "binance:BTCUSDT-PERP"


def test_another_address_keeps_the_paths() -> None:
    file = with_addresses(load_feed_file(FEEDS / "binance-usdm.toml"), {"binance-usdm": "ws://127.0.0.1:8080/"})
    assert file.sockets == {
        "public": "ws://127.0.0.1:8080/public/stream", "market": "ws://127.0.0.1:8080/market/stream",
    }  # fmt: skip
    assert file.rest == "http://127.0.0.1:8080"
    secure = with_addresses(file, {"binance-usdm": "https://mirror.example"})
    assert (secure.rest, secure.sockets["market"]) == ("https://mirror.example", "wss://mirror.example/market/stream")
    assert with_addresses(file, {"deribit": "ws://x"}) is file
    for wrong in ("127.0.0.1:8080", "ftp://x", "ws://x/path"):
        with pytest.raises(UsageError, match="expected an address without path"):
            with_addresses(file, {"binance-usdm": wrong})


def test_a_request_is_filled_with_symbol_and_times() -> None:
    now = 10 * NS_PER_HOUR + 5 * NS_PER_SECOND
    text = filled('POST /info {"coin":"{symbol}","low":"{lower}","from":{hour_before_ms},"to":{now_ms}}', "BTC", now)
    assert text == 'POST /info {"coin":"BTC","low":"btc","from":32400000,"to":36005000}'


@pytest.mark.parametrize(
    ("now_s", "due_s"), [(0, 15), (14, 1), (15, 3_600), (3_599, 16), (86_399, 16), (8 * 3_600, 15)]
)
def test_the_schedule_is_of_the_utc_day(now_s: int, due_s: int) -> None:
    """An hourly list 15 s past the hour is read at 08:00:15 too, when contracts have expired and others are listed."""
    request = PolledRequest(name="x", request="GET /x", each="", every_s=3_600, after_s=15, verified="")
    assert seconds_until(request, 20_000 * NS_PER_DAY + now_s * NS_PER_SECOND) == due_s


@pytest.mark.parametrize(
    ("header", "ms"), [("2", 2_000), ("", 0), ("soon", 0), ("999999999999", 86_400_000), ("-1", 0), ("\u00b2", 0)]
)
def test_what_a_refusal_asks_for(header: str, ms: int) -> None:
    headers = {"Retry-After": header} if header else {}
    error = aiohttp.ClientResponseError(None, (), status=429, headers=headers)  # type: ignore[arg-type]
    assert (status_of(error), retry_after_ms(error)) == (429, ms)
    assert (status_of(OSError()), retry_after_ms(OSError())) == (0, 0)


def test_a_budget_that_today_will_not_keep_is_said_once_a_day() -> None:
    """BUDGET is 1 GB of each a day: a GB an hour is reached after the first hour."""
    from dataclasses import replace

    start = 20_000 * NS_PER_DAY
    watch = BudgetWatch(BUDGET, start)
    half = replace(COUNTS, stored_bytes=500_000_000, message_bytes=1_000)

    assert list(watch.crossed(half, start + 30 * NS_PER_SECOND)) == []  # too early for a rate
    said = list(watch.crossed(half, start + NS_PER_HOUR // 2))
    assert said == [("stored", 500_000_000, 10**9, start + NS_PER_HOUR)]
    assert list(watch.crossed(half, start + NS_PER_HOUR)) == []
    assert list(watch.crossed(half, start + NS_PER_DAY + NS_PER_HOUR)) == []  # nothing more since midnight
    more = replace(half, stored_bytes=2 * 10**9)
    assert [kind for kind, *_ in watch.crossed(more, start + NS_PER_DAY + 2 * NS_PER_HOUR)] == ["stored"]


def test_the_service_manager_hears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        assert notify("WATCHDOG=1", "STATUS=5 messages")
        assert listening.recv(100) == b"WATCHDOG=1\nSTATUS=5 messages"
    path.unlink()
    assert not notify("READY=1")


class Waiting(DiskWriter):
    """A writer whose disk takes nothing: what is handed over waits."""

    items: list[object]

    def put(self, item: object) -> None:  # type: ignore[override]
        self.items.append(item)
        if isinstance(item, Batch):
            self.handed_bytes += item.size


def test_a_queue_numbers_what_it_drops(tmp_path: Path) -> None:
    """Room for three messages of 100 bytes with their stamps; then the disk takes them, and it goes on."""
    with open_recording(tmp_path, SYSTEM.wall_ns) as recording:
        writer = Waiting(recording, SYSTEM)
        writer.items = []
        drops: list[tuple[int, ...]] = []
        queue = RecordQueue("f", 7, writer, SYSTEM, 3 * 137, None, lambda *fields: drops.append(fields) or ())  # type: ignore[func-returns-value]
        for _ in range(5):
            queue.take(b"x" * 100, 1)
        writer.written_bytes = writer.handed_bytes
        queue.take(b"y" * 100, 1)
        queue.hand_over()

    batches = [item for item in writer.items if isinstance(item, Batch)]
    assert [(batch.first, [body[:1] for *_, body in batch.records]) for batch in batches] == [
        (0, [b"x"] * 3), (5, [b"y"]),
    ]  # fmt: skip
    for item in writer.items:
        if not isinstance(item, Batch):
            list(item())  # type: ignore[operator]
    assert [(connection, first, last) for connection, _, first, last in drops] == [(7, 3, 4)]
    assert writer.items.index(batches[1]) == 2  # the drop stands between them
    assert (queue.number, queue.dropped) == (6, 2)
