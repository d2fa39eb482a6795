"""C3, C4 and C7 of whole chains: arrays in, the cells that reach a floor out.  [S2.C3, S2.C4, S2.C7]

Each function returns what the NumPy path of its constraint keeps, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import CDLL, c_int32, c_int64, c_void_p, pointer
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.errors import DataError
from engine.kernels.structures import (
    BYTE,
    CODE,
    FLOAT,
    INT,
    CellFields,
    ChainFields,
    PairFields,
    address,
    instruments_first,
)
from engine.records import BoolArray, ByteArray, CodeArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class QuotedChain:
    """Some options of one venue, expiry and price currency, as columns of a prepared panel.

    ``mid``, ``charge`` and ``money`` are ``[T, N]``; ``money`` is None where all quotes share the conversion ``usd``.
    """

    mid: FloatArray
    charge: FloatArray
    money: FloatArray | None
    column: CodeArray  # [n]
    strike: FloatArray  # [n] ascending
    usd: FloatArray  # [T]
    scale: FloatArray  # [T] bps of S per unit of the price currency
    day: IntArray  # [T]


@dataclass(frozen=True, slots=True)
class CellArrays:
    """What a scan adds to: the largest score and the packages with a gross by day, and where a key is evaluated."""

    floor: float
    best: FloatArray  # [days]
    violations: IntArray  # [days]
    evaluated: BoolArray  # [keys, T]


@dataclass(frozen=True, slots=True)
class FoundCells:
    """The cells that reach the floor, ``[M]``; the key counts from the first one of the chain."""

    row: IntArray
    key: IntArray
    score: FloatArray
    wing: CodeArray  # [M, 2] panel columns, -1 for none


def butterfly_cells(library: CDLL, chain: QuotedChain, turns: IntArray, cells: CellArrays) -> FoundCells:
    """Return the best triple of every belly; keys are the inner strikes.  ``turns``, ``[T]``, is that of `best_wings`.

    ``cells.evaluated`` is ``[n - 2, T]``.
    """
    bound = address(turns, INT, len(chain.day))

    def call(of_chain: ChainFields, into: CellFields) -> int:
        return int(library.butterfly_scan(pointer(of_chain), c_void_p(bound), pointer(into)))

    return _gather(call, chain, cells, len(chain.column) - 2)


def vertical_cells(
    library: CDLL, chain: QuotedChain, at_mid: FloatArray, costed: FloatArray, calls: bool, cells: CellArrays
) -> FoundCells:
    """Return the best spread of every short strike: ``n - 1`` keys of the lower bound, then as many of the upper.

    ``at_mid`` and ``costed``, ``[T]``, are what locking a dollar costs at mid and with its charge.
    """
    at_mid, costed = np.ascontiguousarray(at_mid), np.ascontiguousarray(costed)
    locked = [address(cost, FLOAT, len(chain.day)) for cost in (at_mid, costed)]

    def call(of_chain: ChainFields, into: CellFields) -> int:
        return int(library.vertical_scan(pointer(of_chain), *map(c_void_p, locked), c_int32(calls), pointer(into)))

    return _gather(call, chain, cells, 2 * (len(chain.column) - 1))


def future_parity_cells(
    library: CDLL, chain: QuotedChain, coin: bool, hedge: tuple[FloatArray, FloatArray, int], there: BoolArray,
    cells: CellArrays,
) -> FoundCells:  # fmt: skip
    """Return conversions, then reversals of every strike where the future is listed, ``there`` ``[T]``.

    The columns of ``chain`` are m calls, then their m puts.  ``hedge`` is the future's mid and round trip, ``[T]``
    each, and its column.
    """
    forward, trip = (np.ascontiguousarray(price) for price in hedge[:2])
    prices = [address(price, FLOAT, len(chain.day)) for price in (forward, trip)]
    mask = address(there.view(BYTE), BYTE, len(chain.day))

    def call(of_chain: ChainFields, into: CellFields) -> int:
        pairs = PairFields(pointer(of_chain), len(chain.column) // 2, coin)
        library.future_parity_scan(
            pointer(pairs), *map(c_void_p, prices), c_int32(hedge[2]), c_void_p(mask), pointer(into)
        )
        return 0

    return _gather(call, chain, cells, len(chain.column))


def pair_parity_cells(
    library: CDLL, chain: QuotedChain, coin: bool, half_spread: FloatArray, boxed: BoolArray, cells: CellArrays
) -> FoundCells:
    """Return conversions, then reversals against the best other pair at the grid times ``boxed``, ``[T]``.

    ``half_spread`` is ``[T, N]``, as the mids of the chain.
    """
    mask = address(boxed.view(BYTE), BYTE, len(chain.day))
    (halves, mids), stride = instruments_first(half_spread, chain.mid)
    if halves.shape != mids.shape:
        raise DataError(f"expected half-spreads of shape {mids.shape}, was {halves.shape}")

    def call(of_chain: ChainFields, into: CellFields) -> int:
        pairs = PairFields(pointer(of_chain), len(chain.column) // 2, coin)
        return int(
            library.pair_parity_scan(
                pointer(pairs), c_void_p(halves.ctypes.data), c_int64(stride), c_void_p(mask), pointer(into)
            )
        )

    return _gather(call, chain, cells, len(chain.column))


def chain_counts(
    library: CDLL,
    quality: ByteArray,
    mid: FloatArray,
    money: FloatArray | None,
    column: CodeArray,
    absent: tuple[int, int],
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return how many columns exist and how many are quoted, and the largest ``money`` of the latter, ``[T]`` each.

    ``absent`` are the two qualities of a quote that does not exist; the conversion is NaN where none is quoted, and
    everywhere where ``money`` is None.
    """
    (kinds,), kind_stride = instruments_first(quality)
    prices, stride = instruments_first(*([mid] if money is None else [mid, money]))
    rows = len(mid)
    if any(array.shape != kinds.shape for array in prices):
        raise DataError(f"expected panels of shape {kinds.shape}, was {[array.shape for array in prices]}")
    _check_columns(column, len(kinds))
    listed, quoted, usd = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64), np.empty(rows)
    library.chain_counts(
        c_void_p(kinds.ctypes.data), c_int64(kind_stride), c_void_p(prices[0].ctypes.data),
        c_void_p(None if money is None else prices[1].ctypes.data), c_int64(stride),
        c_void_p(address(column, CODE, len(column))), c_int64(len(column)), c_int64(rows), c_int32(absent[0]),
        c_int32(absent[1]), *(c_void_p(out.ctypes.data) for out in (listed, quoted, usd)),
    )  # fmt: skip
    return listed, quoted, usd


