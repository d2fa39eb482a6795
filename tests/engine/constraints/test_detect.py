"""From scan to verdict: floors, reasons, counts, and what is said where an input is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.constraints.detect import REASONS, detect, reaches
from engine.market.view import prepare
from engine.params import CashCarryPair, Fitted, Params
from engine.records import Feed, Violations
from engine.units import NS_PER_SECOND
from tests.helpers.builders import NAN, market, params, rules
from tests.helpers.markets import FX, SLOPE, Market, S, fitted, flat_history, future_name

PERP, SPOT, DEX = "binance:BTCUSDC-PERP", "binance:BTCUSDC", "hyperliquid:BTC-PERP"
USDT = "binance:BTCUSDT-PERP"


def see(shown: Market, code: str, registered: Params | None = None, **kwargs: Any) -> Violations:
    fit: Fitted | None = kwargs.pop("fit", fitted())
    view = prepare(shown.block(), registered or params(), flat_history())
    (found,) = detect(view, fit, codes=(code,), **kwargs)
    return found


def dear_perp(**changes: object) -> Market:
    return Market(mids={PERP: 1.01 * S}, changes={PERP: dict(changes)} if changes else {})


def test_a_threshold_is_met_to_the_micro_bps() -> None:
    """As integers 49.9999996 is 50 and 49.9999994 is not; a threshold of 0 asks for more than 0."""
    assert reaches(np.array([49.9999996, 49.9999994, 50.0, 0.0]), 50.0).tolist() == [True, False, True, False]
    assert reaches(np.array([0.0, 1e-6, -1.0]), 0.0).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"age_ns": 4 * NS_PER_SECOND}, "skew"),
        ({"ask_size": NAN, "bid_size": NAN}, ""),  # a size that is not given costs the fallback [S3.3]
    ],
)
def test_a_package_that_does_not_fire_says_why(change: dict[str, Any], reason: str) -> None:
    """Legs 4 s apart with a skew of 3 s; a book that shows no size."""
    seen = see(dear_perp(**change), "C1", params(max_skew_ns=3 * NS_PER_SECOND, max_age_ns=params().max_age_ns))
    if reason == "skew":  # one venue, no expiry: the older quote is not even usable
        assert len(seen.packages) == 0
        assert not seen.evaluated.any()
        return

    assert seen.reason == (reason,)
    assert seen.fires.tolist() == [reason == ""]


def test_corners_of_two_venues_may_be_out_of_step() -> None:
    """Across venues each quote is usable by itself, the package is not: reason skew."""
    late = Market(mids={DEX: 1.015 * S}, changes={DEX: {"age_ns": 4 * NS_PER_SECOND}})

    assert see(late, "C6").reason == ("",)
    assert see(late, "C6", params(max_skew_ns=3 * NS_PER_SECOND)).reason == ("skew",)


def test_what_rounding_leaves_of_a_gross_of_zero_is_no_violation() -> None:
    """1e-10 bps is not counted; a micro-bps is."""
    counted = [see(Market(mids={PERP: S * (1.0 + gap)}), "C1").funnel["violations"] for gap in (0.0, 1e-14, 2e-10)]

    assert counted == [0, 0, 1]


def test_an_absurd_violation_is_kept_counted_and_not_traded() -> None:
    """A gross above the registered ceiling means that the data are wrong.  [S1.5]"""
    seen = see(dear_perp(), "C1", params(quarantine_gross_bps=99.0))

    assert seen.reason == ("quarantine",)
    assert not seen.fires.any()
    assert seen.funnel["violations"] == seen.funnel["over_threshold"] == 1


def test_a_mark_is_never_executable() -> None:
    """A leg known by its mark only is shown and not traded."""
    shown = dear_perp(bid=1.01 * S, ask=1.01 * S, bid_size=NAN, ask_size=NAN)
    shown.rows = [replace(r, feed=Feed.MARK) if r.name == PERP else r for r in shown.rows]

    assert see(shown, "C1").reason == ("depth",)


def test_the_floor_is_the_rearm_level_unless_said() -> None:
    """Nets under half the threshold are left out of emission and kept for a look at everything."""
    shown = Market(mids={PERP: 1.0045 * S})  # 45 bps gross, some 13 net: under 25

    assert len(see(shown, "C1").packages) == 0
    seen = see(shown, "C1", floor=-np.inf)
    assert seen.reason == ("threshold",)
    assert 10.0 < seen.net_bps[0] < 15.0
    assert see(shown, "C1").evaluated.all()


def test_only_what_is_asked_for_and_enabled_is_looked_at() -> None:
    """Codes choose, and a disabled constraint is never looked at; order is the method's."""
    view = prepare(Market().block(), params(), flat_history())
    assert [v.constraint for v in detect(view, fitted())] == ["C1", "C2", "C3", "C4", "C5", "C6", "C7"]
    assert [v.constraint for v in detect(view, fitted(), codes={"C6", "C1"})] == ["C1", "C6"]
    off = prepare(Market().block(), params(rules=rules(enabled=False)), flat_history())
    assert detect(off, fitted()) == ()


