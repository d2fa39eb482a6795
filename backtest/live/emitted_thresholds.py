"""The thresholds of C5 as the emitted rows state them: public there, so that no run need fit them.  [live L0.7]"""

from __future__ import annotations

from collections.abc import Sequence

from backtest.folds.curve_study import CurveStudy
from backtest.live.comparison import Content, Emitted
from backtest.pipeline.emission import ChooseZ
from backtest.records import Plan, Registration
from engine.units import NS_PER_US


def thresholds_of(emitted: Emitted, plan: Plan) -> ChooseZ:
    """Return the function that reads the threshold of a fold of ``plan`` off the signals ``emitted`` in it.

    A fold in which C5 emitted nothing has the largest registered threshold, under which nothing is emitted either: what
    reaches it reaches every lower one.
    """
    known: dict[int, float] = {}
    for content in emitted.signals.values():
        fold = (content["provenance"]["as_of_us"] * NS_PER_US - plan.t0_ns) // plan.fold_ns
        if content["provenance"]["constraint"] == "calendar":
            known[fold] = _threshold(content)

    def z_of(fold: int, _studies: Sequence[CurveStudy], registration: Registration) -> float:
        return known.get(fold, max(registration.params.z_grid))

    return z_of


def _threshold(content: Content) -> float:
    return float(content["provenance"]["params"]["z_threshold"])
