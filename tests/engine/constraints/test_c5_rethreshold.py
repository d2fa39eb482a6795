"""What C5 sees at a higher threshold follows from what it saw at a lower one.  [S2.C5, R9.7]"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from backtest.data.panels import reader
from backtest.leakage.folds import views_of
from engine.constraints.c5_calendar import rethreshold
from engine.constraints.detect import detect
from engine.market.view import PreparedPanel
from engine.params import CurveFit, Fitted
from engine.records import Violations
from tests.helpers.small_run import Tiny

LOWEST = 0.0
"""Lower than any registered threshold, so that days of a small market have packages at all."""


def days(tiny: Tiny) -> tuple[PreparedPanel, ...]:
    """The prepared days of history and window, each with the curves known before it."""
    plan, params = tiny.run.plan, tiny.registration.params
    average_ns = params.underlyings["BTC"].curve.perp_average_ns
    panels = reader.panels(tiny.dataset, "BTC", plan.history_ns, plan.t1_ns, funding_average_ns=average_ns)
    return views_of(panels, params, "BTC")[0]


def of_threshold(view: PreparedPanel, fit: CurveFit, z: float) -> Violations:
    (found,) = detect(view, Fitted(0, 0, 0, {"BTC": replace(fit, z_threshold=z)}, {}), codes=("C5",))
    return found


def same(one: object, other: object) -> None:
    """Assert that two records are equal to the bit, arrays and records within them too."""
    assert type(one) is type(other)
    for field in fields(one):  # type: ignore[arg-type]
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b, err_msg=field.name, strict=True)
        elif isinstance(a, dict):
            for name in a if b else ():  # a block without packages has no columns of detail
                assert a.keys() == b.keys()
                np.testing.assert_array_equal(a[name], b[name], err_msg=name, strict=True)
        elif is_dataclass(a):
            same(a, b)
        else:
            assert a == b, field.name


@pytest.mark.parametrize("z", [0.0, 0.5, 1.0, 1.5, 2.0, 3000.0])
def test_raising_a_threshold_is_detecting_at_it(tiny: Tiny, z: float) -> None:
    """On every day of a market, late and missing quotes among them; counts of the funnel and the best net excepted."""
    run, params = tiny.run, tiny.registration.params
    fit = run.fitted[-1].curve["BTC"]
    seen, kept = 0, 0
    for view in days(tiny):
        low, high = of_threshold(view, fit, LOWEST), of_threshold(view, fit, z)
        found = rethreshold(low, z, params.rearm_share)
        same(replace(found, funnel=high.funnel, best_bps=0.0), replace(high, best_bps=0.0))
        seen, kept = seen + len(low.packages), kept + len(found.packages)
    assert seen > 0
    assert kept <= seen
    assert {LOWEST: kept == seen, 3000.0: kept == 0}.get(z, True)


def test_what_fired_is_shut_where_its_z_falls_short(tiny: Tiny) -> None:
    """A package that fires, asked again at a threshold a quarter above its own |z|: kept, and shut by the threshold."""
    run, params = tiny.run, tiny.registration.params
    fit = run.fitted[-1].curve["BTC"]
    shut = 0
    for view in days(tiny):
        low = of_threshold(view, fit, LOWEST)
        for at in np.flatnonzero(low.fires)[:2].tolist():
            z = 1.25 * abs(float(low.packages.detail["z"][at]))
            found, high = rethreshold(low, z, params.rearm_share), of_threshold(view, fit, z)
            same(replace(found, funnel=high.funnel, best_bps=0.0), replace(high, best_bps=0.0))
            own = (found.packages.row == low.packages.row[at]) & (found.packages.key == low.packages.key[at])
            assert [found.reason[n] for n in np.flatnonzero(own)] == ["threshold"]
            shut += 1
    assert shut > 0
