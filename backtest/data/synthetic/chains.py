"""Finds the relations of one option chain at one time: parity, butterflies, verticals, by brute force.  [S2.C3, C4, C7]

All prices in bps of the reference price: a coin premium c is 1e4 c, a dollar premium 1e4 C/S, and both chains then
differ only in the future leg: K/F units of it are worth K dollars at expiry in coin, one unit in dollars.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np

from backtest.data.synthetic.draws import IntArray
from backtest.data.synthetic.elementary import FloatArray
from backtest.data.synthetic.relations import Leg, Moment, Relation
from backtest.data.synthetic.universe import CALL, PUT, Chain


def usable_strikes(moment: Moment, chain: Chain, strikes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strikes whose call and put have a bid at their mids."""

    def has_bid(name: str) -> bool:
        quote = moment.quotes[name]
        return quote.mid_bps > 0.5 * quote.spread_bps + 1e4 * quote.listing.tick * _coin(moment, chain)

    return tuple(k for k in strikes if all(has_bid(chain.option(k, right)) for right in (CALL, PUT)))


def parities(moment: Moment, chain: Chain, strikes: tuple[int, ...]) -> list[Relation]:
    """C3 at each strike: c - p against 1 - K/F in coin, (F - K)/S in dollars; side +1 sells the call."""
    forward = moment.raw[chain.future]
    relations = []
    for strike in strikes:
        call, put = chain.option(strike, CALL), chain.option(strike, PUT)
        owed = 1e4 * ((forward - strike) / moment.spot if chain.linear else 1.0 - strike / forward)
        x = moment.quotes[call].mid_bps - moment.quotes[put].mid_bps - owed
        side = 1 if x >= 0.0 else -1
        units = 1.0 if chain.linear else strike / forward
        legs: tuple[Leg, ...] = ((call, -float(side)), (put, float(side)), (chain.future, side * units))
        short = call if side > 0 else put
        net = abs(x) - moment.cost("C3", legs)
        relations.append(Relation("C3", "deribit", chain.expiry_ns, side, short, legs, abs(x), net))
    return relations


def butterflies(moment: Moment, chain: Chain, strikes: tuple[int, ...]) -> list[Relation]:
    """C4: for each belly of calls and of puts, the triple of largest net among all of them."""
    # A butterfly has three strikes.
    if len(strikes) < 3:
        return []
    triples = _triples(len(strikes))
    k = np.array(strikes, dtype=np.float64)
    low, mid, high = k[triples[:, 0]], k[triples[:, 1]], k[triples[:, 2]]
    weight = (high - mid) / (high - low)
    relations = []
    for right in (CALL, PUT):
        names = [chain.option(strike, right) for strike in strikes]
        value = np.array([moment.quotes[name].mid_bps for name in names])
        gross = value[triples[:, 1]] - weight * value[triples[:, 0]] - (1.0 - weight) * value[triples[:, 2]]
        cost = _triple_costs(moment, names, triples, weight)
        for belly in range(1, len(strikes) - 1):
            of_belly = np.flatnonzero(triples[:, 1] == belly)
            best = of_belly[np.argmax((gross - cost)[of_belly])]
            a, b, c = triples[best]
            legs = ((names[a], float(weight[best])), (names[b], -1.0), (names[c], float(1.0 - weight[best])))
            net = float(gross[best] - moment.cost("C4", legs))
            relations.append(Relation("C4", "deribit", chain.expiry_ns, 1, names[b], legs, float(gross[best]), net))
    return relations


@cache
def _triples(count: int) -> IntArray:
    """Return every three of ``count`` strikes, ascending."""
    return np.array(list(combinations(range(count), 3)), dtype=np.int64)


def _triple_costs(moment: Moment, names: list[str], triples: IntArray, weight: FloatArray) -> FloatArray:
    """Return costs without impact, which is added to the winner only, as the method has it."""
    side = np.array([2.0 * (moment.quotes[n].fee_bps + 0.5 * moment.quotes[n].spread_bps) for n in names])
    result: FloatArray = weight * side[triples[:, 0]] + side[triples[:, 1]] + (1.0 - weight) * side[triples[:, 2]]
    return result


def verticals(moment: Moment, chain: Chain, strikes: tuple[int, ...]) -> list[Relation]:
    """C7: of each option as the short leg, the pair of largest net, for the lower (+1) and the upper bound (-1).

    Calls: sell the higher strike against a lower one where it is dearer; sell the lower one where the difference
    exceeds K2 - K1, which in coin is (K2 - K1)/F and is locked by a sale of the future.  Puts mirror both.
    """
    forward = moment.raw[chain.future]
    best: dict[tuple[str, int], Relation] = {}
    for k1, k2 in combinations(strikes, 2):
        for right in (CALL, PUT):
            # the option that must be worth more
            rich, poor = (k1, k2) if right == CALL else (k2, k1)
            dear, cheap = chain.option(rich, right), chain.option(poor, right)
            gap = moment.quotes[dear].mid_bps - moment.quotes[cheap].mid_bps
            width = (k2 - k1) / (moment.spot if chain.linear else forward)
            lock: tuple[Leg, ...] = () if chain.linear else ((chain.future, -width),)
            lower: tuple[Leg, ...] = ((cheap, -1.0), (dear, 1.0))
            upper: tuple[Leg, ...] = ((dear, -1.0), (cheap, 1.0), *lock)
            for side, gross, legs in ((1, -gap, lower), (-1, gap - 1e4 * width, upper)):
                # At most one of the two bounds is broken.
                if gross > 0.0:
                    net = gross - moment.cost("C7", legs)
                    short = legs[0][0]
                    if (short, side) not in best or net > best[short, side].net_bps:
                        best[short, side] = Relation("C7", "deribit", chain.expiry_ns, side, short, legs, gross, net)
    return list(best.values())


def chain_relations(
    moment: Moment, chain: Chain, strikes: tuple[int, ...], constraint: str | None = None
) -> list[Relation]:
    """Return every relation of the chain, or those of one constraint.

    Butterflies and verticals are among the strikes that have bids; parity is judged at all strikes: one without a bid
    now may have it later in the life of a plant.
    """
    if constraint == "C3":
        return parities(moment, chain, strikes)
    usable = usable_strikes(moment, chain, strikes)
    if constraint is not None:
        return {"C4": butterflies, "C7": verticals}[constraint](moment, chain, usable)
    return parities(moment, chain, strikes) + butterflies(moment, chain, usable) + verticals(moment, chain, usable)


def _coin(moment: Moment, chain: Chain) -> float:
    """Return the dollars per unit of the premium's currency, over S."""
    return 1.0 / moment.spot if chain.linear else 1.0
