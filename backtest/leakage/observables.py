"""Lists what the engine computes on one block, as bytes, each with the time from which it is known.  [S8.8]

    observe(panel) -> {"quotes": ..., "costs": ..., "C1": ..., ..., "whole": ...}

Two observations are equal exactly if their facts are.  Instruments are named by their place in the sorted names,
so that facts do not depend on codes; what was never quoted up to a time is not part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.constraints.detect import REASONS, detect
from engine.market.view import PreparedPanel, prepare
from engine.params import Fitted, Params
from engine.positions.base import Position, Signal
from engine.records import Instruments, IntArray, Panel, Violations
from engine.replay import ReplayState, advance
from engine.signals.emit import Identify
from engine.units import NEVER_NS

Facts = Sequence[tuple[int, bytes]]
"""(time from which it is known, bytes), in the order in which the engine computes them."""
Observation = Mapping[str, Facts]
"""Facts by subject."""
Observe = Callable[[Panel], Observation]

ObserveBlock = Callable[[Params, ReplayState, Fitted | None, int, Callable[[Instruments], Identify]], Observe]
"""What makes a `Observe` of registered numbers and the state before a block: `observe_block`."""

PANEL_VALUES = tuple(f.name for f in fields(Panel) if f.name not in ("underlying", "times_ns", "code", "instruments"))
VIEW_VALUES = ("usable", "quality", "mid", "usd", "money", "half_spread", "charge")


def observe_block(
    params: Params, state: ReplayState, fitted: Fitted | None, fold: int, identify: Callable[[Instruments], Identify]
) -> Observe:
    """Return the function that observes everything the engine computes on a block that follows ``state``.

    ``quotes`` the panel; ``costs`` what every quote and every package costs; the code of each constraint all its
    packages, fired or not; ``whole`` the signals and positions of the flow.
    """

    def observe(panel: Panel) -> Observation:
        view = prepare(panel, params, state.curves)
        # Without a floor: a package that does not fire can leak as well.
        violations = detect(view, fitted, floor=-np.inf)
        _, block = advance(state, panel, params, fitted, fold, identify(panel.instruments))
        observed: dict[str, Facts] = {"quotes": quote_facts(panel)}
        observed |= {of_constraint.constraint: package_facts(panel, of_constraint) for of_constraint in violations}
        observed["costs"] = [
            *view_facts(view),
            *(fact for of_constraint in violations for fact in cost_facts(panel, of_constraint)),
        ]
        observed["whole"] = flow_facts(block.signals, block.positions, panel.instruments)
        return observed

    return observe


def quote_facts(panel: Panel) -> Facts:
    """Return one fact a grid time: every value of every instrument known by then."""
    return _row_facts(panel, [getattr(panel, name) for name in PANEL_VALUES])


def view_facts(view: PreparedPanel) -> Facts:
    """Return one fact a grid time: what each quote is worth and costs, and the reference price."""
    spot = np.broadcast_to(view.spot_usd[:, None], view.mid.shape)
    everywhere = (slice(None), slice(None))
    values = [getattr(view, name) for name in VIEW_VALUES]
    return _row_facts(view.panel, [*values, view.fee(everywhere), view.exit_fee(everywhere), spot])


def package_facts(panel: Panel, violations: Violations) -> Facts:
    """Return one fact a grid time with packages: legs, gross, carry, net, verdict and detail of each."""
    packages, key = violations.packages, violations.packages.key
    columns: list[NDArray[Any]] = [
        *packages.quantity.T,
        packages.gross_bps,
        packages.carry_bps,
        violations.net_bps,
        violations.fires,
        np.array([REASONS.index(why) for why in violations.reason], dtype=np.int64),
        violations.keys.side[key].astype(np.int64),
        violations.keys.expiry_ns[key],
        *[packages.detail[name] for name in sorted(packages.detail)],
    ]
    return _package_facts(panel, violations, columns)


def cost_facts(panel: Panel, violations: Violations) -> Facts:
    """Return one fact a grid time with packages: every term of the cost of each."""
    costs = violations.costs
    columns: list[NDArray[Any]] = [
        column for name in ("fee_bps", "spread_bps", "impact_bps") for column in getattr(costs, name).T
    ]
    columns += [costs.size_usd, costs.borrow_bps, costs.capital_bps, costs.cost_bps, costs.model]
    return _package_facts(panel, violations, columns)


def flow_facts(signals: Iterable[Signal], positions: Iterable[Position], table: Instruments) -> Facts:
    """Return a fact a signal, in the order emitted, and one a position ended, by time."""
    emitted = [(s.t_ns, named(s, table).encode()) for s in signals]
    return [*emitted, *sorted((p.known_ns, named(p, table).encode()) for p in positions)]


def named(record: Any, table: Instruments) -> str:
    """Return a record as text that shows every bit of every number, instruments by name instead of code."""
    if is_dataclass(record):
        parts = (
            f"{f.name}={table.name[value] if f.name in ('code', 'short') else named(value, table)}"
            for f in fields(record)
            for value in [getattr(record, f.name)]
        )
        return f"{type(record).__name__}({', '.join(parts)})"
    if isinstance(record, tuple):
        return f"({', '.join(named(item, table) for item in record)})"
    return repr(record)


def ranks(table: Instruments) -> IntArray:
    """Return each instrument's place in the sorted names, ``[codes]``."""
    place = np.empty(len(table), dtype=np.int64)
    place[np.array(sorted(range(len(table)), key=table.name.__getitem__), dtype=np.int64)] = np.arange(len(table))
    return place


