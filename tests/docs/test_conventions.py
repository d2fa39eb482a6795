"""The page of conventions is fresh, and every instrument that an adapter can list has a row on it.  [venues]"""

from __future__ import annotations

import importlib.util
import inspect
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from backtest.data.adapters import instruments as listing
from backtest.data.adapters.instruments import InstrumentListing
from backtest.data.format.schema import VENUES
from backtest.registration.conventions import conventions_of
from engine.records import Feed, Kind

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_conventions", ROOT / "docs" / "conventions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sections(text: str) -> dict[str, str]:
    """The text below each heading; that of other venues by its own name."""
    parts = text.split("\n## ")[1:]
    return {part.partition("\n")[0]: part for part in parts}


def test_the_page_is_fresh_and_whole(page: ModuleType) -> None:
    """`python docs/conventions.py` writes it; nothing that a plan here can trade lacks a convention of its kind."""
    text, complaints = page.page()

    assert complaints == []
    assert (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8") == text


def test_every_kind_of_instrument_of_every_venue_has_a_row(page: ModuleType) -> None:
    """By hand: venue, kind, price and money of each listing, at the venues with a file and at those without."""
    of = sections((ROOT / "docs" / "conventions.md").read_text(encoding="utf-8"))
    listed = 0
    for venue in VENUES:
        for each in page.listings(venue):
            price = "coin" if each.quote == each.base else each.quote
            money = "coin" if each.settle == each.base else each.settle
            if "coin" not in (price, money) and price != money:
                money += ", quanto"
            kind = each.kind.name.lower()
            where, row = (venue, f"\n| {kind} | {price} | {money} |")
            if venue not in of:
                where, row = "Other venues", f"\n| {venue} | {kind} | {price} | {money} |"
            assert row in of[where], f"{each.name}: no row {row.strip()}"
            listed += 1

    assert listed > 300


def test_no_maker_of_listings_is_left_out(page: ModuleType) -> None:
    """A new function that lists an instrument has to be among the forms of the page, or this fails."""
    makers = {
        name
        for name, function in vars(listing).items()
        if inspect.isfunction(inspect.unwrap(function) if callable(function) else function)
        and not name.startswith("_")
        and inspect.signature(function).return_annotation == InstrumentListing.__name__
    }

    assert makers == {"spot", "linear_perp", "inverse_perp", "quarterly", "dated_future", "deribit", "declared"}
    source = (ROOT / "docs" / "conventions.py").read_text(encoding="utf-8")
    # `quarterly` is what `dated_future` calls, and `declared` calls the others
    assert [name for name in sorted(makers - {"quarterly", "declared"}) if f"listing.{name}(" not in source] == []
    kinds = {each.kind for venue in VENUES for each in page.listings(venue)}
    assert kinds == set(Kind)


def test_a_row_of_a_venue_file_is_on_the_page_with_day_source_and_mark() -> None:
    """Every row of every table, read here from the files by hand."""
    of = sections((ROOT / "docs" / "conventions.md").read_text(encoding="utf-8"))
    for path in sorted((ROOT / "configs" / "venues").glob("*.toml")):
        for venue in tomllib.loads(path.read_text(encoding="utf-8"))["venues"]:
            for table, rows in venue.items():
                for row in rows if isinstance(rows, list) else []:
                    start = f"| {table} | {row['kind']} |"
                    end = f"| {row['source']} | {row['verified'] or '**nothing**'} |"
                    lines = [line for line in of[venue["name"]].splitlines() if start in line and line.endswith(end)]
                    assert [line for line in lines if f"| {row['from']} |" in line], (table, row)


def test_the_row_in_force_last_is_in_the_cell() -> None:
    """Hyperliquid's perp pays 4.5 bps; the page says so in the row of the instrument."""
    hyperliquid = sections((ROOT / "docs" / "conventions.md").read_text(encoding="utf-8"))["hyperliquid"]
    rows = [line for line in hyperliquid.splitlines() if line.startswith("| perp | USDT | USDC, quanto |")]

    assert len(rows) == 1
    assert "taker 4.5 bps, delivery 0 bps" in rows[0].split("|")[-2]
    assert listing.linear_perp("hyperliquid", "BTC", "USD", Feed.BOOK, funding_ns=1).settle == "USDC"


def test_a_convention_is_in_force_from_its_day_to_the_next_of_its_keys() -> None:
    """Two days of one key, another key beside them, and a row of the older form that always held."""
    row = {"kind": "perp", "taker_bps": "5", "source": "a page", "verified": False}
    fees = [row | {"from": "2024-01-01"}, row | {"from": "2025-01-01", "verified": "a copy"},
            row | {"from": "2024-06-01", "settle": "USDC"}]  # fmt: skip
    old = {key: value for key, value in row.items() if key != "verified"} | {"as_of": "2026-01-01"}
    first, second, usdc, always = conventions_of(
        [{"name": "binance", "funding_paid_on": "mark", "fees": fees}, {"name": "okx", "fees": [old]}]
    )

    assert (first.as_of, first.until, first.verified, first.value) == ("2024-01-01", "2025-01-01", "", "taker 5 bps")
    assert (second.until, second.verified, usdc.keys, usdc.until) == ("", "a copy", "USDC", "")
    assert first.in_force("2023-01-01", "2024-01-01")
    assert first.in_force("2024-12-31", "2025-06-01")
    assert not first.in_force("2025-01-01", "2025-06-01")
    assert not first.in_force("2023-01-01", "2023-12-31")
    assert always.in_force("2020-01-01", "2020-02-01")
    assert not second.in_force("2020-01-01", "2020-02-01")
