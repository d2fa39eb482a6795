"""Whether a data set's instruments are in the currencies that the plan registers for them.  [venues V1]"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.data.format.schema import FX
from backtest.pipeline.check_conventions import venues_of_older_form
from backtest.records import Registration
from backtest.registration.named import contract_venues, named
from engine.constraints.codes import CODES
from engine.convention_rows import MoneyRule
from engine.errors import DataError, UsageError
from engine.market.dated_rows import fitting_rows, row_in_force
from engine.records import Instruments, Kind

_AT_MOST = 5  # instruments that a message names
_LATEST = "9999-12-31"


def check_money(dataset: Dataset, registration: Registration) -> None:
    """Raise where an instrument that a constraint can trade has other currencies than the plan registers for it.

    ``UsageError`` (2): no ``[[venues.money]]`` row is in force on the data set's first day; a venue whose fees have the
    older form (``as_of``) needs none.  ``DataError`` (4): the price or the money of an instrument is another currency
    than the row in force says on some day of the data set.
    """
    params, table = registration.params, dataset.instruments
    venues, older = contract_venues(params, CODES), venues_of_older_form(registration)
    names = set(named(params))
    lacking, wrong, span = set(), [], _span(dataset)
    for code, name in enumerate(table.name):
        kind, venue = Kind(table.kind[code]), table.venue[code]
        traded = name in names or (venue in venues and kind in (Kind.OPTION, Kind.FUTURE))
        if venue in older or not traded or table.underlying[code] not in (FX, *params.underlyings):
            continue
        rows = _rows_in_force(fitting_rows(params.money, table, code), span)
        if not rows:
            lacking.add(f"{venue} {kind.name.lower()}")
        wrong += [problem for row in rows for problem in _contradictions(table, code, row)]
    if lacking:
        known = ", ".join(sorted({f"{r.venue} {r.kind.name.lower()} from {r.as_of}" for r in params.money})) or "none"
        raise UsageError(
            f"{dataset.path}: expected a row of venues.money in force on the first day of the data for each contract "
            f"that the plan {registration.study} can trade, was none for {', '.join(sorted(lacking))} (known: {known})"
            ": add [[venues.money]] rows with kind, from, price, index, money, source and verified to their files"
        )
    if wrong:
        more = f" and {len(wrong) - _AT_MOST} more" if len(wrong) > _AT_MOST else ""
        raise DataError(
            f"{dataset.path}, instruments: {'; '.join(wrong[:_AT_MOST])}{more}: build the data set again, so that its "
            "adapters write the currencies of the venue, or correct the row of venues.money"
        )


def _span(dataset: Dataset) -> tuple[str, str]:
    """Return the first and the last day of the data set."""
    span = dataset.day_span
    if span is None:
        # Nothing is traded: the latest row is compared with the table.
        return _LATEST, _LATEST
    first, last = (str(np.datetime64(day, "D")) for day in span)
    return first, last


def _rows_in_force(fitting: Sequence[MoneyRule], span: tuple[str, str]) -> list[MoneyRule]:
    """Return the rows of those that fit which are in force on a day of ``span``; none where the first day has none."""
    first, last = span
    changes = [row.as_of[:10] for row in fitting if first < row.as_of[:10] <= last]
    in_force = [row_in_force(fitting, day) for day in (first, *changes)]
    return [] if in_force[0] is None else [row for row in in_force if row is not None]


def _contradictions(table: Instruments, code: int, row: MoneyRule) -> list[str]:
    found = []
    registered = (("price", row.price, table.quote[code]), ("money", row.money, table.settle[code]))
    for what, currency, was in registered:
        expected = _expected(table, code, currency)
        if was != expected:
            found.append(
                f"{table.name[code]}: expected its {what} in {expected}, as venues.money of {row.venue} says from "
                f"{row.as_of} on, was in {was}"
            )
    return found


def _expected(table: Instruments, code: int, currency: str) -> str:
    """Return the currency that a row means for an instrument: ``named`` is what follows the base in its symbol."""
    if currency == "coin":
        return table.base[code]
    if currency != "named":
        return currency
    rest = table.symbol[code].removeprefix(table.base[code]).lstrip("-_/")
    return rest.split("-")[0].split("_")[0]
