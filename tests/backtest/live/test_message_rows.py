"""Stored messages of the venues, read by hand: what each form gives, and what gives nothing.  [live L0.4]

The texts are those of `../shared/data/raw-messages` (crypto-msg-parser at 37de71d, Apache-2.0; tardis-node at c1d73fb,
MPL-2.0; excerpts named in its INDEX.tsv).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtest.data.format.schema import Channel
from backtest.live.message_rows import MAX_LAG_NS, MessageRows, read_answer, read_stream
from engine.errors import DataError
from engine.records import Kind
from engine.units import NS_PER_HOUR

MS = 1_000_000
DEPTH = (
    b'{"stream":"ethusdt@depth20","data":{"lastUpdateId":17044571457,"bids":[["1782.00000000","6.48300000"],'
    b'["1781.95000000","0.03000000"]],"asks":[["1782.01000000","15.46080000"],["1782.02000000","0.00780000"]]}}'
)
BEST = (
    b'{"stream":"ethusdt@bookTicker","data":{"e":"bookTicker","u":1553413152520,"s":"ETHUSDT","b":"1778.54","B":"15.164"'
    b',"a":"1778.55","A":"7.289","T":1653817855284,"E":1653817855289}}'
)
MARK = (
    b'{"stream":"btcusdt@markPrice","data":{"e":"markPriceUpdate","E":1617308820003,"s":"BTCUSDT","p":"58940.14924532",'
    b'"P":"58905.14663658","i":"58857.26693664","r":"0.00058455","T":1617321600000}}'
)
OPTION = (
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"ticker.BTC-30SEP22-60000-C.100ms","data":'
    b'{"underlying_price":30220.5,"underlying_index":"BTC-30SEP22","timestamp":1654161839367,"state":"open",'
    b'"mark_price":0.0084,"instrument_name":"BTC-30SEP22-60000-C","index_price":29939.43,"best_bid_price":0.008,'
    b'"best_bid_amount":2.8,"best_ask_price":0.009,"best_ask_amount":18.5}}}'
)
PERPETUAL = (
    b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"ticker.BTC-PERPETUAL.100ms","data":{"timestamp":'
    b'1654161785818,"state":"open","mark_price":29932.79,"instrument_name":"BTC-PERPETUAL","index_price":29930.44,'
    b'"funding_8h":0.00000255,"current_funding":0.0,"best_bid_price":29930.5,"best_bid_amount":149910.0,'
    b'"best_ask_price":29931.0,"best_ask_amount":62850.0}}}'
)
EMPTY_BOOK = b'{"channel":"l2Book","data":{"coin":"SHIA","time":1730160007687,"levels":[[],[]]}}'
CONTEXT = (
    b'{"channel":"activeAssetCtx","data":{"coin":"MOODENG","ctx":{"funding":"0.00004863","openInterest":"18617460.0",'
    b'"oraclePx":"0.1995","markPx":"0.19963","midPx":"0.19957"}}}'
)
HL_FUNDING = (
    b'[{"coin":"BTC","fundingRate":"0.0000009372","premium":"-0.0004925028","time":1777428000000},'
    b'{"coin":"BTC","fundingRate":"-0.0000093058","premium":"-0.0005744465","time":1777431600009}]'
)
DERIBIT_FUNDING = (
    b'{"jsonrpc":"2.0","result":[{"timestamp":1789693200000,"index_price":76529.69,"prev_index_price":76355.27,'
    b'"interest_8h":5.91821175553615e-06,"interest_1h":1.257606590607552e-06}],"testnet":false}'
)


def rows_of(found: MessageRows) -> list[dict[str, Any]]:
    """Every row with the values that it has."""
    rows = [row for frame in found.frames("test") for row in frame.to_dict("records")]
    return [{key: value for key, value in row.items() if not pd.isna(value)} for row in rows]


def read(venue: str, wall_ns: int, *bodies: bytes) -> MessageRows:
    found = MessageRows()
    for body in bodies:
        read_stream(venue, wall_ns, body, found, "test")
    return found


def test_a_partial_book_of_spot_gives_its_touch_at_receipt() -> None:
    found = read("binance-spot", 77, DEPTH)
    assert rows_of(found) == [
        {"channel": Channel.QUOTE, "t_ns": 77, "name": "binance:ETHUSDT", "bid": 1782.0, "ask": 1782.01,
         "bid_size": 6.483, "ask_size": 15.4608},
    ]  # fmt: skip
    assert found.listings["binance:ETHUSDT"].kind == Kind.SPOT


def test_a_best_quote_and_a_mark_of_usdm_are_of_the_perp() -> None:
    wall_ns = 1653817855289 * MS + MAX_LAG_NS
    assert rows_of(read("binance-usdm", wall_ns, BEST)) == [
        {"channel": Channel.QUOTE, "t_ns": wall_ns, "name": "binance:ETHUSDT-PERP", "bid": 1778.54, "ask": 1778.55,
         "bid_size": 15.164, "ask_size": 7.289},
    ]  # fmt: skip
    at_ns = 1617308820003 * MS + 5
    mark, rate = rows_of(read("binance-usdm", at_ns, MARK))
    assert mark == {"channel": Channel.MARK, "t_ns": at_ns, "name": "binance:BTCUSDT-PERP", "mark": 58940.14924532,
                    "index": 58857.26693664}  # fmt: skip
    assert (rate["channel"], rate["rate"]) == (Channel.FUNDING, 0.00058455)


def test_an_event_long_before_its_receipt_is_late_and_gives_a_quote_with_its_lag_alone() -> None:
    """Kept and unusable: its lag says so; a mark that came late is left out, a ticker's too."""
    wall_ns = 1653817855289 * MS + MAX_LAG_NS + 1
    found = read("binance-usdm", wall_ns, BEST)
    assert [(row["channel"], row["bid"]) for row in rows_of(found)] == [(Channel.QUOTE, 1778.54)]
    assert found.lags == [(wall_ns, "binance:ETHUSDT-PERP", MAX_LAG_NS + 1)]
    assert found.passed_over["late"] == 1
    assert rows_of(read("binance-usdm", 1617308820003 * MS + MAX_LAG_NS + 1, MARK)) == []
    late = read("deribit", 1654161785818 * MS + MAX_LAG_NS + 1, PERPETUAL)
    assert {row["channel"] for row in rows_of(late)} == {Channel.QUOTE}
    assert {row["channel"] for row in rows_of(read("deribit", 1654161785818 * MS + MAX_LAG_NS, PERPETUAL))} > {
        Channel.QUOTE
    }


