"""What C5 sees at a higher threshold follows from what it saw at a lower one.  [S2.C5, R9.7]"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from backtest.leaks.folds import views_of
from engine.constraints.detect import detect
from engine.constraints.raised import raised
from engine.market import View
from engine.params import CurveFit, Fitted
from engine.records import Violations
from tests.tiny import Tiny

LOWEST = 0.0
"""Lower than any registered threshold, so that days of a small market have packages at all."""


def of_threshold(view: View, fit: CurveFit, z: float) -> Violations:
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


@pytest.mark.parametrize("z", [0.0, 0.5, 1.0, 1.5, 2.0, 30.0])
def test_raising_a_threshold_is_detecting_at_it(tiny: Tiny, z: float) -> None:
    """On every day of a market, late and missing quotes among them; counts of the funnel and the best net excepted."""
    run, params = tiny.run, tiny.registration.params
    fit = run.fitted[-1].curve["BTC"]
    seen, kept = 0, 0
    average_ns = params.underlyings["BTC"].curve.perp_average_ns
    panels = tiny.dataset.panels("BTC", run.plan.history_ns, run.plan.t1_ns, funding_average_ns=average_ns)
    for view in views_of(panels, params, "BTC")[0]:
        low, high = of_threshold(view, fit, LOWEST), of_threshold(view, fit, z)
        found = raised(low, z, params.rearm_share)
        same(replace(found, funnel=high.funnel, best_bps=0.0), replace(high, best_bps=0.0))
        seen, kept = seen + len(low.packages), kept + len(found.packages)
    assert seen > 0
    assert kept <= seen
    assert {LOWEST: kept == seen, 30.0: kept == 0}.get(z, True)
