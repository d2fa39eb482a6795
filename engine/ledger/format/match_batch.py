"""Contents written and judged together: a column of each field instead of a walk through each record.  [audit 2, 4]

    records -> a column a field -> each asked of its grammar at once -> zipped with the constant text between them

The tables of `engine.ledger.format.schemas` are closed and CJ1 has one order of keys, so the text between the values
is known
beforehand.  What comes out is canonical and holds every rule of its table.  None says nothing: whoever gets it asks
`check_content` and the serialiser, record by record, which accept or name the fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache, partial, reduce
from itertools import chain, count, islice, repeat
from operator import eq, itemgetter, le
from typing import Any, Final

from engine.errors import LedgerError
from engine.ledger.format.canonical_json import PRECISION, canonical
from engine.ledger.format.closed_tables import RecordShape
from engine.ledger.format.fields import PARAMS
from engine.ledger.format.match_column import judge_of
from engine.ledger.format.schemas import ENGINE, INPUTS, MOST_INPUTS, PROVENANCE, RESOLUTION, RESULT, SIGNAL, TERMS

_KEPT: Final = 256
"""Objects of parameters whose text is remembered: a ledger repeats a few."""

Columns = Mapping[str, Sequence[Any]]


class _UnseenError(Exception):
    """A record is not seen to hold."""


class _Table:
    """A closed table, ready to write many of its records at once."""

    def __init__(self, shape: RecordShape) -> None:
        self._keys = sorted(shape)
        self._values = itemgetter(*self._keys)
        self._judge = {key: judge_of(shape[key]) for key in shape if shape[key].form}

    def columns(self, records: Sequence[Any]) -> Columns:
        """Return the values of each field, in the order of the records, which have these fields and no others."""
        _require(set(map(type, records)) == {dict} and set(map(len, records)) == {len(self._keys)})
        return dict(zip(self._keys, zip(*map(self._values, records), strict=True), strict=True))

    def texts(self, columns: Columns, **inner: Iterable[str]) -> list[str]:
        """Return the canonical text of each record; ``inner`` gives the texts of fields that are objects or arrays."""
        parts: list[Iterable[str]] = []
        before = "{"
        for key in self._keys:
            found = ("", inner[key]) if key in inner else self._judge[key](columns[key])
            if found is None:
                raise _UnseenError
            quote, texts = found
            parts += (repeat(f'{before}"{key}":{quote}'), texts)
            before = f"{quote},"
        return list(map("".join, zip(*parts, repeat(f"{before[:-1]}}}"), strict=False)))


_SIGNAL, _PROVENANCE, _ENGINE, _RESULT, _RESOLUTION = map(_Table, (SIGNAL, PROVENANCE, ENGINE, RESULT, RESOLUTION))
_INPUTS: Final = {kind: _Table(shape) for kind, shape in INPUTS.items()}


def known_contents(kind: str, batch: Sequence[Mapping[str, Any]]) -> list[bytes] | None:
    """Return CJ(content) of each of ``batch`` where all are seen to be contents that `check_content` accepts."""
    form = _KINDS.get(kind)
    if form is None or not batch:
        return None
    try:
        return [text.encode() for text in form(batch)]
    except (_UnseenError, LedgerError, KeyError, TypeError, ValueError, RecursionError):
        return None


def _signals(batch: Sequence[Any]) -> list[str]:
    signals = _SIGNAL.columns(batch)
    read = _PROVENANCE.columns(signals["provenance"])
    provenance = _PROVENANCE.texts(
        read,
        engine=_ENGINE.texts(_ENGINE.columns(read["engine"])),
        inputs=_inputs(read["inputs"], read["as_of_us"]),
        params=_params(read["params"]),
    )
    return _SIGNAL.texts(signals, provenance=provenance, result=_RESULT.texts(_RESULT.columns(signals["result"])))


def _inputs(arrays: Sequence[Any], decided: Sequence[int]) -> list[str]:
    """Return the text of each array of inputs, which hold, stand in order, and were there at the decision."""
    _require(set(map(type, arrays)) == {list})
    lengths = list(map(len, arrays))
    _require(min(lengths) > 0 and max(lengths) <= MOST_INPUTS)
    items = list(chain.from_iterable(arrays))
    kinds = [item["kind"] for item in items]
    each = {kind: _each(kind, [item for item in items if item["kind"] == kind]) for kind in set(kinds)}
    texts, *order, last = zip(*(next(each[kind]) for kind in kinds), strict=True)
    whose = chain.from_iterable(map(repeat, count(), lengths))
    places = list(zip(whose, *order, strict=True))  # in order as a whole if and only if each array is
    until = list(chain.from_iterable(map(repeat, decided, lengths)))
    _require(places == sorted(places) and all(map(le, order[-1], until)) and all(map(le, last, until)))
    rest = iter(texts)
    return [f"[{','.join(islice(rest, length))}]" for length in lengths]


def _each(kind: str, items: list[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield of each input of a kind its text, what orders it (role, venue, instrument, time), and its last time."""
    table = _INPUTS[kind]
    columns = table.columns(items)
    first, last = ("from_us", "to_us") if kind == "series" else ("ts_us", "ts_us")
    order = [columns[key] for key in ("role", "venue", "instrument", first)]
    return zip(table.texts(columns), *order, columns[last], strict=True)


def _params(objects: Sequence[Any]) -> Iterator[str]:
    """Return the canonical text of each object of parameters."""
    _require(set(map(type, objects)) == {dict})
    values = map(dict.values, objects)
    _require(set(map(type, chain.from_iterable(chain(objects, values)))) <= {str})
    return map(_text_of, map(tuple, map(dict.items, objects)))


@lru_cache(_KEPT)
def _text_of(params: tuple[tuple[str, str], ...]) -> str:
    """Return the canonical text of an object of parameters; its keys are open, so it is asked as a whole."""
    _require(PARAMS.holds(dict(params)))
    return canonical(dict(params)).decode()


def _resolutions(batch: Sequence[Any]) -> list[str]:
    columns = _RESOLUTION.columns(batch)
    texts = _RESOLUTION.texts(columns)
    _require(all(map(le, columns["entry_us"], columns["exit_us"])))
    _require(all((n == 0) == (row is None) for n, row in zip(columns["revision"], columns["supersedes"], strict=True)))
    net = reduce(partial(map, PRECISION.subtract), (map(Decimal, column) for column in TERMS(columns)))
    _require(all(map(eq, map(Decimal, columns["net_pnl_usd"]), net)))
    return texts


def _require(seen: object) -> None:
    if not seen:
        raise _UnseenError


_KINDS: Final[Mapping[str, Callable[[Sequence[Any]], list[str]]]] = {"signal": _signals, "resolution": _resolutions}
