"""Keeps the rows of a build by underlying and day, in memory up to a limit and then on disk.  [S1.8]"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa

from backtest.data.format.atomic_write import refusing_half

WAITING_ROWS: Final = 4_000_000
"""Rows kept in memory before all that wait go to disk."""

DayKey = tuple[str, int]
"""An underlying and a UTC day since 1970-01-01."""


@dataclass(slots=True)
class WaitingRows:
    """Rows on their way: by (underlying, day), in memory and in files, with the sources that brought them."""

    folder: Path
    tables: dict[DayKey, list[pa.Table]] = field(default_factory=dict)
    files: dict[DayKey, list[Path]] = field(default_factory=dict)
    sources: dict[DayKey, dict[tuple[str, str], None]] = field(default_factory=dict)
    rows: int = 0

    def add(self, key: DayKey, table: pa.Table, source: tuple[str, str]) -> None:
        """Keep rows of one (underlying, day) that a source, its file and licence, brought."""
        self.tables.setdefault(key, []).append(table)
        self.sources.setdefault(key, {})[source] = None
        self.rows += table.num_rows
        if self.rows > WAITING_ROWS:
            self._to_disk()

    def take(self, key: DayKey) -> pa.Table:
        """Return all rows of ``key``, in the order in which they came, and forget those in memory."""
        parts = []
        for path in self.files.get(key, []):
            with pa.memory_map(str(path)) as stream:
                parts.append(pa.ipc.open_file(stream).read_all())
        return pa.concat_tables([*parts, *self.tables.pop(key, [])])

    def _to_disk(self) -> None:
        with refusing_half(self.folder):
            self.folder.mkdir(exist_ok=True)
            for number, (key, tables) in enumerate(self.tables.items()):
                path = self.folder / f"{len(self.files.get(key, []))}-{number}-{key[0]}-{key[1]}.arrow"
                table = pa.concat_tables(tables)
                with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                    writer.write_table(table)
                self.files.setdefault(key, []).append(path)
        self.tables.clear()
        self.rows = 0
