"""The C structures of ``csrc``, field by field in their order, and the arrays that they point to.

A pointer keeps no array alive: whoever fills a structure holds its arrays until the call returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import POINTER, Structure, c_double, c_int32, c_int64, c_void_p
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

FLOAT: Final = np.dtype(np.float64)
INT: Final = np.dtype(np.int64)
CODE: Final = np.dtype(np.int32)
BYTE: Final = np.dtype(np.uint8)


class ChainFields(Structure):
    """``Chain``: the quotes of some options of one venue, expiry and price currency."""

    _fields_ = [
        *((name, c_void_p) for name in ("mid", "charge", "money")),
        ("stride", c_int64),
        ("column", c_void_p),
        ("count", c_int64),
        *((name, c_void_p) for name in ("strike", "usd", "scale")),
        ("rows", c_int64),
        ("day", c_void_p),
    ]


class CellFields(Structure):
    """``Cells``: where the cells that reach the floor go."""

    _fields_ = [
        ("floor", c_double),
        *((name, c_void_p) for name in ("best", "violations", "evaluated")),
        ("capacity", c_int64),
        ("used", c_int64),
        *((name, c_void_p) for name in ("row", "key", "score", "wing")),
    ]


class PairFields(Structure):
    """``Pairs``: a chain of calls, then puts, of the same strikes."""

    _fields_ = [("chain", POINTER(ChainFields)), ("pairs", c_int64), ("coin", c_int32)]


class RowFields(Structure):
    """``Rows``: the rows of one channel, ascending in time, and the column of each code."""

    _fields_ = [
        ("t_ns", c_void_p),
        ("code", c_void_p),
        ("count", c_int64),
        ("column", c_void_p),
        ("codes", c_int64),
        ("columns", c_int64),
        ("next", c_int64),
    ]


class QuoteFields(Structure):
    """``Quotes``: the quotes of a panel."""

    _fields_ = [
        *((name, c_void_p) for name in ("bid", "ask", "bid_size", "ask_size", "index", "age_ns")),
        ("columns", c_int64),
        ("rows", c_int64),
    ]


class TermFields(Structure):
    """``Terms``: what is the same for a column at all grid times."""

    _fields_ = [
        *(
            (name, c_void_p)
            for name in (
                "max_age_ns", "gone_from", "settles_from", "currency", "paid", "corner", "spreadless", "on_underlying",
                "on_coin", "taker", "cap", "delivery", "delivery_cap", "share", "begins", "tick",
            )
        ),
        ("steps", c_int64),
        ("dollars", c_void_p),
        ("far", c_void_p),
        ("max_skew_ns", c_int64),
    ]  # fmt: skip


class PreparedFields(Structure):
    """``Prepared``: the arrays of a prepared panel, and whether its premiums in coin have one conversion."""

    _fields_ = [
        *((name, c_void_p) for name in ("usd", "money", "mid", "half_spread", "charge", "quality", "usable", "old")),
        ("coin_column", c_int64),
        ("coin_alike", c_int64),
    ]


def address(array: NDArray[Any] | None, dtype: np.dtype[Any], size: int) -> int | None:
    """Return where a contiguous array of ``size`` elements begins; None for None.

    Raises ``DataError`` for another dtype or size, and for an array with gaps: C would read beside it.
    """
    if array is None:
        return None
    if array.dtype != dtype or array.size != size or not array.flags.c_contiguous:
        raise DataError(
            f"expected a contiguous array of {size} {dtype}, was one of {array.size} {array.dtype} with strides "
            f"{array.strides}: pass it as np.ascontiguousarray of that dtype"
        )
    return array.ctypes.data


def instruments_first(*arrays: NDArray[Any]) -> tuple[list[NDArray[Any]], int]:
    """Return ``[T, N]`` arrays as ``[N, T]`` ones of one stride, and that stride in elements.

    They are views where they are instruments first in memory already, as all of a prepared panel are.
    """
    turned = [array.T for array in arrays]
    strides = {array.strides[0] // array.itemsize if array.strides[1:] == (array.itemsize,) else -1 for array in turned}
    if len(strides) == 1 and min(strides) >= turned[0].shape[1]:
        return turned, strides.pop()
    return [np.ascontiguousarray(array) for array in turned], turned[0].shape[1]


def pointers(arrays: Sequence[NDArray[Any]]) -> Any:
    """Return the beginnings of several arrays as one C array of pointers."""
    return (c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
