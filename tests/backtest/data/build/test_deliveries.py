"""A venue's own settlement prices, from an answer made by hand to what an expired leg is paid.  [venues V2]"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.instruments import deribit, quarterly, spot, table
from backtest.data.adapters.vendors import deliveries
from backtest.data.build.assemble import build
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.panels.reader import panels
from engine.convention_rows import DeliveryRule
from engine.errors import DataError, UsageError
from engine.market.delivery import averaging_windows
from engine.market.view import prepare
from engine.positions.base import Position
from engine.records import ExitReason, Feed, Kind
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND
from tests.helpers.builders import curves, params, row_keys, rules
from tests.helpers.positions import resolved, signal

DAY = int(np.datetime64("2026-01-30", "D").astype(np.int64))
START, EXPIRY = DAY * NS_PER_DAY, DAY * NS_PER_DAY + 8 * NS_PER_HOUR
SPOT, CALL, PUT, DATED = (
    "binance:BTCUSDC", "deribit:BTC-30JAN26-90000-C", "deribit:BTC-30JAN26-90000-P", "deribit:BTC-30JAN26",
)  # fmt: skip
LINEAR, QUARTER, LATER = "deribit:BTC_USDC-30JAN26-90000-C", "binance:BTCUSDT_260130", "deribit:BTC-27MAR26"
INDEX = 100_000.0
RULES = tuple(
    DeliveryRule(**row_keys(venue, kind, "2021-01-01"), average_ns=1_800 * NS_PER_SECOND)
    for venue in ("deribit", "binance") for kind in (Kind.FUTURE, Kind.OPTION)
)  # fmt: skip


def quoted(_root: Path, _spec: SourceSpec) -> Iterator[Chunk]:
    """Every five minutes to 09:00 a quote, and an index of 100,000 that the contracts of Deribit are marked with."""
    dated = quarterly("binance", "BTCUSDT_260130", "BTC", "USDT", EXPIRY, Feed.BOOK)
    listings = [spot("binance", "BTC", "USDC", Feed.BOOK), dated]
    listings += [deribit(name.split(":")[1], Feed.BOOK) for name in (CALL, PUT, DATED, LINEAR, LATER)]
    price = {CALL: 0.11, PUT: 0.005, LINEAR: 11_000.0}
    rows: list[dict[str, Any]] = []
    for minute in range(0, 545, 5):
        for each in listings:
            t_ns = START + minute * 60 * NS_PER_SECOND
            if t_ns <= each.expiry_ns:
                mid = price.get(each.name, INDEX)
                rows.append({"channel": 0, "t_ns": t_ns, "name": each.name, "bid": mid, "ask": mid})
                if each.name in (CALL, PUT, DATED):
                    rows.append({"channel": 1, "t_ns": t_ns, "name": each.name, "mark": mid, "index": INDEX})
    yield Chunk("made", table(listings), pd.DataFrame(rows).astype({"channel": np.uint8, "t_ns": np.int64}))


MARKET = Adapter("made", "A market made for this test", "", False, quoted)


def made(folder: Path, *sources: tuple[dict[str, object], Any], name: str = "set", file: str = "answer") -> Dataset:
    """The market, and one source for each of the ``sources``: options and the venue's answer."""
    specs = [SourceSpec("made", "made", {}, "a test", "none")]
    for number, (options, answer) in enumerate(sources):
        (folder / f"{file}-{number}.json").write_text(json.dumps(answer))
        specs.append(SourceSpec("deliveries", f"{file}-{number}.json", options, "a test", "none"))
    out = build(specs, folder, folder / name, "made", NS_PER_HOUR, adapters=[MARKET, deliveries.ADAPTER])
    return open_dataset(out)


def prices(*of_day: tuple[str, float], **more: Any) -> dict[str, Any]:
    """An answer of ``get_delivery_prices``, in the documented form."""
    data = [{"date": day, "delivery_price": price} for day, price in of_day]
    return {"jsonrpc": "2.0", "id": 3601, "result": {"data": data, "records_total": 58}, **more}


