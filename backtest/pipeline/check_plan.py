"""Whether a plan registers all that its data set's instruments need, asked before any quote is read.  [S3.4, venues]"""

from __future__ import annotations

from backtest.data.format.dataset import Dataset
from backtest.pipeline.check_conventions import check_conventions
from backtest.pipeline.check_fees import check_fees
from backtest.pipeline.check_money import check_money
from backtest.pipeline.check_steps import check_steps
from backtest.records import Registration


def check_plan(dataset: Dataset, registration: Registration, *, at_mids: bool = False) -> None:
    """Raise ``UsageError`` (2) for a row that the plan lacks and ``DataError`` (4) for one that the data contradict.

    ``at_mids``: nothing is paid, settled or sized, so no row of funding, delivery, lots or ticks is needed.
    """
    check_fees(dataset, registration)
    check_money(dataset, registration)
    if not at_mids:
        check_conventions(dataset, registration)
        check_steps(dataset, registration)
