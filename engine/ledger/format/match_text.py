"""Check (c) of audit 8.1 by a pattern, without parsing: recognises valid rows and contents by their text.

The tables of `engine.ledger.format.schemas` are closed and CJ1 has one order of keys, so the canonical texts of signals
and resolutions are a regular language; its pattern is made from those tables.  A match is canonical and each field has
its grammar; rules between fields are then checked on the groups.  A second pattern, in which texts are free, recognises
the canonical form alone.  None and False mean undecided: the caller then parses and runs `check_row`, which accepts the
row or names the fault.  What the pattern brings: `benchmarks/matchers.py`, decision 0253.  [audit 2, 4]
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Final

from engine.errors import LedgerError
from engine.ledger.format.canonical_json import parse
from engine.ledger.format.closed_tables import RecordShape
from engine.ledger.format.fields import COUNT, HEX, PARAMS, UUID
from engine.ledger.format.schemas import (
    ENGINE,
    INPUTS,
    MOST_INPUTS,
    PROVENANCE,
    RESOLUTION,
    RESULT,
    ROW,
    SIGNAL,
    check_outcome,
)

_BEFORE: Final = '{"content":'
_AFTER: Final = ',"content_hash":"'
_KEPT: Final = 256
"""Parameter objects whose check is cached: a ledger repeats a few."""


def object_form(shape: RecordShape, taken: Collection[str] = (), **inner: str) -> str:
    """Return the pattern of the canonical texts of ``shape``; each field of ``taken`` is a named group, without quotes.

    ``inner`` maps the fields that are objects or arrays to their patterns.
    """
    fields = []
    for key in sorted(shape):
        form = inner.get(key, shape[key].form)
        if key in taken:
            form = f'"(?P<{key}>{form[1:-1]})"' if form.startswith('"') else f"(?P<{key}>{form})"
        fields.append(f'"{key}":{form}')
    return r"\{" + ",".join(fields) + r"\}"


_TAIL: Final = re.compile(
    rf',"content_hash":"(?P<content_hash>{HEX.form[1:-1]})","kind":"(?P<kind>signal|resolution)",'
    rf'"ledger_id":"(?P<ledger_id>{UUID.form[1:-1]})","prev_hash":"(?P<prev_hash>{HEX.form[1:-1]})",'
    rf'"recorded_at_us":(?P<recorded_at_us>null|{COUNT.form}),"schema":"row/1","seq":(?P<seq>{COUNT.form})\}}'
)
_OPEN, _CLOSE = '"inputs":[{', '}],"params":'
_SIGNAL: Final = object_form(
    SIGNAL,
    ("provenance_hash", "signal_id"),
    provenance=object_form(
        PROVENANCE, ("as_of_us",), engine=object_form(ENGINE), inputs="<inputs>", params=r"(?P<params>\{[^{}]*\})"
    ),
    result=object_form(RESULT),
).split('"inputs":<inputs>,"params":')
_HEAD: Final = re.compile(_SIGNAL[0])
_REST: Final = re.compile(_SIGNAL[1])
_QUOTE, _SCALAR, _SERIES = (
    re.compile(object_form(INPUTS[kind], ("role", "venue", "instrument", "ts_us", "from_us", "to_us"))[2:-2])
    for kind in ("quote", "scalar", "series")
)
_STRING: Final = '"[^"]*+"'
_LETTERS: Final = bytes(set(range(0x20, 0x7F)) - set(b"\\"))
"""Printable ASCII without the backslash: text of these bytes contains no escape."""
_UNREAD: Final = {"schema", "exit_reason", "notional_usd", "return_bps", "evidence_hash"}
_RESOLUTION: Final = re.compile(object_form(RESOLUTION, RESOLUTION.keys() - _UNREAD))


def _outline(shape: RecordShape, **inner: str) -> str:
    """Return the pattern of ``shape`` with any text where a text belongs: keys, integers and nulls stay as they are."""
    free = {key: grammar._replace(form=re.sub('".*"', _STRING, grammar.form)) for key, grammar in shape.items()}
    return object_form(free, **inner)


_INPUT: Final = f"(?:{'|'.join(map(_outline, INPUTS.values()))})"
_READ: Final = _outline(
    PROVENANCE,
    engine=_outline(ENGINE),
    inputs=rf"\[{_INPUT}(?:,{_INPUT})*\]",
    params=r"(?P<params>\{[^{}]*\})",
)
_CONTENT: Final = f"(?:{_outline(SIGNAL, provenance=_READ, result=_outline(RESULT))}|{_outline(RESOLUTION)})"
_OUTLINE: Final = re.compile(_outline(ROW, content=_CONTENT).encode())


def canonical_form(data: bytes) -> bool:
    """Return True if ``data`` is in canonical form: a row of a signal or a resolution with any texts.

    False is undecided: the caller compares ``data`` with what the serialiser writes.
    """
    match = None if data.translate(None, _LETTERS) else _OUTLINE.fullmatch(data)
    if match is None:
        return False
    params = match[1]
    return params is None or _params(params.decode())


def known_row(data: bytes) -> dict[str, Any] | None:
    """Return the row of these bytes if the pattern shows that `check_row` accepts it; None is undecided.

    Its content has only the fields that later checks read: of a signal ``signal_id`` and ``provenance_hash``.
    """
    text = _ascii(data)
    at = text.rfind(_AFTER)
    tail = _TAIL.fullmatch(text, at) if at > 0 and text.startswith(_BEFORE) else None
    if tail is None:
        return None
    row: dict[str, Any] = tail.groupdict()
    content = _KINDS[row["kind"]](text[len(_BEFORE) : at])
    if content is None:
        return None
    when = row["recorded_at_us"]
    row["recorded_at_us"] = None if when == "null" else int(when)
    row["seq"] = int(row["seq"])
    row["content"] = content
    return row


def known_content(kind: str, data: bytes) -> bool:
    """Return True if ``data`` are the canonical bytes of a content that `check_content` accepts; False is undecided."""
    form = _KINDS.get(kind)
    return form is not None and form(_ascii(data)) is not None


def _signal(text: str) -> dict[str, Any] | None:
    start = text.find(_OPEN)
    end = text.find(_CLOSE, start)
    head = _HEAD.fullmatch(text, 0, max(start, 0))
    rest = _REST.fullmatch(text, end + len(_CLOSE)) if head and end > 0 else None
    if head is None or rest is None or not _params(rest["params"]):
        return None
    # A text that holds the separator breaks the split: no piece matches then, and the row is parsed.
    items = text[start + len(_OPEN) : end].split("},{")
    if len(items) > MOST_INPUTS or not _inputs(items, int(head["as_of_us"])):
        return None
    return {"provenance_hash": rest["provenance_hash"], "signal_id": rest["signal_id"]}


def _inputs(items: list[str], as_of: int) -> bool:
    """Return whether the inputs, without their braces, match, are sorted, and are not later than the decision."""
    before: tuple[str, str, str, int] = ("", "", "", 0)
    for item in items:
        if fields := _QUOTE.fullmatch(item) or _SCALAR.fullmatch(item):
            instrument, role, first, venue = fields.groups()
            last = first
        elif fields := _SERIES.fullmatch(item):
            first, instrument, role, last, venue = fields.groups()
        else:
            return False
        order = (role, venue, instrument, int(first))
        if order < before or order[3] > as_of or int(last) > as_of:
            return False
        before = order
    return True


def _resolution(text: str) -> dict[str, Any] | None:
    match = _RESOLUTION.fullmatch(text)
    if match is None:
        return None
    content: dict[str, Any] = match.groupdict()
    for key in ("entry_us", "exit_us", "revision"):
        content[key] = int(content[key])
    before = content["supersedes"]
    content["supersedes"] = None if before == "null" else before[1:-1]
    try:
        check_outcome(content)
    except LedgerError:
        return None
    return content


@lru_cache(_KEPT)
def _params(text: str) -> bool:
    """Return whether ``text`` is the canonical text of an object of parameters."""
    # Parsed and not matched: its keys are open, so the table gives no pattern.
    try:
        return bool(PARAMS.holds(parse(text.encode())))
    except LedgerError:
        return False


def _ascii(data: bytes) -> str:
    """Return the text of ASCII bytes, and "" for others, which no pattern matches."""
    return data.decode("ascii") if data.isascii() else ""


_KINDS: Final[Mapping[str, Any]] = {"signal": _signal, "resolution": _resolution}
