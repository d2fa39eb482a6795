"""The shape of a cell of the calibration certificate.  [statistics 10, spec README "Calibration"]

    cell.replicate(context, r) -> {measure: number}      pure: the same for any worker, order or resumption
    cell.rows                                            which measures become rows, against which limit

A cell is ``series`` (a drawn series, passed to the functions of the verdicts), ``engine`` (a drawn market through
engine, folds, placements and nulls) or ``resampled`` (real market days, drawn anew).  No verdict cites a ``series`` row
as the pipeline's size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from backtest.records import Registration, Stats
from backtest.seeds.streams import Seeds
from hypotheses.base import Streams

Tier = Literal["series", "engine", "resampled"]
CellColumns = Mapping[str, float | NDArray[Any]]
"""The result of one replication by measure: 1 or 0 for what happened or not, a count with ``NAME/of`` beside it, or, in
a cell that others read, arrays of one shape."""

Columns = dict[str, NDArray[Any]]
"""The replications of a chunk by measure, the first axis theirs."""


PLANS: Final = {"free": "free", "costly": "costly", "informative": "costly"}
"""Which registered plan each family of the small market is run under."""


@dataclass(frozen=True)
class Context:
    """The inputs of every replication: the plan that is certified, the registered small markets, the streams of chance.

    ``stats`` are the registered numbers with the draws this certificate takes; ``streams`` the registered streams of
    the verdicts, replayed.  ``finished(cell)`` gives all replications of an earlier cell as columns; ``data`` is
    the folder of real market data, None where there is none; a data set made of it is kept in ``scratch``.
    """

    study: Registration
    stats: Stats
    markets: Mapping[str, Registration]
    seeds: Seeds
    streams: Streams
    finished: Callable[[str], Columns]
    scratch: Path
    data: Path | None


@dataclass(frozen=True, slots=True)
class RowSpec:
    """One row of the table: ``measure`` of a cell as a share, with the key of its acceptance limit ("" for none)."""

    name: str
    measure: str
    limit: str = ""
    role: str = ""  # "size of the pipeline": what a verdict may cite


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: how one replication is made, how many there are, and which rows it gives.

    ``count`` is the key of its number of replications in the configuration; ``chunk`` how many are kept whole at
    once.  ``seal``: ``judging`` if only the judging code is at work, ``pipeline`` if the engine is too.
    """

    name: str
    tier: Tier
    title: str
    count: str
    chunk: int
    replicate: Callable[[Context, int], CellColumns]
    rows: tuple[RowSpec, ...]
    seal: Literal["judging", "pipeline"] = "judging"
    start: int = 0  # the first replicate of its streams
    reads: tuple[str, ...] = ()  # the registered plans its replications run
    source: str = ""  # the cell whose replications it reads


def columns(replications: Sequence[CellColumns]) -> Columns:
    """Return replications as columns; all must give the same measures."""
    return {name: np.stack([np.asarray(measures[name]) for measures in replications]) for name in replications[0]}


def replication(cell_columns: Columns, r: int) -> Columns:
    """Return one replication of a cell's columns."""
    return {name: column[r] for name, column in cell_columns.items()}
