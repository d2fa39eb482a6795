"""Small option markets for the tests of C3, C4 and C7, and what every slow second computation shares.

Views are written down here by hand, cell by cell: nothing of the engine but its nouns takes part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.constraints.scan_cells import Scan
from engine.market.dollars import DollarRates
from engine.market.fees import FeeTable
from engine.market.steps import option_ticks
from engine.market.view import PreparedPanel
from engine.records import Packages, Quality, Right
from engine.units import NS_PER_DAY
from tests.helpers.builders import NAN, T0_NS, Quote, Row, curves, future, instruments, market, option, panel, params

EXPIRY_NS = T0_NS + 30 * NS_PER_DAY
FUTURE = "deribit:BTC-F"
SPOT_USD = 90_000.0


def name(right: Right, strike: float) -> str:
    return f"deribit:BTC-{int(strike)}-{'C' if right == Right.CALL else 'P'}"


@dataclass(frozen=True)
class Book:
    """What one instrument shows, one number a row: bid, ask, and one side's fee; NaN where it is not usable."""

    row: Row
    bid: NDArray[np.float64]
    ask: NDArray[np.float64]
    fee: float = 0.0
    listed: bool = True


def calls_and_puts(
    strikes: Sequence[float], call: NDArray[np.float64], put: NDArray[np.float64], half: float, *, coin: bool = True
) -> list[Book]:
    """Options of one expiry from mids ``[T, n]`` with one half-spread; NaN mids are not usable."""
    changes = {} if coin else {"quote": "USDC", "settle": "USDC"}
    return [
        Book(option(name(right, k), EXPIRY_NS, k, right, **changes), mids[:, n] - half, mids[:, n] + half)
        for right, mids in ((Right.CALL, call), (Right.PUT, put))
        for n, k in enumerate(strikes)
    ]


def forward(mid: NDArray[np.float64], half: float = 0.0, fee: float = 0.0, **changes: object) -> Book:
    return Book(future(FUTURE, EXPIRY_NS, **changes), mid - half, mid + half, fee)


NO_FEES = FeeTable(*(np.empty(0) for _ in range(6)))


@dataclass(frozen=True, slots=True, eq=False)
class _Priced(PreparedPanel):
    """A view whose fees are written down, not looked up."""

    one_side: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def fee(self, at: Any) -> NDArray[np.float64]:
        return self.one_side[at]

    exit_fee = fee


def view(
    books: Sequence[Book], *, spot: float = SPOT_USD, index: float = SPOT_USD, ordered: bool = True, **changes: object
) -> PreparedPanel:
    """The view of these books, in coin converted at ``index``, S = ``spot``; codes by name, or in the order given."""
    rows = len(books[0].bid)
    table = instruments(*(book.row for book in books), ordered=ordered)
    block = panel(table, {book.row.name: Quote(book.bid, book.ask) for book in books}, rows=rows)
    mine = {book.row.name: book for book in books}
    ordered = [mine[table.name[code]] for code in block.code]
    mid = 0.5 * (block.bid + block.ask)
    half = 0.5 * (block.ask - block.bid)
    fee = np.broadcast_to(np.array([book.fee for book in ordered]), mid.shape)
    usd = np.where([book.row.quote == "BTC" for book in ordered], index, 1.0)
    quality = np.where(np.isnan(mid), Quality.STALE, Quality.USABLE).astype(np.uint8)
    for n, book in enumerate(ordered):
        if not book.listed:
            quality[:, n] = Quality.NEVER_QUOTED
    return _Priced(
        panel=block,
        params=params(),
        market=replace(market(), **changes),
        curves=curves(),
        spot_usd=np.full(rows, spot),
        dollars=DollarRates(np.ones(rows), np.ones(rows), np.ones(rows)),
        usd=np.broadcast_to(usd, mid.shape),
        money=np.broadcast_to(usd, mid.shape),
        usable=~np.isnan(mid),
        quality=quality,
        mid=mid,
        half_spread=half,
        charge=half + fee,
        fees=NO_FEES,
        lots=np.full(len(block.code), np.nan),
        ticks=option_ticks((), table, block.code, "2026-01-15"),
        one_side=fee,
    )


@dataclass(frozen=True)
class Slow:
    """One package as a slow loop sees it: net and gross in bps of S, legs by name."""

    net: float
    gross: float
    legs: dict[str, float]


def best_of(found: Sequence[Slow]) -> Slow | None:
    """The first package of the largest net."""
    return max(found, key=lambda package: package.net, default=None)


def legs_of(block: PreparedPanel, packages: Packages, m: int) -> dict[str, float]:
    """The legs of package m by instrument name."""
    table = block.panel.instruments
    return {
        table.name[block.panel.code[column]]: float(quantity)
        for column, quantity in zip(packages.column[m], packages.quantity[m], strict=True)
        if column >= 0
    }


def key_of(scan: Scan, block: PreparedPanel, side: int, short: str) -> int:
    """The row of the key (side, short leg)."""
    code = block.panel.instruments.code_of(short)
    (found,) = np.flatnonzero((scan.keys.short == code) & (scan.keys.side == side))
    return int(found)


def short_names(block: PreparedPanel, scan: Scan) -> list[str]:
    """The short legs of the keys, by name."""
    return [block.panel.instruments.name[code] for code in scan.keys.short]


def random_chain(seed: int, rows: int, strikes: int, *, coin: bool) -> tuple[list[float], list[Book]]:
    """Noisy calls and puts around intrinsic values with some quotes missing, and their future."""
    draw = np.random.Generator(np.random.PCG64(seed))
    at = np.cumsum(draw.integers(1, 6, size=strikes)) * 1_000.0 + 75_000.0
    level = 90_000.0 + draw.normal(0.0, 500.0, size=rows)
    value = np.maximum(level[:, None] - at, 0.0) + 3_000.0 + draw.normal(0.0, 400.0, size=(rows, strikes))
    other = np.maximum(at - level[:, None], 0.0) + 3_000.0 + draw.normal(0.0, 400.0, size=(rows, strikes))
    unit = level[:, None] if coin else 1.0
    call, put = value / unit, other / unit
    call[draw.random(call.shape) < 0.2] = NAN
    put[draw.random(put.shape) < 0.2] = NAN
    half = 0.0005 if coin else 40.0
    books = [replace(b, fee=0.0003 if coin else 9.0) for b in calls_and_puts(at, call, put, half, coin=coin)]
    level[draw.random(rows) < 0.1] = NAN
    changes = {} if coin else {"quote": "USDC", "settle": "USDC", "inverse": False}
    return at.tolist(), [*books, forward(level, 12.0, 45.0, **changes)]
