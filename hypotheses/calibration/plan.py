"""The certificate's configuration: which plan, markets, replications, draws and limits, checked.  [statistics 10]"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backtest.records import Registration, Stats
from backtest.registration.load import load_registration
from engine.errors import MissingError, UsageError
from engine.ledger.format.canonical_json import canonical, tagged_hash

COUNTS: Final = (
    "series",
    "sleeves",
    "curve",
    "documents",
    "leakage",
    "engine",
    "seven",
    "workers",
    "resampled",
    "windows",
    "window",
    "n2_size",
)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Draws(_Table):
    """Draws a replication takes in place of the registered ones."""

    n2: int = Field(ge=19)
    bootstrap: int = Field(ge=19)


class Limit(_Table):
    """An acceptance limit: the share must lie in [low, high]."""

    low: str
    high: str


class Document(_Table):
    """The whole of ``registered.toml``."""

    format: str = Field(alias="schema", pattern="^calibration/1$")
    title: str
    study: str
    markets: dict[str, str]
    resampled: dict[str, str]
    draws: Draws
    replications: dict[str, int]
    quick: dict[str, int]
    limits: dict[str, Limit]


@dataclass(frozen=True)
class Plan:
    """A loaded configuration.  ``counts`` are the replications asked for, quick or not."""

    path: Path
    document: Document
    study: Registration
    stats: Stats
    markets: dict[str, Registration]
    resampled: dict[str, Registration]
    counts: dict[str, int]
    quick: bool

    def inputs_hash(self, reads: Sequence[str]) -> str:
        """Return the hash of what a replication reads: the registered statistics, its draws, and the plans it names.

        Counts and limits only bound or judge it.
        """
        markets = {**self.markets, **self.resampled}
        parts = {
            "draws": self.document.draws.model_dump(),
            "statistics": statistics_hash(self.study.content),
            "markets": {name: markets[name].config_hash for name in reads},
        }
        return tagged_hash("config", canonical(parts))

    @property
    def calibration_hash(self) -> str:
        """``H("config", ...)`` of this file, the study and every market it names."""
        markets = {**self.markets, **self.resampled}
        parts: dict[str, Any] = {
            "document": self.document.model_dump(by_alias=True),
            "study": self.study.config_hash,
            "markets": {name: market.config_hash for name, market in markets.items()},
        }
        return tagged_hash("config", canonical(parts))


def statistics_hash(content: Mapping[str, Any]) -> str:
    """Return the hash of the registered numbers that judge, of a registration's content."""
    return tagged_hash("config", canonical(content["statistics"]))


def load_plan(path: Path, quick: bool = False) -> Plan:
    """Return the configuration at ``path``.

    Raises ``MissingError`` (3) where it cannot be read and ``UsageError`` (2) naming what does not fit.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        document = Document.model_validate(tree)
    except OSError as problem:
        raise MissingError(f"expected a calibration configuration at {path}, was: {problem}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as problem:
        raise UsageError(f"{path}: expected calibration/1, was: {problem}") from problem
    for name, table in (("replications", document.replications), ("quick", document.quick)):
        # A count left out would drop its cells without a word.
        if sorted(table) != sorted(COUNTS) or min(table.values()) < 1:
            raise UsageError(f"{path}: {name}: expected positive counts of {', '.join(COUNTS)}, was {table}")
    study = load_registration(path.parent / document.study)
    draws = document.draws
    # Both numbers of N2: a replication takes fewer draws and never extends them.  [decision 0232]
    stats = replace(study.stats, n2_draws=draws.n2, n2_extended=draws.n2, bootstrap_draws=draws.bootstrap)
    return Plan(
        path=path,
        document=document,
        study=study,
        stats=stats,
        markets={name: load_registration(path.parent / file) for name, file in document.markets.items()},
        resampled={name: load_registration(path.parent / file) for name, file in document.resampled.items()},
        counts=document.quick if quick else document.replications,
        quick=quick,
    )
