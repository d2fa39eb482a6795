"""Which planted violations of a synthetic market a run has found: its truth lies beside the data.  Nothing decides.

A plant is found by a signal of its key (constraint, coin, venue, side, sold leg) at a time at which it stands.
Expected are those over their threshold that are whole lots; the others show what a run finds without being expected to.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

import pandas as pd

from backtest.data.format.dataset import Dataset, parse_parquet
from backtest.pipeline.window import WindowRun

NAME: Final = "recovery.json"
SCHEMA: Final = "recovery/1"
TRUTH: Final = "truth.parquet"
# No expiry: that of four corners is its options', which the truth does not state; a sold leg that expires names it.
_KEY: Final = ("constraint", "underlying", "venue", "side", "short")


def recovery(run: WindowRun, dataset: Dataset) -> dict[str, Any] | None:
    """Return ``constraints``, counts by code, of the plants that begin in the window; None without a planted truth.

    Of each: ``planted``; ``expected``, over their threshold and whole lots, with ``found`` and the ids ``missed``;
    ``below`` and ``untradable``, the numbers of the others and how many of them were found; ``signals`` of the window,
    and ``elsewhere``, how many of them stand at no plant and no side effect of one.
    """
    if not dataset.synthetic or TRUTH not in dataset.files:
        return None
    truth = parse_parquet(dataset.read(TRUTH), dataset.path / TRUTH).read().to_pandas()
    signals = _signals(run)
    of_window = truth[(truth.from_ns >= run.plan.t0_ns) & (truth.from_ns < run.plan.t1_ns)]
    planted = of_window[~of_window.side_effect]
    by_key = dict(iter(signals.groupby(list(_KEY))["t_ns"]))
    found = [_is_found(row, by_key) for row in planted.to_dict("records")]
    planted = planted.assign(found=pd.Series(found, index=planted.index, dtype=bool))
    codes = run.registration.params.rules
    return {
        "schema": SCHEMA,
        "constraints": {
            code: _counts(planted[planted.constraint == code], signals[signals.constraint == code], truth)
            for code in codes
        },
    }


def _signals(run: WindowRun) -> pd.DataFrame:
    """Return key and time of every signal of the window, those that were never traded among them."""
    names = run.instruments.name
    rows = [(s.constraint, s.underlying, s.venue, s.side, names[s.short], s.t_ns) for s in run.signals]
    return pd.DataFrame(rows, columns=[*_KEY, "t_ns"])


def _is_found(plant: Mapping[Hashable, Any], by_key: Mapping[Any, pd.Series]) -> bool:
    times = by_key.get(tuple(plant[name] for name in _KEY))
    return times is not None and bool(((times >= plant["from_ns"]) & (times <= plant["to_ns"])).any())


def _counts(planted: pd.DataFrame, signals: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Any]:
    expected = planted[planted.above_threshold & planted.fits]
    below, untradable = planted[planted.fits & ~planted.above_threshold], planted[~planted.fits]
    return {
        "planted": len(planted),
        "expected": len(expected),
        "found": int(expected.found.sum()),
        "missed": expected.plant_id[~expected.found].tolist(),
        "below": {"planted": len(below), "found": int(below.found.sum())},
        "untradable": {"planted": len(untradable), "found": int(untradable.found.sum())},
        "signals": len(signals),
        "elsewhere": len([signal for signal in signals.to_dict("records") if _is_elsewhere(signal, truth)]),
    }


def _is_elsewhere(signal: Mapping[Hashable, Any], truth: pd.DataFrame) -> bool:
    stands = (truth.from_ns <= signal["t_ns"]) & (truth.to_ns >= signal["t_ns"])
    same = (truth.constraint == signal["constraint"]) & (truth.underlying == signal["underlying"])
    return not bool((stands & same).any())
