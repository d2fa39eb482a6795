"""`prepare` works on whole columns with shortcuts; the slow script takes one quote at a time.  One view, to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.market.view import prepare, quality_of
from engine.records import Feed, Panel, Quality
from engine.units import NEVER_NS, NS_PER_SECOND
from tests.helpers import noisy_market
from tests.helpers.builders import curves
from tests.oracles.view_plain import view_row

ARRAYS = ("quality", "usd", "mid", "half_spread", "charge")


def mess(block: Panel, seed: int) -> Panel:
    """The block with every defect a quote can have, some columns without sizes, some of bars."""
    draw = np.random.Generator(np.random.PCG64(seed))

    def some(share: float) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        return draw.random(block.shape) < share

    bid, ask, age = block.bid.copy(), block.ask.copy(), block.age_ns.copy()
    bid[some(0.05)] = np.nan
    ask[some(0.05)] = np.nan
    bid[some(0.03)] *= -1.0
    ask[some(0.03)] *= 0.5
    bid[some(0.02)] = 0.0
    age[some(0.2)] = 4 * NS_PER_SECOND
    age[some(0.1)] = 20 * NS_PER_SECOND
    age[some(0.05)] = NEVER_NS
    size = block.bid_size.copy()
    size[some(0.05)] = 0.0
    size[some(0.05)] = np.nan
    size[:, 3] = np.nan
    index = block.index.copy()
    index[some(0.1)] = np.nan
    feed = block.instruments.feed.copy()
    feed[block.code[1 + seed % 4]] = (Feed.BAR, Feed.MARK, Feed.TOUCH)[seed % 3]
    table = replace(block.instruments, feed=feed)
    return replace(block, bid=bid, ask=ask, age_ns=age, bid_size=size, index=index, instruments=table)


@pytest.mark.parametrize("columns_first", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_the_view_is_that_of_a_loop_over_quotes(seed: int, columns_first: bool) -> None:
    """Quality, conversion, mid, half-spread and charge of every cell, in either order of memory."""
    block = mess(noisy_market.panels(seed)[seed % 2], seed)
    if columns_first:
        block = replace(block, **{name: np.asfortranarray(getattr(block, name)) for name in noisy_market.VALUES})
    params = noisy_market.registered(max_skew_ns=3 * NS_PER_SECOND)

    seen = prepare(block, params, curves())

    assert {Quality(q) for q in np.unique(seen.quality)} >= {Quality.USABLE, Quality.SKEWED, Quality.NO_SIZE}
    for t in range(len(block.times_ns)):
        slow = view_row(block, params, t)
        for name in ARRAYS:
            ours, theirs = getattr(seen, name)[t], np.array(slow[name], dtype=getattr(seen, name).dtype)
            assert ours.tobytes() == theirs.tobytes(), (name, t)
        assert np.array(slow["spot_usd"]).tobytes() == seen.spot_usd[t : t + 1].tobytes()
    assert (seen.usable == (seen.quality == Quality.USABLE)).all()
    assert quality_of(seen).sum() == seen.quality.size
