"""Which quotes a view lets through, what they are worth, and what trading them costs."""

from __future__ import annotations

from dataclasses import replace
from weakref import ref

import numpy as np
import pytest

from engine.errors import UsageError
from engine.market.quality import quality_counts, row_median
from engine.market.view import PreparedPanel, cached_on_panel, prepare, quality_of
from engine.records import Feed, Kind, Quality, Right
from engine.units import NEVER_NS, NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND
from tests.helpers.builders import (
    NAN,
    T0_NS,
    Quote,
    Row,
    curves,
    fee,
    future,
    fx,
    instruments,
    market,
    option,
    panel,
    params,
    perp,
    quote,
    spot,
)

SPOT = "binance:BTCUSDC"
PERP = "binance:BTCUSDC-PERP"
CALL = "deribit:BTC-C"
EXPIRY = T0_NS + 5 * NS_PER_DAY


def view(*pairs: tuple[Row, Quote], **changes: object) -> PreparedPanel:
    """The view of one row of these instruments beside the reference spot at 100,000."""
    table = {row.name: (row, shown) for row, shown in ((spot(SPOT), quote(100_000.0)), *pairs)}
    built = instruments(*(row for row, _ in table.values()))
    block = panel(built, {name: shown for name, (_, shown) in table.items()})
    return prepare(block, params(**changes), curves())


def of(seen: PreparedPanel, name: str) -> int:
    return seen.panel.column(seen.panel.instruments.code_of(name))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, Quality.USABLE),
        ({"bid": NAN}, Quality.ONE_SIDED),
        ({"ask": NAN}, Quality.ONE_SIDED),
        ({"bid": 0.0}, Quality.NON_POSITIVE),
        ({"bid": -1.0}, Quality.NON_POSITIVE),
        ({"bid": 100_002.0, "ask": 100_001.0}, Quality.CROSSED),
        ({"bid": 100_001.0, "ask": 100_001.0}, Quality.USABLE),
        ({"bid_size": 0.0}, Quality.NO_SIZE),
        ({"bid_size": NAN, "ask_size": NAN}, Quality.USABLE),
        ({"age_ns": 5 * NS_PER_SECOND}, Quality.USABLE),
        ({"age_ns": 5 * NS_PER_SECOND + 1}, Quality.STALE),
        ({"age_ns": NEVER_NS, "bid": NAN, "ask": NAN}, Quality.NEVER_QUOTED),
        ({"bid": 111_000.0, "ask": 111_000.0}, Quality.USABLE),
        ({"bid": 130_000.0, "ask": 130_000.0}, Quality.FAR_FROM_MEDIAN),
        ({"bid": 100.0, "ask": 100.0}, Quality.FAR_FROM_MEDIAN),
    ],
)
def test_each_reason_against_a_quote_is_told(change: dict[str, float], reason: Quality) -> None:
    """One reason a quote, at its limit and just beyond it; an unusable quote is NaN in all that follows.  [S1.4]

    Three corners: the median is 102,000 when this one runs up, and 100,000 when it runs down.
    """
    shown = replace(quote(100_000.0), **change)  # type: ignore[arg-type]
    others = [(perp("hyperliquid:BTC-PERP"), quote(102_000.0))]

    seen = view((perp(PERP), shown), *others)
    at = of(seen, PERP)

    assert reason == seen.quality[0, at]
    assert (reason == Quality.USABLE) == seen.usable[0, at]
    assert np.isnan(seen.mid[0, at]) == (reason != Quality.USABLE)
    assert np.isnan(seen.charge[0, at]) == (reason != Quality.USABLE)
    assert np.isnan(seen.half_spread[0, at]) == (reason != Quality.USABLE)


def test_an_expired_instrument_is_expired_at_its_expiry() -> None:
    """At the instant of expiry the contract is gone, whatever its last quote."""
    gone = view((future("deribit:F", T0_NS), quote(100_000.0)))
    alive = view((future("deribit:F", T0_NS + 1), quote(100_000.0)))

    assert gone.quality[0, of(gone, "deribit:F")] == Quality.EXPIRED
    assert alive.quality[0, of(alive, "deribit:F")] == Quality.USABLE


def test_a_bar_may_be_as_old_as_it_is_long_and_has_no_spread() -> None:
    """Bars know neither spread nor depth: their charge is the fee and the registered slippage.  [S3.3]"""
    bar = spot("bybit:BTCUSDC", feed=Feed.BAR, bar_ns=NS_PER_HOUR)
    close = Quote(100_000.0, 100_000.0, NAN, NAN, age_ns=NS_PER_HOUR)
    fees = (*params().fees, fee("bybit", Kind.SPOT, 10.0))

    seen = view((bar, close), fees=fees)
    at = of(seen, "bybit:BTCUSDC")

    assert seen.usable[0, at]
    assert np.isnan(seen.half_spread[0, at])
    assert pytest.approx(seen.charge[0, at]) == 100.0 + 20.0  # 10 bps fee, 2 bps slippage of 100,000
    old = view((bar, replace(close, age_ns=NS_PER_HOUR + 1)), fees=fees)
    assert old.quality[0, at] == Quality.STALE


