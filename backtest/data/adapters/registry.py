"""Lists the adapters in a literal table, so that a reader finds each by its name.  [S8.2]"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from backtest.data.adapters.base import Adapter
from backtest.data.adapters.binance import archive, quarterly, websocket
from backtest.data.adapters.deribit import candles, snapshots, tickers
from backtest.data.adapters.hyperliquid import archive as hyperliquid_archive
from backtest.data.adapters.hyperliquid import recordings
from backtest.data.adapters.vendors import (
    candles_csv,
    candles_feather,
    deliveries,
    funding_history,
    lean_minute_quotes,
    quotes_table,
    tardis,
    tardis_trades,
    three_venues,
)
from engine.errors import UsageError

ADAPTERS: Final = (
    snapshots.ADAPTER,
    candles.ADAPTER,
    tickers.XLSX,
    tickers.BOOK_CSV,
    candles_feather.ADAPTER,
    candles_csv.ADAPTER,
    funding_history.ADAPTER,
    deliveries.ADAPTER,
    quarterly.ADAPTER,
    websocket.ADAPTER,
    recordings.WS,
    recordings.CONTEXTS,
    recordings.BOOK_SUMMARY,
    three_venues.ADAPTER,
    lean_minute_quotes.ADAPTER,
    quotes_table.ADAPTER,
    tardis.TOUCH,
    tardis.TICKER,
    tardis.CHAIN,
    tardis_trades.ADAPTER,
    archive.KLINES,
    archive.ADAPTER,
    hyperliquid_archive.CONTEXTS,
    hyperliquid_archive.BOOKS,
)


def adapter(name: str) -> Adapter:
    """Return the adapter called ``name``.

    Parameters
    ----------
    name : str
        The ``adapter`` of a source, for example ``deribit_xlsx``.

    Returns
    -------
    Adapter
        The member of ``ADAPTERS`` with that name.

    Raises
    ------
    UsageError
        If no adapter is called ``name``; the message lists the known ones.

    Examples
    --------
    >>> adapter("candles_csv").title
    'Candles of one instrument, CSV with header'
    """
    for member in ADAPTERS:
        if member.name == name:
            return member
    names = [member.name for member in ADAPTERS]
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(
        f"expected an adapter among {', '.join(names)}, was {name!r}: {hint}`cme data sources` explains each"
    )
