"""Figures that carry the file and field they come from, from the loaded run to the page and its twin.  [S10]

    verdicts = with_sources(json.loads(text), "verdicts.json")       each leaf of the document knows its key
    number(verdicts["H1"]["sharpe"])                                 "13.00", cited as verdicts.json: H1.sharpe
    Cited("{} of {} days").format(count(traded), count(days))        a sentence keeps the citations of its parts

A key is ``FILE: FIELD`` of one value, ``FILE: sum(COLUMN) where ...`` of a table (`reports.rows`), or an operation on
keys: ``(KEY) / (KEY)``, ``name(KEY; KEY)``.  Values are ordinary numbers and text for everything that computes with
them; what is computed from several names its operation with `derived`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from string import Formatter
from typing import Any, SupportsIndex

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _,/:-]{0,59}")
"""A name that may stand in a key: it can be no markup, and is shorter than a line."""
_NAMES = ("name", "item", "code")
"""Fields by which an entry of a list is called in a key, as in amendments.  [decision 0471]"""


@dataclass(frozen=True, slots=True)
class Source:
    """``key`` of a figure, and ``form``: the function of `reports.words` that wrote it, with its places."""

    key: str
    form: str


class SourcedInt(int):
    """An integer with the key of where it comes from."""

    key: str

    def __new__(cls, value: int, key: str = "") -> SourcedInt:
        made = super().__new__(cls, value)
        made.key = key
        return made


class SourcedFloat(float):
    """A float with the key of where it comes from."""

    key: str

    def __new__(cls, value: float, key: str = "") -> SourcedFloat:
        made = super().__new__(cls, value)
        made.key = key
        return made


Span = tuple[int, int, Source]
"""Begin and end of a figure in its text, and its source."""


class Cited(str):
    """Text with the sources of the figures in it; equal to the same text without them.

    Joining, adding, formatting and slicing keep the sources; an f-string loses them.
    """

    spans: tuple[Span, ...]

    def __new__(cls, text: str = "", spans: tuple[Span, ...] = ()) -> Cited:
        made = super().__new__(cls, text)
        made.spans = spans
        return made

    def __add__(self, other: str) -> Cited:
        return _joined((self, other))

    def __radd__(self, other: str) -> Cited:
        return _joined((other, self))

    def __getitem__(self, part: SupportsIndex | slice) -> Cited:
        start, stop, _ = (part if isinstance(part, slice) else slice(part, int(part) + 1)).indices(len(self))
        clipped = ((max(a, start) - start, min(b, stop) - start, source) for a, b, source in self.spans)
        return Cited(str.__getitem__(self, part), tuple(span for span in clipped if span[0] < span[1]))

    def join(self, parts: Iterable[str]) -> Cited:
        """Return the parts with this text between them."""
        out: list[str] = []
        for part in parts:
            out += [self, part] if out else [part]
        return _joined(out)

    def format(self, *values: object, **named: object) -> Cited:
        """Return the text with its fields, ``{}`` or ``{name}`` and no form, replaced by texts."""
        out, place = [], 0
        for literal, name, _, _ in Formatter().parse(str.__str__(self)):
            out.append(literal)
            if name is not None:
                value = named[name] if name else values[place]
                place += not name
                out.append(value if isinstance(value, str) else str(value))
        return _joined(out)


def _joined(parts: Iterable[str]) -> Cited:
    spans: list[Span] = []
    at, texts = 0, []
    for part in parts:
        spans += [(a + at, b + at, source) for a, b, source in getattr(part, "spans", ())]
        at += len(part)
        texts.append(part)
    return Cited("".join(texts), tuple(spans))


def pieces(text: str) -> Iterator[tuple[str, Source | None]]:
    """Yield ``text`` in order, as what is cited with its source and what is not with None."""
    at, plain = 0, str.__str__(text)
    for start, stop, source in getattr(text, "spans", ()):
        if start > at:
            yield plain[at:start], None
        yield plain[start:stop], source
        at = stop
    if at < len(plain):
        yield plain[at:], None


def split(text: str, mark: str) -> list[str]:
    """Return ``text`` cut at every ``mark``, each part with the sources of its figures."""
    parts, at = [], 0
    for part in str.split(text, mark):
        parts.append(text[at : at + len(part)])
        at += len(part) + len(mark)
    return parts


def sources_of(text: str) -> list[Source]:
    """Return the sources of the figures of ``text`` in order; what has no digit is no figure."""
    return [source for piece, source in pieces(text) if source is not None and has_digit(piece)]


def has_digit(text: str) -> bool:
    """Return whether ``text`` has a digit, and so may be a figure."""
    return any("0" <= character <= "9" for character in text)


def cited(text: str, value: object, form: str) -> str:
    """Return ``text``, which ``form`` made of ``value``, cited as the value is; as it is where the value has no key."""
    key = key_of(value)
    return text if not key else Cited(text, ((0, len(text), Source(key, form)),))


def key_of(value: object) -> str:
    """Return the key of a value; empty if it has none, or is a text of several."""
    if isinstance(value, Cited):
        whole = [source.key for start, stop, source in value.spans if (start, stop) == (0, len(value))]
        return whole[0] if whole else ""
    return getattr(value, "key", "") if isinstance(value, SourcedInt | SourcedFloat) else ""


def sourced(value: Any, key: str) -> Any:
    """Return a number or a text with its key; anything else (None, truth) as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return SourcedInt(value, key)
    if isinstance(value, float):
        return SourcedFloat(value, key)
    if isinstance(value, str):
        return Cited(value, ((0, len(value), Source(key, "text")),) if value else ())
    return value


