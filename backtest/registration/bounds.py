"""Limits of a plan that no single field can check: spans, arrays and the work that the whole asks for.

The walk goes over every key of the document, so a key that is added later is bounded with the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from backtest import limits
from backtest.registration import schema
from backtest.registration.fields import time_ns
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND

_UNITS: Final = {"_ms": NS_PER_MS, "_s": NS_PER_SECOND, "_h": NS_PER_HOUR, "_d": NS_PER_DAY}
"""The unit of a span ends its key, or that of the table it is in (``max_age_s``)."""
_MOST_NS: Final = 2**62  # a time and a shift add up within 64 bits


def excesses(document: schema.Document) -> Iterator[str]:
    """Yield one sentence for each value of a plan that is out of bounds."""
    tree = document.model_dump(by_alias=True)
    yield from _walk({key: value for key, value in tree.items() if key != "data"}, "", 0)
    # The synthetic market has limits in its own grammar; sources are walked one by one below.
    yield from _walk({"data": {**tree["data"], "synthetic": {}, "sources": []}}, "", 0)
    for number, source in enumerate(tree["data"]["sources"]):
        yield from _walk(source, f"data.sources[{number}]", 0)
    if document.split.folds > limits.PLAN_FOLDS:
        yield f"split.folds: expected at most {limits.PLAN_FOLDS} folds, was {document.split.folds}"
    yield from _grid(document)


def _walk(value: Any, where: str, unit_ns: int) -> Iterator[str]:
    """Yield what is out of bounds at ``where`` and below; texts there are spans of ``unit_ns`` (0: no spans)."""
    if isinstance(value, dict | list):
        if len(value) > limits.PLAN_ENTRIES:
            yield f"{where}: expected at most {limits.PLAN_ENTRIES} entries, was {len(value)}"
            return
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, int):
                yield from _walk(entry, f"{where}[{key}]", unit_ns)
                continue
            inner_unit_ns = next((size for suffix, size in _UNITS.items() if key.endswith(suffix)), unit_ns)
            yield from _walk(entry, f"{where}.{key}".lstrip("."), inner_unit_ns)
    elif isinstance(value, int) and abs(value) > (_MOST_NS if where.endswith("_ns") else limits.PLAN_QUANTITY):
        yield f"{where}: expected a whole number of at most {limits.PLAN_QUANTITY} (ns: {_MOST_NS}), was {value}"
    elif unit_ns and isinstance(value, str | int):
        with suppress(InvalidOperation):  # an option of a source may be a text of another kind
            yield from _span(Decimal(value), unit_ns, where)


def _span(quantity: Decimal, unit_ns: int, where: str) -> Iterator[str]:
    span_ns = quantity * unit_ns
    if abs(span_ns) > limits.PLAN_SPAN_D * NS_PER_DAY:
        yield f"{where}: expected a span of at most {limits.PLAN_SPAN_D} days, was {quantity}"
    elif span_ns != span_ns.to_integral_value():
        yield f"{where}: expected a span of whole nanoseconds, was {quantity}"


def _grid(document: schema.Document) -> Iterator[str]:
    step, windows = Decimal(document.grid.step_s), document.split.windows
    if step == 0 or not windows:
        return
    if step < limits.SHORTEST_STEP_S:
        yield f"grid.step_s: expected 0 or at least {limits.SHORTEST_STEP_S} s, was {document.grid.step_s}"
        return
    begin, end = min(time_ns(w.history_start) for w in windows), max(time_ns(w.end) for w in windows)
    times = int((end - begin) / (step * NS_PER_SECOND))
    if times > limits.PLAN_GRID_TIMES:
        yield (
            f"split.windows: expected at most {limits.PLAN_GRID_TIMES} grid times from the first history to the last "
            f"end, was {times}: take a longer grid.step_s or shorter windows"
        )
