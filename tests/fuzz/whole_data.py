"""Small whole files of market data, one or more for each adapter: what the damage of data files begins with.

All values are made up; the forms are those of the venues and vendors.  Packed forms (gzip, zip, xlsx, Feather) are kept
as the text or table inside and packed by `tests.fuzz.data_readers`.
"""

from __future__ import annotations

import json
from typing import Any, Final

BTC: Final = {"venue": "binance", "kind": "linear_perp", "base": "BTC", "quote": "USDT", "funding_h": 8}
HL: Final = {"venue": "hyperliquid", "kind": "linear_perp", "base": "BTC", "quote": "USD", "funding_h": 1}
MS: Final = 1_706_745_600_000  # 2024-02-01
HOUR: Final = 3_600_000


def table(header: str, *rows: str) -> bytes:
    """A CSV file."""
    return ("\n".join((header, *rows)) + "\n").encode()


def lines(*messages: object) -> bytes:
    """JSON objects, one a line."""
    return "".join(json.dumps(one) + "\n" for one in messages).encode()


def recording(*messages: object) -> bytes:
    """A recording before it is packed: local time and message a line."""
    return "".join(f"{MS * 10**6 + n} {json.dumps(one)}\n" for n, one in enumerate(messages)).encode()


_TICKERS: Final = (
    "instrument_name,timestamp,best_bid_price,best_ask_price,best_bid_amount,best_ask_amount,mark_price,index_price,"
    "current_funding,bids,asks"
)
_SNAPSHOT: Final = (
    "timestamp,instrument_name,underlying,underlying_name,option_type,strike,expiry_datetime,bid_price,ask_price,"
    "mark_price,currency,index_price"
)
_CHAIN: Final = (
    "exchange,symbol,timestamp,local_timestamp,type,strike_price,expiration,bid_price,bid_amount,ask_price,ask_amount,"
    "mark_price,underlying_index,underlying_price"
)
_TICKER: Final = "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,index_price,mark_price"
_KLINE: Final = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy,taker_quote,ignore"
_KLINES: Final = tuple(
    f"{MS + n * HOUR},1,2,0.5,{1 + n / 4},10,{MS + (n + 1) * HOUR - 1},15,3,5,7.5,0" for n in range(3)
)
_LEVEL: Final = {"px": "42000.5", "sz": "1.5", "n": 2}
_BOOK: Final = {"coin": "BTC", "time": MS, "levels": [[_LEVEL], [{"px": "42001", "sz": "2", "n": 1}]]}
_UPDATE: Final = {"e": "depthUpdate", "E": MS, "s": "BTCUSDT", "U": 11, "u": 12, "b": [["42000.5", "2"]], "a": []}
_CONTEXT: Final = {"markPx": "42000.5", "oraclePx": "42000.0", "funding": "0.0000125"}
_FEATHER: Final = {"date": [MS + n * HOUR for n in range(3)], "open": [1.0, 2.0, 3.0], "close": [1.5, 2.5, 3.5],
                   "volume": [1.0, 0.0, 2.0]}  # fmt: skip
_CANDLES: Final = table("timestamp,open,close,volume", *(f"{MS + n * HOUR},1,{1 + n / 8},{n}" for n in range(4)))
_QUARTERLY: Final = table("Timestamp,spot_close,perp_close,prompt_close,prompt_contract",
                          "2024-02-01 00:00:00,100.5,100.6,101,BTCUSDT_240329",
                          "2024-02-01 01:00:00,100.7,,101.5,BTCUSDT_240329")  # fmt: skip
CONTRACTS: Final = table("symbol,deliveryDate,baseAsset,quoteAsset", "BTCUSDT_240329,1711699200000,BTC,USDT")

