"""The cost terms of single legs: `engine.costs.base.leg_terms` without a package around them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from engine.costs.depth import touch_usd
from engine.market.fees import leg_fee_bps
from engine.market.leg_charge import depth_known, fallback_bps
from engine.market.view import PreparedPanel
from engine.records import FloatArray, IntArray
from engine.repricing.window import PriceWindow
from engine.units import BPS


@dataclass(frozen=True, slots=True)
class SideTerms:
    """The terms of trading one side of each leg, ``[K]``, as in `LegTerms`; ``money`` as in `PreparedPanel`."""

    mid: FloatArray
    money: FloatArray
    fee_bps: FloatArray
    spread_bps: FloatArray
    slip_bps: FloatArray
    depth_usd: FloatArray


def side_terms(window: PriceWindow, row: IntArray, c: IntArray, crossing: FloatArray) -> SideTerms:
    """Return the terms ``[K]`` of the instruments ``c [K]`` of the window, each at its own ``row [K]``.

    ``crossing [K]`` is the signed quantity that crosses: it buys where positive.
    """
    terms = SideTerms(*(np.empty(len(row)) for _ in fields(SideTerms)))
    of_view = window.view_of(row)
    for v in np.flatnonzero(np.bincount(of_view)).tolist():
        legs = np.flatnonzero(of_view == v)
        cells = row[legs] - window.start[v], window.column[c[legs], v]
        in_view = _terms(window.views[v], cells, crossing[legs])
        for field in fields(SideTerms):
            getattr(terms, field.name)[legs] = getattr(in_view, field.name)
    return terms


def _terms(view: PreparedPanel, cells: tuple[IntArray, IntArray], crossing: FloatArray) -> SideTerms:
    panel, buys = view.panel, crossing > 0.0
    mid, money, half = view.mid[cells], view.money[cells], view.half_spread[cells]
    # As in `costs.base`: a size without a spread is charged the fallback.
    known = ~np.isnan(half) & depth_known(panel, cells)
    kind = panel.instruments.kind[panel.code[cells[1]]]
    fallback = fallback_bps(view.params, kind, view.ticks, cells[1], mid)
    size = np.where(known, np.where(buys, panel.ask_size[cells], panel.bid_size[cells]), np.nan)
    price = np.where(buys, panel.ask[cells], panel.bid[cells])
    return SideTerms(
        mid=mid,
        money=money,
        fee_bps=leg_fee_bps(view.fee(cells), mid),
        spread_bps=2.0 * BPS * half / mid,
        slip_bps=np.where(known, 0.0, fallback),
        depth_usd=touch_usd(size, price, money),
    )
