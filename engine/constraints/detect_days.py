"""Several days detected as one block, with the result of each day equal to that of `detect`, to the bit.  [S2.0]

A row's packages depend on its own quotes, and an instrument that a day does not list is like one never quoted.  Which
keys are watched, the counts of the funnel and the best score depend on the day: the scan keeps counts and score by day,
and the rule names the keys of a day's listing.  A rule whose keys depend on prices, and a day on which it has nothing
to watch, are detected day by day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from engine.constraints.base import Constraint
from engine.constraints.detect import UNTRADABLE, bellies_with_another, detect, judge, over
from engine.constraints.package_legs import take
from engine.constraints.registry import CONSTRAINTS
from engine.constraints.scan_cells import Scan
from engine.errors import DataError
from engine.market.fees import FeeTable
from engine.market.multi_day import MultiDayPanel
from engine.market.view import PreparedPanel, prepare
from engine.params import Fitted, Params
from engine.records import BoolArray, CodeArray, Costs, CurveHistory, IntArray, Keys, Kind, Packages, Panel, Violations

KeyName = tuple[str, int, int, int]
"""Venue, expiry, side, short leg."""


@dataclass(frozen=True, slots=True)
class DetectedDays:
    """Days prepared as one: the view of each, and by code the violations that were found for all days at once."""

    views: tuple[PreparedPanel, ...]
    found: tuple[dict[str, Violations], ...]

    def day(
        self, number: int, curves: CurveHistory, fitted: Fitted | None
    ) -> tuple[PreparedPanel, tuple[Violations, ...]]:
        """Return the view of one day, with the ``curves`` known then, and the violations that `detect` finds on it."""
        view, detected = replace(self.views[number], curves=curves), self.found[number]
        alone = detect(view, fitted, codes=[c.code for c in CONSTRAINTS if c.code not in detected])
        every = detected | {violations.constraint: violations for violations in alone}
        return view, tuple(every[c.code] for c in CONSTRAINTS if c.code in every)


def detect_days(days: MultiDayPanel, params: Params, curves: CurveHistory) -> DetectedDays:
    """Return ``days`` prepared, and detected at once as far as possible; the same fees are in force on all of them.

    Raises ``UsageError`` for an underlying, a fee or a borrow rate that is not registered.

    >>> from engine.market.multi_day import concatenate_days
    >>> from tests.helpers.builders import params
    >>> from tests.helpers.markets import Market, flat_history
    >>> panel = Market(mids={"binance:BTCUSDC-PERP": 101_000.0}).block(2)
    >>> days = detect_days(concatenate_days([panel]), params(), flat_history())
    >>> sorted(days.found[0]), days.found[0]["C1"].fires.tolist()
    (['C1', 'C2', 'C3', 'C4', 'C7'], [True, True])
    """
    whole = replace(prepare(days.whole, params, curves), days=days)
    views = tuple(_view(whole, days, number) for number in range(len(days.panels)))
    by_day: tuple[dict[str, Violations], ...] = tuple({} for _ in views)
    if _one_future_an_expiry(days.whole):
        for constraint in CONSTRAINTS:
            if params.rules[constraint.code].enabled and constraint.keys is not None:
                _judge(whole, days, views, constraint, by_day)
    return DetectedDays(views, by_day)


def _view(whole: PreparedPanel, days: MultiDayPanel, number: int) -> PreparedPanel:
    """Return the view of one day, out of the ``whole``; its curves are still to come."""
    panel, columns, rows = days.panels[number], days.columns[number], slice(*days.first[number : number + 2])
    # A slice of all columns shares memory; a list of columns copies.
    every = len(columns) == len(days.whole.code)
    cells = (slice(None), rows) if every else (columns, rows)
    shared: dict[str, Any] = {
        name: getattr(whole, name).T[cells].T
        for name in ("usd", "money", "usable", "quality", "mid", "half_spread", "charge")
    }  # fmt: skip
    # The days share the block's memory: a write would change another day.
    for array in shared.values():
        array.setflags(write=False)
    return replace(
        whole,
        panel=panel,
        fees=FeeTable(**{field.name: getattr(whole.fees, field.name)[columns] for field in fields(FeeTable)}),
        lots=whole.lots[columns],
        ticks=whole.ticks.of(columns),
        spot_usd=whole.spot_usd[rows],
        dollars=whole.dollars.at(rows),
        coin_usd=None if whole.coin_usd is None else whole.coin_usd[rows],
        days=None,
        **shared,
    )


def _one_future_an_expiry(panel: Panel) -> bool:
    """Whether an option's future is the same one on all days that hold it: of two, each day would take its own."""
    table, code = panel.instruments, panel.code[panel.instruments.kind[panel.code] == Kind.FUTURE].tolist()
    return len({(table.venue[c], int(table.expiry_ns[c]), table.settle[c]) for c in code}) == len(code)