@pytest.mark.parametrize(
    ("code", "lacking", "said"),
    [
        ("C1", [SPOT], f"{SPOT}: no reference price"),
        ("C1", [PERP], f"{PERP}: no perp"),
        ("C2", [PERP], f"{PERP}: no USDC perp"),
        ("C2", ["binance:BTCUSDT-PERP"], "binance:BTCUSDT-PERP: no USDT perp"),
        ("C5", ["deribit:BTC-PERPETUAL"], "deribit:BTC-PERPETUAL: no perp for the curve of BTC"),
        ("C5", [future_name(d) for d in (2, 9, 30, 58)], "deribit: fewer than three dated futures"),
        ("C6", [DEX, PERP], f"{DEX}: no DEX perp with funding"),
    ],
)
def test_a_missing_input_is_named(code: str, lacking: list[str], said: str) -> None:
    """Not evaluable, with the input that is lacking; never a silent zero.  [spec README, data and grid]"""
    shown = Market()
    shown.rows = [row for row in shown.rows if row.name not in lacking]

    seen = see(shown, code, floor=-np.inf)

    assert seen.missing is not None
    assert said in seen.missing
    assert len(seen.keys) == 0
    assert seen.evaluated.shape == (1, 0)


@pytest.mark.parametrize(("gone", "said"), [("binance:USDCUSDT", ", for USDT has no conversion into USD"), (USDT, "")])
def test_a_reference_in_another_dollar_names_the_conversion_it_lacks(gone: str, said: str) -> None:
    """S in USDT with no USDC/USDT mid: the quote is there, what lacks is the pair of dollars.  [S1.6, S1.7]"""
    shown = Market()
    shown.rows = [row for row in shown.rows if row.name != gone]

    seen = see(shown, "C1", params(underlyings={"BTC": market(reference=USDT)}))

    assert seen.missing == f"{USDT}: no reference price{said}"


@pytest.mark.parametrize(
    ("code", "perp"), [("C1", PERP), ("C2", "binance:BTCUSDT-PERP"), ("C6", PERP), ("C5", "deribit:BTC-PERPETUAL")]
)
def test_a_perp_without_funding_is_named(code: str, perp: str) -> None:
    """Unknown funding is no funding node and no carry: the perp cannot be judged, nor stand for a corner."""
    shown = Market(rates={perp: NAN})

    seen = see(shown, code, floor=-np.inf)

    if code == "C6":
        assert seen.missing is None
        assert seen.packages.detail["corners"].tolist() == [3.0]
        return
    assert seen.missing == f"{perp}: no perp funding node" if code == "C5" else f"{perp}: no funding rate"


def test_a_pair_of_two_currencies_is_compared_in_dollars() -> None:
    """A USDT perp 1% over the spot in USD is 1% over, though its price in USDT is 1.05% over.  [S1.6]"""
    perp = "binance:BTCUSDT-PERP"
    pairs = (CashCarryPair(perp, SPOT),)

    seen = see(Market(mids={perp: 1.01 * S * FX}), "C1", params(underlyings={"BTC": market(cash_carry=pairs)}))

    assert seen.packages.gross_bps[0] == pytest.approx(100.0)


def test_three_corners_are_enough_and_counted() -> None:
    """Without options the other three corners still judge; the number is on the row.  [S2.C6]"""
    shown = Market(mids={DEX: 1.015 * S})
    assert see(shown, "C6").packages.detail["corners"].tolist() == [4.0]
    shown.rows = [row for row in shown.rows if "D-" not in row.name]

    seen = see(shown, "C6")

    assert seen.packages.detail["corners"].tolist() == [3.0]
    assert np.isnan(seen.packages.detail["age_synthetic_s"]).all()
    assert seen.fires.all()


