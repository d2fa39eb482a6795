"""The sequence rules against the stored recordings, whole and with each kind of fault planted."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from backtest.record.venue_file import RULES
from backtest.record.venues import binance, deribit, hyperliquid
from backtest.record.venues.rules import Verdict
from tests.helpers.raw_messages import recording, unpacked

RECORDINGS = {
    "binance-usdm/cryptofeed.BINANCE_FUTURES.ws.1.0": ("binance", "@depth@100ms", 764),
    "binance-spot/cryptofeed.BINANCE.ws.1.0": ("binance", "@depth@100ms", 177),
    "deribit/cryptofeed.DERIBIT.ws.1.0": ("deribit", "book.", 46),
}


def verdicts(rules: str, bodies: list[bytes]) -> list[Verdict]:
    last: dict[bytes, int] = {}
    found = []
    for body in bodies:
        step = RULES[rules].sequence(body, last)
        if step.verdict is not Verdict.OTHER:
            last[step.stream] = step.number
        found.append(step.verdict)
    return found


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_stored_recording_has_no_gap(name: str) -> None:
    """The counts are those of the data's own README, reached there by another program."""
    rules, mark, count = RECORDINGS[name]
    messages = recording(name)

    assert sum(mark in m.stream for m in messages) == count
    assert Counter(verdicts(rules, [m.body for m in messages]))[Verdict.GAP] == 0


@pytest.mark.parametrize("name", RECORDINGS)
def test_each_message_of_a_chain_that_is_left_out_is_a_gap(name: str) -> None:
    """All but the last one of a chain, whose loss the next message alone could show."""
    rules, mark, _ = RECORDINGS[name]
    chains: dict[str, list[bytes]] = {}
    for message in recording(name):
        if mark in message.stream:
            chains.setdefault(message.stream, []).append(message.body)
    tried = 0
    for bodies in chains.values():
        for at in range(1, len(bodies) - 1):
            found = verdicts(rules, bodies[:at] + bodies[at + 1 :])
            assert found[at] is Verdict.GAP, (at, bodies[at])
            tried += 1
            if tried > 60:
                return
    assert tried or rules == "deribit"  # its stored books change once each


def test_a_repeated_difference_is_none_and_a_swapped_one_is() -> None:
    messages = recording("binance-usdm/cryptofeed.BINANCE_FUTURES.ws.1.0")
    bodies = [m.body for m in messages if m.stream == "sushiusdt@depth@100ms"][:6]
    repeated = verdicts("binance", [*bodies[:3], bodies[2], *bodies[3:]])
    swapped = verdicts("binance", [*bodies[:2], bodies[3], bodies[2], *bodies[4:]])

    assert repeated == [Verdict.RESET, *[Verdict.OK] * 6]
    assert swapped[2] is Verdict.GAP


def test_a_snapshot_replaces_a_book_after_a_gap() -> None:
    """Deribit: a change without its predecessor is a gap, a snapshot stands by itself, a change of it follows."""
    head = b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.X.100ms","data":'
    snapshot = head + b'{"type":"snapshot","change_id":7}}}'
    changes = [
        snapshot.replace(
            b'"type":"snapshot","change_id":7', b'"type":"change","prev_change_id":%d,"change_id":%d' % pair
        )
        for pair in ((5, 6), (7, 9), (10, 11))
    ]

    assert verdicts("deribit", [changes[0], snapshot, changes[1], changes[2], snapshot]) == [
        Verdict.GAP, Verdict.RESET, Verdict.OK, Verdict.GAP, Verdict.RESET,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "name"),
    [
        ("binance", "binance-spot/cmp.l2_topk.spot.json"),
        ("binance", "binance-usdm/cmp.funding_rate.linear_swap.json"),
        ("deribit", "deribit/cmp.l2_topk.inverse_swap.json"),
        ("deribit", "deribit/cmp.ticker.option.json"),
        ("hyperliquid", "hyperliquid/tardis.messages.jsonl"),
    ],
)
def test_what_stands_by_itself_may_repeat_and_not_go_back(rules: str, name: str) -> None:
    """A partial book, a mark, a ticker, a context: every stored sample of one."""
    tried = 0
    for body in unpacked(name).splitlines():
        step = RULES[rules].sequence(body, {})
        if step.verdict is Verdict.OTHER:
            continue
        tried += 1
        assert step.verdict is Verdict.RESET
        assert RULES[rules].sequence(body, {step.stream: step.number}).verdict is Verdict.RESET
        later = {step.stream: step.number + 1}
        assert RULES[rules].sequence(body, later).verdict is Verdict.GAP
    assert tried


def test_the_numbers_are_those_that_json_reads() -> None:
    """The rules look for keys in bytes; a parser of JSON finds the same stream and number in every stored message."""
    for message in recording("binance-usdm/cryptofeed.BINANCE_FUTURES.ws.1.0"):
        content = json.loads(message.body)
        step = binance.sequence(message.body, {})
        data = content["data"]
        assert step.stream.decode() == content["stream"]
        assert step.number == data.get("u", data["E"])
    for message in recording("deribit/cryptofeed.DERIBIT.ws.1.0"):
        content = json.loads(message.body)["params"]
        step = deribit.sequence(message.body, {})
        assert step.stream.decode() == content["channel"]
        assert step.number == content["data"].get("change_id", content["data"]["timestamp"])
    for message in recording("hyperliquid/hftbacktest.btcusd_20250126"):
        assert hyperliquid.sequence(message.body, {}).number == json.loads(message.body)["data"]["time"]


def test_heartbeats() -> None:
    request = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'
    beat = deribit.heartbeat(request)

    assert beat is not None
    assert json.loads(beat.answer)["method"] == "public/test"
    assert deribit.heartbeat(b'{"jsonrpc":"2.0","id":8888,"result":{"version":"1.2.26"},"testnet":false}') == (b"",)
    assert deribit.heartbeat(b'{"jsonrpc":"2.0","id":8889,"result":{"version":"1.2.26"},"testnet":false}') is None
    assert hyperliquid.heartbeat(b'{"channel":"pong"}') == (b"",)
    assert binance.heartbeat(b"{}") is None


def test_refusals() -> None:
    """The error of the stored sample's form, and the test network's mark."""
    error = b'{"jsonrpc":"2.0","id":1,"error":{"code":10028,"message":"too_many_requests","data":null}}'

    assert "too_many_requests" in deribit.refusal(error)
    assert "testnet" in deribit.refusal(b'{"jsonrpc":"2.0","id":1,"result":["x"],"testnet":true}')
    assert deribit.refusal(b'{"jsonrpc":"2.0","id":1,"result":["x"],"testnet":false}') == ""
    assert binance.refusal(b'{"error":{"code":2,"msg":"Invalid request"},"id":1}')
    assert binance.refusal(b'{"result":null,"id":1}') == ""
    assert hyperliquid.refusal(b'{"channel":"error","data":"Already subscribed"}')


def test_what_is_sent_to_subscribe() -> None:
    assert json.loads(binance.subscribe(["btcusdt@depth5"], 3)) == {
        "method": "SUBSCRIBE", "params": ["btcusdt@depth5"], "id": 3,
    }  # fmt: skip
    assert json.loads(deribit.subscribe(["ticker.X.agg2"], 4))["params"] == {"channels": ["ticker.X.agg2"]}
    assert json.loads(hyperliquid.subscribe(["l2Book:BTC"], 5))["subscription"] == {"type": "l2Book", "coin": "BTC"}
    with pytest.raises(ValueError, match="expected one stream a message, was 2"):
        hyperliquid.subscribe(["a:b", "c:d"], 6)