def settlement(name: str, index: float, mark: float, **more: Any) -> dict[str, Any]:
    """A row of ``get_last_settlements_by_currency``, in the documented form."""
    row = {"type": "delivery", "timestamp": EXPIRY // NS_PER_MS + 214, "instrument_name": name, "index_price": index}
    return {**row, "mark_price": mark, "position": 1.5, "profit_loss": 0, "session_profit_loss": 0.1, **more}


def settlements(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "result": {"settlements": list(rows), "continuation": "none"}}


def settled(data: Dataset) -> dict[str, float]:
    """The settlement price of each contract at 09:00, where there is one."""
    (panel,) = panels(data, "BTC", START + 9 * NS_PER_HOUR, START + 10 * NS_PER_HOUR)
    return {
        data.instruments.name[code]: float(price)
        for code, price in zip(panel.code.tolist(), panel.settlement[0].tolist(), strict=True)
        if price == price
    }


OF_DAY = {"answer": "get_delivery_prices", "index": "btc_usd"}
OF_USDC = {"answer": "get_delivery_prices", "index": "btc_usdc"}
OF_ALL = {"answer": "get_last_settlements"}
OF_BINANCE = {"answer": "delivery-price", "pair": "BTCUSDT"}


def ended(data: Dataset) -> Position:
    """A short call, a long put and a long future from 06:00 to their expiry."""
    windows = averaging_windows(RULES, data.instruments)
    (panel,) = panels(data, "BTC", START, START + 10 * NS_PER_HOUR, delivery_windows_ns=windows)
    day = dict.fromkeys(Kind, NS_PER_DAY)
    registered = params(grid_ns=NS_PER_HOUR, delivery=RULES, rules=rules(life_ns=NS_PER_DAY), max_age_ns=day)
    view = prepare(panel, registered, curves())
    return resolved(signal(view, 6, {CALL: -1.0, PUT: 1.0, DATED: 0.9}, constraint="C3", gross_bps=50.0), view)


@pytest.mark.parametrize("price", [120_000.0, 60_000.0, 90_000.0])
def test_the_venue_s_price_is_paid_and_not_the_mean_of_the_index(tmp_path: Path, price: float) -> None:
    """Payoffs by hand: (X - K)+ / X and (K - X)+ / X coin, and X; without the answer they follow the mean, 100,000."""
    source = (OF_DAY, prices(("2026-01-31", 1.0), ("2026-01-30", price), ("2026-01-29", 2.0)))
    position, mean = ended(made(tmp_path, source)), ended(made(tmp_path, name="without"))

    for each, at, flags in ((position, price, ()), (mean, INDEX, ("delivery_from_index_mean",))):
        assert (each.reason, each.exit_ns, each.flags) == (ExitReason.EXPIRED, EXPIRY, flags)
        assert each.exit_price == pytest.approx((max(0, at - 90_000) / at, max(0, 90_000 - at) / at, at))
        assert each.exit_usd == (at,) * 3


def test_each_price_goes_to_the_contracts_that_settled_at_it(tmp_path: Path) -> None:
    """By index, settlement currency and day; a contract of another day and one that is not in the data get none."""
    data = made(
        tmp_path,
        (OF_DAY, prices(("2026-01-30", 120_000.0))),
        (OF_USDC, prices(("2026-01-30", 120_001.0))),
        (OF_BINANCE, [{"deliveryTime": START // NS_PER_MS, "deliveryPrice": 119_990.5}]),
    )
    assert settled(data) == {CALL: 120_000.0, PUT: 120_000.0, DATED: 120_000.0, LINEAR: 120_001.0, QUARTER: 119_990.5}
    assert LATER in data.instruments.name
    assert [note.unverified for note in data.sources[1:]] == ["it has met no real sample"] * 3


def test_settlements_name_their_contracts(tmp_path: Path) -> None:
    """Of an option the index, with a mark that is its payoff; other types and contracts are passed over."""
    rows = [
        settlement("BTC-30JAN26-90000-C", 120_000.0, 0.25),
        settlement("BTC-30JAN26", 120_000.0, 120_000.0),
        settlement("BTC_USDC-30JAN26-90000-C", 120_001.0, 30_001.0),
        settlement("BTC-30JAN26-400000-C", 120_000.0, 0.0),
        {"type": "settlement", "timestamp": EXPIRY // NS_PER_MS, "instrument_name": "BTC-PERPETUAL"},
        {"type": "bankruptcy", "timestamp": EXPIRY // NS_PER_MS, "funded": 0},
    ]
    data = made(tmp_path, (OF_ALL, settlements(*rows)))

    assert settled(data) == {CALL: 120_000.0, DATED: 120_000.0, LINEAR: 120_001.0}
    assert "deribit:BTC-30JAN26-400000-C" not in data.instruments.name
    assert any(note == "2 settlements of other types passed over" for note in data.sources[1].notes)


LATE = settlement("BTC-30JAN26", 1.0, 1.0, timestamp=EXPIRY // NS_PER_MS + 3_600_001)


@pytest.mark.parametrize(
    ("options", "answer", "words"),
    [
        (OF_DAY, prices(("2026-01-30", 1.0), testnet=True), "was one of its test network"),
        (OF_DAY, prices(("30JAN26", 1.0)), "row 1, field date: expected a day like 2026-01-30, was '30JAN26'"),
        (OF_DAY, prices(("2026-01-30", 0.0)), "row 1, field delivery_price: expected a price above 0, was 0"),
        (
            OF_DAY,
            prices(("2026-01-30", 1.0), ("2026-01-30", 2.0)),
            "one settlement price of BTC on 2026-01-30, was two",
        ),
        (OF_DAY, {"error": {"code": -32602}}, "field result: expected a value, was missing; fields were error"),
        (OF_DAY, [], "expected an object with result"),
        (OF_BINANCE, [], "expected a list of prices"),
        (
            OF_BINANCE,
            [{"deliveryTime": "x", "deliveryPrice": 1.0}],
            "row 1, field deliveryTime: expected a whole number",
        ),
        (
            OF_ALL,
            settlements(LATE),
            "row 1, field timestamp: expected the delivery of deribit:BTC-30JAN26 within an hour",
        ),
        (OF_ALL, settlements(settlement("BTC-PERPETUAL", 1.0, 1.0)), "expected the delivery of deribit:BTC-PERPETUAL"),
        (
            OF_ALL,
            settlements(settlement("BTC-30JAN26-90000-X", 1.0, 1.0)),
            "row 1, field instrument_name: expected a Der",
        ),
        # An index of the moment: by the mark the contract settled 10 bps lower.
        (
            OF_ALL,
            settlements(settlement("BTC-30JAN26", 100_000.0, 99_900.0)),
            "with a mark of 99900 where the contract pa",
        ),
        (
            OF_ALL,
            settlements(settlement("BTC-30JAN26-90000-C", 120_000.0, 0.2492)),
            "mark of 0.2492 where .* pays 0.25",
        ),
    ],
)
def test_an_answer_of_another_form_is_refused(
    tmp_path: Path, options: dict[str, object], answer: Any, words: str
) -> None:
    """With file, row and field."""
    with pytest.raises(DataError, match=r"answer-0\.json.*" + words):
        made(tmp_path, (options, answer))


def test_two_sources_of_one_price_and_a_file_of_another_index_are_refused(tmp_path: Path) -> None:
    """Neither of two is chosen; a name that says another index is believed."""
    twice = (OF_DAY, prices(("2026-01-30", 1.0))), (OF_ALL, settlements(settlement("BTC-30JAN26", 1.0, 1.0)))
    with pytest.raises(DataError, match="more of DELIVERY 2026-01-30T08:00:00"):
        made(tmp_path, *twice)
    with pytest.raises(DataError, match=r"expected a file of btc_usd, was one of eth_usd by its name"):
        made(tmp_path, (OF_DAY, prices(("2026-01-30", 1.0))), file="eth_usd")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"answer": "get_delivery_prices", "index": "btc_eurr"}, "expected option index like btc_usd, was 'btc_eurr'"),
        ({"answer": "delivery-price", "pair": "BTC"}, "expected option pair like BTCUSDT, was 'BTC'"),
        ({"answer": "get_last_settlements", "index": "btc_usd"}, "option index for get_delivery_prices only"),
        ({"answer": "get_index"}, "expected option answer = one of"),
    ],
)
def test_an_option_that_fits_no_answer_is_refused(tmp_path: Path, options: dict[str, object], words: str) -> None:
    """Before a file is read."""
    with pytest.raises(UsageError, match=words):
        made(tmp_path, (options, prices(("2026-01-30", 1.0))))


def test_a_pair_of_coin_margined_contracts_is_not_that_of_others(tmp_path: Path) -> None:
    """BTCUSD settles in the coin; the quarterly of the data settles in USDT."""
    answer = [{"deliveryTime": START // NS_PER_MS, "deliveryPrice": 1.0}]
    assert settled(made(tmp_path, ({**OF_BINANCE, "pair": "BTCUSD"}, answer))) == {}
