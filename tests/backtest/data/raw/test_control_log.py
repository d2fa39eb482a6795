"""The control log holds the events of its table and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.data.raw.control_log import ControlEvent, control_path, event_line, read_all_control, read_control
from engine.errors import DataError

GAP = ControlEvent(
    5, 6, "gap",
    {"venue": "deribit", "feed": "deribit-1", "connection": 1, "streams": {"a": "deribit:A"}, "from_ns": 4,
     "why": "sequence", "proof": "prev_change_id 7, was 5"},
)  # fmt: skip
STOP = ControlEvent(7, 8, "stop", {"reason": "done"})


def test_events_come_back_in_order(tmp_path: Path) -> None:
    for hour, part, event in (("2026-12-01T09", 0, STOP), ("2026-12-01T08", 1, GAP)):
        path = control_path(tmp_path, hour, part)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(event_line(event))

    assert list(read_all_control(tmp_path)) == [GAP, STOP]
    assert list(read_all_control(tmp_path, "2026-12-01T09")) == [STOP]


def test_a_torn_tail_is_left_out_and_damage_before_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    line = event_line(GAP)
    for tail in (line[:-1], line[:9], b"\0" * 40, b"\0\0\n\0\0\n"):
        path.write_bytes(line + tail)
        assert list(read_control(path)) == [GAP]
    path.write_bytes(line + b"\0\0\n" + line)
    with pytest.raises(DataError, match="line 1: expected a JSON object"):
        list(read_control(path))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"why": "weather"}, "field why: expected one of sequence"),
        ({"from_ns": 1.5}, "field from_ns: expected int"),
        ({"from_ns": True}, "field from_ns: expected int"),
        ({"more": 1}, "expected the fields at_ns, connection"),
    ],
)
def test_another_form_is_refused_by_writer_and_reader(fields: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        event_line(ControlEvent(5, 6, "gap", {**GAP.fields, **fields}))
    with pytest.raises(DataError, match="expected an event of start"):
        event_line(ControlEvent(5, 6, "nap", {}))