def test_the_lag_counts_from_the_event_raised_by_how_far_our_clock_is_ahead() -> None:
    """A clock 3 s ahead makes no fresh quote late; an event after its receipt has a lag of 0."""
    event_ns = 1653817855289 * MS
    for ahead_ns, wall_ns, lag in ((3_000 * MS, event_ns + 3_500 * MS, 500 * MS), (0, event_ns - 7, 0)):
        found = MessageRows(ahead_ns=lambda venue, _, ahead=ahead_ns: ahead if venue == "binance-usdm" else 0)
        read_stream("binance-usdm", wall_ns, BEST, found, "test")
        assert [one[2] for one in found.lags] == [lag]
        assert found.passed_over["late"] == 0


def test_tickers_of_deribit_are_read_as_the_workbooks_are() -> None:
    times = (1654161839367 * MS, 1654161785818 * MS)
    found = read("deribit", times[0], OPTION)
    read_stream("deribit", times[1], PERPETUAL, found, "test")
    rows = rows_of(found)
    option, perpetual = "deribit:BTC-30SEP22-60000-C", "deribit:BTC-PERPETUAL"
    quotes = {row["name"]: row for row in rows if row["channel"] == Channel.QUOTE}
    assert (quotes[option]["bid"], quotes[option]["ask_size"]) == (0.008, 18.5)
    # an amount of an inverse contract is in USD, a size of ours in coin
    assert quotes[perpetual]["bid_size"] == pytest.approx(149910.0 / 29930.5, rel=1e-15)
    marks = {row["name"]: row for row in rows if row["channel"] == Channel.MARK}
    assert (marks[option]["mark"], marks[option]["index"]) == (0.0084, 29939.43)
    assert [row["rate"] for row in rows if row["channel"] == Channel.FUNDING_8H] == [0.00000255]
    assert {row["t_ns"] for row in rows} == set(times)


