"""``configs/venues/feeds/*.toml``: addresses, streams and limits of a venue, as data.  [live L1]

Beside the registered files of ``configs/venues``, which an amendment fixes by their sum: an address that a venue moves
is no change of the plan.  ``verified`` of a stream and a request names the stored sample that its form was read from,
"" where there is none; `unverified_forms` lists those, and `cme record` prints them when it starts.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field

from backtest.record.venues import binance, deribit, hyperliquid
from backtest.record.venues.rules import VenueRules
from backtest.toml_tables import Table, TableError, read_table
from engine.errors import MissingError, UsageError

RULES: Final[dict[str, VenueRules]] = {
    "binance": binance.RULES,
    "deribit": deribit.RULES,
    "hyperliquid": hyperliquid.RULES,
}
FeedName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
_Whole = Annotated[int, Field(ge=0, le=10**12)]
_AtLeastOne = Annotated[int, Field(ge=1, le=10**12)]
_Text = Annotated[str, Field(min_length=1, max_length=1000)]
_Words = Annotated[str, Field(max_length=1000)]
_Address = Annotated[str, Field(pattern=r"^(https?|wss?)://[A-Za-z0-9.:_\[\]-]+(/[A-Za-z0-9._/-]*)?$")]
_Sent = Annotated[str, Field(pattern=r"^(GET|POST) /\S*( \{.*\})?$")]  # POST has its body behind the path


class StreamForm(Table):
    """A kind of stream: which socket brings it, how it is named, how long it may be silent (0: for ever)."""

    kind: FeedName
    socket: FeedName
    form: _Text
    silence_ms: _Whole
    verified: _Words


class ClockRequest(Table):
    """The request for a server's time: the key of its answer, and the unit of it in ns."""

    request: _Sent
    key: _Text
    unit_ns: _AtLeastOne


class PolledRequest(Table):
    """A request that is repeated each ``every_s``, ``after_s`` past the full interval of the UTC day.

    ``each`` is what ``{symbol}`` goes through: the symbols of instruments, the coins of options, or nothing.
    """

    name: FeedName
    request: _Sent
    each: Literal["symbol", "coin", ""]
    every_s: _AtLeastOne
    after_s: _Whole
    verified: _Words


class ListRequest(PolledRequest):
    """A request for what the venue lists: the universe is read from its answers."""

    holds: Literal["instruments", "summaries"]


class Limits(Table):
    """What the venue allows, and what we do about it."""

    streams_per_connection: _AtLeastOne
    streams_per_message: _AtLeastOne
    message_pause_ms: _Whole
    """Between two messages of ours on a connection."""
    requests_per_s: _AtLeastOne
    lifetime_s: _AtLeastOne
    """A connection is replaced at this age."""
    overlap_s: _Whole
    """For which both connections are open."""
    ping_s: _AtLeastOne
    """Each so often a sign of life is asked for."""
    dead_s: _AtLeastOne
    """A connection that brings nothing for so long is closed."""
    largest_message: _AtLeastOne
    """In bytes."""


class FeedFile(Table):
    """One venue's file."""

    name: FeedName
    venue: FeedName
    """As in the names of instruments."""
    rules: Literal["binance", "deribit", "hyperliquid"]
    symbol_suffix: Annotated[str, Field(max_length=16)]
    """What the name of an instrument has behind the venue's symbol."""
    rest: _Address
    sockets: dict[str, _Address]
    limits: Limits
    clock: ClockRequest | None = None
    streams: list[StreamForm]
    lists: list[ListRequest] = Field(default_factory=list)
    polls: list[PolledRequest] = Field(default_factory=list)
    notes: list[_Text] = Field(default_factory=list)
    """Facts about the venue that the code relies on and no stored sample shows."""


T = TypeVar("T", bound=Table)


@dataclass(frozen=True, slots=True)
class UnverifiedForm:
    """A form without a stored sample: which venue, what it is, and how we write it."""

    venue: str
    what: str
    form: str


def read_toml(model: type[T], path: Path) -> T:
    """Return the table in the file ``path``.  Raises ``MissingError`` (3), or ``UsageError`` (2) naming each key."""
    try:
        return read_table(model, tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise MissingError(f"{path}: expected a file, was: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: expected TOML, was: {error}") from error
    except TableError as problem:
        raise UsageError(f"{path}: {problem}") from problem


def load_feed_file(path: Path) -> FeedFile:
    """Return a venue's file, its sockets and forms compared with each other.  Raises as `read_toml`."""
    file = read_toml(FeedFile, path)
    for stream in file.streams:
        if stream.socket not in file.sockets:
            known = ", ".join(file.sockets)
            raise UsageError(f"{path}: streams.{stream.kind}: expected a socket of {known}, was {stream.socket!r}")
        if ("{symbol}" in stream.form) == ("{lower}" in stream.form):
            raise UsageError(f"{path}: streams.{stream.kind}: expected {{symbol}} or {{lower}}, was {stream.form!r}")
    return file


def unverified_forms(file: FeedFile) -> list[UnverifiedForm]:
    """Return the forms of a venue that no stored sample shows, in the order of the file."""
    found = [UnverifiedForm(file.name, f"stream {each.kind}", each.form) for each in file.streams if not each.verified]
    for request in (*file.lists, *file.polls):
        if not request.verified:
            found.append(UnverifiedForm(file.name, f"request {request.name}", request.request))
    return [*found, *(UnverifiedForm(file.name, "note", note) for note in file.notes)]


def with_addresses(file: FeedFile, addresses: dict[str, str]) -> FeedFile:
    """Return the file with the addresses of ``--venue-url NAME=URL`` that are its own, all sockets and REST at once.

    The paths of the sockets stay: they say which streams an address serves.  ``ws://`` and ``http://`` are the same
    place.  Raises ``UsageError`` (2) for an address of another form.
    """
    if file.name not in addresses:
        return file
    base = addresses[file.name].rstrip("/")
    scheme, separator, place = base.partition("://")
    if not separator or "/" in place or scheme not in ("ws", "wss", "http", "https"):
        raise UsageError(
            f"--venue-url {file.name}: expected an address without path such as ws://127.0.0.1:8080, was {base!r}"
        )
    secure = scheme in ("wss", "https")
    sockets = {
        name: f"{'wss' if secure else 'ws'}://{place}/{url.split('/', 3)[3] if url.count('/') > 2 else ''}"
        for name, url in file.sockets.items()
    }
    rest = f"{'https' if secure else 'http'}://{place}"
    return file.model_copy(update={"sockets": sockets, "rest": rest})