def test_a_tether_price_is_converted_by_the_pair_of_dollars() -> None:
    """USD per USDT is one over the USDC/USDT mid; without the pair the quote has no conversion, it is not 1.  [S1.6]"""
    row = perp("binance:BTCUSDT-PERP", quote="USDT")

    with_pair = view((row, quote(100_100.0)), (fx(), quote(1.001)))
    without = view((row, quote(100_100.0)))
    stale_pair = view((row, quote(100_100.0)), (fx(), quote(1.001, age_ns=6 * NS_PER_SECOND)))

    at = of(with_pair, row.name)
    assert pytest.approx(with_pair.mid[0, at] * with_pair.usd[0, at]) == 100_000.0
    assert (
        pytest.approx(
            with_pair.mid[0, of(with_pair, "binance:USDCUSDT")] * with_pair.usd[0, of(with_pair, "binance:USDCUSDT")]
        )
        == 1.0
    )
    for seen in (without, stale_pair):
        assert seen.quality[0, of(seen, row.name)] == Quality.NO_CONVERSION
        assert np.isnan(seen.mid[0, of(seen, row.name)])


def test_a_coin_premium_is_worth_the_index_of_its_own_row_else_the_reference() -> None:
    """Deribit's premiums are converted by the venue's index of the same grid time, else by S.  [S1.6]"""
    row = option(CALL, EXPIRY, 100_000.0, Right.CALL)

    own = view((row, quote(0.05, 100.0, index=99_000.0)))
    reference = view((row, quote(0.05, 100.0)))

    assert own.usd[0, of(own, CALL)] == 99_000.0
    assert reference.usd[0, of(reference, CALL)] == 100_000.0


def test_the_reference_is_an_index_or_a_converted_mid() -> None:
    """S is the registered index, or the mid of the reference pair; NaN where it is not usable.  [S1.7]"""
    row = perp("deribit:BTC-PERPETUAL", quote="USD")
    indexed = {"BTC": market(reference=row.name, reference_is_index=True)}

    assert view((row, quote(99_000.0, index=99_500.0)), underlyings=indexed).spot_usd[0] == 99_500.0
    assert np.isnan(view((row, quote(99_000.0)), underlyings=indexed).spot_usd[0])
    assert view().spot_usd[0] == 100_000.0
    assert np.isnan(view(underlyings={"BTC": market(reference="x:Y")}).spot_usd[0])


def test_option_fees_are_capped_by_the_premium() -> None:
    """3 bps of the underlying, at most 12.5% of the premium, per side: the cap binds below 0.0024.  [risk 5]"""
    row = option(CALL, EXPIRY, 100_000.0, Right.CALL)
    for premium, expected in ((0.05, 0.0003), (0.0024, 0.0003), (0.001, 0.000125)):
        seen = view((row, quote(premium, 100.0)))
        assert expected == pytest.approx(seen.fee((0, of(seen, CALL))))
    dollars = view((replace(row, quote="USDC", settle="USDC"), quote(5_000.0, 100.0)))
    assert pytest.approx(dollars.fee((0, of(dollars, CALL)))) == 30.0


def test_quotes_of_one_venue_and_expiry_must_be_of_one_time() -> None:
    """A quote older than the newest of its venue and expiry by more than max_skew is skewed; others are not.

    Ages 0, 40 and 41 s with a skew of 40 s; the same age at another expiry is alone there.
    """
    rows = [option(f"deribit:BTC-{n}", EXPIRY, 1e5 + n, Right.CALL) for n in range(3)]
    other = option("deribit:BTC-X", EXPIRY + NS_PER_DAY, 1e5, Right.CALL)
    ages = [0, 40, 41]
    shown = [(row, quote(0.05, 100.0, age_ns=age * NS_PER_SECOND)) for row, age in zip(rows, ages, strict=True)]

    seen = view(*shown, (other, quote(0.05, 100.0, age_ns=41 * NS_PER_SECOND)), max_skew_ns=40 * NS_PER_SECOND)

    assert [seen.quality[0, of(seen, r.name)] for r in rows] == [Quality.USABLE, Quality.USABLE, Quality.SKEWED]
    assert seen.quality[0, of(seen, other.name)] == Quality.USABLE