def _judge(
    whole: PreparedPanel,
    days: MultiDayPanel,
    views: tuple[PreparedPanel, ...],
    constraint: Constraint,
    found: tuple[dict[str, Violations], ...],
) -> None:
    """Put what ``constraint`` sees on each day into ``found``, but for days that are to be judged by themselves."""
    try:
        scan, seen = judge(whole, None, constraint)
    except DataError:  # two options of one strike, be it on different days
        return
    place = {key: at for at, key in enumerate(_named(scan.keys))}
    for number, view in enumerate(views):
        watched = _watched(place, view, constraint)
        if len(watched):
            found[number][constraint.code] = _cut(scan, seen, whole, days, constraint, (number, watched))


def _watched(place: Mapping[KeyName, int], view: PreparedPanel, constraint: Constraint) -> IntArray:
    """Return the places of the keys that a day watches, ascending; none where it must be judged by itself."""
    none = np.empty(0, dtype=np.int64)
    if constraint.keys is None or np.isnan(view.spot_usd).all():
        return none
    at = np.array([place.get(key, -1) for key in _named(constraint.keys(view))], dtype=np.int64)
    # A key that the block lacks, or has in another order: the day's listing differs, and it is judged alone.
    return at if (np.diff(at, prepend=-1) > 0).all() else none


def _named(keys: Keys) -> list[KeyName]:
    return list(zip(keys.venue, keys.expiry_ns.tolist(), keys.side.tolist(), keys.short.tolist(), strict=True))


def _cut(
    scan: Scan,
    seen: Violations,
    whole: PreparedPanel,
    days: MultiDayPanel,
    constraint: Constraint,
    day: tuple[int, IntArray],
) -> Violations:
    """Return what was ``seen`` on one day, in its rows, columns and keys: ``day`` is its number and keys watched."""
    number, watched = day
    start, stop = days.first[number : number + 2].tolist()
    # Packages are sorted by row, so those of a day are one slice.
    rows = slice(*np.searchsorted(seen.packages.row, [start, stop]).tolist())
    # Column -1 stays -1.
    column = np.full(len(days.whole.code) + 1, -1, dtype=np.int32)
    column[days.columns[number]] = np.arange(len(days.columns[number]))
    key = np.full(len(scan.keys), -1, dtype=np.int32)
    key[watched] = np.arange(len(watched))
    packages = _day_of(seen.packages, rows, start, column, key)
    net = seen.net_bps[rows]
    reaching = over(packages, net, whole.params.rules[seen.constraint])
    counts = {"examined": scan.examined, "usable": scan.usable, "violations": scan.violations}
    funnel = {name: int(count[number]) for name, count in counts.items()}
    funnel["over_threshold"], reason = int(np.count_nonzero(reaching)), seen.reason[rows]
    funnel["untradable"] = reason.count(UNTRADABLE)
    here = take(seen.packages, seen.costs, seen.net_bps, _only(len(seen.packages), rows))[0]
    funnel["other_fits"] = bellies_with_another(whole, constraint, here, reason)
    return Violations(
        constraint=seen.constraint,
        keys=_some(scan.keys, watched),
        packages=packages,
        costs=Costs(**{field.name: getattr(seen.costs, field.name)[rows] for field in fields(Costs)}),
        net_bps=net,
        fires=seen.fires[rows],
        reason=seen.reason[rows],
        evaluated=seen.evaluated.T[watched, start:stop].T,
        funnel=funnel,
        best_bps=float(scan.best_bps[number]),
        missing=None,
    )


def _only(count: int, rows: slice) -> BoolArray:
    mask = np.zeros(count, dtype=np.bool_)
    mask[rows] = True
    return mask


def _day_of(packages: Packages, rows: slice, start: int, column: CodeArray, key: CodeArray) -> Packages:
    return Packages(
        row=packages.row[rows] - np.int32(start),
        key=key[packages.key[rows]],
        column=column[packages.column[rows]],
        quantity=packages.quantity[rows],
        gross_bps=packages.gross_bps[rows],
        carry_bps=packages.carry_bps[rows],
        detail={name: values[rows] for name, values in packages.detail.items()},
    )


def _some(keys: Keys, which: IntArray) -> Keys:
    venue = tuple(keys.venue[at] for at in which.tolist())
    return Keys(venue, keys.expiry_ns[which], keys.side[which], keys.short[which])
