"""What a journal says of each test window: the events from its tag ``window`` to the next one.  [audit 13.1]

windows = tuple(windows_of(events))        one `WindowRecord` a window, in the order in which they were run
step_of("2026-04-05"), day_of(20548)       the step of the window's metrics, and back
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Final

WINDOW: Final = "window"
"""The tag that begins a test window; its value is the window's first day, YYYY-MM-DD."""

SHARPE: Final = "h1/sharpe"
FOLD: Final = "fold/"
"""What the keys of a fold's metrics begin with."""
_EPOCH: Final = date(1970, 1, 1)

Event = Mapping[str, Any]
"""One event of a journal, its form checked (`backtest.tracking.events`)."""
Points = tuple[tuple[str, str, int, int], ...]
"""Metrics as recorded: key, value text, step, at_us."""
Stages = tuple[tuple[str, int], ...]
"""Stages in the order in which they began: name, at_us."""


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """What a journal says of one window; ``end_us`` is when the next one began, or the time of the last event."""

    start: str
    start_us: int
    end_us: int
    metrics: Points
    tags: Mapping[str, str]
    stages: Stages


def of_window(name: str, start: str) -> str:
    """Return the key of a tag of the window that begins on the day ``start``."""
    return f"{name}.{start.replace('-', '_')}"


def step_of(start: str) -> int:
    """Return the step of the metrics of the window that begins on the day ``start``: days since 1970-01-01.

    >>> step_of("2026-04-05")
    20548
    """
    return (date.fromisoformat(start) - _EPOCH).days


def day_of(step: int) -> str:
    """Return the day that a step means, YYYY-MM-DD; the inverse of `step_of`.

    >>> day_of(20548)
    '2026-04-05'
    """
    return date.fromordinal(_EPOCH.toordinal() + step).isoformat()


def is_day(step: int) -> bool:
    """Return whether a step means a day that `day_of` can name."""
    return 0 <= step <= (date.max - _EPOCH).days


def windows_of(events: Sequence[Event]) -> Iterator[WindowRecord]:
    """Yield what ``events``, a whole journal, say of each window; nothing where no window was begun."""
    first = [n for n, event in enumerate(events) if _begins(event)]
    for begin, end in pairwise([*first, len(events)]):
        within = events[begin:end]
        yield WindowRecord(
            start=events[begin]["data"]["value"],
            start_us=events[begin]["at_us"],
            end_us=events[min(end, len(events) - 1)]["at_us"],
            metrics=points_of(within),
            tags=tags_of(within),
            stages=stages_of(within),
        )


def points_of(events: Sequence[Event]) -> Points:
    """Return the metrics among ``events``."""
    data = [(event["data"], event["at_us"]) for event in events if event["event"] == "metric"]
    return tuple((metric["key"], metric["value"], metric["step"], at_us) for metric, at_us in data)


def tags_of(events: Sequence[Event]) -> dict[str, str]:
    """Return the tags among ``events``, the last value of each."""
    return {event["data"]["key"]: event["data"]["value"] for event in events if event["event"] == "tag"}


def stages_of(events: Sequence[Event]) -> Stages:
    """Return the stages among ``events``, which are recorded as the tag ``stage``."""
    tags = [(event["data"], event["at_us"]) for event in events if event["event"] == "tag"]
    return tuple((tag["value"], at_us) for tag, at_us in tags if tag["key"] == "stage")


def _begins(event: Event) -> bool:
    """Return whether ``event`` begins a window: a value that is no day after 1970 names none."""
    if event["event"] != "tag" or event["data"]["key"] != WINDOW:
        return False
    with suppress(ValueError):
        return is_day(step_of(event["data"]["value"])) and len(event["data"]["value"]) == len("YYYY-MM-DD")
    return False
