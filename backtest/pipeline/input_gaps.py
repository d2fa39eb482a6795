"""What a data set lacks of the pairs, triangles and venues that its plan registers, day by day.  [S2.0, spec README]

    panels of a day -> prepare -> detect without a package -> registered inputs -> days on which each lacks something

`cme data check` shows it before a run: a pair without funding would else be missed only in the funnel of the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.folds.curve_study import empty_history
from backtest.folds.registered_panels import registered_panels
from backtest.records import Registration
from backtest.registration.named import lacking
from backtest.terminal import OnProgress
from engine.constraints.detect import detect
from engine.constraints.registered_inputs import inputs_of
from engine.constraints.registry import CONSTRAINTS
from engine.market.view import PreparedPanel, prepare
from engine.units import NS_PER_DAY

_NOT_OF_THE_DATA: Final = ("no registered", "no fitted curve")
"""What a rule lacks that no file could bring: nothing is registered for it, or its fold is fitted by a run only."""


def input_gaps(
    dataset: Dataset, registration: Registration, on_progress: OnProgress | None = None, *, panels: bool = True
) -> tuple[str, ...]:
    """Return one text for each registered input that a data set lacks always or on some days, by code and name.

    Parameters
    ----------
    dataset : Dataset
        An opened data set whose files are right.
    registration : Registration
        The plan it was built for.
    on_progress : callable, optional
        Called with what is being done, steps done and steps in all.
    panels : bool, optional
        Whether all panels are read; without them only the instruments that no file holds are known.

    Returns
    -------
    tuple of str
        Instruments of the plan that no file holds, then what registered inputs lack, in the words of `cme detect`, with
        the number of days; empty where nothing lacks.

    Raises
    ------
    UsageError
        If the plan has no fee for an instrument that it uses (2).
    """
    report = on_progress or (lambda _what, _done, _of: None)
    absent = lacking(registration, dataset.instruments.name)
    known = tuple(f"{entry.instrument}: " for entry in absent)
    days: Counter[str] = Counter()
    coins = [name for name in dataset.underlyings if panels and name in registration.params.underlyings]
    for number, name in enumerate(coins):
        report(f"registered inputs of {name}", number, len(coins))
        for view in _views(dataset, registration, name):
            days.update({text for text in _missing(view) if not text.partition(": ")[2].startswith(known)})
    counted = (f"{text} ({n:,} {'days' if n > 1 else 'day'})" for text, n in sorted(days.items()))
    return (*(entry.sentence for entry in absent), *counted)


def _views(dataset: Dataset, registration: Registration, underlying: str) -> Iterator[PreparedPanel]:
    params, listed = registration.params, dataset.days(underlying)
    if not listed:
        return
    begin, end = listed[0] * NS_PER_DAY, (listed[-1] + 1) * NS_PER_DAY
    for panel in registered_panels(dataset, params, underlying, begin, end):
        if len(panel.times_ns):
            yield prepare(panel, params, empty_history(params, underlying))


def _missing(view: PreparedPanel) -> Iterator[str]:
    """Yield what the registered inputs of one block lack, after the constraint's code."""
    # no package reaches an infinite floor, so that none is built
    inputs = {constraint.code: constraint.inputs for constraint in CONSTRAINTS}
    for violations in detect(view, None, floor=np.inf):
        registered = inputs[violations.constraint]
        # a rule without a pair or venue in the plan asks nothing of the data
        if registered is not None and not registered(view):
            continue
        for counted in inputs_of(view, violations):
            if counted.missing and not any(words in counted.missing for words in _NOT_OF_THE_DATA):
                yield f"{violations.constraint}: {counted.missing}"
