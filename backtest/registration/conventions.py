"""Reads the dated rows of all conventions of venues alike: fees and every other table, for pages and the report.

The engine has a record of its own for each table; here a row is its keys, its days, and its values as text.  [venues]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backtest.registration.convention_rows import KINDS
from engine.records import Kind

_KEYS: Final = ("symbol", "base", "settle", "settlement_period")
_ABOUT: Final = (*_KEYS, "kind", "from", "as_of", "source", "verified")
_UNITS: Final = {"bps": "bps", "s": "s", "h": "h", "d": "d", "usd": "USD"}


@dataclass(frozen=True, slots=True)
class Convention:
    """One dated row of a venue; an empty key admits every instrument, an empty ``verified`` says by nothing.

    ``until`` is the first day of the next row of the same keys, empty where there is none.  ``always``: a row of the
    older form that holds for all time before its day too.
    """

    table: str  # fees, lots, ...
    venue: str
    kind: Kind
    symbol: str
    base: str
    settle: str
    period: str
    as_of: str
    until: str
    always: bool
    source: str
    verified: str
    value: str

    @property
    def keys(self) -> str:
        """What the row holds for beside its kind, for a reader; empty for all of it."""
        return " ".join(key for key in (self.symbol, self.base, self.settle, self.period) if key)

    def in_force(self, first: str, last: str) -> bool:
        """Return whether the row is in force on a day of [first, last], ``YYYY-MM-DD``."""
        return (self.always or self.as_of <= last) and (not self.until or self.until > first)


def conventions_of(venues: Sequence[Mapping[str, Any]]) -> tuple[Convention, ...]:
    """Return the rows of all tables of ``venues``, as a plan or a venue file writes them, by table, keys and day."""
    return tuple(
        row
        for venue in venues
        for table, rows in venue.items()
        if isinstance(rows, list) and rows and isinstance(rows[0], Mapping)
        for row in _table(str(venue["name"]), table, rows)
    )


def _table(venue: str, table: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[Convention]:
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((str(row["kind"]), *(str(row.get(key) or "") for key in _KEYS)), []).append(row)
    for keys, own in groups.items():
        own = sorted(own, key=_first_day)
        for row, after in zip(own, [*own[1:], None], strict=True):
            symbol, base, settle, period = keys[1:]
            yield Convention(
                table=table,
                venue=venue,
                kind=KINDS[keys[0]],
                symbol=symbol,
                base=base,
                settle=settle,
                period=period,
                as_of=_first_day(row),
                until="" if after is None else _first_day(after),
                always=row is own[0] and not row.get("from"),
                source=str(row["source"]),
                verified=str(row.get("verified") or ""),
                value=", ".join(
                    _said(key, value) for key, value in row.items() if key not in _ABOUT and value not in (None, [])
                ),
            )


def _first_day(row: Mapping[str, Any]) -> str:
    return str(row.get("from") or row["as_of"])[:10]


def _said(key: str, value: Any) -> str:
    """Return a value with its name and unit.

    >>> _said("taker_bps", "5"), _said("above", [{"price": "0.005", "tick": "0.0005"}])
    ('taker 5 bps', 'above price 0.005 tick 0.0005')
    """
    if isinstance(value, list):
        return f"{key} " + " and ".join(" ".join(f"{k} {v}" for k, v in entry.items()) for entry in value)
    name, _, unit = key.rpartition("_")
    if unit in _UNITS and name:
        return f"{name.replace('_', ' ')} {value} {_UNITS[unit]}"
    return f"{key.replace('_', ' ')} {value}"
