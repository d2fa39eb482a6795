"""Writes the dates of a recorded study's windows, once, as an amendment: from the first day of the record.  [L0.1]

The plan says ``recording_start + 90 d``; the record says on which day it began; what follows is arithmetic, and nobody
chooses.  The amendment names the head of the chain of days, so that the day cannot be exchanged afterwards.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from backtest.data.format.atomic_write import write_whole
from backtest.records import Registration
from backtest.registration.acknowledged import not_acknowledged, power_hash
from backtest.registration.amend import AMENDED_NAME, amendment_files
from backtest.registration.fields import is_relative, time_ns
from backtest.registration.load import load_registration
from engine.errors import CmeError, GateError, UsageError
from engine.units import MICRO, NS_PER_DAY, NS_PER_SECOND

TIMES: Final = ("history_start", "start", "end")


def set_by_record(registration: Registration) -> bool:
    """Return whether an amendment of ``registration`` wrote dates in the place of days of the recording."""
    return any(
        change["key"].startswith("split.windows[")
        and isinstance(change["before"], str)
        and is_relative(change["before"])
        for amendment in registration.content["amendments"]
        for change in amendment["changes"]
    )


def write_window(registration: Registration, first_day: int, head: str, now_us: int) -> Path:
    """Write the amendment that dates the windows of ``registration`` and return its path.

    ``first_day`` is row 1 of the chain of days (days since 1970-01-01) whose head is ``head``; ``now_us`` the time in
    microseconds UTC.  Raises ``GateError`` (26) if the windows have dates already, or the first one has begun;
    ``UsageError`` (2) for a plan of another name than ``registration.toml``, which takes no amendments.
    """
    path = registration.path
    if registration.dated:
        raise GateError(
            f"{path}: expected a window in days of the recording, was one with dates: the record sets them once, and "
            "no later recording moves them",
            exit_code=26,
        )
    if path.name != AMENDED_NAME:
        raise UsageError(f"{path}: expected a plan called {AMENDED_NAME}, which amendments stand beside, was another")
    starts_ns = first_day * NS_PER_DAY + min(plan.t0_ns for plan in registration.windows)
    if now_us * 1000 >= starts_ns:
        raise GateError(
            f"{path}: expected the window to begin after this amendment, was {_time(starts_ns)}, which is past: a "
            "window whose data may have been seen is not registered; start another recording",
            exit_code=26,
        )
    files = amendment_files(path)
    name = f"{len(files) + 1:04d}"
    target = path.parent / "amendments" / f"{name}.toml"
    parent = sha256((files[-1] if files else path).read_bytes()).hexdigest()
    write_whole(target, _text(registration, name, first_day, head, now_us, parent).encode())
    try:
        return _checked(target, path)
    except CmeError:
        # of a plan that the dates do not fit nothing may stay
        target.unlink()
        raise


def _checked(target: Path, path: Path) -> Path:
    amended = load_registration(path)
    if not amended.dated or not_acknowledged(amended.content):
        raise GateError(f"{target}: expected a plan with dates and its power statement, was another", exit_code=26)
    return target


def _text(registration: Registration, name: str, first_day: int, head: str, now_us: int, parent: str) -> str:
    content = registration.content
    changes = [*_dates(content, first_day)]
    power = content["power"]["acknowledged"]
    if not not_acknowledged(content):
        # the statement depends on lengths alone, so whoever read the one has read the other
        windows = [dict(window) for window in content["split"]["windows"]]
        for key, _, after in changes:
            place, field = key.removeprefix("split.windows[").split("].")
            windows[int(place)][field] = after
        dated = {**content, "split": {**content["split"], "windows": windows}}
        changes.append(("power.acknowledged", power, power_hash(dated)))
    day = datetime.fromtimestamp(first_day * NS_PER_DAY // NS_PER_SECOND, UTC).date().isoformat()
    lines = [
        "# The dates of the windows, as the record sets them.  Written by `cme freeze --window`.",
        "[[amendments]]",
        f"name = {_quoted(name)}",
        f"at = {_quoted(_time(now_us * 1000))}",
        f"reason = {_quoted(f'the recording began on {day}, row 1 of days.jsonl, whose head is {head}')}",
        "outcome_known = false",
        "affects = []",
        f"parent_sha256 = {_quoted(parent)}",
    ]
    for key, before, after in changes:
        lines += ["", "[[amendments.changes]]", f"key = {_quoted(key)}", f"before = {_quoted(before)}",
                  f"after = {_quoted(after)}"]  # fmt: skip
    text = "\n".join(lines) + "\n"
    tomllib.loads(text)
    return text


def _dates(content: Any, first_day: int) -> Iterator[tuple[str, str, str]]:
    for number, window in enumerate(content["split"]["windows"]):
        for key in TIMES:
            yield f"split.windows[{number}].{key}", window[key], _time(first_day * NS_PER_DAY + time_ns(window[key]))


def _time(t_ns: int) -> str:
    return f"{datetime.fromtimestamp(t_ns // (MICRO * 1000), UTC):%Y-%m-%dT%H:%M:%SZ}"


def _quoted(text: str) -> str:
    # a JSON string of printable text is a TOML string
    return json.dumps(text, ensure_ascii=False)
