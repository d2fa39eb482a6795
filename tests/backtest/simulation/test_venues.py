"""Parameter files of venues: every one loads, and what is wrong is refused with its key and value."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from backtest.simulation.venues import (
    _MARKET_FIELDS,
    _VENUE_FIELDS,
    SECTIONS,
    UNUSED,
    VenueGrid,
    load_file,
    load_venue,
    provenance,
)
from engine.errors import MissingError, UsageError

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "configs" / "venue_risk"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
GRID = VenueGrid(Decimal("0.1"), Decimal("0.001"))


def test_the_venues_of_the_law_are_there() -> None:
    """[issue 16, 1]"""
    wanted = "binance_usdm bitmex bybit deribit drift dydx_v4 gmx harness hyperliquid lighter okx synthetix"
    assert wanted.split() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_file_loads_and_every_number_has_its_provenance(name: str) -> None:
    """Unit, date, mark and source on each; dates are not in the future of the law."""
    params = load_venue(FOLDER, name, ("BTC",), GRID)

    assert params.markets[0].quanta_per_lot_tick == 100
    assert params.markets[0].brackets.lower_quanta[0] == 0
    for key, number in provenance(FOLDER, name):
        assert number.as_of <= date(2026, 11, 30), key
        assert number.source, key


def test_numbers_arrive_in_the_engine_s_units() -> None:
    """Hyperliquid: 4.5 bps, 1 h, 40x to 150 M USD, then 20x; 0.01% interest and 4% an hour."""
    params = load_venue(FOLDER, "hyperliquid", ("BTC",), GRID)
    market = params.markets[0]

    assert (market.taker_fee_ppm, market.funding_interval_ns) == (450, 3_600_000_000_000)
    assert market.brackets.lower_quanta == (0, 150_000_000_000_000)
    assert (market.brackets.maintenance_ppm, market.brackets.initial_ppm) == ((12_500, 25_000), (25_000, 50_000))
    assert (market.funding_interest_ppb_8h, market.funding_cap_ppb_8h) == (100_000, 320_000_000)
    assert market.source_weights == (3, 2, 2, 1, 1, 1, 1)
    assert params.deleveraging_price == "mark"
    assert params.slow_divergence_ppm == 20_000  # of harness.toml


def test_every_key_of_the_schema_is_used_or_named_as_unused() -> None:
    """A number that a file states and nothing reads would be silent."""
    given = load_file(FOLDER / "harness.toml")
    keys = {f"{section}.{key}" for section in SECTIONS for key in type(getattr(given, section)).model_fields}

    assert keys == {*_MARKET_FIELDS, *_VENUE_FIELDS, *UNUSED}


def written(folder: Path, old: str, new: str) -> Path:
    """A copy of the files in which one text of ``hyperliquid.toml`` is another."""
    for name in ("harness", "hyperliquid"):
        text = (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
        if name == "hyperliquid":
            assert old in text
            text = text.replace(old, new)
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('premium = "impact"', 'premium = "impact"\nprophet = "x"', "funding.prophet: unknown key"),
        ('rule = "ema_basis_median"', 'rule = "median"', "mark.rule: expected one of oracle, .*, was 'median'"),
        (
            'value = "4.5", unit = "bps"',
            'value = "4.5", unit = "share"',
            "fees.taker: expected the unit 'bps', was 'share'",
        ),
        ('value = "4.5", unit = "bps"', 'value = "4.501", unit = "bps"', "whole in the engine's unit, was 4.501 bps"),
        ('value = "4.5", unit', 'value = "much", unit', "fees.taker.value: expected text of the form .*, was 'much'"),
        ('lower_usd = "150000000"', 'lower_usd = "0"', "markets.BTC: expected bounds that rise from 0"),
        ('max_leverage = "20"', 'max_leverage = "50"', "markets.BTC: expected maintenance rates that do not fall"),
        ("as_of = 2026-04-27, ", "", "as_of: expected this key, was missing"),
    ],
)
def test_what_is_wrong_is_refused_with_key_and_value(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_venue(written(tmp_path, old, new), "hyperliquid", ("BTC",), GRID)


def test_missing_files_and_markets_and_coarse_grids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"nowhere.toml: expected a venue's parameters"):
        load_venue(tmp_path, "nowhere", ("BTC",), GRID)
    with pytest.raises(UsageError, match=r"expected markets among .*, was .'DOGE'"):
        load_venue(FOLDER, "hyperliquid", ("DOGE",), GRID)
    with pytest.raises(UsageError, match=r"whole quanta, was 0\.1"):
        load_venue(FOLDER, "hyperliquid", ("BTC",), VenueGrid(Decimal("0.0001"), Decimal("0.001")))
