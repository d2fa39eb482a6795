"""The option constraints on 545 stored Deribit snapshots, at the touch, against the slow script.  [S2.C3, S2.C4, S2.C7]

The engine's array functions see asks where they buy and bids where they sell.  "Violated" is a profit that is at least
half a micro-bps, the unit in which a net meets its threshold: floats leave crumbs of 1e-19 coin on exact zeros.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.constraints.c4_butterfly import butterfly_excess, low_weight, worst_butterflies
from engine.constraints.c7_vertical import lower_excess, upper_excess, worst_verticals
from engine.constraints.options.put_call_pairs import parity_gap
from engine.units import BPS, micro_bps
from tests.oracles import options_slow

pytestmark = pytest.mark.real

COLUMNS = ["option_type", "strike", "expiry_datetime", "bid_price", "ask_price", "underlying", "currency"]
CHAIN = ["snapshot", "expiry_datetime", "option_type"]
SAMPLE = slice(7, None, 14)
"""39 of the 545 snapshots, spread over the 4.5 months, are compared row by row."""


def snapshots(real_data: Path) -> list[Path]:
    return sorted((real_data / options_slow.FOLDER).glob("*snapshot*.csv.gz"))


@pytest.fixture(scope="module")
def rows(real_data: Path) -> pd.DataFrame:
    """All BTC rows, by snapshot, expiry, right and strike."""
    frames = []
    for number, path in enumerate(snapshots(real_data)):
        frame = pd.read_csv(path, usecols=COLUMNS)
        frames.append(frame[frame["currency"] == "BTC"].assign(snapshot=number))
    return pd.concat(frames).sort_values([*CHAIN, "strike"], ignore_index=True)


def violated(profit: Any) -> Any:
    return micro_bps(BPS * profit) > 0


def neighbours(rows: pd.DataFrame) -> pd.DataFrame:
    """Neighbouring triples of listed strikes with the wings' asks and the belly's bid, and what they earn."""
    chain = rows.groupby(CHAIN, sort=False)
    table = rows[[*CHAIN, "strike"]].assign(
        k1=chain["strike"].shift(1), k3=chain["strike"].shift(-1), a1=chain["ask_price"].shift(1),
        b2=rows["bid_price"], a3=chain["ask_price"].shift(-1),
    ).dropna()  # fmt: skip
    k1, k2, k3, a1, b2, a3 = (table[c].to_numpy() for c in ("k1", "strike", "k3", "a1", "b2", "a3"))
    return table.assign(profit=butterfly_excess(a1, b2, a3, low_weight(k1, k2, k3)))


def spreads(rows: pd.DataFrame) -> pd.DataFrame:
    """Neighbouring calls and what both bounds earn; NaN where a needed side is missing."""
    calls = rows[rows["option_type"] == "call"]
    chain = calls.groupby(CHAIN, sort=False)
    bid, ask, strike = (calls[c].to_numpy() for c in ("bid_price", "ask_price", "strike"))
    bid2, ask2, strike2 = (chain[c].shift(-1).to_numpy() for c in ("bid_price", "ask_price", "strike"))
    lower = lower_excess(bid2, ask)
    upper = upper_excess(bid, ask2, strike2 - strike, 1.0 / calls["underlying"].to_numpy())
    return calls[[*CHAIN, "strike"]].assign(lower=lower, upper=upper)


def parities(rows: pd.DataFrame) -> pd.DataFrame:
    """Pairs with all four sides and what conversion and reversal earn against the call's forward mark."""
    key = ["snapshot", "expiry_datetime", "strike"]
    sides = [*key, "bid_price", "ask_price", "underlying"]
    calls, puts = (rows.loc[rows["option_type"] == right, sides] for right in ("call", "put"))
    pair = calls.merge(puts, on=key, suffixes=("", "_put")).dropna()
    column = {name: pair[name].to_numpy() for name in pair.columns if name != "expiry_datetime"}
    forward = column["underlying"]
    conversion, reversal = parity_gap(
        column["ask_price"], column["bid_price"], column["ask_price_put"], column["bid_price_put"],
        column["strike"], forward, forward, coin=True,
    )  # fmt: skip
    return pair[key].assign(conversion=conversion, reversal=reversal)


def test_two_of_409_998_neighbouring_butterflies_are_violated(rows: pd.DataFrame) -> None:
    """Calls and puts, neighbours among listed strikes, wings' asks and belly's bid quoted."""
    table = neighbours(rows)

    assert len(table) == 409_998
    assert int(violated(table["profit"].to_numpy()).sum()) == 2


def test_no_vertical_of_neighbouring_calls_is_violated(rows: pd.DataFrame) -> None:
    """Both bounds: 206,481 with the sides of the lower one, 208,960 with those of the upper one."""
    table = spreads(rows)
    lower, upper = table["lower"].dropna().to_numpy(), table["upper"].dropna().to_numpy()

    assert (len(lower), len(upper)) == (206_481, 208_960)
    assert not violated(lower).any()
    assert not violated(upper).any()


