"""Small inputs whose answers are known: what the NumPy path says of them, as digests.

They are asked of the compiled kernels once a process, before these compute anything.  The inputs have holes, ties, late
quotes, two days and both kinds of premium; they are made by integer arithmetic, so every machine has the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ctypes import CDLL
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.kernels.asof_joins import FIELDS, JoinedRows, quotes_asof, value_asof
from engine.kernels.option_scans import (
    CellArrays,
    FoundCells,
    QuotedChain,
    butterfly_cells,
    chain_counts,
    future_parity_cells,
    pair_parity_cells,
    vertical_cells,
)
from engine.kernels.quote_preparation import ColumnTerms, prepare_quotes
from engine.records import ByteArray, FloatArray, IntArray
from engine.units import NEVER_NS

STRIKES: Final = 9
ROWS: Final = 37
"""No multiple of a tile, so that its rest is computed too."""


def wrong_answers(library: CDLL) -> list[str]:
    """Return the names of the kernels whose answer is not the known one; none where all are."""
    return [name for name, answer in ANSWERS.items() if digest(answer(library)) != KNOWN[name]]


def digest(arrays: Sequence[NDArray[Any]]) -> str:
    """Return the SHA-256, hex, of arrays; all NaN count alike, for a processor may give them a sign."""
    parts = sha256()
    for array in arrays:
        plain = np.where(np.isnan(array), np.nan, array) if array.dtype == np.float64 else array
        parts.update(f"{plain.dtype.newbyteorder('<').str} {plain.shape}\n".encode())
        parts.update(np.ascontiguousarray(plain, dtype=plain.dtype.newbyteorder("<")).tobytes())
    return parts.hexdigest()


def drawn(count: int, turn: int) -> FloatArray:
    """Return ``count`` numbers in [0, 1), the same everywhere."""
    return ((np.arange(count) * 7_919 + turn * 104_729) % 10_007) / 10_007.0


def chain(money: bool = False) -> QuotedChain:
    """Return a chain of `STRIKES` calls and as many puts of the same strikes, `ROWS` grid times of two days."""
    strike: FloatArray = 80.0 + 5.0 * np.arange(STRIKES, dtype=np.float64)
    # Multiples of powers of two, so that prices of different strikes tie.
    call = np.maximum(100.0 - strike, 0.0)[:, None] / 128.0 + 1.0 / 64.0
    mid = np.concatenate([call, call - (100.0 - strike)[:, None] / 128.0])
    noise = np.floor(6.0 * drawn(2 * STRIKES * ROWS, 1)).reshape(2 * STRIKES, ROWS) / 1_024.0
    mid = mid + noise
    mid[drawn(mid.size, 2).reshape(mid.shape) < 0.15] = np.nan
    steps = np.floor(1.0 + 3.0 * drawn(mid.size, 3)).reshape(mid.shape)
    charge: FloatArray = np.where(np.isnan(mid), np.nan, steps / 8_192.0)
    conversion: FloatArray = 100.0 + drawn(ROWS, 4)
    paid = conversion * (1.0 + 1e-3 * drawn(mid.size, 5).reshape(mid.shape))
    day = np.repeat([0, 1], [ROWS // 2, ROWS - ROWS // 2])
    column = np.arange(2 * STRIKES, dtype=np.int32)
    scale = 1e4 * conversion / 100.0
    return QuotedChain(mid.T, charge.T, paid.T if money else None, column, strike, conversion, scale, day)


def half_of(whole: QuotedChain, side: slice) -> QuotedChain:
    """Return some columns of a chain."""
    return QuotedChain(
        whole.mid, whole.charge, whole.money, whole.column[side], whole.strike, whole.usd, whole.scale, whole.day
    )


def empty_cells(keys: int, floor: float) -> CellArrays:
    """Return the arrays of a scan of ``keys`` keys before it began."""
    evaluated = np.zeros((keys, ROWS), dtype=np.bool_)
    return CellArrays(floor, np.full(2, -np.inf), np.zeros(2, dtype=np.int64), evaluated)


def ordered(found: FoundCells, cells: CellArrays) -> list[NDArray[Any]]:
    """Return the cells by (row, key), and what the scan added to."""
    order = np.lexsort((found.key, found.row))
    kept = [array[order] for array in (found.row, found.key, found.score, found.wing)]
    return [*kept, cells.best, cells.violations, cells.evaluated]


def _butterflies(library: CDLL) -> list[NDArray[Any]]:
    answers = []
    for money, floor in ((False, -np.inf), (True, 20.0)):
        calls, cells = half_of(chain(money), slice(0, STRIKES)), empty_cells(STRIKES - 2, floor)
        turns = np.full(ROWS, STRIKES, dtype=np.int64)
        answers += ordered(butterfly_cells(library, calls, turns, cells), cells)
    return answers


def locked() -> tuple[FloatArray, FloatArray]:
    """Return what a dollar costs, at mid and with its charge, ``[T]``; not known at some grid times."""
    at_mid = np.where(drawn(ROWS, 6) < 0.1, np.nan, 1.0 / (100.0 + drawn(ROWS, 7)))
    return at_mid, at_mid * 1.001


def _verticals(library: CDLL) -> list[NDArray[Any]]:
    answers = []
    for calls, floor in ((True, -np.inf), (False, 15.0)):
        own = half_of(chain(), slice(0, STRIKES) if calls else slice(STRIKES, None))
        cells = empty_cells(2 * (STRIKES - 1), floor)
        answers += ordered(vertical_cells(library, own, *locked(), calls, cells), cells)
    return answers


def forwards() -> tuple[FloatArray, FloatArray, IntArray]:
    """Return a future's mid and round trip, and 1 where it is listed, ``[T]``."""
    return 100.0 + drawn(ROWS, 8), 0.05 + 0.01 * drawn(ROWS, 9), (drawn(ROWS, 10) < 0.8).astype(np.int64)


