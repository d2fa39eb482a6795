"""The plan of a covenant study: one TOML file, every number with its unit in its name.  [covenants 15]"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from backtest import limits
from engine.covenants.parameters import Parameters
from engine.errors import MissingError, UsageError
from engine.units import NS_PER_DAY, NS_PER_SECOND

SCHEMA: Final = "covenants/1"
_TOP: Final = {
    "schema",
    "study",
    "title",
    "kind",
    "window",
    "pair",
    "parameters",
    "accounts",
    "inference",
    "learners",
    "experiments",
}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_KINDS: Final = ("three_way", "machinery", "synthetic")
_MOST_PLACEBOS: Final = 10_000
"""Each is an account of every bar, all at once in memory."""
_MOST_RESAMPLES: Final = 100_000
"""Each is a series of every day, all at once in memory."""
_MOST_PATHS: Final = 1000
"""Of synthetic changes of regime: so many replicates have their streams."""
_LEAST_DAYS: Final = 3
_YEARS: Final = (1971, 2260)


_TERMS: Final = (
    (("capital_usd",), (1.0, 1e12)),
    (("leverage",), (0.01, 100.0)),
    # 0 is an account without that cost, or one that is liquidated where nothing is left
    (("taker_fee", "half_spread", "liquidation_fee", "maintenance_a", "maintenance_b"), (0.0, 0.5)),
    (("volume_share",), (1e-6, 1.0)),
    (("lot_a", "lot_b"), (1e-12, 1e6)),
)
"""Terms of an account and the least and greatest value of each."""


@dataclass(frozen=True)
class PairFiles:
    """Both legs' files below the data root; ``price`` says what the closes are: marks or last prices.

    Each of the others holds one path a leg, A first: ``trade`` gives volumes, ``funding`` rates, ``book`` messages of
    best quotes; all but ``mark`` may be empty.
    """

    name_a: str
    name_b: str
    price: str
    mark: tuple[str, ...]
    trade: tuple[str, ...]
    funding: tuple[str, ...]
    spot: tuple[str, ...]
    book: tuple[str, ...]


@dataclass(frozen=True)
class Accounts:
    """Terms of every account.  Rates are shares of notional; ``leverage`` is L_0, a leg's notional over equity."""

    capital_usd: float = 1_000_000.0
    leverage: float = 1.0
    taker_fee: float = 0.0005
    half_spread: float = 0.0002
    volume_share: float = 0.01
    # 1/80 and 1/50.  [risk.md 6.3, docs/decisions/0341]
    maintenance_a: float = 0.0125
    maintenance_b: float = 0.02
    liquidation_fee: float = 0.0125
    lot_a: float = 0.001
    lot_b: float = 0.001

    def __post_init__(self) -> None:
        """Raises `UsageError` for a term that no account can have."""
        for names, (least, most) in _TERMS:
            for name in names:
                value = getattr(self, name)
                # NaN is in no range
                if not least <= value <= most:
                    raise UsageError(f"accounts: {name}: expected a value in [{least:g}, {most:g}], was {value:g}")


