"""A plan that trades what expires says how long before its venue averages the index.  [venues V2]"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backtest.data.format.dataset import Dataset
from backtest.pipeline.check_conventions import check_conventions
from backtest.records import Registration
from backtest.registration.load import load_registration
from engine.errors import UsageError
from engine.records import Kind
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.backtest.data.markets import START, instrument, instruments, quote, store

DEMO = Path("configs/demo.toml")


def market(folder: Path, name: str = "deribit:C", underlying: str = "BTC", days: int = 1) -> Dataset:
    listed = instrument(name, Kind.OPTION, underlying=underlying, expiry_ns=START + days * NS_PER_DAY + 8 * NS_PER_HOUR)
    return store(folder, instruments(listed), [quote(START, 0, 1.0, 2.0)])


def without(plan: Registration, as_of: bool = False) -> Registration:
    """The plan without windows; with the older form of fees where ``as_of``."""
    venues = [
        {**venue, "fees": [{"as_of": "2026-01-01"}] if as_of else venue["fees"]} for venue in plan.content["venues"]
    ]
    return replace(plan, params=replace(plan.params, delivery=()), content={**plan.content, "venues": venues})


def test_the_demonstration_has_a_row_for_all_that_it_trades(tmp_path: Path) -> None:
    """Its venue files name options and futures of Deribit."""
    check_conventions(market(tmp_path / "a"), load_registration(DEMO))


def test_a_lacking_row_is_refused_with_key_venue_and_what_is_known(tmp_path: Path) -> None:
    """Of an option that a constraint can trade; not of another coin, nor of a plan of the older form."""
    plan = load_registration(DEMO)
    with pytest.raises(UsageError, match=r"venues\.delivery .* was none for deribit option \(known: none\)"):
        check_conventions(market(tmp_path / "a"), without(plan))
    check_conventions(market(tmp_path / "b", underlying="SOL"), without(plan))
    check_conventions(market(tmp_path / "c", name="okx:C"), without(plan))
    check_conventions(market(tmp_path / "d"), without(plan, as_of=True))


def test_a_row_that_begins_after_the_expiry_is_none(tmp_path: Path) -> None:
    """The row of the day of expiry holds."""
    plan = load_registration(DEMO)
    later = tuple(replace(rule, as_of="2099-01-01") for rule in plan.params.delivery)
    with pytest.raises(UsageError, match="known: binance future from 2099-01-01, deribit future from 2099-01-01"):
        check_conventions(market(tmp_path / "a"), replace(plan, params=replace(plan.params, delivery=later)))
