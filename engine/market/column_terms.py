"""What of quotes is the same at all grid times: ages, currencies, fallback costs, groups of skew.  [S1.4-S1.7]"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.kernels.quote_preparation import ColumnTerms
from engine.market.dollars import DOLLARS, is_quanto
from engine.market.fees import FeeTable
from engine.market.leg_charge import Slippage, held_to_expiry, slippage
from engine.market.steps import Ticks
from engine.params import Params
from engine.records import BoolArray, ByteArray, Feed, FloatArray, IntArray, Kind, Panel
from engine.units import NEVER_NS

COIN: Final = len(DOLLARS)
"""The currency of a premium in coin, after the dollars."""
OTHER: Final = len(DOLLARS) + 1
"""What is no currency of the method."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What is the same for a column at all grid times, ``[N]``."""

    max_age_ns: IntArray
    gone_from: IntArray  # first row at or after the expiry
    currency: ByteArray  # of the price: number of the dollar, `COIN` or `OTHER`
    slip: Slippage  # fallback of one side
    spreadless: BoolArray  # the feed knows no spread


def columns_of(panel: Panel, params: Params, ticks: Ticks) -> Columns:
    """Return what is the same for the columns of ``panel``, whose ticks are ``ticks``."""
    table, code = panel.instruments, panel.code
    by_kind = np.array([params.max_age_ns[kind] for kind in Kind], dtype=np.int64)[table.kind[code]]
    # A bar's max age is its own length.
    bar = table.bar_ns[code]
    named = {name: number for number, name in enumerate(DOLLARS)}
    if (table.kind[code] == Kind.OPTION).any():
        # Only options have their premiums in coin.
        named[panel.underlying] = COIN
    return Columns(
        # Never quoted is older than any age allowed.
        max_age_ns=np.minimum(np.where(bar > 0, bar, by_kind), NEVER_NS - 1),
        gone_from=np.searchsorted(panel.times_ns, table.expiry_ns[code]),
        currency=np.array([named.get(table.quote[c], OTHER) for c in code.tolist()], dtype=np.uint8),
        slip=Slippage(slippage(params, table.kind[code]), ticks),
        spreadless=np.isin(table.feed[code], (Feed.BAR, Feed.MARK)),
    )


def skew_groups(panel: Panel) -> list[list[int]]:
    """Return the columns of each venue and expiry, whose quotes are compared by age; the dollar pair is in none."""
    groups: dict[tuple[str, int], list[int]] = {}
    table = panel.instruments
    for n, (c, expiry) in enumerate(zip(panel.code.tolist(), table.expiry_ns[panel.code].tolist(), strict=True)):
        if table.underlying[c] == panel.underlying:
            groups.setdefault((table.venue[c], expiry), []).append(n)
    return list(groups.values())


def kernel_terms(
    panel: Panel,
    params: Params,
    columns: Columns,
    fees: FeeTable,
    dollars: Sequence[FloatArray],
    far: dict[int, IntArray],
) -> ColumnTerms:
    """Return what the compiled kernel reads beside the quotes.

    ``dollars`` are what a unit of each currency of `Columns` is worth, ``[T]`` each; ``far`` the rows of each corner
    that is far from the median.
    """
    rows, count = panel.shape
    near, from_ns = held_to_expiry(panel, params)
    settles_from = np.full(count, rows, dtype=np.int64)
    settles_from[near] = np.searchsorted(panel.times_ns, from_ns)
    corner, mask = np.full(count, -1, dtype=np.int32), np.zeros((len(far), rows), dtype=np.bool_)
    for number, (column, at) in enumerate(far.items()):
        corner[column], mask[number, at] = number, True
    paid = [
        DOLLARS.index(panel.instruments.settle[c]) if is_quanto(panel.instruments, c) else -1
        for c in panel.code.tolist()
    ]
    return ColumnTerms(
        max_age_ns=columns.max_age_ns,
        gone_from=columns.gone_from,
        settles_from=settles_from,
        currency=columns.currency.astype(np.int32),
        paid=np.array(paid, dtype=np.int32),
        corner=corner,
        spreadless=columns.spreadless,
        on_underlying=fees.on_underlying > 0.0,
        on_coin=fees.on_coin > 0.0,
        taker=fees.taker,
        cap=fees.cap,
        delivery=fees.delivery,
        delivery_cap=fees.delivery_cap,
        share=columns.slip.share,
        begins=columns.slip.ticks.begins,
        tick=columns.slip.ticks.tick,
        dollars=np.stack(dollars),
        far=mask,
        max_skew_ns=params.max_skew_ns,
    )
