"""Count static arbitrage in the stored Deribit option snapshots the slow way: plain Python, exact integers, raw CSV.

    python tests/oracles/options_slow.py ../shared/data

shares no line with the engine.  Before fees, at the touch: what is bought is bought at its ask, what is sold is sold at
its bid; a missing side makes the package unexamined.  Strikes are neighbours when no other strike is *listed* between
them in that snapshot, expiry and right, whether it is quoted or not.  Parity is measured against the forward mark of
the call's own row.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path

FOLDER = "deribit-options-6h"
PREMIUM = 10**8
"""Premiums are whole numbers of 1e-8 coin; a finer one is refused."""


@dataclass(frozen=True)
class Option:
    """One row of a snapshot: strike in USD, bid and ask in 1e-8 coin (None where not quoted), forward mark in USD."""

    strike: int
    bid: int | None
    ask: int | None
    forward: Fraction


Chains = dict[tuple[str, str], list[Option]]
"""(expiry, call|put) -> options by strike."""


def whole(text: str, unit: int) -> int | None:
    """The number in whole units, None where the field is empty; a fraction of a unit is an error."""
    if not text:
        return None
    value = Fraction(text) * unit
    if value.denominator != 1:
        raise ValueError(f"expected a multiple of 1/{unit}, was {text!r}")
    return value.numerator


def read(path: Path, currency: str) -> Chains:
    """The chains of one snapshot file."""
    chains: Chains = {}
    with gzip.open(path, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["currency"] != currency:
                continue
            strike = whole(row["strike"], 1)
            assert strike is not None
            bid, ask = whole(row["bid_price"], PREMIUM), whole(row["ask_price"], PREMIUM)
            option = Option(strike, bid, ask, Fraction(row["underlying"]))
            chains.setdefault((row["expiry_datetime"], row["option_type"]), []).append(option)
    for options in chains.values():
        options.sort(key=lambda option: option.strike)
    return chains


def butterfly(low: Option, belly: Option, high: Option) -> Fraction | None:
    """What selling one belly at its bid earns above buying its wings at their asks, in coin."""
    if low.ask is None or belly.bid is None or high.ask is None:
        return None
    width = high.strike - low.strike
    wings = (high.strike - belly.strike) * low.ask + (belly.strike - low.strike) * high.ask
    return Fraction(width * belly.bid - wings, width * PREMIUM)


def call_spread(low: Option, high: Option) -> tuple[Fraction | None, Fraction | None]:
    """What the lower bound (buy low, sell high) and the upper one (sell low, buy high, lock the width) earn."""
    lower = None if high.bid is None or low.ask is None else Fraction(high.bid - low.ask, PREMIUM)
    upper = None
    if low.bid is not None and high.ask is not None:
        upper = Fraction(low.bid - high.ask, PREMIUM) - (high.strike - low.strike) / low.forward
    return lower, upper


def parity(call: Option, put: Option) -> tuple[Fraction, Fraction] | None:
    """What the conversion and the reversal earn, in coin; None unless all four sides are quoted."""
    if call.bid is None or call.ask is None or put.bid is None or put.ask is None:
        return None
    value = 1 - call.strike / call.forward
    return Fraction(call.bid - put.ask, PREMIUM) - value, value - Fraction(call.ask - put.bid, PREMIUM)


def neighbour_butterflies(chains: Chains) -> Iterator[tuple[tuple[str, str], int, Fraction]]:
    """(chain, belly's strike, profit) of every examined triple of neighbours, calls and puts."""
    for name, options in sorted(chains.items()):
        for low, belly, high in zip(options, options[1:], options[2:], strict=False):
            profit = butterfly(low, belly, high)
            if profit is not None:
                yield name, belly.strike, profit


def neighbour_spreads(chains: Chains) -> Iterator[tuple[tuple[str, str], int, str, Fraction]]:
    """(chain, low strike, bound, profit) of every examined bound of neighbouring calls."""
    for name, options in sorted(chains.items()):
        if name[1] != "call":
            continue
        for low, high in pairwise(options):
            for bound, profit in zip(("lower", "upper"), call_spread(low, high), strict=True):
                if profit is not None:
                    yield name, low.strike, bound, profit


def parities(chains: Chains) -> Iterator[tuple[str, int, Fraction, Fraction]]:
    """(expiry, strike, conversion, reversal) of every pair with four sides."""
    for (expiry, right), options in sorted(chains.items()):
        puts = {option.strike: option for option in chains.get((expiry, "put"), [])}
        for call in options if right == "call" else []:
            profits = parity(call, puts[call.strike]) if call.strike in puts else None
            if profits is not None:
                yield expiry, call.strike, *profits


def all_butterflies(options: list[Option]) -> tuple[int, list[tuple[int, int, int]]]:
    """How many triples of one chain have their three sides, and the strikes of those that earn something."""
    examined, found = 0, []
    for low, belly, high in combinations(options, 3):
        a, b, c = low.ask, belly.bid, high.ask
        if a is None or b is None or c is None:
            continue
        examined += 1
        if (high.strike - low.strike) * b > (high.strike - belly.strike) * a + (belly.strike - low.strike) * c:
            found.append((low.strike, belly.strike, high.strike))
    return examined, found


def count(paths: list[Path], currency: str) -> Counter[str]:
    """All counts over the snapshots, examined and violated."""
    counts: Counter[str] = Counter()
    for path in paths:
        chains = read(path, currency)
        for _, _, profit in neighbour_butterflies(chains):
            counts["butterfly, neighbours: examined"] += 1
            counts["butterfly, neighbours: violated"] += profit > 0
        for _, _, bound, profit in neighbour_spreads(chains):
            counts[f"vertical, neighbouring calls, {bound} bound: examined"] += 1
            counts[f"vertical, neighbouring calls, {bound} bound: violated"] += profit > 0
        for _, _, conversion, reversal in parities(chains):
            counts["parity, four sides: examined"] += 1
            counts["parity, four sides: violated"] += conversion > 0 or reversal > 0
        for (_, right), options in chains.items():
            examined, found = all_butterflies(options)
            counts[f"butterfly, all triples of {right}s: examined"] += examined
            counts[f"butterfly, all triples of {right}s: violated"] += len(found)
            counts[f"butterfly, all triples of {right}s: bellies violated"] += len({strikes[1] for strikes in found})
    return counts


def main(arguments: list[str]) -> int:
    """Print the counts of BTC (or of the currency given second)."""
    if len(arguments) not in (1, 2):
        sys.stderr.write("usage: python tests/oracles/options_slow.py DATA_DIR [BTC|ETH]\n")
        return 2
    paths = sorted((Path(arguments[0]) / FOLDER).glob("*snapshot*.csv.gz"))
    if not paths:
        sys.stderr.write(f"expected snapshots in {Path(arguments[0]) / FOLDER}, found none\n")
        return 3
    sys.stdout.write(f"{len(paths)} snapshots\n")
    for name, number in sorted(count(paths, (arguments[1:] or ["BTC"])[0]).items()):
        sys.stdout.write(f"{name:<60}{number:>12,}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
