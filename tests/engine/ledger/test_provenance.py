"""What a record says of a signal and its trade, and what it is silent about.  [audit 3.3, 4.1-4.3]"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.constraints.codes import CODES
from engine.constraints.registry import CONSTRAINTS
from engine.errors import LedgerError
from engine.ledger.format.canonical_json import canonical, decimal_text
from engine.ledger.format.schemas import check_provenance
from engine.ledger.identify import leg_roles, provenance_of
from engine.ledger.provenance import evidence_hash, provenance, quote_hash, resolution_record, signal_record
from engine.params import Params
from engine.positions.base import Signal, Trade
from engine.records import Instruments
from tests.helpers.small_run import Tiny

NAN = float("nan")


@pytest.fixture(scope="module")
def params(tiny: Tiny) -> Params:
    return tiny.registration.params


@pytest.fixture(scope="module")
def table(tiny: Tiny) -> Instruments:
    return tiny.run.instruments


def of(signal: Signal, table: Instruments, params: Params) -> dict[str, Any]:
    return provenance_of(signal, table, params, "c" * 64)


def first(tiny: Tiny, code: str) -> Signal:
    everything = [trade.position.signal for trade in (*tiny.run.history, *tiny.run.trades)]
    return next(signal for signal in everything if signal.constraint == code)


@pytest.mark.parametrize("code", CODES)
def test_every_constraint_has_a_canonical_provenance(tiny: Tiny, table: Instruments, params: Params, code: str) -> None:
    """Named inputs in order, each not after the decision, each quote once a leg; the bytes are canonical."""
    signal = first(tiny, code)
    found = of(signal, table, params)
    constraint = next(c for c in CONSTRAINTS if c.code == code)
    order = [(i["role"], i["venue"], i["instrument"], i.get("ts_us", i.get("from_us"))) for i in found["inputs"]]

    assert canonical(found) == canonical(of(signal, table, params))
    assert order == sorted(order)
    assert len(set(order)) == len(order)
    assert max(i.get("ts_us", i.get("to_us")) for i in found["inputs"]) <= found["as_of_us"] == signal.t_ns // 1000
    assert (found["constraint"], found["constraint_version"]) == (constraint.name, constraint.version)
    assert sum(i["kind"] == "quote" for i in found["inputs"]) == len(signal.legs)


def test_quantities_are_the_shortest_text_of_the_float_that_was_read(
    tiny: Tiny, table: Instruments, params: Params
) -> None:
    """bid, ask and sizes come back to the very double; a size that is not known is null.  [audit 2.2]"""
    signal = first(tiny, "C1")
    bare = replace(signal, legs=(replace(signal.legs[0], bid_size=NAN), *signal.legs[1:]))
    quotes = {i["instrument"]: i for i in of(bare, table, params)["inputs"] if i["kind"] == "quote"}
    for leg in bare.legs:
        found = quotes[table.symbol[leg.code]]
        assert (float(found["bid"]), float(found["ask"])) == (leg.bid, leg.ask)
        assert found["bid_size"] == (None if leg.bid_size != leg.bid_size else decimal_text(leg.bid_size, 18))
    assert quotes[table.symbol[bare.legs[0].code]]["bid_size"] is None


def test_what_was_computed_stays_out_of_the_name(tiny: Tiny, table: Instruments, params: Params) -> None:
    """Gross, cost, net and size are results: changing them leaves the provenance as it is.  [audit 3.3]"""
    signal = first(tiny, "C3")
    other = replace(signal, gross_bps=1.0, cost_bps=2.0, net_bps=-1.0, size_usd=5.0, fold=7)

    assert of(other, table, params) == of(signal, table, params)


@pytest.mark.parametrize("change", ["bid", "ask_size", "quote_ns", "fee_bps"])
def test_another_reading_is_another_provenance(tiny: Tiny, table: Instruments, params: Params, change: str) -> None:
    """One quote a microsecond or a last digit apart gives another object."""
    signal = first(tiny, "C1")
    leg = signal.legs[0]
    moved = replace(leg, **{change: getattr(leg, change) + (-1000 if change == "quote_ns" else 1e-3)})

    assert of(replace(signal, legs=(moved, *signal.legs[1:])), table, params) != of(signal, table, params)


def test_registered_numbers_are_in_the_provenance(tiny: Tiny, table: Instruments, params: Params) -> None:
    """Threshold, life, persistence, size, rate, and the engine's version and configuration."""
    signal = first(tiny, "C6")
    found = of(signal, table, params)
    rule = replace(params.rules["C6"], threshold_bps=61.0)
    stricter = replace(params, rules={**params.rules, "C6": rule})

    assert found["engine"] == {"name": "cme_v0_2_perps", "version": "0.2.0", "config_hash": "c" * 64}
    assert found["params"]["threshold_bps"] == "60"
    assert found["params"]["life_s"] == "86400"
    assert of(signal, table, stricter)["params"]["threshold_bps"] == "61"


def test_terms_that_come_later_need_no_other_format(tiny: Tiny, table: Instruments, params: Params) -> None:
    """Lots, hours accrued and conversions of later venues are named params as well; what is no quantity is refused."""
    found = of(first(tiny, "C1"), table, params)
    later = {"lot_perp": "0.001", "hours_accrued_perp": "7", "usd_per_usdt_spot": "0.9998"}
    check_provenance({**found, "params": {**found["params"], **later}})
    with pytest.raises(LedgerError, match="params"):
        check_provenance({**found, "params": {**found["params"], "lot_perp": "1e-3"}})


