"""From a prepared panel to violations: scan, cut, build, cost, compare with the threshold.  [S2, S3, S4.1]

1. The constraint scans the whole block and bounds the net of each (grid time, key) from above;
2. cells whose bound is under the floor are cut: nothing that could fire is lost.                 `Constraint.scan`
3. The constraint builds the packages of the cells that are left.                                 `Constraint.build`
4. Their costs are computed, and net = gross + carry - cost.                                      `package_costs`
5. Each is compared with the data rules and its threshold; the first reason against it is kept.   `_reasons`
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from engine.constraints.base import Constraint
from engine.constraints.package_legs import empty_costs, empty_packages, empty_scan, take
from engine.constraints.peg_guard import off_peg
from engine.constraints.registry import CONSTRAINTS
from engine.constraints.scan_cells import Scan
from engine.costs.total import package_costs
from engine.market.view import PreparedPanel
from engine.params import ConstraintRule, Fitted
from engine.records import BoolArray, Feed, FloatArray, Kind, Packages, Quality, Violations
from engine.units import above_zero, micro_bps

UNTRADABLE = "untradable"
"""The reason of a package whose legs are whole lots at no size."""

REASONS = ("", "skew", "quarantine", "peg", "depth", "threshold", UNTRADABLE)
"""Why a package does not fire, the data's reasons first, its lots last; what comes first is kept.  [interface]"""


def detect(
    view: PreparedPanel,
    fitted: Fitted | None,
    *,
    codes: Collection[str] | None = None,
    floor: float | None = None,
) -> tuple[Violations, ...]:
    """Return the violations of each enabled constraint on the block, in the order of the registry.  [S2, S4.1]

    Parameters
    ----------
    view : PreparedPanel
        The block, ``[T, N]``, from `engine.market.view.prepare`.
    fitted : Fitted or None
        What the fold in force has fitted; C5 finds nothing without it.
    codes : collection of str, optional
        Codes of the constraints to run; by default all that the registration enables.
    floor : float, optional
        Packages with a net under it, in bps, are left out; by default the constraint's re-arm level,
        ``rearm_share * threshold``, which is all that emission needs.  ``-inf`` keeps every package.

    Returns
    -------
    tuple of Violations
        One entry a constraint, its packages sorted by (row, key).  A constraint whose inputs the block lacks has no
        packages, and ``missing`` names the input.

    Raises
    ------
    DataError
        If two options of one chain have the same strike.
    UsageError
        If the borrow rate of what a spot leg pays with is not registered.

    Examples
    --------
    The perp costs 1% more than its spot, 100 bps before costs:

    >>> from engine.market.view import prepare
    >>> from tests.helpers.builders import params
    >>> from tests.helpers.markets import Market, flat_history
    >>> market = Market(mids={"binance:BTCUSDC-PERP": 101_000.0})
    >>> view = prepare(market.block(), params(), flat_history())
    >>> (violations,) = detect(view, None, codes=["C1"])
    >>> violations.packages.gross_bps.round(6).tolist(), violations.fires.tolist()
    ([100.0], [True])
    """
    return tuple(
        judge(view, fitted, constraint, floor)[1]
        for constraint in CONSTRAINTS
        if view.params.rules[constraint.code].enabled and (codes is None or constraint.code in codes)
    )


def judge(
    view: PreparedPanel, fitted: Fitted | None, constraint: Constraint, floor: float | None = None
) -> tuple[Scan, Violations]:
    """Return the scan of one constraint and its violations, with the floor and the errors of `detect`."""
    rule = view.params.rules[constraint.code]
    level = view.params.rearm_share * rule.threshold_bps if floor is None else floor
    # Bps are of S: without it the block is named as lacking it, and does not pass for a quiet one.  [S1.7]
    if np.isnan(view.spot_usd).all():
        scan = empty_scan(view, _no_reference(view), wings=0)
    else:
        scan = constraint.scan(view, fitted, level)
    row, key, evaluated = scan.row, scan.key, scan.evaluated
    packages, costs = empty_packages(), empty_costs()
    if len(row):
        packages = constraint.build(view, scan, row, key, fitted)
        costs = package_costs(view, constraint.code, packages)
    net = packages.gross_bps + packages.carry_bps - costs.cost_bps
    unknown = np.isnan(net)
    if unknown.any():
        evaluated = evaluated.copy()
        evaluated[packages.row[unknown], packages.key[unknown]] = False
    # A NaN net compares False: a package whose cost is unknown is neither kept nor evaluated.
    keep = net >= level
    packages, costs, net = take(packages, costs, net, keep)

    reaching = over(packages, net, rule)
    reason = _reasons(view, scan, packages, reaching, costs.fits)
    return scan, Violations(
        constraint=constraint.code,
        keys=scan.keys,
        packages=packages,
        costs=costs,
        net_bps=net,
        fires=np.array([why == "" for why in reason], dtype=np.bool_),
        reason=reason,
        evaluated=evaluated,
        funnel={
            "examined": int(scan.examined.sum()),
            "usable": int(scan.usable.sum()),
            "violations": int(scan.violations.sum()),
            "over_threshold": int(np.count_nonzero(reaching)),
            "untradable": reason.count(UNTRADABLE),
            "other_fits": bellies_with_another(view, constraint, packages, reason),
        },
        # fmax passes over days without a score, which are NaN.
        best_bps=float(np.fmax.reduce(scan.best_bps)),
        missing=scan.missing,
    )


