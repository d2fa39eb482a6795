"""A study in MLflow is a run with one below it a window and below that one a fold, named and described for readers.

Rules: [S8.7, audit 13.2, audit 13.3].
"""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path

import pytest

from backtest.tracking import audit, journal, mlflow_sync
from backtest.tracking.store import store_of
from backtest.tracking.view import TrackedRun, tracked_runs
from tests.backtest.tracking.test_mlflow_sync import MlflowClient

pytestmark = pytest.mark.filterwarnings("ignore")

UID = "6b2f2a0e-0f3c-4c57-9d0e-2f4f4a1d8f11"
DAYS = {"2022-01-01": 18993, "2022-04-01": 19083}
"""First days and their steps, by `date -d 2022-01-01 +%s` divided by 86400."""
HASH = "ab" * 32


def study(runs: Path, windows: tuple[str, ...] = tuple(DAYS), exit_code: int | None = 0) -> Path:
    """The journal of a study of two folds a window; a tick is a second."""
    ticks = count(1_764_547_200_000_000, 1_000_000)
    log = journal.start(runs / UID, "carry", "exploratory", "run carry.toml", lambda: next(ticks), UID)
    log.param("title", "Carry by the hour")
    log.param("data.name", "carry")
    log.param("choices", "x" * 600)
    log.stage("data")
    for number, start in enumerate(windows):
        log.window(start)
        log.stage("engine")
        log.tag("data", HASH)
        log.metric("h1/sharpe", 1.5 + number, DAYS[start])
        log.stage("judged")
        points = {"h1/sharpe": 1.5 + number, "h1/sharpe_low": -0.25, "h1/sharpe_high": 3.0, "h1/sharpe_claim": 1,
                  "h1/p_n1": 0.125, "h2/mean_usd_per_day": 4256.4, "h2/claim_usd_per_day": 50000,
                  "h3/constraints": 7, "h1/psr": float("nan")}  # fmt: skip
        for key, value in points.items():
            log.metric(key, value, DAYS[start])
        for fold in range(2):
            log.metric("fold/net_usd", 10.0 * fold + number, DAYS[start] + 45 * fold)
        words = {"h1": "cannot tell", "h2": "supported", "h3": "refuted", "c1": "retained", "c2": "dropped"}
        for key, word in words.items():
            log.tag(f"{key}.{start.replace('-', '_')}", word)
        log.tag(f"run.{start.replace('-', '_')}", f"carry-{start}-0123456789ab")
    if exit_code is not None:
        log.end(exit_code)
    else:
        log._lines.sync()
    return log.path


def views(path: Path) -> dict[str, TrackedRun]:
    return {view.run_uid.removeprefix(UID): view for view in tracked_runs(journal.read(path))}


def test_a_study_has_windows_and_windows_have_folds(tmp_path: Path) -> None:
    """Each run once, below the one above it; the names are those of the run directories."""
    shown = views(study(tmp_path))

    folds = {f"/{start}/fold-0{n}": f"{UID}/{start}" for start in DAYS for n in range(2)}
    above = {"": "", **{f"/{start}": UID for start in DAYS}, **folds}
    assert {uid: view.parent_uid for uid, view in shown.items()} == above
    assert shown[""].tags["mlflow.runName"] == "carry, 2 windows"
    assert shown["/2022-04-01"].tags["mlflow.runName"] == "carry-2022-04-01-0123456789ab"
    assert shown["/2022-04-01/fold-01"].tags["mlflow.runName"] == "fold 01 from 2022-05-16"


def test_a_study_of_one_window_has_the_name_of_its_run_directory(tmp_path: Path) -> None:
    shown = views(study(tmp_path, ("2022-01-01",)))
    assert shown[""].tags["mlflow.runName"] == "carry-2022-01-01-0123456789ab"


def test_keys_compare_across_windows(tmp_path: Path) -> None:
    """The same keys in every window, the window as tag and step; the study has them all as one series."""
    shown = views(study(tmp_path))
    first, second = shown["/2022-01-01"], shown["/2022-04-01"]

    assert [{m.key for m in view.metrics} for view in (first, second)] == 2 * [{m.key for m in second.metrics}]
    assert [view.tags["cme.window"] for view in (first, second)] == list(DAYS)
    assert [view.tags["cme.h1"] for view in (first, second)] == 2 * ["cannot tell"]
    ratios = [(m.step, m.value) for m in shown[""].metrics if m.key == "h1/sharpe"]
    assert ratios == [(18993, 1.5), (19083, 2.5)]
    assert [m.value for m in shown["/2022-04-01/fold-01"].metrics] == [11.0]
    assert first.params == second.params == shown[""].params
    assert first.tags["cme.nonfinite.h1/psr"] == "nan"


def test_the_time_of_a_stage_is_a_metric(tmp_path: Path) -> None:
    """From its begin to the next: by the ticks of the journal, one an event."""
    shown = views(study(tmp_path))
    times = {(m.key, m.step): m.value for m in shown[""].metrics if m.key.startswith("stage_s/")}

    # data: the tag `window` follows; engine: tag, metric, then the stage `judged`.
    assert times["stage_s/data", 0] == 1.0
    assert times["stage_s/engine", 18993] == times["stage_s/engine", 19083] == 3.0
    # nine numbers, two folds, five words and the name, then what ends it
    assert times["stage_s/judged", 18993] == times["stage_s/judged", 19083] == 18.0
    assert {m.step for m in shown["/2022-04-01"].metrics if m.key.startswith("stage_s/")} == {19083}


