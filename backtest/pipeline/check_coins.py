"""Whether a data set holds the coins that its plan names: a coin without a quote file cannot be run.  [S8.1]"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.records import Registration
from engine.errors import UsageError


def check_coins(dataset: Dataset, registration: Registration) -> None:
    """Raise ``UsageError`` (2) with coin, files and spans if the data set holds no quote of a coin of the plan."""
    coins = registration.params.underlyings
    absent = [name for name in coins if name not in dataset.underlyings]
    if not absent:
        return
    wanted = ", ".join(f"{name} ({coins[name].reference})" for name in absent)
    sources = ", ".join(dict.fromkeys(source.name for source in dataset.sources)) or "none"
    raise UsageError(
        f"{registration.path}: expected data of {wanted}, which the plan names under underlyings, from "
        f"{_date(min(plan.history_ns for plan in registration.windows))} to "
        f"{_date(max(plan.t1_ns for plan in registration.windows) - 1)}, was none: the data set {dataset.path} holds "
        f"{contents(dataset, dataset.underlyings)} from the sources {sources}; add files of {absent[0]} of those days "
        f"to the sources, or take {absent[0]} out of the plan"
    )


def contents(dataset: Dataset, underlyings: Sequence[str]) -> str:
    """Return each coin with its first and last day, for a message; "no coin" where there is none.

    >>> from types import SimpleNamespace
    >>> contents(SimpleNamespace(days=lambda _: [19723, 19725]), ["BTC"])
    'BTC from 2024-01-01 to 2024-01-03'
    """
    spans = {name: dataset.days(name) for name in underlyings}
    texts = [
        f"{name} from {np.datetime64(days[0], 'D')} to {np.datetime64(days[-1], 'D')}"
        for name, days in spans.items()
        if days
    ]
    return ", ".join(texts) or "no coin"


def _date(t_ns: int) -> str:
    return str(np.datetime64(t_ns, "ns").astype("datetime64[D]"))