FORMS: Final[tuple[tuple[str, str, str, dict[str, Any], tuple[bytes, ...]], ...]] = (
    ("deribit_snapshots", "s.csv", "table", {"currencies": ["BTC"], "delay_ns": {"BTC": 0}, "futures": "mark"},
     (table(_SNAPSHOT, *(f"2024-02-01T00:00:00,BTC-29MAR24-{k}-C,42100,BTC-29MAR24,call,{k},2024-03-29T08:00:00,0.05,"
                         "0.0515,0.0505,BTC,42000" for k in (42000, 44000))),)),
    ("deribit_candles", "c.csv", "table", {"currencies": ["BTC"], "drop_zero_volume": True},
     (table("coin,instrument_name,candle_open_time_ms,candle_close_time_ms,candle_close,candle_volume",
            f"BTC,BTC-PERPETUAL,{MS},{MS + 60_000},42000.5,12", f"ETH,ETH-PERPETUAL,{MS},{MS + 60_000},2300,1"),)),
    ("deribit_xlsx", "b.xlsx", "grid", {"latency_ns": 0},
     (json.dumps([_TICKERS.split(","),
                  ["BTC-29MAR24-42000-C", MS, 0.05, 0.051, 1.5, 2.5, 0.0505, 42000.5, None, "", ""],
                  ["BTC-PERPETUAL", MS + 5, 42000.5, 42001, 1000, 2000, 42000.7, 42000.5, 0.0001, "", ""]]).encode(),)),
    ("deribit_book_csv", "b.csv", "table", {"latency_ns": 0},
     (table(_TICKERS, f'BTC-29MAR24-42000-C,{MS},0.05,0,1.5,0,0.0505,42000.5,,"[[0.05, 1.5], [0.04, 2]]","[]"'),)),
    ("candles_feather", "BTC_USDT_USDT-1h-futures.feather", "columns",
     {"venue": "binance", "channels": ["futures"], "bar": "1h", "funding_h": 8, "perp_quote": "",
      "drop_zero_volume": True}, (json.dumps(_FEATHER).encode(),)),
    ("candles_csv", "c.csv", "table",
     {**BTC, "feed": "bar", "bar": "1h", "label": "ms", "drop_zero_volume": True, "drop_last": False}, (_CANDLES,)),
    ("funding_history", "f.csv", "table", {**BTC, "feed": "bar", "bar": "1h"},
     (table("fundingTime,fundingRate,symbol", *(f"{MS + 8 * n * HOUR},0.0001,BTCUSDT" for n in range(3))),
      table("timestamp,funding_rate", *(f"2024-02-0{n + 1} 00:00:00,1e-4" for n in range(3))))),
    ("funding_history", "f.json", "json", {**HL, "feed": "bar", "bar": "1h"},
     (json.dumps([{"coin": "BTC", "fundingRate": "0.0000125", "premium": "0.0004", "time": MS + n * HOUR}
                  for n in range(3)]).encode(),)),
    ("binance_quarterly", "BTCUSDT_1h.csv", "table",
     {"legs": ["spot", "perp", "prompt"], "drop_last": False}, (_QUARTERLY,)),
    ("binance_ws", "r.gz", "recording", {**BTC, "feed": "book", "stream": "depth", "latency_ns": 0},
     (recording({"lastUpdateId": 10, "bids": [["42000.0", "1"]], "asks": [["42001.0", "1"]]}, _UPDATE,
                {**_UPDATE, "U": 13, "u": 13, "pu": 12, "a": [["42001.5", "0"]]}),)),
    ("binance_ws", "t.gz", "recording", {**BTC, "feed": "book", "stream": "bookTicker", "latency_ns": 0},
     (recording({"e": "bookTicker", "E": MS, "s": "BTCUSDT", "u": 1, "b": "1.5", "B": "2", "a": "1.75", "A": "3"}),)),
    ("hyperliquid_ws", "r.gz", "recording", {},
     (recording({"channel": "l2Book", "data": _BOOK}, {"channel": "trades"}),)),
    ("hyperliquid_contexts", "c.json", "json", {"time_ns": MS * 10**6, "positions": {"BTC": 0}},
     (json.dumps({"data": {"ctxs": [["", [_CONTEXT]]]}}).encode(),)),
    ("hyperliquid_book_summary", "s.jsonl", "jsonl", {},
     (lines(*({"timestamp": f"2024-02-01T0{n}:00:00", "asset": "BTC", "mid_price": 42000.5, "spread_bps": 0.5}
              for n in range(3))),)),
    ("threevenue", "a.csv", "table", {"venue": "binance", "zone": "Europe/London", "channels": ["bars", "funding"]},
     (table("time,exchange,pair,contract,close,funding rate", "2024-02-01 00:00:00,binance,BTC/USDT,spot,42000.5,",
            "2024-02-01 00:00:00,binance,BTCUSDT,perp,42001,0.0001", "2024-02-01 00:00:00,okx,BTCUSDT,perp,42001,"),)),
    ("lean_minute_quotes", "20240201_quote.zip", "member", {**BTC, "feed": "book"},
     (b"60000,1,1,1,20000,50,1,1,1,25000,100\n120000,1,1,1,20000.5,50,1,1,1,25000,\n",)),
    ("quotes_table", "m.csv", "table",
     {**BTC, "feed": "book", "time": "at", "bid": "b", "ask": "a", "bid_size": "B", "ask_size": "A", "label": "ms",
      "latency_ns": 0},
     (table("at,b,B,a,A", f"{MS},42000.5,2,42001,3", f"{MS},42000.25,1,42001,", f"{MS + 5},,,42002,1"),)),
    ("tardis_quotes", "q.csv", "table", {"market": "deribit"},
     (table("exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount",
            f"deribit,BTC-PERPETUAL,{MS}000,{MS}500,1000,42001,42000.5,500"),
      table("exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount",
            f"deribit,BTC-PERPETUAL,{MS}000,{MS}500,42001,1000,42000.5,500"))),
    ("tardis_derivative_ticker", "t.csv", "table", {**BTC, "market": "declared", "symbol": "BTCUSDT", "feed": "book"},
     (table(_TICKER, f"binance-futures,BTCUSDT,{MS}000,{MS}005,{MS + 8 * HOUR}000,0.0001,42000,42000.5",
            f"binance-futures,BTCUSDT,{MS}100,{MS}105,,,42000,42000.5"),)),
    ("tardis_options_chain", "o.csv", "table", {"market": "deribit"},
     (table(_CHAIN,
            f"deribit,AVAX_USDC-29MAR24-8D6-P,{MS}000,{MS}005,put,8.6,1711699200000000,0.3,2000,0.32,18,0.31,,9",
            f"deribit,BTC-29MAR24-42000-C,{MS}000,{MS}007,call,42000,1711699200000000,,,0.05,1,0.049,,42100"),)),
    ("tardis_trades", "t.csv", "table", {"market": "deribit", "bar": "1m"},
     (table("exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
            *(f"deribit,BTC-PERPETUAL,{MS + n * 40_000}000,{MS + n * 40_000}005,x,buy,{42000 + n},1"
              for n in range(4))),)),
    ("binance_klines", "BTCUSDT-1h-2024-02.csv", "table", {**BTC, "feed": "bar", "bar": "1h"},
     (table(_KLINE, *_KLINES), table(_KLINES[0], *_KLINES[1:]))),
    ("binance_archive", "BTCUSDT-fundingRate-2024-02.csv", "table",
     {**BTC, "feed": "bar", "bar": "1h", "table": "fundingRate"},
     (table("calc_time,funding_interval_hours,last_funding_rate", f"{MS},8,0.0001",
            f"{MS + 8 * HOUR + 3},8,-0.0001"),)),
    ("binance_archive", "BTCUSDT-bookTicker-2024-02-01.csv", "table", {**BTC, "feed": "book", "table": "bookTicker"},
     (table("update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time",
            f"1,42000.5,2,42001,3,{MS},{MS + 5}"),)),
    ("deliveries", "d.json", "json", {"answer": "get_last_settlements"},
     (json.dumps({"result": {"settlements": [
         {"type": "delivery", "timestamp": 1706860800214, "instrument_name": "BTC-2FEB24-40000-C",
          "index_price": 50000.0, "mark_price": 0.2},
         {"type": "settlement", "timestamp": 1706860800214, "instrument_name": "BTC-PERPETUAL"}]}}).encode(),)),
    ("deliveries", "d.json", "json", {"answer": "get_delivery_prices", "index": "btc_usd"},
     (json.dumps({"result": {"data": [{"date": "2024-02-02", "delivery_price": 42000.5},
                                {"date": "2024-02-01", "delivery_price": 42100}], "records_total": 2}}).encode(),)),
    ("deliveries", "d.json", "json", {"answer": "delivery-price", "pair": "BTCUSDT"},
     (json.dumps([{"deliveryTime": 1706832000000, "deliveryPrice": 42000.5}]).encode(),)),
    ("hyperliquid_asset_ctxs", "x.csv", "table", {"coins": ["BTC"], "latency_ns": 0},
     (table("time,coin,funding,open_interest,prev_day_px,oracle_px,mark_px,premium",
            "2024-02-01T00:00:00Z,BTC,0.0000125,,1,42000,42001,", "2024-02-01T00:01:00Z,APT,,,1,,9,"),)),
    ("hyperliquid_l2book", "b.jsonl", "jsonl", {"latency_ns": 0},
     (lines(*({"time": f"2024-02-01T00:00:0{second}.190000000", "ver_num": 1,
             "raw": {"channel": "l2Book", "data": _BOOK}} for second in (0, 1))),
      lines({"raw": {"channel": "l2Book", "data": _BOOK}}))),
)  # fmt: skip
"""Adapter, name of the file, shape of its damage, options, whole files."""
