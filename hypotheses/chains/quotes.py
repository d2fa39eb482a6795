"""Takes the option chains of a block's grid times out of the panel, two-sided usable quotes only.  [S1.4, risk 17.8]"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.constraints.options.chain import NONE, Chain, chains, listed
from engine.market.view import PreparedPanel
from engine.records import BoolArray, CodeArray, Feed, Right
from hypotheses.chains.records import QuotedChain

EXECUTABLE = (Feed.BOOK, Feed.TOUCH)
"""Feeds whose bid and ask are prices at which one can trade; a bar's close or a mark is no quote."""


@dataclass(frozen=True, slots=True)
class ChainAtTime:
    """One chain at one grid time: its quotes, whose they are, and how many listed options it lacks."""

    row: int  # of the block
    venue: str
    currency: str  # of the premiums
    chain: QuotedChain
    column: CodeArray  # [Q] of the panel
    left_out: int  # listed options without a usable quote on both sides


def chains_of(view: PreparedPanel) -> Iterator[ChainAtTime]:
    """Yield the chain of each grid time, venue and price currency, in that order; those without a quote are left out.

    The venues are those registered for C3, C4 and C7.  Only feeds with an executable bid and ask take part.
    """
    market = view.market
    venues = (*market.put_call_venues, *market.butterfly_venues, *market.vertical_venues)
    groups: dict[tuple[str, str], list[Chain]] = {}
    for chain in chains(view, venues):
        groups.setdefault((chain.venue, chain.quote), []).append(chain)
    feed = view.panel.instruments.feed[view.panel.code]
    executable = np.isin(feed, EXECUTABLE)
    for (venue, currency), members in sorted(groups.items()):
        there = [listed(view, chain.column) & executable[chain.column][:, None] for chain in members]
        for row in range(len(view.panel.times_ns)):
            if (found := _at(view, venue, currency, members, row, [mask[:, row] for mask in there])) is not None:
                yield found


def _at(
    view: PreparedPanel, venue: str, currency: str, members: list[Chain], row: int, there: list[BoolArray]
) -> ChainAtTime | None:
    panel = view.panel
    two_sided = view.usable[row] & ~(np.isnan(panel.bid[row]) | np.isnan(panel.ask[row]))
    picked = [np.flatnonzero(mask & two_sided[chain.column]) for chain, mask in zip(members, there, strict=True)]
    left_out = sum(int(mask.sum()) - len(quoted) for mask, quoted in zip(there, picked, strict=True))
    if not any(len(quoted) for quoted in picked):
        return None
    expiry_ns = np.unique([chain.expiry_ns for chain in members])
    forward = np.full((2, len(expiry_ns)), np.nan)
    expiry = [int(np.searchsorted(expiry_ns, chain.expiry_ns)) for chain in members]
    for e, chain in zip(expiry, members, strict=True):
        forward[:, e] = _future(view, chain, row, two_sided)
    column = np.concatenate([chain.column[quoted] for chain, quoted in zip(members, picked, strict=True)])
    counts = [len(quoted) for quoted in picked]
    quoted_chain = QuotedChain(
        members[0].coin,
        expiry_ns,
        forward[0],
        forward[1],
        np.repeat(expiry, counts).astype(np.int32),
        np.concatenate([chain.strike[quoted] for chain, quoted in zip(members, picked, strict=True)]),
        np.repeat([chain.right == Right.CALL for chain in members], counts),
        panel.bid[row, column],
        panel.ask[row, column],
    )
    return ChainAtTime(row, venue, currency, quoted_chain, column, left_out)


def _future(view: PreparedPanel, chain: Chain, row: int, two_sided: BoolArray) -> tuple[float, float]:
    """Return bid and ask of the dated future of the chain's expiry, NaN where it has none to trade at."""
    panel, column = view.panel, chain.future
    if column == NONE or not two_sided[column] or panel.instruments.feed[panel.code[column]] not in EXECUTABLE:
        return np.nan, np.nan
    return float(panel.bid[row, column]), float(panel.ask[row, column])
