"""Columns that several constraints need: keys of two sides, absent legs, a scan without inputs, chosen packages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.constraints.base import RegisteredInput
from engine.constraints.scan_cells import Scan
from engine.costs.expected_funding import lacks_rate
from engine.market.view import PreparedPanel
from engine.records import LEGS, BoolArray, CodeArray, Costs, FloatArray, Keys, Packages
from engine.units import NEVER_NS


def column_of(view: PreparedPanel, name: str) -> int:
    """Return the panel column of the instrument ``name``, -1 where the block does not hold it."""
    return view.panel.column(view.panel.instruments.code_of(name))


def lacks_funding(view: PreparedPanel, column: int, rows: slice = slice(None)) -> bool:
    """Return whether a perp that pays funding has no rate on the block, or on some ``rows``: its carry is unknown."""
    return lacks_rate(view, column, rows)


def venue_inputs(venues: Sequence[str], found: Sequence[str], nothing: str) -> tuple[RegisteredInput, ...]:
    """Return the registered venues of options, with ``nothing`` for those that are not among the ``found`` ones."""
    return tuple(RegisteredInput(venue, None if venue in found else f"{venue}: {nothing}", venue) for venue in venues)


def watched_at(view: PreparedPanel, columns: Sequence[int]) -> BoolArray:
    """Return the rows of days that list all of some instruments, with their funding, bool, ``[T]``.

    All True on a view of one day: the constraint has checked its listing before.
    """
    there = np.ones(len(view.panel.times_ns), dtype=np.bool_)
    if view.days is not None:
        for number, listed in enumerate(view.days.columns):
            rows = slice(*view.days.first[number : number + 2].tolist())
            # On a day that does not list a leg nothing is examined: its funnel must be that of the day alone.
            there[rows] = np.isin(columns, listed).all() and not any(lacks_funding(view, c, rows) for c in columns)
    return there


def absent(count: int) -> tuple[CodeArray, FloatArray]:
    """Return the columns, int32 -1, and quantities, 0.0, of packages without legs yet, each ``[count, LEGS]``.

    >>> [legs.tolist() for legs in absent(1)]
    [[[-1, -1, -1, -1]], [[0.0, 0.0, 0.0, 0.0]]]
    """
    return np.full((count, LEGS), -1, dtype=np.int32), np.zeros((count, LEGS))


def make_keys(venue: Sequence[str], expiry_ns: Sequence[int], side: Sequence[int], short: Sequence[int]) -> Keys:
    """Return keys from plain sequences."""
    return Keys(
        venue=tuple(venue),
        expiry_ns=np.array(expiry_ns, dtype=np.int64),
        side=np.array(side, dtype=np.int8),
        short=np.array(short, dtype=np.int32),
    )


def keys_of(rows: Sequence[tuple[str, int, int, int]]) -> Keys:
    """Return keys from (venue, expiry, side, short leg), none where there are none."""
    return make_keys(*zip(*rows, strict=True)) if rows else make_keys((), (), (), ())


def two_sided_keys(view: PreparedPanel, pairs: Sequence[tuple[int, int]]) -> Keys:
    """Return two keys for each pair of columns: side +1 sells the first, side -1 the second.

    The venue is that of the first; nothing expires.
    """
    table, code = view.panel.instruments, view.panel.code
    venue = [table.venue[code[first]] for first, _ in pairs for _ in (1, -1)]
    short = [int(code[at]) for pair in pairs for at in pair]
    return make_keys(venue, [NEVER_NS] * len(short), [1, -1] * len(pairs), short)


def empty_scan(view: PreparedPanel, missing: str, *, wings: int) -> Scan:
    """Return the scan of a constraint whose inputs the block lacks: no key, and the missing input named."""
    rows = len(view.panel.times_ns)
    none = np.empty(0, dtype=np.int32)
    return Scan(
        keys=make_keys((), (), (), ()),
        row=none,
        key=none,
        score=np.empty(0),
        wings=np.empty((0, wings), dtype=np.int32),
        evaluated=np.empty((rows, 0), dtype=np.bool_),
        # NaN and not -inf: nothing was judged.
        best_bps=np.array([np.nan]),
        examined=np.zeros(1, dtype=np.int64),
        usable=np.zeros(1, dtype=np.int64),
        violations=np.zeros(1, dtype=np.int64),
        missing=missing,
    )


def empty_packages() -> Packages:
    """Return no packages."""
    column, quantity = absent(0)
    nothing = np.empty(0, dtype=np.int32)
    return Packages(nothing, nothing.copy(), column, quantity, np.empty(0), np.empty(0))


def empty_costs() -> Costs:
    """Return the costs of no packages."""
    by_leg, by_package = np.empty((0, LEGS)), np.empty(0)
    model, fits = np.empty(0, dtype=np.uint8), np.empty(0, dtype=np.bool_)
    return Costs(by_package, by_leg, by_leg, by_leg, by_package, by_package, by_package, model, fits)


def take(packages: Packages, costs: Costs, net: FloatArray, keep: BoolArray) -> tuple[Packages, Costs, FloatArray]:
    """Return the packages, costs and nets, ``[M]``, whose entry of the mask ``keep``, ``[M]``, is True."""
    if keep.all():
        return packages, costs, net
    kept = Packages(
        row=packages.row[keep],
        key=packages.key[keep],
        column=packages.column[keep],
        quantity=packages.quantity[keep],
        gross_bps=packages.gross_bps[keep],
        carry_bps=packages.carry_bps[keep],
        detail={name: values[keep] for name, values in packages.detail.items()},
    )
    cost = Costs(
        size_usd=costs.size_usd[keep],
        fee_bps=costs.fee_bps[keep],
        spread_bps=costs.spread_bps[keep],
        impact_bps=costs.impact_bps[keep],
        borrow_bps=costs.borrow_bps[keep],
        capital_bps=costs.capital_bps[keep],
        cost_bps=costs.cost_bps[keep],
        model=costs.model[keep],
        fits=costs.fits[keep],
    )
    return kept, cost, net[keep]