def bits(values: NDArray[Any]) -> IntArray:
    """Return numbers as the integers of their bits, int64 of the same shape; all NaN are equal, 0.0 is not -0.0."""
    if values.dtype != np.float64:
        return values.astype(np.int64)
    # NaN has many bit patterns; which of them a computation leaves is no fact.
    plain = np.where(np.isnan(values), np.nan, values)
    return plain.view(np.int64)


def _row_facts(panel: Panel, values: Sequence[NDArray[Any]]) -> list[tuple[int, bytes]]:
    rank = ranks(panel.instruments)[panel.code]
    order = np.argsort(rank, kind="stable")
    known = np.maximum.accumulate(_known(panel), axis=0)[:, order]
    shape = panel.shape
    stacked = np.stack([np.broadcast_to(rank, shape), *(bits(np.ascontiguousarray(v)) for v in values)], axis=2)
    stacked = stacked[:, order]
    return [(t, stacked[row][known[row]].tobytes()) for row, t in enumerate(panel.times_ns.tolist())]


def _known(panel: Panel) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = panel.age_ns != NEVER_NS
    rates = ("funding_rate", "funding_mean", "funding_8h", "settled_mean")
    for name in ("mark", "index", *rates, "settlement", "delivery_mean"):
        known = known | ~np.isnan(getattr(panel, name))
    return known


def _package_facts(panel: Panel, violations: Violations, columns: Sequence[NDArray[Any]]) -> list[tuple[int, bytes]]:
    """Return one fact a grid time: the numbers of its packages, in an order that only the numbers decide."""
    packages, rank = violations.packages, ranks(panel.instruments)
    if not len(packages):
        return []
    legs = np.where(packages.column >= 0, rank[panel.code[np.maximum(packages.column, 0)]], -1)
    short = rank[violations.keys.short[packages.key]]
    matrix = np.stack([*legs.T, short, *(bits(np.ascontiguousarray(c)) for c in columns)], axis=1)
    # By the numbers themselves: the order of packages follows codes, which a check changes.
    order = np.argsort(matrix.view(f"V{matrix.itemsize * matrix.shape[1]}").ravel(), kind="stable")
    order = order[np.argsort(packages.row[order], kind="stable")]
    rows, first = np.unique(packages.row[order], return_index=True)
    parts = np.split(matrix[order], first[1:])
    return [(int(panel.times_ns[row]), part.tobytes()) for row, part in zip(rows.tolist(), parts, strict=True)]
