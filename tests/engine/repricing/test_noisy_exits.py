"""Noise of the mids that trigger an exit is not booked as its profit.  [S4.5]"""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.noisy_exits import booked_bps, noise, registered

TRADES = 5_000


@pytest.mark.parametrize("deviation_bps", [2.0, 5.0, 10.0])
def test_independent_noise_earns_nothing_on_average(deviation_bps: float) -> None:
    """Entry and exit are filled at mids that decided nothing: the mean of 5,000 trades is within 2.6 standard errors.

    At the trigger the same noise earns more than a fifth of its deviation: the rule waits for it.
    """
    shaken = noise(TRADES, deviation_bps, 0.0, seed=14)

    booked, at_trigger = (booked_bps(shaken, rule) for rule in (registered(), registered(exit_latency_ns=0)))

    assert abs(booked.mean()) < 2.6 * booked.std(ddof=1) / np.sqrt(TRADES)
    assert at_trigger.mean() > 0.2 * deviation_bps
