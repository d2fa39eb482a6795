"""Three synthetic days of hourly quotes, sealed; the calls that have to be refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.data.format.dataset import Dataset
from backtest.data.format.schema import Channel
from backtest.live.day_chain import DayChain, read_days
from backtest.live.day_source import CanonicalSource
from backtest.live.seal import seal_day
from engine.errors import CmeError
from engine.records import Kind
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.backtest.data.markets import DAY, START, instrument, instruments, quote, store

HOURS = 24
DATES = ("2024-10-04", "2024-10-05", "2024-10-06")
NOW = 1_800_000_000_000_000


def market(folder: Path, out: range = range(0), expiry: bool = False, days: int = 3,
           options: bool = False) -> Dataset:  # fmt: skip
    """Hourly quotes of a perp, and of a spot that is listed on day 1; none in the hours of ``out``.

    ``expiry`` lists a future that expires on day 0, ``options`` an option that is quoted each hour.
    """
    future = instrument("deribit:BTC-4OCT24", Kind.FUTURE, expiry_ns=START + 8 * NS_PER_HOUR)
    names = [instrument("binance:BTCUSDT"), instrument("binance:ABTC", Kind.SPOT), *([future] if expiry else [])]
    if options:
        names.append(instrument("deribit:BTC-25OCT24-60000-C", Kind.OPTION, expiry_ns=START + 21 * NS_PER_DAY))
    listed = instruments(*names)
    code = {name: at for at, name in enumerate(listed.name)}
    rows = []
    for hour in (hour for hour in range(HOURS * days) if hour not in out):
        t_ns = START + hour * NS_PER_HOUR
        rows.append(quote(t_ns, code["binance:BTCUSDT"], 100.0 + hour, 101.0 + hour))
        if options:
            rows.append(quote(t_ns, code["deribit:BTC-25OCT24-60000-C"], 0.05, 0.06))
        if hour >= HOURS:
            rows.append(quote(t_ns, code["binance:ABTC"], 99.0, 100.5))
    if expiry:
        rows.append(quote(START, code["deribit:BTC-4OCT24"], 99.0, 100.5))
    for hour in range(0, HOURS * days, 8):
        rows.append({"channel": Channel.SETTLE, "t_ns": START + hour * NS_PER_HOUR, "code": code["binance:BTCUSDT"],
                     "rate": 1e-4})  # fmt: skip
    return store(folder / "market", listed, rows)


def sealed(folder: Path, source: CanonicalSource, days: int = 3) -> DayChain:
    folder.mkdir(exist_ok=True)
    chain = read_days(folder)
    for day in range(DAY, DAY + days):
        chain = seal_day(chain, source, source.read(day), source.dataset.grid_ns, NOW)
    return chain


def refused(code: int, call: object, *arguments: object) -> str:
    with pytest.raises(CmeError) as error:
        call(*arguments)  # type: ignore[operator]
    assert error.value.exit_code == code
    return str(error.value)
