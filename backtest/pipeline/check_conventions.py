"""Whether a plan says by which conventions its data set's instruments are settled.  [venues]"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.records import Registration
from backtest.registration.dates import undated
from backtest.registration.named import contract_venues, used_by
from engine.constraints.codes import CODES
from engine.errors import UsageError
from engine.market.delivery import averaging_windows
from engine.market.funding import funding_rule
from engine.params import Params
from engine.records import ACCRUAL_NS, Kind
from engine.units import NEVER_NS, NS_PER_DAY, NS_PER_HOUR


def check_conventions(dataset: Dataset, registration: Registration) -> None:
    """Raise ``UsageError`` (2) where the plan lacks a row of its conventions for what a constraint can trade.

    ``funding_paid_on``: of the venue of each perp that a constraint names and that pays funding.
    ``[[venues.delivery]]``: of what expires at a venue whose options or futures a constraint uses, in force on the day
    of expiry.  ``[[venues.funding]]``: of each perp that a constraint names, in force in the window, and of the kind
    and interval of the data set, on each day of it where that interval changes.  A plan whose venue has fees of the
    older form (``as_of``) is from before these rows and needs none.
    """
    params, table = registration.params, dataset.instruments
    older = venues_of_older_form(registration)
    _check_funding(dataset, registration, older)
    venues = contract_venues(params, CODES) - older
    windows = averaging_windows(params.delivery, table)
    lacking = sorted(
        {
            f"{table.venue[code]} {Kind(kind).name.lower()}"
            for code, kind in enumerate(table.kind.tolist())
            if table.venue[code] in venues
            and table.underlying[code] in params.underlyings
            and table.expiry_ns[code] != NEVER_NS
            and windows[code] == 0
        }
    )
    if lacking:
        raise UsageError(
            f"{dataset.path}: expected a row of venues.delivery in force on the day of each expiry that the plan "
            f"{registration.study} can trade, was none for {', '.join(lacking)} (known: {_known(params)}): add "
            "[[venues.delivery]] rows with kind, from, average_s, source and verified to the files of these venues"
        )


def _check_funding(dataset: Dataset, registration: Registration, older: set[str]) -> None:
    params, table = registration.params, dataset.instruments
    last = _last_day(dataset, registration)
    for name in sorted({name for name, code in used_by((), params.underlyings.values()) if code}):
        code = table.code_of(name)
        if code < 0 or table.venue[code] in older or not table.funding_interval_ns[code]:
            continue
        venue = table.venue[code]
        if venue not in params.funding_on:
            raise UsageError(
                f"{dataset.path}: expected the price that {name} pays its funding on, was none for venue {venue}: "
                'write funding_paid_on = "mark" or "index", with its source, to the file of the venue'
            )
        # Where the data have one interval, the row of their last day must agree; where it changes, that of each day.
        first = (dataset.day_span or (last, last))[0] if code in dataset.funding_steps else last
        for day in range(first, last + 1):
            _check_interval(dataset, params, code, day)


def _check_interval(dataset: Dataset, params: Params, code: int, day: int) -> None:
    table, date = dataset.instruments_on(day), str(np.datetime64(day, "D"))
    rule = funding_rule(params.funding, table, code, date)
    where = f"{dataset.path}: expected a row of venues.funding in force for {table.name[code]}"
    if rule is None:
        known = ", ".join(sorted({f"{row.venue} from {row.as_of}" for row in params.funding})) or "none"
        raise UsageError(
            f"{where} on {date}, was none (known: {known}): add a [[venues.funding]] row with kind, from, mode, "
            f"interval_h where it settles, source and verified to the file of venue {table.venue[code]}"
        )
    interval_ns = ACCRUAL_NS if rule.accrues else rule.interval_ns
    if interval_ns != table.funding_interval_ns[code]:
        raise UsageError(
            f"{where} that agrees with the data set, was {_said(interval_ns)} in the row from {rule.as_of} and "
            f"{_said(int(table.funding_interval_ns[code]))} in the data set on {date}: build it again, or add a row of "
            "the symbol with the day of the change"
        )


def _last_day(dataset: Dataset, registration: Registration) -> int:
    """Return the last day of the data set within the window; of a plan without dates, of the data set."""
    last = (dataset.day_span or (0, 0))[1]
    # The interval of a data set is that of its own days: a window may go on after a change that no file has seen.
    if undated(registration) is None:
        last = min(last, registration.plan.t1_ns // NS_PER_DAY)
    return int(last)


def _said(interval_ns: int) -> str:
    return "funding that accrues" if interval_ns == ACCRUAL_NS else f"settlements each {interval_ns / NS_PER_HOUR:g} h"


def venues_of_older_form(registration: Registration) -> set[str]:
    """Return the venues of a plan whose fees have the form ``as_of``: no conventions were registered with them."""
    return {venue["name"] for venue in registration.content["venues"] if any("as_of" in fee for fee in venue["fees"])}


def _known(params: Params) -> str:
    rows: Iterable[str] = {f"{rule.venue} {rule.kind.name.lower()} from {rule.as_of}" for rule in params.delivery}
    return ", ".join(sorted(rows)) or "none"
