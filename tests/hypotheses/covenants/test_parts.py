"""A covenant study killed between its parts or inside one: what was finished is taken up, the bytes are the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest import environment
from backtest.simulation.covenant_parts import Part, StudyParts
from backtest.tasks.task_cache import TaskCache
from hypotheses.covenants.run import StudyJob, kept_parts, study_files, study_job, write_study
from tests.helpers.covenant_plan import STORED, candles, plan_text

PLAN = plan_text(
    "three_way", "2024-02-10", "2024-02-18", STORED,
    'beta_rule = "regime"\n[inference]\nplacebo_draws = 3\nplain_draws = 1\nbootstrap_draws = 20\n'
    "[experiments]\npaths = 1\n",
)  # fmt: skip
PARTS = [
    "accounts", "placebo p3", "specification curve, literal", "specification curve, scaled",
    "specification curve, principled", "verdicts", "remaining claims", "crowding", "event of August 2024",
    "changes of regime", "anomalies", "synthetic order flow",
]  # fmt: skip


class Killed(BaseException):
    """No handler of ours catches it, as none catches a signal."""


class KilledAfter(TaskCache):
    """Kills the study when a part is kept."""

    def keep(self, key: str, body: bytes) -> None:
        super().keep(key, body)
        raise Killed


class KilledBefore(TaskCache):
    """Kills the study when a part is finished and not yet kept."""

    def keep(self, key: str, body: bytes) -> None:
        raise Killed


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> StudyJob:
    folder = tmp_path_factory.mktemp("plan")
    for name in ("a", "b"):
        candles(folder / f"{name}.feather", seed=ord(name))
    (folder / "tiny.toml").write_text(PLAN)
    return study_job(folder / "tiny.toml", folder)


def results(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files without the seconds that the machine took."""
    return {name: data for name, data in files.items() if name != "speed.json"}


def test_a_study_killed_at_every_part_computes_each_once(job: StudyJob, tmp_path: Path) -> None:
    folder = tmp_path / ".work" / "x"
    computed: list[str] = []

    class Watched(StudyParts):
        def __call__(self, name: str, compute: Callable[[], Part]) -> Part:
            return super().__call__(name, lambda: computed.append(name) or compute())  # type: ignore[func-returns-value]

    with pytest.raises(Killed):
        study_files(job, Watched(KilledBefore(folder)))
    assert (computed, TaskCache(folder).count()) == (PARTS[:1], 0)
    computed.clear()
    for number in range(len(PARTS)):
        with pytest.raises(Killed):
            study_files(job, Watched(KilledAfter(folder)))
        assert computed == PARTS[: number + 1]
    resumed = study_files(job, Watched(TaskCache(folder)))

    assert computed == PARTS
    assert results(resumed) == results(study_files(job, StudyParts()))


def test_a_damaged_part_is_computed_again(tmp_path: Path) -> None:
    parts = StudyParts(TaskCache(tmp_path))
    parts("one", lambda: {"figure": 1.0})
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:-1])

    assert parts("one", lambda: {"figure": 2.0}) == {"figure": 2.0}
    assert parts("one", lambda: {"figure": 3.0}) == {"figure": 2.0}


def test_a_part_comes_back_bit_by_bit(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "number": [0.1, np.nan, -0.0], "count": [1, 2, 2**62], "word": ["a", "é", ""], "flag": [True, False, True],
            "mixed": pd.Series([True, np.nan, 2], dtype=object), "price": np.array([1, 2, 3], np.float32),
        }
    )  # fmt: skip
    document = {"a": [1, 2.5, None], "nan": float("nan"), "inner": {"count": np.int64(3)}}
    parts = StudyParts(TaskCache(tmp_path))
    first = parts("one", lambda: {"table": table, "empty": table.iloc[:0], "document": document})
    again = parts("one", dict)

    assert first["table"] is table
    pd.testing.assert_frame_equal(again["table"], table, check_exact=True)
    assert again["table"].to_csv(index=False) == table.to_csv(index=False)
    numbers = ["number", "count", "flag", "price"]
    assert again["table"][numbers].to_parquet() == table[numbers].to_parquet()
    assert list(again["empty"].columns) == list(table.columns)
    assert again["empty"].empty
    assert again["document"]["a"] == (1, 2.5, None)
    assert np.isnan(again["document"]["nan"])
    assert again["document"]["inner"] == {"count": 3}


def test_parts_of_other_versions_are_not_taken_up(
    job: StudyJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept_parts(job, tmp_path).folder
    monkeypatch.setattr(environment, "versions", lambda: {"numpy": "another"})

    assert kept_parts(job, tmp_path).folder != before


def test_the_user_is_told_of_parts_that_are_taken_up(job: StudyJob, tmp_path: Path) -> None:
    said: list[str] = []
    cache = kept_parts(job, tmp_path)
    for name in PARTS[:2]:
        StudyParts(cache)(name, dict)

    with pytest.raises(KeyError):
        write_study(job, tmp_path, said.append)
    assert said[0] == "an earlier attempt was not finished; its 2 finished parts are taken up"