def _gather(
    call: Callable[[ChainFields, CellFields], int], chain: QuotedChain, cells: CellArrays, keys: int
) -> FoundCells:
    """Return what ``call`` finds; a key has one cell at most a grid time."""
    panels = [chain.mid, chain.charge] if chain.money is None else [chain.mid, chain.charge, chain.money]
    arrays, stride = instruments_first(*panels)
    rows, room = len(chain.day), keys * len(chain.day)
    if any(array.shape != (arrays[0].shape[0], rows) for array in arrays):
        raise DataError(f"expected panels of {rows} grid times, was {[array.shape for array in arrays]}")
    _check_columns(chain.column, arrays[0].shape[0])
    of_chain = ChainFields(
        arrays[0].ctypes.data,
        arrays[1].ctypes.data,
        None if chain.money is None else arrays[2].ctypes.data,
        stride,
        address(chain.column, CODE, len(chain.column)),
        len(chain.column),
        address(chain.strike, FLOAT, len(chain.strike)),
        address(chain.usd, FLOAT, rows),
        address(chain.scale, FLOAT, rows),
        rows,
        address(chain.day, INT, rows),
    )
    address(cells.evaluated.view(BYTE), BYTE, room)
    # A second turn where more cells reach the floor than there is room for: with a floor they are few.
    for turn_room in (min(room, _ROOM), room):
        violations = np.zeros_like(cells.violations)
        row, key = np.empty(turn_room, dtype=np.int64), np.empty(turn_room, dtype=np.int64)
        score, wing = np.empty(turn_room), np.empty((turn_room, 2), dtype=np.int32)
        into = CellFields(
            cells.floor,
            address(cells.best, FLOAT, len(cells.best)),
            address(violations, INT, len(cells.best)),
            cells.evaluated.ctypes.data,
            turn_room,
            0,
            *(array.ctypes.data for array in (row, key, score, wing)),
        )
        if call(of_chain, into) < 0:
            raise MemoryError("expected room for a tile of a chain, was none")
        if into.used <= turn_room:
            break
    np.add(cells.violations, violations, out=cells.violations)
    used = into.used
    return FoundCells(row[:used].copy(), key[:used].copy(), score[:used].copy(), wing[:used].copy())


_ROOM: Final = 4_096
"""Cells of a first turn."""


def _check_columns(column: CodeArray, columns: int) -> None:
    if len(column) and not 0 <= int(column.min()) <= int(column.max()) < columns:
        raise DataError(f"expected columns under {columns}, was {int(column.min())} to {int(column.max())}")