def bellies_with_another(view: PreparedPanel, constraint: Constraint, packages: Packages, reason: Sequence[str]) -> int:
    """Return of how many untradable packages another one of the same sold leg is over its threshold in whole lots.

    It is counted, never traded: the package is chosen before its lots.  0 for a rule that has no choice.  [venues V4]
    """
    if constraint.others is None:
        return 0
    count, rule = 0, view.params.rules[constraint.code]
    for m in [m for m, why in enumerate(reason) if why == UNTRADABLE]:
        others = constraint.others(view, int(packages.row[m]), int(packages.column[m, 0]))
        costs = package_costs(view, constraint.code, others)
        count += bool((costs.fits & over(others, others.gross_bps - costs.cost_bps, rule)).any())
    return count


def _no_reference(view: PreparedPanel) -> str:
    """Return what the reference price S lacks: a quote, or the conversion of its currency.  [S1.6, S1.7]"""
    table, name = view.panel.instruments, view.market.reference
    at = view.panel.column(table.code_of(name))
    quoted = at >= 0 and not view.market.reference_is_index and (view.quality[:, at] == Quality.NO_CONVERSION).any()
    currency = table.quote[table.code_of(name)] if quoted else ""
    return f"{name}: no reference price" + (f", for {currency} has no conversion into USD" if quoted else "")


def over(packages: Packages, net_bps: FloatArray, rule: ConstraintRule) -> BoolArray:
    """Return which of M packages have a gross above 0 and a net that meets the threshold, bool, ``[M]``.  [S4.1]"""
    return reaches(net_bps, rule.threshold_bps) & above_zero(packages.gross_bps)


def reaches(net_bps: FloatArray, threshold_bps: float) -> BoolArray:
    """Return where a net meets its threshold, bool, of the shape of ``net_bps``, which has no NaN.  [S4.1]

    Both are compared as int64 micro-bps, so that the answer does not depend on the last bits of a float; a threshold
    of 0 asks for a net above 0.

    >>> reaches(np.array([49.9999996, 49.9999994]), 50.0).tolist()
    [True, False]
    """
    threshold = max(int(micro_bps(np.array(threshold_bps))), 1)
    reached: BoolArray = micro_bps(net_bps) >= threshold
    return reached


def _reasons(
    view: PreparedPanel, scan: Scan, packages: Packages, reaching: BoolArray, fits: BoolArray
) -> tuple[str, ...]:
    """Return the first reason against each package, "" where it fires.

    skew: its legs are not synchronous [S1.4].  quarantine: the gross is above the ceiling, so the data must be wrong
    [S1.5].  peg: it is in two dollars while they have come apart [V1].  depth: a leg is a mark, which cannot be traded.
    threshold: the net is too small, or the rule's own condition does not hold.  untradable: at no size its legs are
    whole lots [V4].
    """
    if not len(packages):
        return ()
    shut = np.zeros(len(packages), dtype=np.bool_)
    if scan.gate is not None:
        shut = ~scan.gate[packages.row, packages.key]
    against = {
        "skew": _skewed(view, packages),
        "quarantine": packages.gross_bps > view.params.quarantine_gross_bps,
        "peg": off_peg(view, packages),
        "depth": _no_depth(view, packages),
        "threshold": ~reaching,
        UNTRADABLE: ~fits,
    }
    against[scan.gate_reason] = against[scan.gate_reason] | shut
    # From the last reason to the first, so that the first one that holds is what stays.
    reason = np.zeros(len(packages), dtype=np.int64)
    for number in range(len(REASONS) - 1, 0, -1):
        reason[against[REASONS[number]]] = number
    return tuple(REASONS[number] for number in reason.tolist())


def _skewed(view: PreparedPanel, packages: Packages) -> BoolArray:
    """Return where the oldest leg is older than the newest by more than ``max_skew``, ``[M]``."""
    present = packages.column >= 0
    age = view.panel.age_ns[packages.row[:, None], np.maximum(packages.column, 0)]
    oldest = np.where(present, age, 0).max(axis=1, initial=0)
    # An absent leg takes the oldest age, so that it is never the newest.
    newest = np.where(present, age, oldest[:, None]).min(axis=1, initial=np.iinfo(np.int64).max)
    skewed: BoolArray = oldest - newest > view.params.max_skew_ns
    return skewed


def _no_depth(view: PreparedPanel, packages: Packages) -> BoolArray:
    """Return where a leg is a mark, which has no book, unless the study admits marks of futures, ``[M]``.

    A quote of unknown size is no such leg: it costs the fallback slippage [S3.3].
    """
    table = view.panel.instruments
    code = view.panel.code[np.maximum(packages.column, 0)]
    # Of marks only a future's may stand for a price, and only where the study says so.  [spec README]
    hedge = view.market.forward_from_marks & (table.kind[code] == Kind.FUTURE)
    bad = (packages.column >= 0) & (table.feed[code] == Feed.MARK) & ~hedge
    none: BoolArray = bad.any(axis=1)
    return none