@dataclass(frozen=True)
class Study:
    """A whole plan; times are nanoseconds UTC, ``end_ns`` is not included."""

    path: Path
    text: str
    study: str
    title: str
    kind: str
    start_ns: int
    end_ns: int
    pair: PairFiles
    parameters: Parameters
    accounts: Accounts
    placebo_draws: int
    plain_draws: int
    bootstrap_draws: int
    learner_every: int
    experiment_paths: int
    seed_text: str

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that the study reads, below the data root; none if its bars are synthetic."""
        pair = self.pair
        market = () if self.kind == "synthetic" else (*pair.mark, *pair.trade, *pair.funding, *pair.spot)
        return (*market, *pair.book)


def load_study(path: Path) -> Study:
    """Return the plan in ``path``.  Raises `MissingError` if unreadable, `UsageError` for a key or value it refuses."""
    try:
        # Before it is read: a parser's time grows with the text.
        if path.stat().st_size > limits.PLAN_BYTES:
            raise UsageError(f"{path}: expected a plan of at most {limits.PLAN_BYTES} bytes, was {path.stat().st_size}")
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as problem:
        raise MissingError(f"expected a study of covenants at {path}, was: {problem}; check its path") from problem
    try:
        tree = tomllib.loads(text)
    # The parser recurses, so arrays nested deep enough are a RecursionError.
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"{path}: expected TOML, was: {problem}") from problem
    if tree.get("schema") != SCHEMA:
        raise UsageError(f"{path}: schema: expected {SCHEMA!r}, was {tree.get('schema')!r}")
    # After the schema: another schema has other keys, and its name says more than one of them.
    _known(path, "the file", tree, _TOP)
    kind = _text(path, tree, "kind")
    if kind not in _KINDS:
        raise UsageError(f"{path}: kind: expected one of {', '.join(_KINDS)}, was {kind!r}")
    window = _table(path, tree, "window", {"start", "end"})
    start_ns, end_ns = (_time(path, window, name) for name in ("start", "end"))
    parameters = _record(path, tree, "parameters", Parameters)
    _whole_window(path, window, start_ns, end_ns, 60 * parameters.bar_min * NS_PER_SECOND)
    drawn = _table(path, tree, "inference", {"placebo_draws", "plain_draws", "bootstrap_draws", "seed_text"})
    learners = _table(path, tree, "learners", {"every_blocks"})
    experiments = _table(path, tree, "experiments", {"paths"})
    return Study(
        path, text, _name(path, tree, "study"), _text(path, tree, "title"), kind, start_ns, end_ns,
        _pair(path, tree, kind), parameters, _record(path, tree, "accounts", Accounts),
        _count(path, drawn, "placebo_draws", 1000, 1, _MOST_PLACEBOS),
        _count(path, drawn, "plain_draws", 20, 0, _MOST_PLACEBOS),
        _count(path, drawn, "bootstrap_draws", 10_000, 1, _MOST_RESAMPLES),
        _count(path, learners, "every_blocks", 0, 0, limits.PLAN_DRAWS),
        _count(path, experiments, "paths", 0, 0, _MOST_PATHS),
        _text(path, {"seed_text": "AsPredicted #288615", **drawn}, "seed_text"),
    )  # fmt: skip


def _whole_window(path: Path, window: dict[str, Any], start_ns: int, end_ns: int, bar_ns: int) -> None:
    """Refuse a window that ends before it starts, starts inside a bar, or has too few or too many days."""
    if not start_ns < end_ns:
        raise UsageError(f"{path}: window: expected start before end, was {window['start']} and {window['end']}")
    if end_ns - start_ns > limits.PLAN_SPAN_D * NS_PER_DAY:
        days = (end_ns - start_ns) // NS_PER_DAY
        raise UsageError(f"{path}: window: expected at most {limits.PLAN_SPAN_D:,} days, was {days:,}")
    if end_ns - start_ns < _LEAST_DAYS * NS_PER_DAY:
        hours = (end_ns - start_ns) / NS_PER_DAY * 24
        raise UsageError(
            f"{path}: window: expected at least {_LEAST_DAYS} days, was {hours:g} hours: fewer daily returns have no "
            "standard deviation"
        )
    # Returns stand on the UTC grid of their bars: off it there is no correlation.
    if start_ns % bar_ns:
        raise UsageError(
            f"{path}: window: start: expected a whole bar of {bar_ns // (60 * NS_PER_SECOND)} minutes, "
            f"was {window['start']}"
        )


def _pair(path: Path, tree: dict[str, Any], kind: str) -> PairFiles:
    table = _table(path, tree, "pair", {"a", "b", "price", "mark", "trade", "funding", "spot", "book"})
    names = [_text(path, table, name) for name in ("a", "b")]
    files = {}
    for name in ("mark", "trade", "funding", "spot", "book"):
        value = table.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise UsageError(f"{path}: pair: {name}: expected an array of file names, was {value!r}")
        if len(value) not in (0, 2):
            raise UsageError(
                f"{path}: pair: {name}: expected two files, one a leg, was {len(value)}: a pair has two legs"
            )
        files[name] = tuple(value)
    if kind != "synthetic" and not files["mark"]:
        raise UsageError(f"{path}: pair: mark: expected two files, one a leg, was none")
    return PairFiles(names[0], names[1], _text(path, table, "price"), **files)


def _record(path: Path, tree: dict[str, Any], name: str, record: type[Any]) -> Any:
    table = _table(path, tree, name, {field.name for field in fields(record)})
    kinds = {field.name: type(field.default) for field in fields(record)}
    for key, value in table.items():
        wanted = kinds[key]
        if isinstance(value, int) and abs(value) > limits.PLAN_QUANTITY:
            raise UsageError(f"{path}: {name}: {key}: expected at most {limits.PLAN_QUANTITY:,}, was {value!s:.40}")
        # TOML reads 5 as an integer, and True is one to Python.
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            table[key] = float(value)
        elif not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
            raise UsageError(f"{path}: {name}: {key}: expected {wanted.__name__}, was {value!r}")
    try:
        return record(**table)
    except UsageError as problem:
        raise UsageError(f"{path}: {problem}") from problem


def _known(path: Path, where: str, table: dict[str, Any], names: set[str]) -> None:
    unknown = sorted(set(table) - names)
    if unknown:
        raise UsageError(f"{path}: {where}: expected keys among {', '.join(sorted(names))}, was also {unknown[0]!r}")


def _table(path: Path, tree: dict[str, Any], name: str, names: set[str]) -> dict[str, Any]:
    table = tree.get(name, {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {name}: expected a table, was {table!r}")
    _known(path, name, table, names)
    return dict(table)


def _text(path: Path, table: dict[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value:
        raise UsageError(f"{path}: {name}: expected a text, was {value!r}")
    return value


def _name(path: Path, table: dict[str, Any], name: str) -> str:
    value = _text(path, table, name)
    if not _NAME.fullmatch(value):  # it begins the name of the run's folder
        raise UsageError(f"{path}: {name}: expected letters, digits and _ . + -, at most 64, was {value!r}")
    return value


def _count(path: Path, table: dict[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = table.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(f"{path}: {name}: expected a count from {least} to {most:,}, was {value!s:.40}")
    return value


def _time(path: Path, table: dict[str, Any], name: str) -> int:
    value = table.get(name)
    if not isinstance(value, str):
        raise UsageError(f"{path}: window: {name}: expected a time such as 2022-01-01T00:00:00Z, was {value!r}")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as problem:
        raise UsageError(f"{path}: window: {name}: expected a UTC time, was {value!r}") from problem
    if moment.tzinfo is None:
        raise UsageError(f"{path}: window: {name}: expected a time with its zone (Z), was {value!r}")
    # Outside these years nanoseconds leave 64 bits, or the calendar ends.
    if moment.microsecond or not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise UsageError(
            f"{path}: window: {name}: expected a whole second of the years {_YEARS[0]} to {_YEARS[1]}, was {value!r}"
        )
    return int(moment.astimezone(UTC).timestamp()) * NS_PER_SECOND
