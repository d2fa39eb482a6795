"""Puts a venue's settlement prices on the contracts of a data set that expired at them.  [venues V2]"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from backtest.data.adapters.base import ExpiryPrice
from backtest.data.build.waiting import DayKey
from backtest.data.format.schema import QUOTE_SCHEMA, Channel
from engine.units import NEVER_NS, NS_PER_DAY

DeliveryKey = tuple[str, str, str, int]
"""Venue, base and settlement currency of contracts, and the UTC day of their expiry."""


@dataclass(slots=True)
class StatedDeliveries:
    """The settlement prices of the sources, each with the file and the licence that it came from."""

    of: dict[DeliveryKey, list[tuple[ExpiryPrice, tuple[str, str]]]] = field(default_factory=dict)

    def add(self, deliveries: Sequence[ExpiryPrice], source: tuple[str, str]) -> None:
        """Take in the prices of one part of a source."""
        for each in deliveries:
            self.of.setdefault((each.venue, each.base, each.settle, each.day), []).append((each, source))

    def tables(
        self, instruments: Mapping[str, Mapping[str, object]], number: Mapping[str, int]
    ) -> Iterator[tuple[DayKey, pa.Table, tuple[str, str]]]:
        """Yield (underlying, day), one DELIVERY row under the contract's ``number``, and its source.

        A row stands at the expiry, when the contract is paid, however late the venue booked it.  A price that no
        contract of the data set expired at yields none.
        """
        for name, row in instruments.items():
            expiry_ns = int(str(row["expiry_ns"]))
            if expiry_ns == NEVER_NS:
                continue
            key = (str(row["venue"]), str(row["base"]), str(row["settle"]), expiry_ns // NS_PER_DAY)
            for each, source in self.of.get(key, ()):
                if each.symbol in ("", row["symbol"]):
                    cells = {"channel": int(Channel.DELIVERY), "t_ns": expiry_ns, "code": number[name]}
                    table = pa.Table.from_pylist([{**cells, "price": each.price}], schema=QUOTE_SCHEMA)
                    yield (str(row["underlying"]), key[3]), table, source