def test_the_description_has_the_three_answers(tmp_path: Path) -> None:
    """Word, number, interval and claim; of two windows under their days."""
    shown = views(study(tmp_path))
    text = shown[""].tags["mlflow.note.content"]

    assert text.startswith("**Carry by the hour** (`cme run carry.toml`, exploratory)")
    assert text.index("- **2022-01-01**") < text.index("- **2022-04-01**")
    ratio = "H1 **cannot tell**: net Sharpe ratio 2.5 [-0.25, 3], claim > 1; p(N1) 0.125"
    assert ratio in text
    assert ratio in shown["/2022-04-01"].tags["mlflow.note.content"]
    assert "H2 **supported**: modelled net EV 4,256 USD a day, claim < 50,000" in text
    assert "H3 **refuted**: 1 of 7 constraints retained (C1)" in text


def test_a_description_is_as_long_as_a_tag_is_kept(tmp_path: Path) -> None:
    log = journal.start(tmp_path / UID, "s", "exploratory", "run x.toml", run_uid=UID)
    log.param("title", "x" * 9000)
    log.end(26)
    (view,) = tracked_runs(journal.read(log.path))
    assert len(view.tags["mlflow.note.content"]) == 8000
    assert view.tags["mlflow.runName"] == "s: run x.toml"


def test_a_window_that_has_its_results_is_finished_whatever_came_after(tmp_path: Path) -> None:
    """The second window was killed before its answers."""
    path = study(tmp_path, exit_code=None)
    log = path.read_bytes().splitlines(keepends=True)
    cut = next(n for n, line in enumerate(log) if b"run.2022_04_01" in line)
    path.write_bytes(b"".join(log[:cut]))
    shown = views(path)

    assert [shown[uid].status for uid in ("", "/2022-01-01", "/2022-04-01")] == ["KILLED", "FINISHED", "KILLED"]


def test_a_tag_that_is_no_day_begins_no_window(tmp_path: Path) -> None:
    log = journal.start(tmp_path / UID, "s", "exploratory", "run x.toml", run_uid=UID)
    for value in ("today", "20220101", "1969-12-31", "2022-02-30"):
        log.window(value)
    log.metric("fold/net_usd", 1.0, 10**15)
    log.end(0)
    assert journal.read(log.path).windows == ()


@pytest.fixture
def runs(tmp_path: Path, template: bytes) -> Path:
    (tmp_path / "mlflow.db").write_bytes(template)
    return tmp_path


def test_mlflow_draws_the_tree_and_syncing_again_changes_nothing(runs: Path) -> None:
    """Seven runs, each under its parent, as the audit reads them back; a second sync leaves every byte of them."""
    path = study(runs)
    mlflow_sync.sync(runs, [path], None)
    client = MlflowClient(tracking_uri=store_of(runs, None))
    experiment = client.get_experiment_by_name("cme/carry/exploratory").experiment_id
    stored = {run.data.tags["cme.run_uid"].removeprefix(UID): run for run in client.search_runs([experiment])}

    assert set(stored) == set(views(path))
    for uid, view in views(path).items():
        above = stored[view.parent_uid.removeprefix(UID)].info.run_id if view.parent_uid else None
        assert stored[uid].data.tags.get("mlflow.parentRunId") == above
        assert stored[uid].info.run_name == view.tags["mlflow.runName"]
    assert stored["/2022-01-01"].data.params["choices"] == "sha256:" + hashlib.sha256(b"x" * 600).hexdigest()
    (given,) = stored["/2022-01-01"].inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("carry", HASH[:36])
    assert HASH in given.dataset.source
    assert audit.audit(runs, None) == audit.Differences((), (), ())

    before = {uid: run.to_dictionary() for uid, run in stored.items()}
    mlflow_sync.sync(runs, [path], None)
    after = {run.data.tags["cme.run_uid"].removeprefix(UID): run for run in client.search_runs([experiment])}
    assert {uid: run.to_dictionary() for uid, run in after.items()} == before
    assert len(client.get_metric_history(stored[""].info.run_id, "fold/net_usd")) == 4


def test_a_window_that_is_deleted_or_changed_is_named_and_brought_back(runs: Path) -> None:
    """A fold deleted by hand, and a window moved out of its study."""
    path = study(runs)
    mlflow_sync.sync(runs, [path], None)
    client = MlflowClient(tracking_uri=store_of(runs, None))
    tree = mlflow_sync.tree_of(client, UID)
    client.delete_run(tree[f"{UID}/2022-01-01/fold-01"].info.run_id)
    (sentence,) = audit.audit(runs, None).differing
    assert "2022-01-01/fold-01 is deleted in MLflow" in sentence
    mlflow_sync.sync(runs, [path], None)
    client.set_tag(tree[f"{UID}/2022-04-01"].info.run_id, "mlflow.parentRunId", "elsewhere")
    (sentence,) = audit.audit(runs, None).differing
    assert "mlflow.parentRunId" in sentence
    mlflow_sync.sync(runs, [path], None)
    assert audit.audit(runs, None) == audit.Differences((), (), ())
