"""Which dated contract a moved leg becomes: same rank in time to expiry, nearest strike over forward.  [spec README]

A leg's expiry is ranked among those at which its package's dated kinds are all listed: a call with a future of its
expiry looks at the expiries that list both.  Listed is what was quoted before and has not expired.  Where fewer are
listed than the rank asks for, options take the last one.  Of the contracts of that expiry the nearest K/F with a usable
quote is taken, the lower strike on a tie; F is the future of the expiry where it is quoted, else the reference price.
Dated futures move by rank too.  [docs/decisions/0121]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from engine.market.view import PreparedPanel
from engine.records import BoolArray, CodeArray, FloatArray, IntArray, Kind
from engine.repricing.base import UNDATED, SourceSignals
from engine.units import NEVER_NS

FUTURE = 1
OPTION = 2
"""Bits of what must be listed at an expiry."""
NO_LEG, UNLISTED = -1, -2
"""Columns of a leg that is absent, and of one for which no contract exists."""

Family = tuple[str, str]
"""Venue and currency of settlement: contracts of one family have one calendar."""


@dataclass(frozen=True, slots=True)
class ListedChain:
    """One family's dated contracts on one block."""

    expiry_ns: IntArray  # [E] ascending
    listed: Mapping[int, BoolArray]  # need -> [T, E]
    forward_usd: FloatArray  # [T, E]
    future: IntArray  # [E] panel column, -1 where there is none
    options: Mapping[tuple[int, int], tuple[IntArray, FloatArray]]  # (expiry, right) -> columns, strikes ascending


def listed_chains(view: PreparedPanel) -> dict[Family, ListedChain]:
    """Return the chain of each family of the view's underlying that has dated contracts."""
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
        mine = table.expiry_ns[code] == expiry
        for at in np.flatnonzero(mine & (table.kind[code] == Kind.FUTURE))[:1].tolist():
            column = int(columns[at])
            future[e], has[FUTURE][:, e] = column, alive[:, at]
            price = view.mid[:, column] * view.usd[:, column]
            forward[:, e] = np.where(price > 0.0, price, forward[:, e])
        calls_and_puts = mine & (table.kind[code] == Kind.OPTION)
        has[OPTION][:, e] = np.logical_or.reduce(alive[:, calls_and_puts], axis=1)
        for right in np.unique(table.right[code][calls_and_puts]).tolist():
            side = columns[calls_and_puts & (table.right[code] == right)]
            strike = table.strike[panel.code[side]]
            order = np.argsort(strike, kind="stable")
            options[e, right] = side[order], strike[order]
    listed = {FUTURE: has[FUTURE], OPTION: has[OPTION], FUTURE | OPTION: has[FUTURE] & has[OPTION]}
    return ListedChain(expiries, listed, forward, future, options)


def with_ranks(movables: SourceSignals, view: PreparedPanel, which: IntArray) -> SourceSignals:
    """Return ``movables`` with the ranks and ratios of the signals ``which``, decided at grid times of ``view``."""
    rank, need, ratio = movables.rank.copy(), movables.need.copy(), movables.ratio.copy()
    table, chains = view.panel.instruments, listed_chains(view)
    rows = np.searchsorted(view.panel.times_ns, movables.t_ns[which])
    for s, row in zip(which.tolist(), rows.tolist(), strict=True):
        codes = [c for c in movables.code[s].tolist() if c >= 0]
        groups: dict[tuple[str, str, int], int] = {}
        for c in codes:
            bit = OPTION if table.kind[c] == Kind.OPTION else FUTURE
            key = (table.venue[c], table.settle[c], int(table.expiry_ns[c]))
            groups[key] = groups.get(key, 0) | bit
        for at, c in enumerate(codes):
            expiry = int(table.expiry_ns[c])
            if expiry == NEVER_NS:
                continue
            chain = chains[table.venue[c], table.settle[c]]
            e = int(np.searchsorted(chain.expiry_ns, expiry))
            need[s, at] = groups[table.venue[c], table.settle[c], expiry]
            rank[s, at] = np.count_nonzero(chain.listed[int(need[s, at])][row, :e])
            if table.kind[c] == Kind.OPTION:
                ratio[s, at] = table.strike[c] / chain.forward_usd[row, e]
    return replace(movables, rank=rank, need=need, ratio=ratio)


def map_legs(movables: SourceSignals, view: PreparedPanel, signal: IntArray, row: IntArray) -> CodeArray:
    """Return the panel columns ``[M, LEGS]`` which the legs of ``signal[m]`` become at ``row[m]``; `NO_LEG` for no leg,
    and `UNLISTED` where no contract exists.
    """
    panel, table = view.panel, view.panel.instruments
    code = movables.code[signal]
    at = np.minimum(np.searchsorted(panel.code, code), len(panel.code) - 1)
    column = np.where(panel.code[at] == code, at, UNLISTED)
    column = np.where(code >= 0, column, NO_LEG).astype(np.int32)
    dated = movables.rank[signal] != UNDATED
    column[dated] = UNLISTED
    if not dated.any():
        return column
    chains = listed_chains(view)
    number = {key: at for at, key in enumerate(chains)}
    family = np.full(len(table), -1)
    for c in np.unique(code[dated]).tolist():
        family[c] = number.get((table.venue[c], table.settle[c]), -1)
    for key, chain in chains.items():
        for need, listed in chain.listed.items():
            mine = dated & (family[code] == number[key]) & (movables.need[signal] == need)
            m, leg = np.nonzero(mine)
            if len(m):
                column[m, leg] = _contracts(movables, view, chain, listed, signal[m], row[m], leg)
    return column


def _contracts(
    movables: SourceSignals,
    view: PreparedPanel,
    chain: ListedChain,
    listed: BoolArray,
    signal: IntArray,
    row: IntArray,
    leg: IntArray,
) -> CodeArray:
    """Return the column of the legs ``(signal, leg)`` at ``row``; `UNLISTED` where rank or contract is lacking."""
    table = view.panel.instruments
    ranked = np.cumsum(listed[row], axis=1, dtype=np.int64)
    wanted = movables.rank[signal, leg] + 1
    with_option = (movables.need[signal, leg] & OPTION) > 0
    wanted = np.where(with_option, np.minimum(wanted, ranked[:, -1]), wanted)
    reached = listed[row] & (ranked == wanted[:, None])
    exists, expiry = reached.any(axis=1), reached.argmax(axis=1)
    code = movables.code[signal, leg]
    right = np.where(table.kind[code] == Kind.OPTION, table.right[code], 0)
    found = np.where(exists & (right == 0), chain.future[expiry], UNLISTED)
    for (e, side), (columns, strikes) in chain.options.items():
        mine = np.flatnonzero(exists & (expiry == e) & (right == side))
        if not len(mine):
            continue
        at = row[mine]
        away = np.abs(strikes[None, :] / chain.forward_usd[at, e][:, None] - movables.ratio[signal, leg][mine][:, None])
        away = np.where(view.usable[at[:, None], columns[None, :]], away, np.inf)
        away = np.where(np.isnan(away), np.inf, away)
        best = away.argmin(axis=1)
        found[mine] = np.where(np.isfinite(away[np.arange(len(mine)), best]), columns[best], UNLISTED)
    return found.astype(np.int32)
