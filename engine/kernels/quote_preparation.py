"""Quality, conversion, mids and charges of all quotes of a panel in one pass.  [S1.4-S1.7, S3]"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ctypes import CDLL, c_int64, c_void_p, pointer
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.kernels.structures import BYTE, CODE, FLOAT, INT, PreparedFields, QuoteFields, TermFields, address
from engine.records import BoolArray, ByteArray, CodeArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class ColumnTerms:
    """What is the same for a column at all grid times, ``[N]`` unless said."""

    max_age_ns: IntArray
    gone_from: IntArray  # first row at or after the expiry
    settles_from: IntArray  # first row from which it may be held to its expiry; T where it may not
    currency: CodeArray  # row of `dollars` that converts its price
    paid: CodeArray  # row of `dollars` of a quanto's money, else -1
    corner: CodeArray  # row of `far`, else -1
    spreadless: BoolArray
    on_underlying: BoolArray
    on_coin: BoolArray
    taker: FloatArray
    cap: FloatArray
    delivery: FloatArray
    delivery_cap: FloatArray
    share: FloatArray  # fallback slippage, of the notional
    begins: FloatArray  # [steps, N]
    tick: FloatArray  # [steps, N]
    dollars: FloatArray  # [5, T] of USD, USDC, USDT, the coin's reference price, NaN
    far: BoolArray  # [corners, T] far from the median
    max_skew_ns: int


@dataclass(frozen=True, slots=True)
class PreparedQuotes:
    """What `prepare` makes of each quote, ``[N, T]``; ``money`` is ``usd`` itself where no column is a quanto."""

    usd: FloatArray
    money: FloatArray
    mid: FloatArray
    half_spread: FloatArray
    charge: FloatArray
    quality: ByteArray
    usable: BoolArray
    coin_usd: FloatArray | None  # [T] the conversion that all premiums in coin share; None where there is none


def prepare_quotes(
    library: CDLL, quotes: Mapping[str, NDArray[Any]], terms: ColumnTerms, groups: Sequence[Sequence[int]]
) -> PreparedQuotes:
    """Return the prepared quotes.

    ``quotes`` has bid, ask, bid_size, ask_size, index and age_ns, ``[N, T]`` each.  ``groups`` are the columns of one
    venue and expiry, among which a quote that is too old beside a newer one is forgotten.
    """
    columns, rows = quotes["bid"].shape
    cells = columns * rows
    given = QuoteFields(
        *(address(quotes[name], FLOAT, cells) for name in ("bid", "ask", "bid_size", "ask_size", "index")),
        address(quotes["age_ns"], INT, cells),
        columns,
        rows,
    )
    shape = (columns, rows)
    usd, mid, half_spread, charge = (np.empty(shape) for _ in range(4))
    money = np.empty(shape) if (terms.paid >= 0).any() else usd
    quality, usable, old = np.empty(shape, np.uint8), np.empty(shape, np.bool_), np.empty(cells, np.int64)
    arrays = (usd, money, mid, half_spread, charge, quality, usable, old)
    into = PreparedFields(*(array.ctypes.data for array in arrays), -1, 1)
    of_terms = _fields(terms, columns, rows)
    count = int(library.prepare_quotes(pointer(given), pointer(of_terms), pointer(into)))
    if count:
        _forget_skewed(library, given, into, terms.max_skew_ns, old[:count], groups)
    coin_usd = usd[into.coin_column] if into.coin_column >= 0 and into.coin_alike else None
    return PreparedQuotes(usd, money, mid, half_spread, charge, quality, usable, coin_usd)


def _fields(terms: ColumnTerms, columns: int, rows: int) -> TermFields:
    steps, corners = len(terms.begins), len(terms.far)
    return TermFields(
        *(address(array, INT, columns) for array in (terms.max_age_ns, terms.gone_from, terms.settles_from)),
        *(address(array, CODE, columns) for array in (terms.currency, terms.paid, terms.corner)),
        *(address(array.view(BYTE), BYTE, columns) for array in (terms.spreadless, terms.on_underlying, terms.on_coin)),
        *(
            address(array, FLOAT, columns)
            for array in (terms.taker, terms.cap, terms.delivery, terms.delivery_cap, terms.share)
        ),
        *(address(array, FLOAT, steps * columns) for array in (terms.begins, terms.tick)),
        steps,
        address(terms.dollars, FLOAT, 5 * rows),
        address(terms.far.view(BYTE), BYTE, corners * rows),
        terms.max_skew_ns,
    )


def _forget_skewed(
    library: CDLL,
    given: QuoteFields,
    into: PreparedFields,
    max_skew_ns: int,
    old: IntArray,
    groups: Sequence[Sequence[int]],
) -> None:
    group = np.full(given.columns, -1, dtype=np.int32)
    for number, members in enumerate(groups):
        group[list(members)] = number
    first = np.cumsum([0, *map(len, groups)])
    member = np.array([column for members in groups for column in members], dtype=np.int32)
    late = np.empty(len(old), dtype=np.uint8)
    library.mark_skewed(
        pointer(given), c_int64(max_skew_ns), c_void_p(old.ctypes.data), c_int64(len(old)),
        c_void_p(group.ctypes.data), c_void_p(first.ctypes.data), c_void_p(member.ctypes.data),
        c_void_p(late.ctypes.data), pointer(into),
    )  # fmt: skip