def derived(value: Any, operation: str, *inputs: object) -> Any:
    """Return ``value`` keyed by the operation that made it of ``inputs``: a sign between two, or a name before all.

    The value alone if an input has no key: a figure of half a source would seem to have one.
    """
    keys = [key_of(value) for value in inputs]
    if not all(keys):
        return value
    named = operation.isidentifier()
    return sourced(value, f"{operation}({'; '.join(keys)})" if named else f"({keys[0]}) {operation} ({keys[1]})")


def total(values: Iterable[Any]) -> Any:
    """Return the sum of whole numbers with keys."""
    listed = list(values)
    return derived(sum(map(int, listed)), "sum", *listed)


def ratio(part: Any, whole: Any) -> Any:
    """Return ``part / whole`` with its key; None if the whole is zero."""
    return derived(float(part) / float(whole), "/", part, whole) if whole else None


def with_sources(document: Any, file: str, path: str = "") -> Any:
    """Return a document of plain tables, lists and leaves, each leaf with its key ``file: field``.

    ``path`` is the field of the document itself, where it is a part of its file.
    """
    return _leaves(document, f"{file}: ", path)


def _leaves(value: Any, file: str, path: str) -> Any:
    if isinstance(value, dict):
        return {
            name: _leaves(below, file, f"{path}.{key_name(name, f'#{place}')}" if path else key_name(name, f"#{place}"))
            for place, (name, below) in enumerate(value.items())
        }
    if isinstance(value, list):
        return [_leaves(below, file, f"{path}[{name}]") for name, below in zip(_entries(value), value, strict=True)]
    return sourced(value, file + path)


def key_name(name: object, otherwise: str = "#") -> str:
    """Return a name as a key has it: ``otherwise`` for one that might be read as markup or is longer than a line."""
    return str(name) if _PLAIN_NAME.fullmatch(str(name)) else otherwise


def _entries(entries: list[Any]) -> list[str]:
    """Return what the entries of a list are called: by name where each has one of its own, else by number from 0."""
    for field in _NAMES:
        names = [str(entry.get(field, "")) if isinstance(entry, dict) else "" for entry in entries]
        if len(set(names)) == len(names) and all(_PLAIN_NAME.fullmatch(name) for name in names):
            return names
    return [str(number) for number in range(len(entries))]