def test_a_reading_that_was_not_known_is_not_listed(tiny: Tiny, table: Instruments, params: Params) -> None:
    """A NaN in the detail was not read; a finite one is a scalar of its own name."""
    signal = replace(first(tiny, "C2"), detail={"known": 1.5, "unknown": NAN})
    roles = {i["role"]: i for i in of(signal, table, params)["inputs"]}

    assert roles["known"]["value"] == "1.5"
    assert "unknown" not in roles


def test_roles_and_legs_must_match(tiny: Tiny, table: Instruments, params: Params) -> None:
    """A role too few is refused, not dropped."""
    signal = first(tiny, "C1")
    with pytest.raises(ValueError, match="zip"):
        provenance(signal, table, params, name="cash_carry", version=1, roles=["perp"], judging_hash="0" * 64)


def test_the_corners_are_named_by_what_they_are(tiny: Tiny, table: Instruments, params: Params) -> None:
    """C6 trades two to four legs; each role follows the instrument, not its place."""
    signal = first(tiny, "C6")
    constraint = next(c for c in CONSTRAINTS if c.code == "C6")
    corners = params.underlyings["BTC"].four_corner
    assert corners is not None
    roles = leg_roles(constraint, signal, table, params)
    known = {corners.dex_perp: "dex_perp", corners.cex_perp: "cex_perp", corners.spot: "spot"}
    for role, leg in zip(roles, signal.legs, strict=True):
        name = table.name[leg.code]
        assert role == known.get(name, "call" if name.endswith("-C") else "put")


def test_a_resolution_holds_to_the_micro_dollar(tiny: Tiny) -> None:
    """Net = gross - fees - slippage - funding - capital in exact decimals.  [audit 4.3]"""
    for trade in tiny.run.trades:
        record = resolution_record(trade, "f" * 64)
        money = {key: Decimal(record[key]) for key in record if key.endswith("_usd") and key != "notional_usd"}
        assert money["net_pnl_usd"] == (
            money["gross_pnl_usd"]
            - money["fees_usd"]
            - money["slippage_usd"]
            - money["funding_usd"]
            - money["capital_usd"]
        )
        assert money["net_pnl_usd"] == Decimal(trade.net) / 1_000_000
        assert record["entry_us"] <= record["exit_us"]


def test_a_trade_without_notional_has_no_return(tiny: Tiny) -> None:
    """Void: nothing was held, so a return is undefined and null."""
    trade: Trade = replace(tiny.run.trades[0], notional_usd=0.0)
    record = resolution_record(trade, "f" * 64)

    assert (record["return_bps"], record["notional_usd"], record["revision"]) == (None, "0", 0)


def test_the_evidence_is_every_price_the_settlement_read(tiny: Tiny) -> None:
    """A changed exit quote, mark or funding rate changes the hash; the signal's own numbers do not."""
    position = next(t.position for t in tiny.run.trades if t.position.funding and t.position.exit)
    here = evidence_hash(position)
    leg = replace(position.exit[0], bid=position.exit[0].bid * 2)
    rate = replace(position.funding[0], rate=position.funding[0].rate + 1e-9)

    assert evidence_hash(replace(position, exit=(leg, *position.exit[1:]))) != here
    assert evidence_hash(replace(position, funding=(rate, *position.funding[1:]))) != here
    assert evidence_hash(replace(position, marks=())) != here or not position.marks
    assert evidence_hash(replace(position, signal=replace(position.signal, net_bps=0.0))) == here


def test_a_quotes_hash_is_of_its_row(tiny: Tiny) -> None:
    """Name, time, prices and sizes, an unknown size empty: one byte each way tells two quotes apart."""
    leg = replace(first(tiny, "C1").legs[0], bid=1.5, ask=2.0, bid_size=NAN, ask_size=3.0)
    same = replace(leg, mid=9.0, fee_bps=9.0)

    assert quote_hash("a:B", 7, leg) == quote_hash("a:B", 7, same)
    assert len({quote_hash("a:B", 7, leg), quote_hash("a:B", 8, leg), quote_hash("a:C", 7, leg)}) == 3


def test_an_infinite_price_cannot_be_recorded(tiny: Tiny, table: Instruments, params: Params) -> None:
    """A number that is none is refused where it would enter the record (10)."""
    signal = first(tiny, "C1")
    broken = replace(signal, legs=(replace(signal.legs[0], ask=float("inf")), *signal.legs[1:]))
    with pytest.raises(LedgerError) as refused:
        of(broken, table, params)

    assert refused.value.exit_code == 10


def test_a_signal_record_says_side_and_value_in_words_and_decimals(
    tiny: Tiny, table: Instruments, params: Params
) -> None:
    """Side is that of the deviation sold; an EV that was not modelled is null."""
    signal = first(tiny, "C1")
    record = signal_record(signal, of(signal, table, params))

    assert record["result"]["side"] == {1: "positive", -1: "negative"}[signal.side]
    assert record["result"]["ev_usd"] is None
    assert record["result"]["net_bps"] == decimal_text(signal.net_bps, 6)
    assert signal_record(signal, {}, 0.1234565)["result"]["ev_usd"] == "0.123456"