def test_thirty_five_of_203_419_pairs_break_parity_with_the_forward_mark(rows: pd.DataFrame) -> None:
    """All four sides quoted, the forward is the mark of the call's row: informative, not executable."""
    table = parities(rows)
    either = violated(np.maximum(table["conversion"].to_numpy(), table["reversal"].to_numpy()))

    assert len(table) == 203_419
    assert int(either.sum()) == 35


def stacked(rows: pd.DataFrame, right: str) -> Any:
    """For each expiry: ask, bid and forward of all snapshots, strike-major over the union of their strikes."""
    for _, chain in rows[rows["option_type"] == right].groupby("expiry_datetime"):
        table = chain.pivot_table(
            index="strike", columns="snapshot", values=["ask_price", "bid_price", "underlying"], dropna=False
        )
        yield table.index.to_numpy(), *(table[c].to_numpy() for c in ("ask_price", "bid_price", "underlying")), chain


def hull_bellies(rows: pd.DataFrame, right: str) -> tuple[int, set[tuple[int, str, float]]]:
    """How many bellies have a triple, and those whose best triple of *all* earns something."""
    examined, found = 0, set()
    for strike, ask, bid, _, chain in stacked(rows, right):
        profit, _, _ = worst_butterflies(ask, bid, strike)
        examined += int(np.count_nonzero(~np.isnan(profit)))
        number, expiry = np.unique(chain["snapshot"]), chain["expiry_datetime"].iloc[0]
        n, at = np.nonzero(~np.isnan(profit))
        won = violated(profit[n, at])
        found |= {(int(number[t]), expiry, float(strike[k])) for k, t in zip(n[won], at[won], strict=True)}
    return examined, found


@pytest.mark.parametrize(("right", "bellies"), [("call", 27), ("put", 1)])
def test_the_hull_finds_every_belly_that_any_triple_violates(
    rows: pd.DataFrame, real_data: Path, right: str, bellies: int
) -> None:
    """All triples: the number of bellies is that of the slow script, and on the sample the very bellies are."""
    _, found = hull_bellies(rows, right)
    paths, expected = snapshots(real_data), set()
    for number in range(len(paths))[SAMPLE]:
        for (expiry, kind), options in options_slow.read(paths[number], "BTC").items():
            triples = options_slow.all_butterflies(options)[1] if kind == right else []
            expected |= {(number, expiry, float(strikes[1])) for strikes in triples}

    assert len(found) == bellies
    assert {cell for cell in found if cell[0] in range(len(paths))[SAMPLE]} == expected


def test_no_pair_of_options_breaks_a_vertical_bound(rows: pd.DataFrame) -> None:
    """All pairs, not neighbours only, calls and puts, both bounds, by running minima."""
    for right in ("call", "put"):
        for strike, ask, bid, forward, _ in stacked(rows, right):
            per_usd = 1.0 / np.nanmax(forward, axis=0)  # the dearest forward locks a dollar most cheaply
            for above, cost in ((right == "put", None), (right == "call", per_usd)):
                profit, _ = worst_verticals(ask, bid, strike, cost, above)
                assert not violated(profit[~np.isnan(profit)]).any()


def test_row_by_row_the_slow_script_finds_the_same(rows: pd.DataFrame, real_data: Path) -> None:
    """On 39 snapshots every examined package is the same and earns the same to 1e-12 coin."""
    paths = snapshots(real_data)
    numbers = range(len(paths))[SAMPLE]
    sample = rows[rows["snapshot"].isin(numbers)]
    triples, calls, pairs = neighbours(sample), spreads(sample), parities(sample)
    fast: dict[tuple[Any, ...], float] = {}
    for row in triples.itertuples():
        fast["butterfly", row.snapshot, row.expiry_datetime, row.option_type, int(row.strike)] = row.profit
    for row in calls.itertuples():
        for bound in ("lower", "upper"):
            if getattr(row, bound) == getattr(row, bound):
                fast[bound, row.snapshot, row.expiry_datetime, int(row.strike)] = getattr(row, bound)
    for row in pairs.itertuples():
        fast["conversion", row.snapshot, row.expiry_datetime, int(row.strike)] = row.conversion
        fast["reversal", row.snapshot, row.expiry_datetime, int(row.strike)] = row.reversal
    slow: dict[tuple[Any, ...], float] = {}
    for number in numbers:
        chains = options_slow.read(paths[number], "BTC")
        for (expiry, right), strike, profit in options_slow.neighbour_butterflies(chains):
            slow["butterfly", number, expiry, right, strike] = float(profit)
        for (expiry, _), strike, bound, profit in options_slow.neighbour_spreads(chains):
            slow[bound, number, expiry, strike] = float(profit)
        for expiry, strike, conversion, reversal in options_slow.parities(chains):
            slow["conversion", number, expiry, strike] = float(conversion)
            slow["reversal", number, expiry, strike] = float(reversal)

    assert slow.keys() == fast.keys()
    assert max(abs(slow[key] - fast[key]) for key in slow) < 1e-12
