"""Compares what a file says of its instrument with what its source declares.  [S1.2, S8.2]

A name, a column or a message that names another instrument is never merged into the declared one.  Decision 0411.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells
from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.instruments import DOLLARS, InstrumentListing
from engine.errors import DataError, UsageError
from engine.records import Kind, Right
from engine.units import NEVER_NS

OTHERS: Final = "messages of other symbols"
"""What `Chunk.passed_over` calls a message of another instrument in a recording of several."""

_COLUMNS: Final = ("symbol", "coin", "pair", "ticker", "instid", "inst_id", "instrument", "instrument_name")
_PAIR: Final = re.compile(r"(?<![A-Z0-9])([A-Z0-9]{2,12}?)[-_/]?(USDT|USDC|USD)(_\d{6})?(?![A-Z0-9])")
_PAIR_LOWER: Final = re.compile(r"(?<![a-z0-9])([a-z0-9]{2,12}?)(usdt|usdc|usd)(_\d{6})?(?![a-z0-9])", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z0-9]+")
# A coin by itself in a name, as in hyperliquid_ETH_funding.csv; any other word may mean anything.
_COINS: Final = frozenset((
    "BTC", "XBT", "ETH", "SOL", "XRP", "BNB", "DOGE", "ADA", "AVAX", "LINK", "DOT", "LTC", "TRX", "BCH", "HYPE", "SUI",
    "TON", "NEAR", "UNI", "AAVE", "ATOM", "PEPE", "SHIB", "PAXG",
))  # fmt: skip
_PERP_ENDINGS: Final = ("PERPETUAL", "PERP", "SWAP", "M")
_FRONTS: Final = re.compile(r"\A(?:PI|PF)_|\A[A-Z]+:(?=[A-Z0-9]+\Z)")


def is_symbol_of(listing: InstrumentListing, text: str) -> bool:
    """Return whether ``text`` names the instrument of ``listing`` in a form that a venue or a library writes.

    A coin alone names any instrument on it.  A perp without a dollar in its symbol may be called by any, a dated future
    by its own symbol only.

    >>> from engine.records import Feed
    >>> from backtest.data.adapters.instruments import linear_perp
    >>> perp = linear_perp("binance", "BTC", "USDT", Feed.BAR, funding_ns=0)
    >>> [is_symbol_of(perp, text) for text in ("BTCUSDT", "BTC/USDT:USDT", "XBTUSDTM", "BTC-USDT-SWAP", "BTC")]
    [True, True, True, True, True]
    >>> [is_symbol_of(perp, text) for text in ("ETHUSDT", "BTCUSDC", "BTCUSDT_240329", "BTCDOMUSDT")]
    [False, False, False, False]
    """
    letters = _letters(_FRONTS.sub("", text.upper()))
    if listing.expiry_ns != NEVER_NS:
        return letters == _letters(listing.symbol)
    base = listing.base.upper()
    # BitMEX, Kraken and KuCoin write XBT.
    if base == "BTC" and letters.startswith("XBT"):
        letters = "BTC" + letters[3:]
    if not letters.startswith(base):
        return False
    rest = letters[len(base) :]
    if listing.kind == Kind.PERP:
        rest = next((rest.removesuffix(end) for end in _PERP_ENDINGS if rest.endswith(end)), rest)
    money = {listing.quote} if listing.inverse else {listing.settle}
    if not listing.inverse and listing.symbol == f"{listing.base}-PERP":
        money |= DOLLARS
    return rest in {"", *money, *(one + other for one in money for other in (*money, listing.settle))}


def check_columns(frame: pd.DataFrame, listing: InstrumentListing, where: str) -> None:
    """Raise ``DataError`` (4) if a column that names the instrument names another one in any row."""
    for column in frame.columns:
        if str(column).lower() not in _COLUMNS:
            continue
        names = cells.names(frame, column, where)
        others = sorted(name for name in set(names) if not is_symbol_of(listing, name))
        if others:
            shown, first = ", ".join(others[:5]), int(np.argmax(np.isin(names.astype(str), others)))
            raise DataError(
                f"{where}, row {cells.row_of(frame, first)}, column {column}: expected rows of {listing.name}, there "
                f"were rows of {shown}; give each instrument its own file and source"
            )


def check_name(path: Path, listing: InstrumentListing, where: str) -> None:
    """Raise ``DataError`` (4) if the file's name speaks of another instrument than ``listing``.

    A name that speaks of none is accepted; of several, one has to be the declared one.
    """
    pairs = [match.group(0) for form in (_PAIR, _PAIR_LOWER) for match in form.finditer(path.name)]
    coins = [word for word in _WORD.findall(path.name) if word in _COINS]
    dated = [pair for pair in pairs if re.search(r"_\d{6}\Z", pair)]
    # The most precise kind that the name holds: a pair is part of a dated one, a coin of a pair.
    spoken = dated or pairs or coins
    if spoken and not any(is_symbol_of(listing, name) for name in spoken):
        raise DataError(
            f"{where}: expected a file of {listing.name}, was one of {spoken[0]} by its name; narrow the path of the "
            f"source or declare the instrument of the file"
        )


def check_symbol_option(spec: SourceSpec, symbol: str, listing: InstrumentListing) -> None:
    """Raise ``UsageError`` (2) if the option ``symbol`` of a source names another coin than its option ``base``."""
    letters = _letters(symbol.upper())
    if listing.base.upper() not in (letters.replace("XBT", "BTC") if listing.base == "BTC" else letters):
        raise UsageError(
            f"source {spec.adapter} ({spec.path}): expected symbol and base of one coin, was symbol = {symbol!r} with "
            f"base = {listing.base!r}"
        )


def terms_text(strike: float, expiry_ns: int | None, right: Right | None) -> str:
    """Return the terms of an option that a file's columns state, for a message.

    >>> terms_text(95000.0, 1_774_598_400_000_000_000, Right.CALL)
    'strike 95000, expiry 2026-03-27T08:00, call'
    >>> terms_text(8.6, 10**20, Right.PUT)
    'strike 8.6, expiry 100000000000000000000 ns, put'
    """
    if expiry_ns is None:
        expiry = "none"
    elif abs(expiry_ns) > np.iinfo(np.int64).max:
        # A column may hold any number; one beyond 64 bits is no time of this program.
        expiry = f"{expiry_ns} ns"
    else:
        expiry = str(np.datetime64(expiry_ns, "ns").astype("datetime64[m]"))
    return f"strike {strike:.15g}, expiry {expiry}, {'no right' if not right else right.name.lower()}"


def _letters(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", text)
