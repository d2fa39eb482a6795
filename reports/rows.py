"""Sums, counts and cells of a run's tables, each with the file, column and condition that it comes from.  [S10]

traded = Rows(run.trades, TRADES).where(status="traded")
traded.total("net_usd_micro")      folds/NN/trades.parquet: sum(net_usd_micro) where status = traded
traded.count()                     folds/NN/trades.parquet: count() where status = traded
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.citation import SourcedInt, key_name, sourced

RETURNS, TRADES, SIGNALS = "returns.parquet", "folds/NN/trades.parquet", "folds/NN/signals.parquet"
"""Files of a run as keys name them; NN stands for every test fold in its order."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table that meet ``conditions``, which are words of the keys; ``file`` is the table's."""

    frame: pd.DataFrame
    file: str
    conditions: tuple[str, ...] = ()
    order: tuple[str, ...] = ()

    def where(self, **equal: object) -> Rows:
        """Return the rows whose columns have these values."""
        kept = self.frame
        for column, value in equal.items():
            kept = kept[kept[column] == value]
        return self._of(kept, *(f"{column} = {key_name(value)}" for column, value in equal.items()))

    def beyond(self, column: str, sign: str) -> Rows:
        """Return the rows whose ``column`` is ``>``, ``<`` or ``!=`` 0."""
        values = self.frame[column]
        kept = {">": values > 0, "<": values < 0, "!=": values != 0}[sign]
        return self._of(self.frame[kept], f"{column} {sign} 0")

    def by(self, *columns: str) -> Rows:
        """Return the rows sorted by ``columns``."""
        return Rows(self.frame.sort_values(list(columns)), self.file, self.conditions, columns)

    def count(self) -> SourcedInt:
        """Return the number of rows."""
        return SourcedInt(len(self.frame), self.key("count()"))

    def total(self, column: str) -> SourcedInt:
        """Return the sum of the whole numbers of a column."""
        return SourcedInt(int(self.frame[column].sum()), self.key(f"sum({column})"))

    def least(self, column: str) -> SourcedInt:
        """Return the least whole number of a column of at least one row."""
        return SourcedInt(int(self.frame[column].min()), self.key(f"min({column})"))

    def most(self, column: str) -> SourcedInt:
        """Return the greatest whole number of a column of at least one row."""
        return SourcedInt(int(self.frame[column].max()), self.key(f"max({column})"))

    def measure(self, value: Any, name: str, columns: str) -> Any:
        """Return ``value``, a measure of ``columns`` that has a name and that the caller computed."""
        return sourced(value, self.key(f"{name}({columns})"))

    def records(self, limit: int) -> Iterator[dict[str, Any]]:
        """Yield the first rows as tables of values with their keys, ``[3].column``."""
        for number, row in enumerate(self.frame.head(limit).to_dict("records")):
            yield {str(name): sourced(value, self.key(f"[{number}].{name}")) for name, value in row.items()}

    def key(self, field: str) -> str:
        """Return the key of ``field`` of these rows."""
        order = f" by {', '.join(self.order)}" if self.order else ""
        return f"{self.file}: {field}{order}{f' where {_and(self.conditions)}' if self.conditions else ''}"

    def _of(self, frame: pd.DataFrame, *more: str) -> Rows:
        return Rows(frame, self.file, (*self.conditions, *more), self.order)


def _and(conditions: Sequence[str]) -> str:
    return " and ".join(conditions)
