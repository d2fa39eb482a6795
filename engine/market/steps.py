"""The lot and the price tick of each instrument, as of a date.  [venues V4]

A plan without any row of lots trades every size, one without any row of ticks charges an option its registered
fallback; where there are rows, an instrument that none fits is refused as soon as a package has it as a leg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from engine.convention_rows import ConventionRow, Lot, PriceTick
from engine.errors import UsageError
from engine.market.dated_rows import Row, fitting_rows, once_a_contract, row_in_force
from engine.records import CodeArray, FloatArray, Instruments, IntArray, Kind

UNKNOWN: Final = np.nan


def lot_sizes(lots: Sequence[Lot], instruments: Instruments, code: CodeArray, day: str) -> FloatArray:
    """Return the lot of each instrument of ``code``, ``[N]``, on the UTC ``day``; NaN where no row is in force.

    Base units, of an inverse contract the currency of its price.
    """
    return np.array([row.lot if row else UNKNOWN for row in _rows(lots, instruments, code, day)], dtype=np.float64)


def option_ticks(ticks: Sequence[PriceTick], instruments: Instruments, code: CodeArray, day: str) -> Ticks:
    """Return the ticks of the options among ``code``, ``[N]``, on the UTC ``day``; NaN for what else there is.

    NaN also where no row is in force.  Only of an option is a tick a cost: its fallback slippage.  [S3.3]
    """
    option = np.equal(instruments.kind[code], Kind.OPTION).tolist()
    rows = [
        row if of_option else None for row, of_option in zip(_rows(ticks, instruments, code, day), option, strict=True)
    ]
    most = max((len(row.above) for row in rows if row), default=0)
    price, tick = np.full((most + 1, len(rows)), np.inf), np.full((most + 1, len(rows)), UNKNOWN)
    for n, row in enumerate(rows):
        if row:
            for step, (begins, size) in enumerate(((0.0, row.tick), *row.above)):
                price[step, n], tick[step, n] = begins, size
    return Ticks(price, tick)


@dataclass(frozen=True, slots=True, eq=False)
class Ticks:
    """The ticks of N instruments by price: ``begins`` and ``tick``, ``[S, N]``; a step that is not used begins at inf.

    >>> ticks = Ticks(np.array([[0.0], [0.005]]), np.array([[0.0001], [0.0005]]))
    >>> ticks.at(np.array([0.0049, 0.005]), np.array([0, 0])).tolist()
    [0.0001, 0.0005]
    """

    begins: FloatArray  # price currency
    tick: FloatArray  # price currency

    def at(self, price: FloatArray, column: Any) -> FloatArray:
        """Return the tick at each ``price`` of the instruments in ``column``, of their shape; NaN where unknown."""
        found: FloatArray = self.tick[0][column] + 0.0 * price
        for begins, tick in zip(self.begins[1:], self.tick[1:], strict=True):
            found = np.where(price >= begins[column], tick[column], found)
        return found

    def of(self, columns: IntArray) -> Ticks:
        """Return the ticks of some ``columns``."""
        return Ticks(self.begins[:, columns], self.tick[:, columns])


def missing_row(name: str, rows: Sequence[ConventionRow], instruments: Instruments, code: int, day: str) -> UsageError:
    """Return the error of an instrument for which no row of the table ``name`` is in force on ``day``."""
    venue, kind = instruments.venue[code], Kind(instruments.kind[code]).name.lower()
    keys = f"base {instruments.base[code]}, settled in {instruments.settle[code]}"
    known = ", ".join(f"{_keys(row)} from {row.as_of}" for row in rows if row.venue == venue) or "none"
    return UsageError(
        f"expected a row of venues.{name} for {instruments.name[code]} ({kind}, {keys}) on {day}, was none; of venue "
        f"{venue} are known: {known}: add a row with its first day and source to the file of venue {venue}"
    )


def _keys(row: ConventionRow) -> str:
    return " ".join(part for part in (Kind(row.kind).name.lower(), row.base, row.settle, row.symbol) if part)


def _rows(rows: Sequence[Row], instruments: Instruments, code: CodeArray, day: str) -> list[Row | None]:
    """Return the row in force of each instrument, None where none is."""

    def find(c: int) -> Row | None:
        return row_in_force(fitting_rows(rows, instruments, c), day)

    return once_a_contract(find, rows, instruments, code)
