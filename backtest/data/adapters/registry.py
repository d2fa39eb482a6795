"""The adapters there are: a literal table, so that a reader finds each by its name.  [S8.2]"""

from __future__ import annotations

from typing import Final

from backtest.data.adapters import (
    binance_archive,
    binance_quarterly,
    binance_ws,
    candles_csv,
    candles_feather,
    deribit_candles,
    deribit_snapshots,
    deribit_tickers,
    funding_history,
    hyperliquid_archive,
    hyperliquid_raw,
    lean_minute_quotes,
    tardis,
    tardis_trades,
    threevenue,
)
from backtest.data.adapters.base import Adapter
from engine.errors import UsageError

ADAPTERS: Final = (
    deribit_snapshots.ADAPTER,
    deribit_candles.ADAPTER,
    deribit_tickers.XLSX,
    deribit_tickers.BOOK_CSV,
    candles_feather.ADAPTER,
    candles_csv.ADAPTER,
    funding_history.ADAPTER,
    binance_quarterly.ADAPTER,
    binance_ws.ADAPTER,
    hyperliquid_raw.WS,
    hyperliquid_raw.CONTEXTS,
    hyperliquid_raw.BOOK_SUMMARY,
    threevenue.ADAPTER,
    lean_minute_quotes.ADAPTER,
    tardis.TOUCH,
    tardis.TICKER,
    tardis.CHAIN,
    tardis_trades.ADAPTER,
    binance_archive.KLINES,
    binance_archive.ADAPTER,
    hyperliquid_archive.CONTEXTS,
    hyperliquid_archive.BOOKS,
)


def adapter(name: str) -> Adapter:
    """Return the adapter called ``name``; raise ``UsageError`` listing the known ones."""
    for each in ADAPTERS:
        if each.name == name:
            return each
    raise UsageError(f"expected an adapter among {', '.join(each.name for each in ADAPTERS)}, was {name!r}")
