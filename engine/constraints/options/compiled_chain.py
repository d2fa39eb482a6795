"""Chains as the compiled kernels take them: no copy of a quote, one conversion a grid time.  [S2.C3, S2.C4, S2.C7]"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.constraints.options.chain import ABSENT, shared_conversion
from engine.kernels.choose import required
from engine.kernels.option_scans import QuotedChain, chain_counts
from engine.market.view import PreparedPanel, cached_on_panel
from engine.records import CodeArray, FloatArray, IntArray
from engine.units import BPS


@dataclass(frozen=True, slots=True)
class CountedChain:
    """How many of some options exist and are quoted, ``[T]``, and their conversion as `ChainQuotes` has it.

    ``shared`` says whether it is that of each usable quote.
    """

    listed: IntArray
    quoted: IntArray
    usd: FloatArray
    scale: FloatArray
    shared: bool


def counted(view: PreparedPanel, column: CodeArray) -> CountedChain:
    """Return the counts and the conversion of the panel columns ``column``, ``[n]``, by the compiled kernels."""
    return _counted(view, tuple(column.tolist()))


@cached_on_panel
def _counted(view: PreparedPanel, columns: tuple[int, ...]) -> CountedChain:
    column = np.array(columns, dtype=np.int32)
    shared = shared_conversion(view, column)
    money = view.money if shared is None else None
    listed, quoted, largest = chain_counts(required(), view.quality, view.mid, money, column, ABSENT)
    usd = largest if shared is None else np.where(quoted == 0, np.nan, shared)
    return CountedChain(listed, quoted, usd, BPS * usd / view.spot_usd, shared is not None)


def quoted_chain(
    view: PreparedPanel, counts: CountedChain, column: CodeArray, strike: FloatArray, day: IntArray
) -> QuotedChain:
    """Return a chain of the panel as the kernels take it; ``day``, ``[T]``, is the day of each row.

    >>> from engine.market.view import prepare
    >>> from tests.contracts.planted import butterfly
    >>> planted = butterfly()
    >>> view = prepare(planted.market.block(), planted.params, planted.curves)
    >>> one = np.ones(len(view.spot_usd), dtype=np.int64)
    >>> counts = CountedChain(one, one, view.spot_usd, view.spot_usd, shared=True)
    >>> quoted_chain(view, counts, view.panel.code[:0], view.spot_usd[:0], one).money is None
    True
    """
    money = None if counts.shared else view.money
    return QuotedChain(view.mid, view.charge, money, column, strike, counts.usd, counts.scale, day)
