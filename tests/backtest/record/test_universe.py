"""Which contracts are recorded: the stored list of Deribit, the band of deltas, growth that never shrinks."""

from __future__ import annotations

import json
import math

import pytest
from scipy.stats import norm

from backtest.record.record_plan import ContractChain
from backtest.record.universe import (
    ListedContract,
    MarkSummary,
    deribit_contracts,
    deribit_marks,
    mark_delta,
    wanted,
)
from engine.errors import DataError
from engine.units import NS_PER_DAY
from tests.helpers.raw_messages import answers, unpacked

NOW_NS = 1_626_993_723 * 10**9  # of the stored list
OPTIONS = ContractChain(kind="option", coins=["BTC"], streams=["ticker"], expiry_d="200", delta=["0.01", "0.99"])


def listed() -> dict[str, ListedContract]:
    """Futures and options of BTC in the stored answer."""
    stored = answers("deribit/cryptofeed.DERIBIT.0")
    return deribit_contracts(next(body for url, body in stored.items() if "currency=BTC" in url))


def test_the_stored_list_is_read_as_json_says() -> None:
    stored = answers("deribit/cryptofeed.DERIBIT.0")
    for url, body in stored.items():
        coin = url.split("currency=")[1].split("&")[0]
        rows = json.loads(body)["result"]
        expected = {
            row["instrument_name"]
            for row in rows
            if row["kind"] in ("option", "future") and row["settlement_period"] != "perpetual"
            and row.get("settlement_currency", row["base_currency"]) == row["base_currency"]
        }  # fmt: skip
        found = deribit_contracts(body)
        assert set(found) == expected, coin
        assert not any("PERPETUAL" in name for name in found)


@pytest.mark.parametrize("is_call", [True, False])
def test_delta_is_that_of_black(is_call: bool) -> None:
    """Against scipy's normal distribution."""
    for strike, vol, days in ((30_000.0, 0.8, 30), (100_000.0, 0.5, 200), (10_000.0, 1.2, 1)):
        contract = ListedContract("x", "option", "BTC", days * NS_PER_DAY, strike, is_call)
        spread = vol * math.sqrt(days / 365)
        d1 = (math.log(32_000 / strike) + spread**2 / 2) / spread
        expected = norm.cdf(d1) if is_call else norm.cdf(-d1)
        assert mark_delta(contract, MarkSummary(32_000.0, vol), 0) == pytest.approx(expected, abs=1e-14)


def test_the_band_holds_what_it_names_and_what_has_no_mark() -> None:
    every = {name: c for name, c in listed().items() if c.kind == "option"}
    marks = {name: MarkSummary(32_000.0, 0.8) for name in every}
    marks["no-such"] = MarkSummary(1.0, 1.0)
    found = wanted(OPTIONS, listed(), marks, NOW_NS)
    by_hand = set()
    for name, c in every.items():
        days = (c.expiry_ns - NOW_NS) / NS_PER_DAY
        if not 0 < days <= 200:
            continue
        spread = 0.8 * math.sqrt(days / 365)
        d1 = (math.log(32_000 / c.strike) + spread**2 / 2) / spread
        if 0.01 <= norm.cdf(d1 if c.is_call else -d1) <= 0.99:
            by_hand.add(name)

    assert found == by_hand
    assert 0 < len(found) < len(every)
    near = {name for name, c in every.items() if 0 < c.expiry_ns - NOW_NS <= 200 * NS_PER_DAY}
    assert wanted(OPTIONS, listed(), {}, NOW_NS) == near


def test_futures_are_taken_whole() -> None:
    futures = ContractChain(kind="future", coins=["BTC"], streams=["ticker"])
    assert wanted(futures, listed(), {}, NOW_NS) == {n for n, c in listed().items() if c.kind == "future"}


def test_summaries_of_the_stored_form_have_no_volatility() -> None:
    """The stored answers are of 2022 and of futures: no mark_iv, so nothing is left out by it."""
    marks = deribit_marks(unpacked("deribit/cmp.open_interest.inverse_future_all.json"))
    assert marks
    assert all(math.isnan(mark.volatility) for mark in marks.values())


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b'{"result":{}}', b'{"result":[1]}', b'{"error":{}}', b'{"result":[],"testnet":true}',
     b'{"result":[{"kind":"option","base_currency":"BTC"}]}'],
)  # fmt: skip
def test_another_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(DataError, match="expected"):
        deribit_contracts(answer)