def test_an_empty_book_of_hyperliquid_is_a_quote_without_sides_and_a_context_a_mark_and_a_rate() -> None:
    found = read("hyperliquid", 1730160007687 * MS + 1, EMPTY_BOOK, CONTEXT)
    rows = rows_of(found)
    assert {(row["channel"], row["name"]) for row in rows} == {
        (Channel.QUOTE, "hyperliquid:SHIA-PERP"),
        (Channel.MARK, "hyperliquid:MOODENG-PERP"),
        (Channel.FUNDING, "hyperliquid:MOODENG-PERP"),
    }
    (mark,) = (row for row in rows if row["channel"] == Channel.MARK)
    assert (mark["mark"], mark["index"]) == (0.19963, 0.1995)


def test_settlements_have_their_nominal_time_and_accrued_funding_a_row_a_minute() -> None:
    found = MessageRows()
    body = b'POST /info\n{"type":"fundingHistory","coin":"BTC"}'
    read_answer("hyperliquid", 1, body.replace(b"POST ", b"POST https://api.hyperliquid.xyz"), HL_FUNDING, found, "t")
    url = b"GET https://www.deribit.com/api/v2/public/get_funding_rate_history?instrument_name=BTC-PERPETUAL"
    read_answer("deribit", 1, url, DERIBIT_FUNDING, found, "t")
    rows = rows_of(found)
    assert {row["channel"] for row in rows} == {Channel.SETTLE}
    assert [(row["t_ns"], row["rate"]) for row in rows[:2]] == [
        (1777428000000 * MS, 0.0000009372),
        (1777431600000 * MS, -0.0000093058),  # stamped 9 ms late
    ]
    minutes = rows[2:]
    assert (len(minutes), minutes[-1]["t_ns"]) == (60, 1789693200000 * MS)
    assert np.isclose(sum(row["rate"] for row in minutes), 1.257606590607552e-06, rtol=1e-12)
    assert minutes[0]["t_ns"] == 1789693200000 * MS - NS_PER_HOUR + 60_000 * MS


def test_a_delivery_price_is_that_of_each_contract_of_its_day() -> None:
    found = read("deribit", 1654161839367 * MS, OPTION, PERPETUAL)
    answer = {"result": {"data": [{"date": "2022-09-30", "delivery_price": 19425.5}], "records_total": 1}}
    url = b"GET https://www.deribit.com/api/v2/public/get_delivery_prices?index_name=btc_usd&count=10"
    read_answer("deribit", 1, url, json.dumps(answer).encode(), found, "t")
    (row,) = (row for row in rows_of(found) if row["channel"] == Channel.DELIVERY)
    assert (row["name"], row["price"]) == ("deribit:BTC-30SEP22-60000-C", 19425.5)
    assert row["t_ns"] == 1664524800000 * MS  # 2022-09-30 08:00 UTC


@pytest.mark.parametrize(
    ("venue", "body", "words"),
    [
        ("binance-usdm", BEST.replace(b'"b":"1778.54"', b'"b":"x"'), "field b"),
        ("binance-spot", DEPTH.replace(b"ethusdt@", b"ethbtc@"), "USDT or USDC"),
        ("deribit", b'{"testnet":true}', "testnet"),
        ("hyperliquid", CONTEXT.replace(b'"markPx":"0.19963",', b""), "markPx"),
    ],
)
def test_a_known_form_with_other_values_is_refused(venue: str, body: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(venue, 1, body)


def test_other_messages_are_passed_over_and_counted() -> None:
    trade = b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1574381164089,"s":"BTCUSDT","p":"1","q":"1"}}'
    found = read("binance-usdm", 1574381164089 * MS, trade, b'{"result":null,"id":1}')
    assert (rows_of(found), dict(found.passed_over)) == ([], {"trade": 1, "answer": 1})