def test_charge_is_half_of_a_round_trip() -> None:
    """Fee and half-spread with depth, and the slippage without; an option within its life pays delivery, once."""
    assert pytest.approx(view().charge[0, 0]) == 10.0 * 10.0 + 5.0  # 10 bps and half of 1 bp of 100,000
    sizeless = view((perp(PERP, feed=Feed.TOUCH), quote(100_000.0, bid_size=NAN, ask_size=NAN)))
    assert pytest.approx(sizeless.charge[0, of(sizeless, PERP)]) == 50.0 + 5.0 + 20.0
    soon = option(CALL, T0_NS + NS_PER_HOUR, 100_000.0, Right.CALL)
    held = view((soon, quote(0.05, 100.0)))
    # (0.0003 entry + 0.00015 delivery + 0.00025 half-spread once) / 2
    assert pytest.approx(held.charge[0, of(held, CALL)]) == 0.00035


def test_a_fee_is_the_latest_of_its_day() -> None:
    """Fees change: the one in force on the block's day counts; a day before the first is refused.  [S3.4]"""
    fees = tuple(
        fee("binance", Kind.SPOT, bps, as_of=day)
        for bps, day in ((30.0, "2026-02-01"), (20.0, "2026-01-10"), (10.0, "2020-01-01"))
    )
    assert pytest.approx(view(fees=fees).fee((0, 0))) == 200.0
    with pytest.raises(UsageError, match=r"fee of binance:BTCUSDC .* on 2026-01-\d\d, was none before 2026-02-01"):
        view(fees=fees[:1])


def test_what_is_not_registered_is_refused() -> None:
    """No fee, or no underlying: an error that names what is missing."""
    with pytest.raises(UsageError, match="expected a registered fee of venue 'binance' for spot"):
        view(fees=())
    with pytest.raises(UsageError, match="expected a registered underlying, was 'BTC'"):
        view(underlyings={})


def test_counts_of_quality_add_up_to_the_grid() -> None:
    """Every grid time of a column has one reason, and all are counted."""
    seen = view((perp(PERP), quote(100_000.0, age_ns=NS_PER_HOUR)))

    counts = quality_of(seen)

    assert counts[of(seen, PERP), Quality.STALE] == 1
    assert (counts.sum(axis=1) == 1).all()
    random = np.random.Generator(np.random.PCG64(3)).integers(0, len(Quality), (50, 4)).astype(np.uint8)
    slow = [[int((random[:, n] == q).sum()) for q in Quality] for n in range(4)]
    assert slow == quality_counts(random).tolist()


def test_the_median_leaves_out_what_is_missing() -> None:
    """Against numpy's nanmedian, and NaN for a row of nothing."""
    values = np.random.Generator(np.random.PCG64(5)).standard_normal((40, 7))
    values[np.random.Generator(np.random.PCG64(6)).random((40, 7)) < 0.3] = np.nan
    values[0], values[1, 1:] = np.nan, np.nan
    values[1, 0] = 2.0

    assert np.isnan(row_median(values)[0])
    assert np.nanmedian(values[1:], axis=1) == pytest.approx(row_median(values)[1:], abs=0.0)
    assert np.isnan(row_median(np.empty((3, 0)))).all()


def test_a_view_cannot_be_changed() -> None:
    """Arrays shared by all constraints are read-only."""
    with pytest.raises(ValueError, match="read-only"):
        view().mid[0, 0] = 1.0


def test_what_is_cached_is_computed_once_a_panel_and_dies_with_it() -> None:
    """One call a panel and arguments; a replaced panel starts anew; no result keeps a panel alive."""
    calls: list[int] = []

    @cached_on_panel
    def rows_times(panel: PreparedPanel, factor: int) -> int:
        calls.append(factor)
        return len(panel.spot_usd) * factor

    prepared = view((perp(PERP), quote(100_000.0)))
    rows = len(prepared.spot_usd)

    assert [rows_times(prepared, factor) for factor in (2, 2, 3)] == [2 * rows, 2 * rows, 3 * rows]
    assert calls == [2, 3]
    assert rows_times(replace(prepared), 2) == 2 * rows
    assert calls == [2, 3, 2]
    alive = ref(prepared)
    del prepared
    assert alive() is None


def test_every_array_of_a_prepared_panel_is_read_only() -> None:
    """A constraint that wrote into what all share would change what the others see."""
    prepared = view((perp(PERP), quote(100_000.0)))
    arrays = [
        getattr(prepared, name) for name in ("spot_usd", "usd", "usable", "quality", "mid", "half_spread", "charge")
    ]

    assert not any(array.flags.writeable for array in arrays)
