"""A spot market that stops while its perp goes on: the gap on the screen is not there to be traded.  [S1.4, S4.1]

Binance's spot halted on 2023-03-24 in the middle of an hour.  The bar of that hour has trades, hence is kept: ETH's
perp closes it 252 bps under the last spot price, and the next hour, without a spot trade, 106 bps under that price.
"""

from __future__ import annotations

import numpy as np
import pytest

from engine.constraints.detect import detect
from engine.market.view import prepare
from engine.records import Feed
from engine.signals.emit import START, process_block
from engine.units import NS_PER_HOUR, NS_PER_SECOND
from tests.helpers.builders import T0_NS, curves, instruments, panel, params, perp, quote, spot
from tests.helpers.positions import identify

SPOT, PERP = "binance:BTCUSDC", "binance:BTCUSDC-PERP"
BAR = {"feed": Feed.BAR, "bar_ns": NS_PER_HOUR}
BASIS_BPS = np.array([-4.0, -252.0, -106.0, -5.0])
SPOT_AGE_NS = [0, 0, NS_PER_HOUR, 0]


@pytest.mark.parametrize(("max_skew_s", "signals"), [(5, []), (3600, [2])])
def test_one_hour_is_too_short_and_the_next_has_no_spot(max_skew_s: int, signals: list[int]) -> None:
    """At the registered 5 s of skew the second hour has no spot beside the perp, so nothing stands for two grid times.

    An hour of skew would compare a price of now with one of an hour ago, and fire: that is what the setting is for.
    """
    registered = params(grid_ns=NS_PER_HOUR, max_skew_ns=max_skew_s * NS_PER_SECOND)
    table = instruments(spot(SPOT, **BAR), perp(PERP, **BAR))
    block = panel(
        table,
        {
            SPOT: quote([1_800.0] * 4, 0.0, age_ns=SPOT_AGE_NS, bid_size=np.nan, ask_size=np.nan),
            PERP: quote(1_800.0 * (1.0 + BASIS_BPS * 1e-4), 0.0, rate=0.0, bid_size=np.nan, ask_size=np.nan),
        },
        times_ns=T0_NS + NS_PER_HOUR * np.arange(4, dtype=np.int64),
    )
    view = prepare(block, registered, curves())
    _, decision = process_block(START, view, detect(view, None, codes=("C1",)), registered, 0, identify)

    assert [(signal.t_ns - T0_NS) // NS_PER_HOUR for signal in decision.signals] == signals
