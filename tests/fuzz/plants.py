"""Faults put on purpose into copies of three readers: a drive that finds no fault is believed if it finds these.

A copy is the source of a module with one line other, compiled in this process under another name; the product's module
is not touched.  Each fault is of a kind that was found in the field: a value used as a number without a look at it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from backtest.data.adapters.base import Adapter
from backtest.data.adapters.binance import websocket
from backtest.data.adapters.vendors import funding_history, tardis
from tests.fuzz.data_readers import Read, data_readers


@dataclass(frozen=True, slots=True)
class Plant:
    """A reader of `data_readers`, its module, the name of its adapter there, and a line before and after."""

    reader: str
    module: ModuleType
    adapter: str
    before: str
    after: str

    @property
    def line(self) -> int:
        """The number of the line that is other.  Raises ValueError unless it is there once."""
        text = _source(self.module)
        if text.count(self.before) != 1 or "\n" in self.before + self.after:
            raise ValueError(f"{self.module.__name__}: expected one line with {self.before!r}")
        return text[: text.index(self.before)].count("\n") + 1

    @property
    def place(self) -> str:
        """What a traceback says of that line."""
        return f'File "{self.module.__file__}", line {self.line}, in '

    def copy(self) -> Adapter:
        """Return the adapter of a copy of the module with that line."""
        name = f"{__name__}.{self.reader.replace(' ', '_')}"
        text = _source(self.module).replace(self.before, self.after)
        planted = ModuleType(name)
        # where the records of a module are made, the module is looked up by its name
        sys.modules[name] = planted
        # the file's own name: the lines of the copy lead the search as the product's own do
        exec(compile(text, str(self.module.__file__), "exec"), planted.__dict__)
        adapter: Adapter = getattr(planted, self.adapter)
        return adapter


PLANTS: Final = (
    Plant("data binance_ws gz depth", websocket, "ADAPTER",
          'last, event_ms = (cells.whole(message, key, place) for key in ("u", "E"))',
          'last, event_ms = (int(message[key]) for key in ("u", "E"))'),
    Plant("data tardis_options_chain csv", tardis, "CHAIN",
          "expiry_ns = None if np.isnan(expiration) else int(expiration) * NS_PER_US",
          "expiry_ns = int(expiration) * NS_PER_US"),
    Plant("data funding_history csv", funding_history, "ADAPTER",
          'frame[times[0]], where), cells.numbers(frame, rates[0], where, empty=False)',
          'frame[times[0]], where), frame[rates[0]].to_numpy(float)'),
)  # fmt: skip


def planted_readers() -> tuple[tuple[str, str, tuple[bytes, ...], Read], ...]:
    """Return name, shape of damage, whole files and reading of each copy with a fault, as `data_readers` does."""
    found = []
    for plant in PLANTS:
        (mine,) = (each for each in data_readers(plant.copy()) if each[0] == plant.reader)
        found.append((f"planted, {plant.reader}", *mine[1:]))
    return tuple(found)


def _source(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text(encoding="utf-8")