def test_corners_that_are_mids_only_are_shown_and_never_fire() -> None:
    """Bars are not simultaneous: reported, with the reason skew.  [spec README, data and grid]"""
    corners = market().four_corner
    assert corners is not None
    shy = params(underlyings={"BTC": market(four_corner=replace(corners, mids_only=True))})

    seen = see(Market(mids={DEX: 1.015 * S}), "C6", shy)

    assert seen.reason == ("skew",)
    assert seen.funnel["over_threshold"] == 1


def test_a_dear_synthetic_is_sold_as_call_and_put() -> None:
    """Spot and perps 2% under the options: sell F/K calls, buy as many puts, buy the first of the cheapest.

    A pair is worth 1 - K/F coin, so that F/K of them carry the delta of one coin.
    """
    names = [SPOT, PERP, DEX]
    shown = Market(mids=dict.fromkeys(names, 0.98 * S) | {"binance:BTCUSDT-PERP": 0.98 * S * FX})

    seen = see(shown, "C6")
    table, code = prepare(shown.block(), params(), flat_history()).panel.instruments, shown.block().code
    legs = {
        table.name[code[c]]: q
        for c, q in zip(seen.packages.column[0], seen.packages.quantity[0], strict=True)
        if c >= 0
    }

    assert list(legs) == ["deribit:BTC-002D-100000-C", "deribit:BTC-002D-100000-P", DEX]
    pairs = S * (1.0 + SLOPE * (2.0 + 1.0 / 3.0) / 365.0) / 100_000.0
    assert list(legs.values()) == pytest.approx([-pairs, pairs, 1.0], abs=1e-9)
    forward = S * (1.0 + SLOPE * (2.0 + 1.0 / 3.0) / 365.0) / (1.0 + 0.05 * (2.0 + 1.0 / 3.0) / 365.0)
    assert seen.packages.gross_bps[0] == pytest.approx(1e4 * (forward / (0.98 * S) - 1.0), abs=1e-6)


@pytest.mark.parametrize(("rate", "sells"), [(2e-3, True), (-3e-3, None)])
def test_cash_carry_takes_the_side_with_the_larger_gross_and_carry(rate: float, sells: bool | None) -> None:
    """The perp 20 bps over spot.  Funding of 20 bps is received thrice by its seller; were it -30 bps, the buyer would
    earn more, but he buys what is dear: there is no violation on his side, and none is shown.
    """
    shown = Market(mids={PERP: 1.002 * S}, rates={PERP: rate})

    seen = see(shown, "C1", floor=-np.inf)

    if sells is None:
        assert len(seen.packages) == 0
        assert seen.evaluated.all()
        return
    assert seen.packages.gross_bps[0] == pytest.approx(20.0)
    assert seen.packages.carry_bps[0] == pytest.approx(3 * 20.0 * 1.002)
    assert seen.packages.detail["parity_gap"][0] == pytest.approx(0.002 - rate)
    assert seen.keys.side[seen.packages.key[0]] == 1


def test_curvature_fires_only_beyond_its_threshold() -> None:
    """A net above zero is not enough: |z| must reach the fold's threshold, to nine places.  [S2.C5]"""
    belly = S * (1.0 + (SLOPE + 0.25) * (58.0 + 1.0 / 3.0) / 365.0)
    shown = Market(mids={future_name(58): belly})
    z = float(see(shown, "C5").packages.detail["z"][0])

    assert see(shown, "C5", fit=fitted(z_threshold=z)).fires.tolist() == [True]
    seen = see(shown, "C5", fit=fitted(z_threshold=z + 1e-9))
    assert seen.reason == ("threshold",)
    assert seen.net_bps[0] > 0.0
    unidentified = see(shown, "C5", fit=fitted(identified=False, reason="rank deficient"))
    assert unidentified.missing == "BTC: curvature unidentified, rank deficient"
    assert see(shown, "C5", fit=None).missing == "BTC: no fitted curve"


def test_every_reason_is_one_of_the_list() -> None:
    """The words of the interface, and "" for what fires."""
    assert set(REASONS) == {"", "threshold", "skew", "quarantine", "peg", "depth", "untradable"}
