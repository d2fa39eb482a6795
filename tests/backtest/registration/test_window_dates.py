"""The record sets the window: from its first day, once, before the window begins.  [live L0.1]"""

from __future__ import annotations

import shutil
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

from backtest.live.day_chain import append_day, read_days
from backtest.registration.acknowledged import not_acknowledged
from backtest.registration.load import load_registration
from backtest.registration.window_dates import set_by_record, write_window
from engine.errors import CmeError, UsageError
from engine.units import NS_PER_DAY
from tests.helpers.cli import RunCommand, refused
from tests.helpers.small_run import write_config

ROOT = Path(__file__).resolve().parents[3]
PREREG = ROOT / "configs" / "prereg" / "288615"
WINDOW = {"history_start": "recording_start", "start": "recording_start + 18 d", "end": "recording_start + 28 d"}
RECORDED = {"split.windows": [WINDOW], "synthetic": False, "data.kind": "path", "data.path": "set",
            "data.synthetic": {}}  # fmt: skip
FIRST = 20_800  # 2026-12-13
NOW_US = FIRST * 86_400_000_000
HEAD = "c" * 64


def plan(folder: Path) -> Path:
    return write_config(folder, RECORDED, "registration.toml")


def test_the_registered_plan_gets_days_91_to_180_of_the_recording(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    path = tmp_path / "configs" / "prereg" / "288615" / "registration.toml"
    before = load_registration(path)
    assert not set_by_record(before)
    parent = sorted((path.parent / "amendments").glob("*.toml"))[-1]
    made = write_window(before, FIRST, HEAD, NOW_US)
    after = load_registration(path)
    assert (after.dated, set_by_record(after)) == (True, True)
    assert after.plan.history_ns == FIRST * NS_PER_DAY
    assert (after.plan.t0_ns, after.plan.t1_ns) == ((FIRST + 90) * NS_PER_DAY, (FIRST + 180) * NS_PER_DAY)
    assert not_acknowledged(after.content) is None
    assert after.judging_hash == before.judging_hash  # ids are not moved by dates
    (table,) = tomllib.loads(made.read_text())["amendments"]
    assert table["parent_sha256"] == sha256(parent.read_bytes()).hexdigest()
    assert HEAD in table["reason"]
    assert "2026-12-13" in table["reason"]


def test_a_second_time_is_refused_and_so_is_a_window_that_has_begun(tmp_path: Path) -> None:
    path = plan(tmp_path)
    registration = load_registration(path)
    late_us = (FIRST + 18) * 86_400_000_000
    with pytest.raises(CmeError) as error:
        write_window(registration, FIRST, HEAD, late_us)
    assert error.value.exit_code == 26
    assert not (tmp_path / "amendments").exists()
    write_window(registration, FIRST, HEAD, late_us - 1_000_000)
    with pytest.raises(CmeError, match="once") as error:
        write_window(load_registration(path), FIRST + 1, HEAD, NOW_US)
    assert error.value.exit_code == 26
    assert len(list((tmp_path / "amendments").glob("*"))) == 1


def test_a_plan_that_takes_no_amendments_is_refused(tmp_path: Path) -> None:
    path = write_config(tmp_path, RECORDED, "other.toml")
    with pytest.raises(UsageError, match=r"registration\.toml"):
        write_window(load_registration(path), FIRST, HEAD, NOW_US)


def test_dates_that_the_plan_cannot_have_leave_no_amendment(tmp_path: Path) -> None:
    """A synthetic market has dates of its own, which the record does not meet."""
    path = write_config(tmp_path, {"split.windows": [WINDOW]}, "registration.toml")
    with pytest.raises(UsageError, match="no day of the market"):
        write_window(load_registration(path), FIRST, HEAD, NOW_US)
    assert not list((tmp_path / "amendments").glob("*"))


def test_the_command_takes_row_1_of_the_chain_and_refuses_without_one(run_command: RunCommand, tmp_path: Path) -> None:
    path = plan(tmp_path / "plan")
    call = ("freeze", "--registration", path, "--window", "--days", tmp_path / "days")
    refused(run_command(*call), 3, "days.jsonl")
    (tmp_path / "days").mkdir()
    chain = read_days(tmp_path / "days")
    for day in ("2098-12-13", "2098-12-14"):
        row = dict.fromkeys(("digest", "dataset_hash", "evidence_sha256", "converter"), "a" * 64)
        row |= dict.fromkeys(("rows", "instruments", "segments", "gaps", "gap_ms", "missing", "sealed_at_us"), 0)
        row |= {"schema": "day/1", "day": day, "up_share": "1", "source": "test"}
        chain = append_day(chain, row | dict.fromkeys(("segments_head", "clock_bound_us", "restart_of")))
    done = run_command(*call)
    assert done.code == 0, done.err
    assert load_registration(path).content["split"]["windows"][0]["start"] == "2098-12-31T00:00:00Z"
    refused(run_command(*call), 26, "once")