def half_spreads() -> FloatArray:
    """Return the half-spreads of the chain, ``[T, N]``."""
    return 1e-3 * drawn(2 * STRIKES * ROWS, 11).reshape(2 * STRIKES, ROWS).T


def _parities(library: CDLL) -> list[NDArray[Any]]:
    answers = []
    forward, trip, there = forwards()
    listed = there.astype(np.bool_)
    for coin, floor in ((True, -np.inf), (False, 30.0)):
        cells, own = empty_cells(2 * STRIKES, floor), chain(money=coin)
        against = future_parity_cells(library, own, coin, (forward, trip, 2 * STRIKES), listed, cells)
        answers += ordered(against, cells)
        cells = empty_cells(2 * STRIKES, floor)
        answers += ordered(pair_parity_cells(library, own, coin, half_spreads(), ~listed, cells), cells)
    return answers


def kinds(own: QuotedChain) -> ByteArray:
    """Return a quality of each quote of a chain, ``[T, N]``."""
    return np.floor(12.0 * drawn(own.mid.size, 12)).astype(np.uint8).reshape(own.mid.shape)


def _counts(library: CDLL) -> list[NDArray[Any]]:
    own = chain(money=True)
    return list(chain_counts(library, kinds(own), own.mid, own.money, own.column, (1, 10)))


def rows_of(columns: int, count: int) -> tuple[JoinedRows, list[FloatArray], IntArray]:
    """Return rows of some columns with their values, some of them NaN, and the grid that they are joined to."""
    t_ns = np.cumsum(np.floor(3.0 * drawn(count, 13)).astype(np.int64))
    code = np.floor(columns * drawn(count, 14)).astype(np.int32)
    values = [np.where(drawn(count, 20 + k) < 0.1, np.nan, drawn(count, 15 + k)) for k in range(FIELDS)]
    times = 1 + 5 * np.arange(ROWS, dtype=np.int64)
    return JoinedRows(t_ns, code, np.arange(columns, dtype=np.int64)[::-1].copy(), columns), values, times


def _joins(library: CDLL) -> list[NDArray[Any]]:
    rows, values, times = rows_of(6, 150)
    carried = np.array([-1, 0, -1, 0, -1, -1], dtype=np.int64), np.full((6, FIELDS), 0.5)
    carried[1][carried[0] < 0] = np.nan
    ages, out = np.empty((6, ROWS), dtype=np.int64), [np.empty((6, ROWS)) for _ in range(FIELDS)]
    quotes_asof(library, rows, values, times, slice(0, 20), carried, (ages, out))
    ages[:, 20:] = 0
    for value in out:
        value[:, 20:] = 0.0
    last = value_asof(library, rows, values[0], times)
    return [ages, *out, *carried, *([] if last is None else [last])]


