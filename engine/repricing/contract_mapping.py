"""Maps the dated legs of a signal to contracts listed at another time: same rank of expiry, nearest moneyness.

A leg's expiry is ranked among those at which all dated kinds of its package are listed: for a call with a future of its
expiry, among the expiries that list both.  A contract is listed if it has been quoted and has not expired.  If fewer
expiries are listed than the rank, options take the last one.  Among the contracts of that expiry, the one with the
nearest K/F and a usable quote is taken, the lower strike on a tie; F is the future of the expiry if it is quoted, else
the reference price.  Dated futures are mapped by rank too.  [spec README, docs/decisions/0121]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.market.view import PreparedPanel
from engine.positions.base import Signal
from engine.records import BoolArray, CodeArray, FloatArray, Instruments, IntArray, Kind
from engine.repricing.base import UNDATED, ContractRanks, SourceSignals, source_signals
from engine.units import NEVER_NS

FUTURE = 1
OPTION = 2
"""Bits of the kinds that must be listed at an expiry."""
NO_LEG, UNLISTED = -1, -2
"""Panel columns that stand for an absent leg, and for a leg without a matching contract."""

Family = tuple[str, str]
"""Venue and settlement currency: the contracts of one family share their expiries."""


@dataclass(frozen=True, slots=True)
class ListedChain:
    """The dated contracts of one family on one block of T rows; E expiries."""

    expiry_ns: IntArray  # [E] ascending
    listed: Mapping[int, BoolArray]  # need -> [T, E]
    forward_usd: FloatArray  # [T, E]
    future: IntArray  # [E] panel column of the expiry's future, -1 if there is none
    options: Mapping[tuple[int, int], tuple[IntArray, FloatArray]]  # (expiry, right) -> columns, strikes ascending


def listed_chains(view: PreparedPanel) -> dict[Family, ListedChain]:
    """Return the chain of each family of the block's underlying that has dated contracts."""
    panel, table = view.panel, view.panel.instruments
    members: dict[Family, list[int]] = {}
    for column, code in enumerate(panel.code.tolist()):
        if table.expiry_ns[code] != NEVER_NS and table.underlying[code] == panel.underlying:
            members.setdefault((table.venue[code], table.settle[code]), []).append(column)
    return {family: _chain(view, np.array(columns, dtype=np.int64)) for family, columns in members.items()}


def _chain(view: PreparedPanel, columns: IntArray) -> ListedChain:
    panel, table = view.panel, view.panel.instruments
    code = panel.code[columns]
    expiries = np.unique(table.expiry_ns[code])
    alive = (panel.age_ns[:, columns] != NEVER_NS) & (panel.times_ns[:, None] < table.expiry_ns[code][None, :])
    shape = (len(panel.times_ns), len(expiries))
    has = {FUTURE: np.zeros(shape, dtype=np.bool_), OPTION: np.zeros(shape, dtype=np.bool_)}
    forward = np.repeat(view.spot_usd[:, None], len(expiries), axis=1)
    future = np.full(len(expiries), -1, dtype=np.int64)
    options: dict[tuple[int, int], tuple[IntArray, FloatArray]] = {}
    for e, expiry in enumerate(expiries.tolist()):
        expires = table.expiry_ns[code] == expiry
        for member in np.flatnonzero(expires & (table.kind[code] == Kind.FUTURE))[:1].tolist():
            column = int(columns[member])
            future[e], has[FUTURE][:, e] = column, alive[:, member]
            # Strikes are in the dollar of the future's price, so no conversion enters K/F.
            price = view.mid[:, column]
            forward[:, e] = np.where(price > 0.0, price, forward[:, e])
        calls_and_puts = expires & (table.kind[code] == Kind.OPTION)
        has[OPTION][:, e] = np.logical_or.reduce(alive[:, calls_and_puts], axis=1)
        for right in np.unique(table.right[code][calls_and_puts]).tolist():
            side = columns[calls_and_puts & (table.right[code] == right)]
            strike = table.strike[panel.code[side]]
            order = np.argsort(strike, kind="stable")
            options[e, right] = side[order], strike[order]
    listed = {FUTURE: has[FUTURE], OPTION: has[OPTION], FUTURE | OPTION: has[FUTURE] & has[OPTION]}
    return ListedChain(expiries, listed, forward, future, options)


def with_ranks(sources: SourceSignals, view: PreparedPanel, which: IntArray) -> SourceSignals:
    """Return ``sources`` with ranks, needs and ratios ``[S, LEGS]`` set for the signals ``which [K]``.

    These signals must have been decided at grid times of ``view``.
    """
    rank, need, ratio = sources.rank.copy(), sources.need.copy(), sources.ratio.copy()
    table, chains = view.panel.instruments, listed_chains(view)
    rows = np.searchsorted(view.panel.times_ns, sources.t_ns[which])
    for s, row in zip(which.tolist(), rows.tolist(), strict=True):
        codes = [c for c in sources.code[s].tolist() if c >= 0]
        groups: dict[tuple[str, str, int], int] = {}
        for c in codes:
            bit = OPTION if table.kind[c] == Kind.OPTION else FUTURE
            key = (table.venue[c], table.settle[c], int(table.expiry_ns[c]))
            groups[key] = groups.get(key, 0) | bit
        for leg, c in enumerate(codes):
            expiry = int(table.expiry_ns[c])
            if expiry == NEVER_NS:
                continue
            chain = chains[table.venue[c], table.settle[c]]
            e = int(np.searchsorted(chain.expiry_ns, expiry))
            need[s, leg] = groups[table.venue[c], table.settle[c], expiry]
            rank[s, leg] = np.count_nonzero(chain.listed[int(need[s, leg])][row, :e])
            if table.kind[c] == Kind.OPTION:
                ratio[s, leg] = table.strike[c] / chain.forward_usd[row, e]
    return replace(sources, rank=rank, need=need, ratio=ratio)


