"""The control log of a recording: what the recorder did, and each gap as it begins and ends.  [live L1]

    DIR/control/<hour>.<part>.jsonl       one JSON object a line, keys sorted, UTF-8; a torn last line is cut when read

Each event holds ``at_ns`` (wall clock), ``mono_ns`` (monotonic clock of the recorder's process), ``event``, and:

    start       run_uid, plan, plan_sha256, recorder_sha256    a recorder begins; ``recorder_sha256`` is its source's
    stop        reason                                         it ends in order; after a kill there is none
    connect     venue, feed, connection, url                   a connection is open
    subscribe   venue, feed, connection, streams               ``streams``: {stream: instrument, "" for none}
    close       venue, feed, connection, code, reason, last_ns, records    it is closed; ``records``: next number
    heartbeat   venue, feed, connection, sent_ns, answered_ns  the venue answered on this connection
    universe    venue, listed, subscribed, added, gone         a list of instruments was read; names added and gone
    gap         venue, feed, connection, streams, from_ns, why, proof      the streams are not whole from ``from_ns`` on
    whole       venue, feed, connection, streams, from_ns, why             they are again: ``streams``: {stream: to_ns}
    silence     venue, feed, connection, stream, last_ns, limit_ms         nothing for longer than the stream's limit
    drop        venue, feed, connection, first, last, records, why         running numbers that were not written
    clock       venue, t1_ns, server_ns, t2_ns, server_unit_ns  a server's time was asked at t1 and came back at t2
    clock_step  by_ns, from_ns, to_ns                          the wall clock left the monotonic one by ``by_ns``; wall
                                                               times in between occurred twice, or never
    disk        state, free_bytes                              ``low``, ``full``, ``ok`` again
    budget      kind, bytes, limit_bytes, reached_ns           ``stored`` or ``message``: expected to be reached then
    refused     venue, url, status, why, retry_after_ms        the venue refused: 429, an error, ``testnet: true``

A gap has two lines.  ``gap`` is written when it is proven: ``streams`` is {stream: instrument}, ``from_ns`` the receipt
of the last message before it, ``why`` one of `WHYS`, ``proof`` a sentence with the numbers.  ``whole`` is written when
each stream has a message again that stands by itself, and names its receipt.  A gap that was open when a recorder was
killed stays open, and the next recorder adds one of ``why = "off"`` for every stream it takes up.  `gap_ledger` folds
all this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engine.errors import DataError, MissingError

FOLDER: Final = "control"
"""Folder of the control log in a recording."""
WHYS: Final = {
    "sequence": "the venue's sequence number shows that messages are missing",
    "closed": "the connection was closed",
    "silence": "nothing came for longer than the stream's limit",
    "drop": "the recorder received messages and could not write them",
    "clock": "the wall clock stepped back",
    "refused": "the venue refused the subscription or its answer was not of production",
    "off": "no recorder was running",
}
"""Why a gap began: the word of the log, and what it means."""
_INT: Final = (int,)
_TEXT: Final = (str,)
_ENDS: Final = {"venue": _TEXT, "feed": _TEXT, "connection": _INT}
EVENTS: Final[Mapping[str, Mapping[str, tuple[type, ...]]]] = {
    "start": {"run_uid": _TEXT, "plan": _TEXT, "plan_sha256": _TEXT, "recorder_sha256": _TEXT},
    "stop": {"reason": _TEXT},
    "connect": {**_ENDS, "url": _TEXT},
    "subscribe": {**_ENDS, "streams": (dict,)},
    "close": {**_ENDS, "code": _INT, "reason": _TEXT, "last_ns": _INT, "records": _INT},
    "heartbeat": {**_ENDS, "sent_ns": _INT, "answered_ns": _INT},
    "universe": {"venue": _TEXT, "listed": _INT, "subscribed": _INT, "added": (list,), "gone": (list,)},
    "gap": {**_ENDS, "streams": (dict,), "from_ns": _INT, "why": _TEXT, "proof": _TEXT},
    "whole": {**_ENDS, "streams": (dict,), "from_ns": _INT, "why": _TEXT},
    "silence": {**_ENDS, "stream": _TEXT, "last_ns": _INT, "limit_ms": _INT},
    "drop": {**_ENDS, "first": _INT, "last": _INT, "records": _INT, "why": _TEXT},
    "clock": {"venue": _TEXT, "t1_ns": _INT, "server_ns": _INT, "t2_ns": _INT, "server_unit_ns": _INT},
    "clock_step": {"by_ns": _INT, "from_ns": _INT, "to_ns": _INT},
    "disk": {"state": _TEXT, "free_bytes": _INT},
    "budget": {"kind": _TEXT, "bytes": _INT, "limit_bytes": _INT, "reached_ns": _INT},
    "refused": {"venue": _TEXT, "url": _TEXT, "status": _INT, "why": _TEXT, "retry_after_ms": _INT},
}
"""The fields of each event beside ``at_ns``, ``mono_ns`` and ``event``, with their JSON types."""
_STAMPS: Final = {"at_ns": _INT, "mono_ns": _INT, "event": _TEXT}
_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)\.(\d{1,6})\.jsonl", re.ASCII)
_ENCODE: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class ControlEvent:
    """One event: its clocks, its name, and its own fields as the table above lists them."""

    at_ns: int
    mono_ns: int
    event: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class ControlFile:
    """One file of the log: the UTC hour of its events as of a segment, and the part."""

    hour: str
    part: int
    path: Path


def control_files(folder: Path, first_hour: str = "", last_hour: str = "9") -> list[ControlFile]:
    """Return the files of the log of the recording in ``folder`` from the first to the last hour, sorted."""
    named = ((_NAME.fullmatch(path.name), path) for path in (folder / FOLDER).glob("*.jsonl"))
    return sorted(
        ControlFile(match[1], int(match[2]), path)
        for match, path in named
        if match and first_hour <= match[1] <= last_hour
    )


def control_path(folder: Path, hour: str, part: int) -> Path:
    """Return where the log of an hour and a part lies in the recording in ``folder``."""
    return folder / FOLDER / f"{hour}.{part}.jsonl"


def event_line(event: ControlEvent) -> bytes:
    r"""Return the line of an event, with its LF.  Raises ``DataError`` (4) if it is not of the table.

    Examples
    --------
    >>> event_line(ControlEvent(5, 6, "stop", {"reason": "done"}))
    b'{"at_ns":5,"event":"stop","mono_ns":6,"reason":"done"}\n'
    """
    record = {"at_ns": event.at_ns, "mono_ns": event.mono_ns, "event": event.event, **event.fields}
    _check(record, "control log")
    return _ENCODE(record).encode("utf-8", "backslashreplace") + b"\n"


def read_control(path: Path) -> Iterator[ControlEvent]:
    """Yield the events of one file of the log in the order of writing; a torn last line is left out.

    Raises ``MissingError`` (3) if the file cannot be read, ``DataError`` (4) with the number of a line that is not of
    the table.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise MissingError(f"expected the control log {path}, was: {error.strerror or error}") from error
    lines = body.split(b"\n")[:-1]
    for number, line in enumerate(lines):
        record = _object(line)
        where = f"{path}, line {number}"
        if record is None:
            # After a power loss the lines of the last write may hold anything.
            if all(_object(later) is None for later in lines[number:]):
                return
            raise DataError(f"{where}: expected a JSON object, was {line[:80]!r}; bring the file back from a copy")
        _check(record, where)
        at_ns, mono_ns, event = (record.pop(key) for key in _STAMPS)
        yield ControlEvent(at_ns, mono_ns, event, record)


def read_all_control(folder: Path, first_hour: str = "", last_hour: str = "9") -> Iterator[ControlEvent]:
    """Yield the events of all files of a recording between two hours, in the order of writing.  Raises as above."""
    for file in control_files(folder, first_hour, last_hour):
        yield from read_control(file.path)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _check(record: dict[str, Any], where: str) -> None:
    shape = EVENTS.get(str(record.get("event")))
    if shape is None:
        raise DataError(f"{where}: expected an event of {', '.join(EVENTS)}, was {str(record)[:120]!r}")
    expected = {**_STAMPS, **shape}
    if record.keys() != expected.keys():
        raise DataError(f"{where}: expected the fields {', '.join(sorted(expected))}, was {', '.join(sorted(record))}")
    for key, types in expected.items():
        if type(record[key]) not in types:
            raise DataError(f"{where}, field {key}: expected {types[0].__name__}, was {str(record[key])[:120]!r}")
    if record.get("why") not in WHYS and record["event"] in ("gap", "whole"):
        raise DataError(f"{where}, field why: expected one of {', '.join(WHYS)}, was {record['why']!r}")
