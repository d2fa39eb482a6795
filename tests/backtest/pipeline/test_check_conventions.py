"""A plan that trades what expires says how long before its venue averages the index.  [venues V2]"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backtest.data.adapters import instruments as listed
from backtest.data.adapters.instruments import table
from backtest.data.format.dataset import Dataset
from backtest.data.format.schema import instruments_from_frame
from backtest.pipeline.check_conventions import check_conventions
from backtest.records import Registration
from backtest.registration.load import load_registration
from engine.errors import UsageError
from engine.records import Feed, Kind
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.backtest.data.markets import START, instrument, instruments, quote, store

DEMO = Path("configs/demo.toml")


def market(folder: Path, name: str = "deribit:C", underlying: str = "BTC", days: int = 1) -> Dataset:
    option = instrument(name, Kind.OPTION, underlying=underlying, expiry_ns=START + days * NS_PER_DAY + 8 * NS_PER_HOUR)
    return store(folder, instruments(option), [quote(START, 0, 1.0, 2.0)])


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


def test_an_interval_is_held_against_the_days_of_the_data(tmp_path: Path) -> None:
    """A change of the venue after the last stored day contradicts no file, though the window ends later."""
    plan = load_registration(DEMO)
    perp = listed.linear_perp("hyperliquid", "BTC", "USDT", Feed.BOOK, funding_ns=8 * NS_PER_HOUR)
    data = store(tmp_path / "set", instruments_from_frame(table([perp])), [quote(START, 0, 1.0, 2.0)])
    own = [row for row in plan.params.funding if row.venue == "hyperliquid"]
    first = min(row.as_of for row in own)
    (hourly,) = [row for row in own if row.interval_ns == NS_PER_HOUR and not row.symbol]

    def changed_on(day: str) -> Registration:
        rows = (replace(hourly, as_of=first, interval_ns=8 * NS_PER_HOUR), replace(hourly, as_of=day))
        return replace(plan, params=replace(plan.params, funding=rows))

    last = str(np.datetime64(START // NS_PER_DAY, "D"))
    assert str(np.datetime64(plan.plan.t1_ns // NS_PER_DAY, "D")) > last
    check_conventions(data, changed_on(str(np.datetime64(START // NS_PER_DAY + 1, "D"))))
    with pytest.raises(
        UsageError, match="hyperliquid:BTC-PERP that agrees with the data set, was settlements each 1 h"
    ):
        check_conventions(data, changed_on(last))


def test_a_perp_whose_venue_says_no_price_of_funding_is_refused(tmp_path: Path) -> None:
    """Its first payment would be on nothing; of a plan of the older form nothing is asked."""
    plan = load_registration(DEMO)
    perp = listed.linear_perp("hyperliquid", "BTC", "USDT", Feed.BOOK, funding_ns=NS_PER_HOUR)
    data = store(tmp_path / "set", instruments_from_frame(table([perp])), [quote(START, 0, 1.0, 2.0)])
    check_conventions(data, plan)
    funding_on = {venue: price for venue, price in plan.params.funding_on.items() if venue != "hyperliquid"}
    with pytest.raises(UsageError, match="hyperliquid:BTC-PERP pays its funding on, was none for venue hyperliquid"):
        check_conventions(data, replace(plan, params=replace(plan.params, funding_on=funding_on)))