def quotes() -> dict[str, NDArray[Any]]:
    """Return quotes of eight columns with every fault that one can have, ``[N, T]``."""
    shape = (8, ROWS)
    size = shape[0] * shape[1]
    bid = 0.05 + 0.01 * drawn(size, 30)
    ask = bid + np.floor(5.0 * drawn(size, 31)) / 1_000.0 - 0.001 * (drawn(size, 32) < 0.1)
    bid[drawn(size, 33) < 0.05] = np.nan
    ask[drawn(size, 34) < 0.05] = -0.01
    sizes = [np.where(drawn(size, 35 + k) < 0.1, np.nan, np.floor(9.0 * drawn(size, 37 + k))) for k in range(2)]
    age = np.floor(40.0 * drawn(size, 40)).astype(np.int64)
    age[drawn(size, 41) < 0.05] = NEVER_NS
    index = np.where(drawn(size, 42) < 0.2, np.nan, 100.0 + drawn(size, 43))
    named = {"bid": bid, "ask": ask, "bid_size": sizes[0], "ask_size": sizes[1], "index": index, "age_ns": age}
    return {name: array.reshape(shape) for name, array in named.items()}


def terms() -> ColumnTerms:
    """Return the terms of eight columns: premiums in coin and in dollars, a bar, a quanto, a corner, an expiry."""
    whole, code = np.full(8, ROWS, dtype=np.int64), np.full(8, -1, dtype=np.int32)
    gone, settles, paid, corner = whole.copy(), whole.copy(), code.copy(), code.copy()
    gone[1], settles[:3], paid[5], corner[6] = ROWS - 5, 7, 1, 0
    dollars = np.stack([0.999 + 0.001 * drawn(ROWS, 50), np.ones(ROWS), 1.001 + 0.001 * drawn(ROWS, 51),
                        100.0 + drawn(ROWS, 52), np.full(ROWS, np.nan)])  # fmt: skip
    dollars[2, :3] = np.nan
    tick = np.full((2, 8), np.nan)
    tick[:, :2] = [[0.0001], [0.0005]]
    flag = np.arange(8)
    return ColumnTerms(
        max_age_ns=np.full(8, 30, dtype=np.int64),
        gone_from=gone,
        settles_from=settles,
        currency=np.array([3, 3, 3, 0, 1, 2, 1, 4], dtype=np.int32),
        paid=paid,
        corner=corner,
        spreadless=flag == 4,
        on_underlying=flag < 4,
        on_coin=flag < 3,
        taker=np.full(8, 3e-4),
        cap=np.where(flag < 4, 0.125, np.inf),
        delivery=np.full(8, 1.5e-4),
        delivery_cap=np.where(flag < 4, 0.125, np.inf),
        share=np.full(8, 2e-3),
        begins=np.stack([np.zeros(8), np.where(flag < 2, 0.055, np.inf)]),
        tick=tick,
        dollars=dollars,
        far=(drawn(ROWS, 53) < 0.1)[None],
        max_skew_ns=20,
    )


def _prepared(library: CDLL) -> list[NDArray[Any]]:
    made = prepare_quotes(library, quotes(), terms(), [[0, 1, 2], [3, 4]])
    return [
        made.usd,
        made.money,
        made.mid,
        made.half_spread,
        made.charge,
        made.quality,
        made.usable,
        *([] if made.coin_usd is None else [made.coin_usd]),
    ]


ANSWERS: Final[Mapping[str, Callable[[CDLL], list[NDArray[Any]]]]] = MappingProxyType({
    "butterflies": _butterflies,
    "verticals": _verticals,
    "parities": _parities,
    "counts": _counts,
    "joins": _joins,
    "prepared": _prepared,
})  # fmt: skip
KNOWN: Final[Mapping[str, str]] = MappingProxyType({
    "butterflies": "132543b5970d5bb7e8529b0b146a8a7c82b835f7e4988095a049f4d2863416d1",
    "verticals": "783d263a36f74ab4e2d57ffeea8adf29548c40ad737ceeb9d16a8682de502bfc",
    "parities": "3440b5218b67175a394cfe5004534f336a419e70e159ed59ca7f207d69cfc030",
    "counts": "a98b192a1388689a6a5a81430fbee2657c903251b4c78de0454e72f8a9a85c9f",
    "joins": "25f8a1aff93f8e7427f3f1392d6385dbbaeffa56bf47b5dd043b4b18a78fe0bc",
    "prepared": "a48846d78b02c60bc24fcaa25aba8d618034f181da20a885bb2f7626077c1760",
})  # fmt: skip
