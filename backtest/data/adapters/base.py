"""Defines an adapter: from files as users hold them to rows of the canonical data set.  [S8.2]

A row's ``t_ns`` is the moment at which it was *knowable* [S1.1]: receive time where the source has one, else exchange
time plus the registered latency; a bar its close.  Registered label shifts (``label_shift_ns``) are added by
``backtest.data.build.assemble``, never by an adapter.  A ``SETTLE`` row carries the nominal settlement time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pandas as pd

from backtest.data.format.dataset import UNVERIFIED
from backtest.data.format.schema import INSTRUMENT_SCHEMA, VALUE_COLUMNS
from engine.errors import DataError

INTERVAL: Final = "interval_ns"
"""The column of a chunk's rows that says after which interval a rate was settled, ns."""


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One source of a configuration: which adapter reads which files, and how.

    ``path`` is a glob relative to the data folder.  ``options`` are the adapter's own, plus ``label_shift_ns`` (int,
    added to every time of the source, default 0).  ``reason`` explains the options, for a reader of the study.
    """

    adapter: str
    path: str
    options: Mapping[str, object]
    reason: str
    licence: str


@dataclass(frozen=True, slots=True)
class BarBreak:
    """A bar of instrument ``name``, closed at ``close_ns``, whose close is ``gap_bps`` from the next bar's open."""

    name: str
    close_ns: int
    gap_bps: float


@dataclass(frozen=True, slots=True)
class ExpiryPrice:
    """At which ``price``, in the dollar of theirs, a venue settled contracts on ``base`` that ended on a UTC ``day``.

    ``symbol`` is that of the one contract; empty for all that settle in ``settle``.
    """

    venue: str
    base: str
    settle: str
    symbol: str
    day: int  # since 1970-01-01
    price: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """What an adapter reads at a time: instruments seen and rows, both long tables.

    ``file`` is the source's path relative to the data folder, for messages and the manifest.  ``instruments`` has the
    columns of :data:`backtest.data.format.schema.INSTRUMENT_SCHEMA`; ``rows`` has ``channel``, ``t_ns`` (integers),
    ``name`` and, where they apply, ``bid, ask, bid_size, ask_size, mark, index, rate, price`` (numbers; NaN: not there;
    an absent column is all NaN), and ``interval_ns`` (integers, 0: none) where a settled rate's own interval is known.
    ``passed_over`` counts what the file holds and the rows leave out, by what it is, for
    the manifest and ``cme data check``; ``breaks`` lists bars whose close is far from the next bar's open;
    ``deliveries`` settlement prices, which a build puts on the contracts of the data set.
    Raises ``DataError`` (4), which begins with ``file``, if a column is missing, unknown or of another type.
    """

    file: str
    instruments: pd.DataFrame
    rows: pd.DataFrame
    passed_over: Mapping[str, int] = field(default_factory=dict)
    breaks: tuple[BarBreak, ...] = ()
    deliveries: tuple[ExpiryPrice, ...] = ()

    def __post_init__(self) -> None:
        if unknown := sorted(set(INSTRUMENT_SCHEMA.names) ^ set(self.instruments.columns)):
            raise DataError(f"{self.file}: expected the columns of an instruments table, was without or with {unknown}")
        required, columns = {"channel", "t_ns", "name"}, set(self.rows.columns)
        if not required <= columns <= required | {*VALUE_COLUMNS, INTERVAL}:
            raise DataError(
                f"{self.file}: expected the columns channel, t_ns, name and some of {VALUE_COLUMNS}, "
                f"was {list(self.rows)}"
            )
        for name in ("channel", "t_ns", *(columns & {INTERVAL})):
            if not pd.api.types.is_integer_dtype(self.rows[name]):
                dtype = self.rows[name].dtype
                raise DataError(f"{self.file}, column {name}: expected integers without gaps, was {dtype}")
        for name in columns - required:
            if not pd.api.types.is_numeric_dtype(self.rows[name]):
                raise DataError(f"{self.file}, column {name}: expected numbers, was {self.rows[name].dtype}")


@dataclass(frozen=True, slots=True)
class Adapter:
    """One member of the family.

    ``verified`` is empty for an adapter that never met a real sample, else the sample it passed on (source and hash);
    ``unmet`` names what of its formats no sample showed.
    ``ordered`` promises that the rows of one instrument and channel come in knowable order inside a file.
    ``by_file`` promises that a file's chunks depend on that file and the options alone: files may be read apart.
    ``read(data_root, spec)`` yields the chunks of one source; it raises ``MissingError`` where no file matches and
    ``DataError`` if the columns, units or ranges of a file are not those of its format.
    """

    name: str
    title: str
    verified: str
    ordered: bool
    read: Callable[[Path, SourceSpec], Iterator[Chunk]]
    by_file: bool = False
    unmet: str = ""

    @property
    def verification_note(self) -> str:
        """The note of a data set: the sample, and which formats no sample showed; empty if there was no sample."""
        return f"{self.verified}{UNVERIFIED}{self.unmet}" if self.unmet else self.verified
