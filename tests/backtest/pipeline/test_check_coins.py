"""A plan that names a coin of which there are no data is refused with the coin, the files and their days.  [S8.1]"""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.pipeline.check_coins import check_coins
from backtest.registration.load import load_registration
from engine.errors import UsageError
from engine.units import NS_PER_DAY
from tests.backtest.data.markets import START, instrument, instruments, quote, store
from tests.helpers import small_run


def test_a_coin_without_data_is_named_with_the_days_of_the_files(tmp_path: Path) -> None:
    """The plan's coin is BTC; the data set holds three days of ETH, then both."""
    plan = load_registration(small_run.write_config(tmp_path))
    assert list(plan.params.underlyings) == ["BTC"]
    eth = instrument("okx:ETHUSDT", underlying="ETH", base="ETH")
    days = [quote(START + day * NS_PER_DAY, 0, 1.0, 2.0) for day in (0, 2)]
    with pytest.raises(UsageError) as refused:
        check_coins(store(tmp_path / "eth", instruments(eth), days), plan)

    text = str(refused.value)
    assert f"{plan.path}: expected data of BTC ({plan.params.underlyings['BTC'].reference})" in text
    assert "holds ETH from 2024-10-04 to 2024-10-06" in text
    assert "add files of BTC" in text

    btc = instruments(instrument("okx:BTCUSDT"))
    check_coins(store(tmp_path / "btc", btc, [quote(START, 0, 1.0, 2.0)]), plan)