def has_dated_leg(sources: SourceSignals, table: Instruments) -> BoolArray:
    """Return which signals have a leg that expires, ``[S]``; ``table`` lists the instruments by code."""
    expiry_ns = table.expiry_ns[np.maximum(sources.code, 0)]
    dated: BoolArray = ((sources.code >= 0) & (expiry_ns != NEVER_NS)).any(axis=1)
    return dated


def ranks_of(signals: Sequence[Signal], view: PreparedPanel) -> ContractRanks:
    """Return the ranks of ``signals``, which were decided at grid times of ``view``."""
    sources = source_signals(signals, view.params)
    dated = has_dated_leg(sources, view.panel.instruments)
    # most blocks have no such signal, and then no chain is laid out
    if dated.any():
        sources = with_ranks(sources, view, np.flatnonzero(dated))
    return ContractRanks(sources.rank, sources.need, sources.ratio)


def map_legs(sources: SourceSignals, view: PreparedPanel, signal: IntArray, row: IntArray) -> CodeArray:
    """Return the panel columns ``[M, LEGS]`` of the legs of ``signal [M]`` at the rows ``row [M]`` of ``view``.

    `NO_LEG` for an absent leg, `UNLISTED` for a leg without a matching contract; in a panel without contracts that is
    every leg.
    """
    panel, table = view.panel, view.panel.instruments
    code = sources.code[signal]
    if not len(panel.code):  # a span without a contract: a recording that ends before its window
        return np.where(code >= 0, UNLISTED, NO_LEG).astype(np.int32)
    # A code above all of the panel's would be searched past its end.
    position = np.minimum(np.searchsorted(panel.code, code), len(panel.code) - 1)
    column = np.where(panel.code[position] == code, position, UNLISTED)
    column = np.where(code >= 0, column, NO_LEG).astype(np.int32)
    dated = sources.rank[signal] != UNDATED
    column[dated] = UNLISTED
    if not dated.any():
        return column
    chains = listed_chains(view)
    number = {key: position for position, key in enumerate(chains)}
    family = np.full(len(table), -1)
    for c in np.unique(code[dated]).tolist():
        family[c] = number.get((table.venue[c], table.settle[c]), -1)
    for key, chain in chains.items():
        for need, listed in chain.listed.items():
            m, leg = np.nonzero(dated & (family[code] == number[key]) & (sources.need[signal] == need))
            if len(m):
                column[m, leg] = _contracts(sources, view, chain, listed, signal[m], row[m], leg)
    return column


def _contracts(
    sources: SourceSignals,
    view: PreparedPanel,
    chain: ListedChain,
    listed: BoolArray,
    signal: IntArray,
    row: IntArray,
    leg: IntArray,
) -> CodeArray:
    """Return the column of each leg ``(signal, leg)`` at ``row``, ``[K]``; `UNLISTED` without a rank or contract."""
    table = view.panel.instruments
    ranked = np.cumsum(listed[row], axis=1, dtype=np.int64)
    # `ranked` counts from 1; a rank is the number of expiries before it.
    rank = sources.rank[signal, leg] + 1
    with_option = (sources.need[signal, leg] & OPTION) > 0
    # Options take the last listed expiry where fewer are listed; a future then has no match.  [decision 0121]
    rank = np.where(with_option, np.minimum(rank, ranked[:, -1]), rank)
    reached = listed[row] & (ranked == rank[:, None])
    exists, expiry = reached.any(axis=1), reached.argmax(axis=1)
    code = sources.code[signal, leg]
    right = np.where(table.kind[code] == Kind.OPTION, table.right[code], 0)
    contract = np.where(exists & (right == 0), chain.future[expiry], UNLISTED)
    for (e, side), (columns, strikes) in chain.options.items():
        legs = np.flatnonzero(exists & (expiry == e) & (right == side))
        if not len(legs):
            continue
        rows, ratio = row[legs], sources.ratio[signal, leg][legs]
        distance = np.abs(strikes[None, :] / chain.forward_usd[rows, e][:, None] - ratio[:, None])
        distance = np.where(view.usable[rows[:, None], columns[None, :]], distance, np.inf)
        distance = np.where(np.isnan(distance), np.inf, distance)
        # Strikes ascend and argmin takes the first, so a tie goes to the lower strike.
        best = distance.argmin(axis=1)
        contract[legs] = np.where(np.isfinite(distance[np.arange(len(legs)), best]), columns[best], UNLISTED)
    return contract.astype(np.int32)
