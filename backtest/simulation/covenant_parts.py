"""Finished parts of a covenant study, kept below its output folder: a study that was killed takes them up.  [S8.5]

    parts = StudyParts(TaskCache(folder), progress)
    found = parts("placebo p3", lambda: {"draws": table, "speed": document})

A part is a table or plain document by name.  It is kept when it is finished, whole or not at all; the folder carries
a stamp of plan, data, code and versions, so that no part of another study is taken up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import pandas as pd

from backtest.tasks.serialization import decode, encode
from backtest.tasks.task_cache import TaskCache

Part = dict[str, Any]
"""Name -> `pandas.DataFrame` or what JSON can hold."""
_KEEPS_NOTHING: Final = TaskCache(None)


@dataclass(frozen=True)
class StudyParts:
    """Computes parts or takes up those of an earlier attempt; ``progress`` is called with what begins.

    Without a folder nothing is kept.
    """

    cache: TaskCache = _KEEPS_NOTHING
    progress: Callable[[str], None] = lambda _stage: None

    def __call__(self, name: str, compute: Callable[[], Part]) -> Part:
        """Return the part ``name``: kept by an earlier attempt, or computed and kept.

        A kept part has the tables' values bit by bit; tuples and lists of documents come back as tuples.  Raises
        ``WriteError`` (5) if the disk refuses.
        """
        self.progress(name)
        key = sha256(name.encode()).hexdigest()
        body = self.cache.read(key)
        if body is not None:
            return _part(decode(body))
        found = compute()
        if self.cache.folder is not None:
            self.cache.keep(key, encode(_plain(found)))
        return found


def _plain(part: Part) -> dict[str, Any]:
    tables = {name: table for name, table in part.items() if isinstance(table, pd.DataFrame)}
    return {
        "tables": {name: [[column, _values(table[column])] for column in table] for name, table in tables.items()},
        "documents": {name: document for name, document in part.items() if name not in tables},
    }


def _values(column: pd.Series) -> Any:
    # An array keeps the bits and the kind of its numbers; words are a list.
    return column.to_numpy() if column.dtype.kind in "biuf" else column.to_list()


def _part(body: dict[str, Any]) -> Part:
    tables = {name: pd.DataFrame(dict(columns)) for name, columns in body["tables"].items()}
    return {**tables, **body["documents"]}
