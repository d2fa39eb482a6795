"""Whether a plan knows lot and tick of what its constraints can trade.  [venues V4]"""

from __future__ import annotations

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.pipeline.check_conventions import venues_of_older_form
from backtest.records import Registration
from backtest.registration.named import tradable
from engine.errors import UsageError
from engine.market.dated_rows import fitting_rows, row_in_force
from engine.market.steps import missing_row


def check_steps(dataset: Dataset, registration: Registration) -> None:
    """Raise ``UsageError`` (2) where no row of lots or ticks is in force for an instrument that may become a leg.

    The engine refuses such a leg too, with the first package that has it; here it is refused before any quote is read,
    with key, venue and the rows that are known.  `cme data build` needs neither.  A plan whose venue has fees of the
    older form (``as_of``) is from before these rows and needs none there.
    """
    params, instruments = registration.params, dataset.instruments
    older, span = venues_of_older_form(registration), dataset.day_span
    if span is None:
        return
    day = str(np.datetime64(span[0], "D"))
    lacking = [
        missing_row(name, rows, instruments, code, day)
        for code in tradable(params, instruments)
        for name, rows in (("lots", params.lots), ("ticks", params.ticks))
        if instruments.venue[code] not in older and row_in_force(fitting_rows(rows, instruments, code), day) is None
    ]
    if lacking:
        others = f"; so it is of {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise UsageError(f"{dataset.path}: the plan {registration.study}: {lacking[0]}{others}")
