"""Which contracts of a chain are recorded: from a venue's answers to a set that only grows.  [live L1]

An option is subscribed once its expiry lies within the registered days and its mark delta within the registered band,
and never unsubscribed before it expires.  Delta is N(d1) of Black (1976) with the venue's mark volatility; an option
without a mark is subscribed, since it may be any.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backtest.record.record_plan import ContractChain
from engine.errors import DataError
from engine.units import NS_PER_DAY, NS_PER_MS

_YEAR_D: Final = 365
_PERCENT: Final = 100.0


@dataclass(frozen=True, slots=True)
class ListedContract:
    """One contract of a venue's list; ``strike`` is NaN but for options, ``is_call`` False."""

    symbol: str
    kind: str
    coin: str
    expiry_ns: int
    strike: float
    is_call: bool


@dataclass(frozen=True, slots=True)
class MarkSummary:
    """Forward in USD and volatility (1 is 100% a year) of an option's mark; NaN where the venue names none."""

    forward: float
    volatility: float


def mark_delta(contract: ListedContract, mark: MarkSummary, now_ns: int) -> float:
    """Return the absolute delta of an option in [0, 1] by its mark; NaN where it has none.

    Examples
    --------
    >>> call = ListedContract("BTC-X-100000-C", "option", "BTC", 365 * NS_PER_DAY, 100_000.0, True)
    >>> round(mark_delta(call, MarkSummary(100_000.0, 0.5), 0), 3)
    0.599
    """
    years = (contract.expiry_ns - now_ns) / NS_PER_DAY / _YEAR_D
    if not (years > 0 and mark.volatility > 0 and mark.forward > 0 and contract.strike > 0):
        return math.nan
    spread = mark.volatility * math.sqrt(years)
    d1 = math.log(mark.forward / contract.strike) / spread + spread / 2
    return math.erfc((-d1 if contract.is_call else d1) / math.sqrt(2)) / 2


def wanted(
    chain: ContractChain, listed: Mapping[str, ListedContract], marks: Mapping[str, MarkSummary], now_ns: int
) -> set[str]:
    """Return the symbols of a chain that are to be subscribed now; what was subscribed before stays so."""
    found = set()
    for contract in listed.values():
        if contract.kind != chain.kind or contract.coin not in chain.coins or contract.expiry_ns <= now_ns:
            continue
        if chain.kind == "option" and not _is_in_band(chain, contract, marks, now_ns):
            continue
        found.add(contract.symbol)
    return found


def _is_in_band(chain: ContractChain, contract: ListedContract, marks: Mapping[str, MarkSummary], now_ns: int) -> bool:
    days, band = float(chain.expiry_d or 0), chain.delta or ["0", "1"]
    if contract.expiry_ns - now_ns > days * NS_PER_DAY:
        return False
    delta = mark_delta(contract, marks.get(contract.symbol, MarkSummary(math.nan, math.nan)), now_ns)
    return math.isnan(delta) or float(band[0]) <= delta <= float(band[1])


def deribit_contracts(answer: bytes) -> dict[str, ListedContract]:
    """Return the dated futures and options in an answer of ``get_instruments``, by symbol.

    Perpetuals, combos and what settles in another currency than its coin are left out.  Raises ``DataError`` (4) for
    an answer of another form, of the test network among them.
    """
    found = {}
    for row in _result(answer):
        kind, coin, name = row.get("kind"), row.get("base_currency"), row.get("instrument_name")
        settled = row.get("settlement_currency", coin)
        if kind not in ("future", "option") or settled != coin or row.get("settlement_period") == "perpetual":
            continue
        expiry, strike = row.get("expiration_timestamp"), row.get("strike", math.nan)
        if not (isinstance(name, str) and isinstance(coin, str) and isinstance(expiry, int)):
            raise DataError(f"get_instruments: expected name, coin and expiry of a contract, was {str(row)[:200]}")
        is_call = row.get("option_type") == "call"
        found[name] = ListedContract(name, kind, coin, expiry * NS_PER_MS, float(strike), is_call)
    return found


def deribit_marks(answer: bytes) -> dict[str, MarkSummary]:
    """Return forward and mark volatility in an answer of ``get_book_summary_by_currency``, by symbol.

    Raises ``DataError`` (4) as `deribit_contracts`.
    """
    found = {}
    for row in _result(answer):
        forward, percent = row.get("underlying_price"), row.get("mark_iv")
        numbers = [float(n) if isinstance(n, (int, float)) else math.nan for n in (forward, percent)]
        found[str(row.get("instrument_name"))] = MarkSummary(numbers[0], numbers[1] / _PERCENT)
    return found


def _result(answer: bytes) -> list[dict[str, Any]]:
    try:
        content = json.loads(answer)
        rows = content["result"]
        if content.get("testnet") is True:
            raise DataError("expected an answer of Deribit's production, was testnet: true; correct the address")
        if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
            return rows
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"expected an answer with a list result, was {answer[:200]!r}") from error
    raise DataError(f"expected an answer with a list result, was {answer[:200]!r}")
