"""Panels in the form the registration asks for: funding averaged, options left out, days without rows left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backtest.data.panels import reader
from backtest.folds.registered_panels import fees_in_force, funding_average_ns, linear_panels, registered_panels
from engine.records import Kind
from engine.units import NS_PER_DAY
from tests.helpers.builders import params
from tests.helpers.small_run import Tiny


def test_funding_is_averaged_as_registered(tiny: Tiny) -> None:
    """Every array is that of the reader called by hand with the registered average, and not that without one."""
    plan, registered = tiny.registration.plan, tiny.registration.params
    average_ns = registered.underlyings["BTC"].curve.perp_average_ns  # type: ignore[union-attr]
    span = (plan.t0_ns, plan.t0_ns + NS_PER_DAY)

    (panel,) = registered_panels(tiny.dataset, registered, "BTC", *span)
    (by_hand,) = reader.panels(tiny.dataset, "BTC", *span, funding_average_ns=average_ns)
    (plain,) = reader.panels(tiny.dataset, "BTC", *span)

    assert funding_average_ns(registered, "BTC") == average_ns
    assert np.array_equal(panel.funding_mean, by_hand.funding_mean, equal_nan=True)
    assert not np.array_equal(panel.funding_mean, plain.funding_mean, equal_nan=True)


def test_an_underlying_without_a_registered_curve_has_no_average() -> None:
    """None leaves funding as quoted."""
    registered = params()
    bare = replace(registered.underlyings["BTC"], curve=None)

    assert funding_average_ns(replace(registered, underlyings={"BTC": bare}), "BTC") is None


def test_linear_panels_hold_everything_but_options(tiny: Tiny) -> None:
    """The codes of a day are those of the whole panel without its options, in the same order."""
    plan, registered = tiny.registration.plan, tiny.registration.params
    span = (plan.t0_ns, plan.t0_ns + 2 * NS_PER_DAY)
    whole = list(registered_panels(tiny.dataset, registered, "BTC", *span))
    linear = list(linear_panels(tiny.dataset, registered, "BTC", *span))

    assert len(linear) == len(whole) == 2
    for panel, other in zip(linear, whole, strict=True):
        expected = [c for c in other.code.tolist() if tiny.dataset.instruments.kind[c] != Kind.OPTION]
        assert panel.code.tolist() == expected
        assert len(expected) < len(other.code)


def test_fees_count_from_the_first_nanosecond_of_their_day() -> None:
    """One fee more from 00:00 UTC of its date on, and none before."""
    fee = params().fees[0]
    fees_at = fees_in_force(
        replace(params(), fees=(replace(fee, as_of="1970-01-02"), replace(fee, as_of="1970-01-04")))
    )

    assert [fees_at(t) for t in (0, NS_PER_DAY - 1, NS_PER_DAY, 3 * NS_PER_DAY - 1, 3 * NS_PER_DAY)] == [0, 0, 1, 1, 2]
