"""A plan that knows no lot or tick of what it can trade is refused before any quote is read.  [venues V4]"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backtest.data.adapters import instruments as listed
from backtest.data.adapters.instruments import InstrumentListing
from backtest.pipeline.check_steps import check_steps
from backtest.records import Registration
from backtest.registration.load import load_registration
from engine.errors import UsageError
from engine.records import Feed
from engine.units import NS_PER_HOUR
from tests.backtest.pipeline.test_check_money import DEMO, market

OPTION = listed.deribit("BTC-27MAR26-95000-C", Feed.BOOK)
PERP = listed.linear_perp("binance", "BTC", "USDT", Feed.BOOK, funding_ns=8 * NS_PER_HOUR)


@pytest.fixture(scope="module")
def plan() -> Registration:
    return load_registration(DEMO)


def without(plan: Registration, table: str, venue: str, *, older: bool = False) -> Registration:
    """The plan without the rows of one table at one venue; with the older form of its fees where ``older``."""
    rows = tuple(row for row in getattr(plan.params, table) if row.venue != venue)
    params: Any = replace(plan.params, **{table: rows})
    venues = [
        {**v, "fees": [{"as_of": "2026-01-01"}] if older and v["name"] == venue else v["fees"]}
        for v in plan.content["venues"]
    ]
    return replace(plan, params=params, content={**plan.content, "venues": venues})


@pytest.mark.parametrize(("table", "listing"), [("lots", OPTION), ("ticks", OPTION), ("lots", PERP), ("ticks", PERP)])
def test_a_lacking_row_is_refused_with_its_table_and_instrument(
    tmp_path: Path, plan: Registration, table: str, listing: InstrumentListing
) -> None:
    data = market(tmp_path / "set", listing)
    check_steps(data, plan)
    with pytest.raises(
        UsageError, match=rf"venues\.{table}.*{listing.name}|{listing.name}.*venues\.{table}"
    ) as refused:
        check_steps(data, without(plan, table, listing.venue))
    assert refused.value.exit_code == 2


def test_plans_of_the_older_form_and_other_coins_need_none(tmp_path: Path, plan: Registration) -> None:
    check_steps(market(tmp_path / "older", OPTION), without(plan, "lots", "deribit", older=True))
    other = listed.deribit("SOL-27MAR26-200-C", Feed.BOOK)
    check_steps(market(tmp_path / "other", other), without(plan, "lots", "deribit"))
