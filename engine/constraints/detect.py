"""From a view to violations: scan, cut, build, cost, judge.  [S2, S3, S4.1]

1. The constraint scans the whole block and bounds the net of each (grid time, key) from above;
2. cells whose bound is under the floor are cut: nothing that could fire is lost.                 `Constraint.scan`
3. The packages of the cells that are left are written out.                                       `Constraint.build`
4. They are costed, and net = gross + carry - cost.                                               `package_costs`
5. Each is held against the data rules and its threshold; the first reason against it is kept.    `_reasons`
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from engine.constraints.base import Constraint
from engine.constraints.package_legs import empty_costs, empty_packages, empty_scan, take
from engine.constraints.registry import CONSTRAINTS
from engine.constraints.scan_cells import Scan
from engine.costs.total import package_costs
from engine.market.view import PreparedPanel
from engine.params import ConstraintRule, Fitted
from engine.records import BoolArray, Feed, FloatArray, Kind, Packages, Quality, Violations
from engine.units import micro_bps

REASONS = ("", "skew", "quarantine", "depth", "threshold")
"""Why a package does not fire, the data's reasons first; what comes first is kept.  [interface "cme detect"]"""


def detect(
    view: PreparedPanel,
    fitted: Fitted | None,
    *,
    codes: Collection[str] | None = None,
    floor: float | None = None,
) -> tuple[Violations, ...]:
    """Return what each enabled constraint sees on the block, in the order of the method, sorted by (row, key).

    ``codes`` restricts the constraints.  Packages whose net is under ``floor`` bps are left out: by default the
    constraint's re-arm level, ``rearm_share * threshold``, all that emission needs; ``-inf`` keeps every package.
    """
    return tuple(
        judge(view, fitted, constraint, floor)[1]
        for constraint in CONSTRAINTS
        if view.params.rules[constraint.code].enabled and (codes is None or constraint.code in codes)
    )


def judge(
    view: PreparedPanel, fitted: Fitted | None, constraint: Constraint, floor: float | None = None
) -> tuple[Scan, Violations]:
    """Return the scan of one constraint and what it sees, as `detect` does."""
    rule = view.params.rules[constraint.code]
    level = view.params.rearm_share * rule.threshold_bps if floor is None else floor
    if np.isnan(view.spot_usd).all():
        found = empty_scan(view, _no_reference(view), wings=0)
    else:
        found = constraint.scan(view, fitted, level)
    row, key, evaluated = found.row, found.key, found.evaluated
    packages, costs = empty_packages(), empty_costs()
    if len(row):
        packages = constraint.build(view, found, row, key, fitted)
        costs = package_costs(view, constraint.code, packages)
    net = packages.gross_bps + packages.carry_bps - costs.cost_bps
    unknown = np.isnan(net)
    if unknown.any():
        evaluated = evaluated.copy()
        evaluated[packages.row[unknown], packages.key[unknown]] = False
    keep = net >= level  # drops NaN too
    packages, costs, net = take(packages, costs, net, keep)

    reaching = over(packages, net, rule)
    reason = _reasons(view, found, packages, reaching)
    return found, Violations(
        constraint=constraint.code,
        keys=found.keys,
        packages=packages,
        costs=costs,
        net_bps=net,
        fires=np.array([why == "" for why in reason], dtype=np.bool_),
        reason=reason,
        evaluated=evaluated,
        funnel={
            "examined": int(found.examined.sum()),
            "usable": int(found.usable.sum()),
            "violations": int(found.violations.sum()),
            "over_threshold": int(np.count_nonzero(reaching)),
        },
        best_bps=float(np.fmax.reduce(found.best_bps)),
        missing=found.missing,
    )


def _no_reference(view: PreparedPanel) -> str:
    """Say what the reference price S lacks: a quote, or the conversion of its currency into USD.  [S1.6, S1.7]"""
    table, name = view.panel.instruments, view.market.reference
    at = view.panel.column(table.code_of(name))
    quoted = at >= 0 and not view.market.reference_is_index and (view.quality[:, at] == Quality.NO_CONVERSION).any()
    currency = table.quote[table.code_of(name)] if quoted else ""
    return f"{name}: no reference price" + (f", for {currency} has no conversion into USD" if quoted else "")


def over(packages: Packages, net_bps: FloatArray, rule: ConstraintRule) -> BoolArray:
    """Return which packages have a gross, and a net that meets the threshold."""
    return reaches(net_bps, rule.threshold_bps) & (packages.gross_bps > 0.0)


def reaches(net_bps: FloatArray, threshold_bps: float) -> BoolArray:
    """Return where a net meets its threshold, compared as int64 micro-bps; 0 asks for a net above 0.  [S4.1]"""
    threshold = max(int(micro_bps(np.array(threshold_bps))), 1)
    reached: BoolArray = micro_bps(net_bps) >= threshold
    return reached


def _reasons(view: PreparedPanel, found: Scan, packages: Packages, reaching: BoolArray) -> tuple[str, ...]:
    """The first reason against each package, "" where it fires.

    skew: its legs are not synchronous [S1.4].  quarantine: gross above the ceiling, the data must be wrong [S1.5].
    depth: a book that shows no size, or a mark, which nobody can trade.  threshold: net too small, or the rule's own
    condition does not hold.
    """
    if not len(packages):
        return ()
    shut = np.zeros(len(packages), dtype=np.bool_)
    if found.gate is not None:
        shut = ~found.gate[packages.row, packages.key]
    against = {
        "skew": _skewed(view, packages),
        "quarantine": packages.gross_bps > view.params.quarantine_gross_bps,
        "depth": _no_depth(view, packages),
        "threshold": ~reaching,
    }
    against[found.gate_reason] = against[found.gate_reason] | shut
    reason = np.zeros(len(packages), dtype=np.int64)
    for number in range(len(REASONS) - 1, 0, -1):
        reason[against[REASONS[number]]] = number
    return tuple(REASONS[number] for number in reason.tolist())


def _skewed(view: PreparedPanel, packages: Packages) -> BoolArray:
    """Where the oldest leg is older than the newest by more than ``max_skew``."""
    present = packages.column >= 0
    age = view.panel.age_ns[packages.row[:, None], np.maximum(packages.column, 0)]
    oldest = np.where(present, age, 0).max(axis=1, initial=0)
    newest = np.where(present, age, oldest[:, None]).min(axis=1, initial=np.iinfo(np.int64).max)
    skewed: BoolArray = oldest - newest > view.params.max_skew_ns
    return skewed


def _no_depth(view: PreparedPanel, packages: Packages) -> BoolArray:
    """Where a leg is a mark, behind which nothing rests, that the study does not let pass.

    A quote whose size is not given is another matter: it costs the fallback slippage [S3.3].
    """
    table = view.panel.instruments
    code = view.panel.code[np.maximum(packages.column, 0)]
    hedge = view.market.forward_from_marks & (table.kind[code] == Kind.FUTURE)
    bad = (packages.column >= 0) & (table.feed[code] == Feed.MARK) & ~hedge
    none: BoolArray = bad.any(axis=1)
    return none
