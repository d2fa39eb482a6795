"""The window if the legs of a package were filled one after the other, and what a leg that is never filled costs.

The leg with the least depth on the side it hits goes first, one of unknown depth last; leg j is filled j grid times
after the registered entry, at the mid it then has: what the price moved meanwhile is paid.  A leg without a usable
quote at its time, or with less than its size at the touch, strands the package: the legs that were filled are unwound
at the first of that and the next `PATIENCE` grid times that quotes them (at their last price, where none does),
earn what their prices did in between, and pay fees and spread of a round trip.  Exit, funding and impact of a whole
package stay those of the window.  A step of a coarse grid is far longer than an order takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import fsum, isnan
from typing import Any, Final

import numpy as np
import pandas as pd

from backtest.data.format.dataset import Dataset, open_dataset
from backtest.folds.curve_study import empty_history
from backtest.folds.registered_panels import registered_panels
from backtest.records import Plan
from engine.market.view import PreparedPanel, prepare
from engine.params import Params
from engine.positions.formulas import leg_profit
from engine.positions.price_path import profit_conversion
from engine.records import FloatArray
from engine.units import BPS, MICRO, NS_PER_DAY
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable
from hypotheses.sensitivity.extra_costs import traded_by_code

PATIENCE: Final = 3
"""Grid times after the one at which a package strands."""

COLUMNS: Final = (
    Column("series", "series", "text"),
    Column("trades", "trades", "count"),
    Column("stranded", "stranded on a leg", "count"),
    Column("net", "net before capital, USD", "usd"),
    Column("moved", "paid for what prices moved between the fills, USD", "usd"),
    Column("lost", "net of the stranded ones, USD", "usd"),
    Column("other", "net leg by leg, USD", "usd"),
)


@dataclass(frozen=True, slots=True)
class FillPath:
    """The legs of one package in the order of their fills, at the grid times from its entry on; ``[steps, L]``."""

    quantity: FloatArray  # [L] base units per unit of base notional, signed
    inverse: tuple[bool, ...]
    cost_bps: FloatArray  # [L] fees and spread of a round trip, bps of the package's notional
    mid: FloatArray  # NaN where not usable
    conversion: FloatArray  # USD per unit of profit currency
    enough: FloatArray  # 1 where the touch holds the leg's size or shows none, else 0


@dataclass(frozen=True, slots=True)
class Fills:
    """What filling leg by leg did to one package, USD per unit of base notional; ``stranded`` is the leg, -1 none."""

    stranded: int
    moved: float  # paid for what prices moved
    unwound: float  # earned by the filled legs until they were unwound


def build(judged: JudgedRun) -> Part:
    """Return the portfolio and each constraint: how many packages strand, and the net that is left."""
    if judged.data is None:
        return Part((), ("not computed: the market was not read again.",))
    dataset = open_dataset(judged.data)
    fills: dict[str, tuple[float, float, bool]] = {}
    signals = judged.run.signals.set_index("signal_id")
    _, trades = traded_by_code(judged.run)[0]
    notional = dict(zip(trades["signal_id"].tolist(), trades["notional_usd"].tolist(), strict=True))
    for name, own in trades.groupby("underlying", sort=True):
        for ident, base_units, path in paths(dataset, judged.registration.params, judged.plan, str(name), own, signals):
            found = fill(path)
            if found.stranded < 0:
                fills[ident] = (base_units * found.moved, 0.0, False)
            else:
                usd = notional[ident]
                cost = fsum(path.cost_bps[: found.stranded].tolist()) * usd / BPS
                fills[ident] = (0.0, base_units * found.unwound - cost, True)
    rows = tuple(_row(code, own, fills) for code, own in traded_by_code(judged.run) if len(own))
    if not rows:
        return Part((), ("not computed: no signal of this window was traded.",))
    caption = "Legs filled one by one, the thinnest first, one grid time apart; stranded legs unwound on the path"
    return Part((SensitivityTable(caption, COLUMNS, rows),))


def _row(code: str, trades: pd.DataFrame, fills: Mapping[str, tuple[float, float, bool]]) -> dict[str, Any]:
    known = [fills.get(ident, (0.0, 0.0, False)) for ident in trades["signal_id"]]
    nets = (trades["net_usd_micro"] / MICRO).tolist()
    moved = fsum(paid for paid, _, _ in known)
    lost = fsum(net for _, net, _ in known)
    whole = fsum(net for net, (_, _, stranded) in zip(nets, known, strict=True) if not stranded)
    return {
        "series": code,
        "trades": len(trades),
        "stranded": sum(stranded for _, _, stranded in known),
        "net": fsum(nets),
        "moved": moved,
        "lost": lost,
        "other": whole - moved + lost,
    }


def fill(path: FillPath) -> Fills:
    """Return what filling leg j at step j did; the path has at least L + `PATIENCE` steps."""
    filled: list[tuple[int, float]] = []
    moved = 0.0
    for leg, (quantity, inverse) in enumerate(zip(path.quantity.tolist(), path.inverse, strict=True)):
        price = float(path.mid[leg, leg])
        if isnan(price) or not path.enough[leg, leg]:
            return Fills(leg, 0.0, _unwound(path, filled, leg))
        begun = float(path.mid[0, leg])
        if not isnan(begun):
            moved += float(leg_profit(quantity, inverse, begun, price, float(path.conversion[leg, leg])))
        filled.append((leg, price))
    return Fills(-1, moved, 0.0)


def _unwound(path: FillPath, filled: list[tuple[int, float]], step: int) -> float:
    """Return the profit of the filled legs from their fills to the first step from ``step`` on that quotes them."""
    profit = 0.0
    for leg, entry in filled:
        after = [s for s in range(step, len(path.mid)) if not isnan(path.mid[s, leg])][: 1 + PATIENCE]
        before = [s for s in range(leg, step) if not isnan(path.mid[s, leg])]
        at = after[0] if after else before[-1]
        profit += float(
            leg_profit(
                float(path.quantity[leg]), path.inverse[leg], entry, float(path.mid[at, leg]),
                float(path.conversion[at, leg]),
            )
        )  # fmt: skip
    return profit


def paths(
    dataset: Dataset, params: Params, plan: Plan, name: str, trades: pd.DataFrame, signals: pd.DataFrame
) -> Iterator[tuple[str, float, FillPath]]:
    """Yield (signal id, base units of the package, its legs on the path) of the trades of one coin.

    Only the grid times of fills are read, one day of the data set in memory at a time.
    """
    # A day more: what is entered at the window's end is filled after it.
    end_ns = plan.t1_ns + NS_PER_DAY
    grid = dataset.grid(name, plan.t0_ns, end_ns)
    wanted: dict[str, list[int]] = {}
    ordered: dict[str, list[Mapping[str, Any]]] = {}
    for ident, entry_ns in zip(trades["signal_id"].tolist(), trades["entry_ns"].tolist(), strict=True):
        legs = sorted(signals.loc[ident, "legs"], key=_depth)
        first = int(np.searchsorted(grid, entry_ns))
        ordered[ident] = legs
        wanted[ident] = grid[first : first + len(legs) + PATIENCE].tolist()
    steps = {ident: len(ordered[ident]) + PATIENCE for ident in ordered}
    arrays = {i: np.full((3, steps[i], len(ordered[i])), np.nan) for i in ordered}
    by_time: dict[int, list[tuple[str, int]]] = {}
    for ident, times in wanted.items():
        for step, t in enumerate(times):
            by_time.setdefault(t, []).append((ident, step))
    notional = dict(zip(trades["signal_id"].tolist(), trades["notional_usd"].tolist(), strict=True))
    times_ns = np.array(sorted(by_time), dtype=np.int64)
    inverse = dict(zip(dataset.instruments.name, dataset.instruments.inverse.tolist(), strict=True))
    for panel in registered_panels(dataset, params, name, plan.t0_ns, end_ns, times_ns=times_ns):
        view = prepare(panel, params, empty_history(params, name))
        column = {panel.instruments.name[code]: n for n, code in enumerate(panel.code.tolist())}
        for row, t in enumerate(panel.times_ns.tolist()):
            for ident, step in by_time[t]:
                units = notional[ident] / _spot_usd(ordered[ident][0])
                for number, leg in enumerate(ordered[ident]):
                    if (at := column.get(leg["instrument"])) is not None:
                        arrays[ident][:, step, number] = _quote(view, row, at, float(leg["quantity"]) * units)
    for ident, legs in ordered.items():
        yield (
            ident,
            notional[ident] / _spot_usd(legs[0]),
            FillPath(
                np.array([float(leg["quantity"]) for leg in legs]),
                tuple(bool(inverse[leg["instrument"]]) for leg in legs),
                np.array([_round_trip_bps(leg) for leg in legs]),
                *arrays[ident],
            ),
        )


def _quote(view: PreparedPanel, row: int, column: int, wanted: float) -> tuple[float, float, float]:
    size = float((view.panel.ask_size if wanted > 0.0 else view.panel.bid_size)[row, column])
    # A feed without sizes strands nobody by them.
    enough = 1.0 if isnan(size) or size >= abs(wanted) else 0.0
    return float(view.mid[row, column]), float(profit_conversion(view, column)[row]), enough


def _depth(leg: Mapping[str, Any]) -> tuple[bool, float]:
    depth = float(leg["depth_usd"])
    return isnan(depth), 0.0 if isnan(depth) else depth


def _spot_usd(leg: Mapping[str, Any]) -> float:
    """The reference price by which the leg's weight was made: weight = |quantity| price / S."""
    return abs(float(leg["quantity"])) * float(leg["mid"]) * float(leg["money"]) / float(leg["weight"])


def _round_trip_bps(leg: Mapping[str, Any]) -> float:
    spread = float(leg["spread_bps"])
    return float(leg["weight"]) * (
        float(leg["fee_bps"]) + float(leg["exit_fee_bps"]) + (2.0 * float(leg["slip_bps"]) if isnan(spread) else spread)
    )
