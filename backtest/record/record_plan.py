"""``configs/live/*.toml``: what `cme record` records for a registered plan, and no more.  [live L1]"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from backtest.record.venue_file import FeedFile, FeedName, load_feed_file, read_toml
from backtest.registration.fields import Positive, Share, Text
from backtest.registration.load import load_registration
from backtest.registration.named import named
from backtest.toml_tables import Table
from engine.errors import UsageError

GB: Final = 10**9
MB: Final = 10**6


class Budget(Table):
    """Bytes a day beyond which the recorder says when, and the room it needs."""

    stored_gb_a_day: Positive
    message_gb_a_day: Positive
    disk_free_gb: Positive
    queue_mb: Positive


class ContractChain(Table):
    """Every listed dated future or option of some coins."""

    kind: Literal["future", "option"]
    coins: list[Annotated[str, Field(pattern=r"^[A-Z0-9]{2,12}$")]]
    streams: list[FeedName]
    expiry_d: Positive | None = None
    delta: list[Share] | None = None


class FeedTable(Table):
    """What is recorded of one venue's file."""

    venue_file: Text
    instruments: list[Text] = Field(default_factory=list)
    streams: list[FeedName] = Field(default_factory=list)
    chains: list[ContractChain] = Field(default_factory=list)


class PlanTable(Table):
    """The file as it is written."""

    schema_: Annotated[Literal["record/1"], Field(alias="schema")]
    name: FeedName
    registration: Text
    budget: Budget
    feeds: list[FeedTable]


@dataclass(frozen=True, slots=True)
class PlannedFeed:
    """A venue's file and what of it is recorded."""

    file: FeedFile
    table: FeedTable

    def symbol(self, instrument: str) -> str:
        """Return the venue's symbol of an instrument: its name without venue and suffix."""
        return instrument.removeprefix(f"{self.file.venue}:").removesuffix(self.file.symbol_suffix)

    def instrument(self, symbol: str) -> str:
        """Return the name of the instrument with that symbol."""
        return f"{self.file.venue}:{symbol}{self.file.symbol_suffix}"


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """What is recorded, and the hash of the text that says so: of the plan and of the venues' files."""

    name: str
    sha256: str
    budget: Budget
    feeds: tuple[PlannedFeed, ...]


def load_record_plan(path: Path) -> RecordPlan:
    """Return the plan in ``path`` with the files it names.

    Raises ``MissingError`` (3) for a file that is not there, ``UsageError`` (2) for a key that cannot be accepted, a
    stream that a venue's file does not have, an instrument of another venue, and an instrument that the registration
    names and no feed records.
    """
    table = read_toml(PlanTable, path)
    feeds, digest = [], sha256(path.read_bytes())
    for feed in table.feeds:
        place = path.parent / feed.venue_file
        planned = PlannedFeed(load_feed_file(place), feed)
        digest.update(place.read_bytes())
        _check_feed(path, planned)
        feeds.append(planned)
    if len({feed.file.name for feed in feeds}) != len(feeds):
        raise UsageError(f"{path}: feeds: expected each venue's file once, was one of them twice; join the two tables")
    _check_registered(path, table, feeds)
    return RecordPlan(table.name, digest.hexdigest(), table.budget, tuple(feeds))


def _check_feed(path: Path, feed: PlannedFeed) -> None:
    known = {stream.kind for stream in feed.file.streams}
    for kind in (*feed.table.streams, *(kind for chain in feed.table.chains for kind in chain.streams)):
        if kind not in known:
            raise UsageError(
                f"{path}: feeds {feed.file.name}: expected streams of {', '.join(sorted(known))}, was {kind!r}"
            )
    for name in feed.table.instruments:
        if not name.startswith(f"{feed.file.venue}:") or not name.endswith(feed.file.symbol_suffix):
            raise UsageError(
                f"{path}: feeds {feed.file.name}: expected names like {feed.instrument('BTC...')}, was {name!r}"
            )
    if bool(feed.table.instruments) != bool(feed.table.streams):
        raise UsageError(f"{path}: feeds {feed.file.name}: expected instruments and streams, was one without the other")
    if feed.table.chains and feed.file.rules != "deribit":
        raise UsageError(f"{path}: feeds {feed.file.name}: expected chains of deribit alone: no other lists are read")
    for chain in feed.table.chains:
        if (chain.kind == "option") != (chain.expiry_d is not None and chain.delta is not None):
            raise UsageError(
                f"{path}: feeds {feed.file.name}: expected expiry_d and delta in a chain of options and in no other"
            )
        if chain.delta is not None and (len(chain.delta) != 2 or float(chain.delta[0]) >= float(chain.delta[1])):
            raise UsageError(
                f"{path}: feeds {feed.file.name}: expected delta = two shares that rise, was {chain.delta}"
            )


def _check_registered(path: Path, table: PlanTable, feeds: list[PlannedFeed]) -> None:
    recorded = {name for feed in feeds for name in feed.table.instruments}
    lacking = [
        name for name in named(load_registration(path.parent / table.registration).params) if name not in recorded
    ]
    if lacking:
        raise UsageError(
            f"{path}: feeds: expected every instrument of {table.registration}, was none of {', '.join(lacking)}: "
            "without a feed no package of it can be judged; add it"
        )
