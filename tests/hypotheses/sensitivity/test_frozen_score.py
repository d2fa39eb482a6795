"""Twin of frozen_score.py: two readings of one score, against a loop with the standard library.  [R9.5]"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from statistics import correlation, mean, stdev

import numpy as np
import pyarrow.parquet as pq
import pytest

from backtest.data.panels import reader
from backtest.results.curves import NAME, curves_table, read_curves
from engine.constraints.curve_package import curve_package
from engine.market.view import prepare
from engine.params import CurveFit
from engine.records import CurveHistory, Kind
from engine.units import NS_PER_DAY
from hypotheses.sensitivity import frozen_score
from hypotheses.sensitivity.base import JudgedRun
from tests.helpers.builders import params
from tests.helpers.small_run import Tiny
from tests.hypotheses.cases import DAY0
from tests.hypotheses.sensitivity.window import busy, judged

TENORS = (7.0, 30.0, 60.0, 90.0, 180.0)
FLY = (-0.5, 0.0, 0.7, 0.0, -0.5)
FIT = CurveFit(
    0, True, "", TENORS, (0.1,) * 5, ((0.4,) * 5, (-0.6, -0.3, 0.0, 0.3, 0.6), FLY), (0.7, 0.2, 0.1), 2.0, 0.0, 0.01
)


def run_with(folder: Path, belly: np.ndarray, *fits: CurveFit) -> JudgedRun:
    """A window with 90 days of history whose curve is flat but for its belly, one value a day; one fit a fold."""
    curve = np.full((180, 5), 0.1)
    curve[:, 2] += belly
    run = judged(folder, busy(start=0))
    history = {"BTC": CurveHistory(np.arange(DAY0 - 90, DAY0 + 90), curve)}
    pq.write_table(curves_table(history, params()), folder / NAME)
    folds = [{"fold": n, "curve": {"BTC": asdict(fit)}} for n, fit in enumerate(fits)]
    (folder / "folds.json").write_text(json.dumps({"folds": folds}).replace("NaN", "null"))
    return run


def rows_of(run: JudgedRun) -> dict[str, dict]:
    return {row["fold"]: row for row in frozen_score.build(run).tables[0].rows}


def test_both_scores_are_what_a_loop_over_days_gives(tmp_path: Path) -> None:
    """Rolling: mean and deviation of the 60 scores before the day; frozen: the fit's constants; counted by hand."""
    belly = np.random.default_rng(5).normal(0.0, 0.012, 180)
    belly[100:] += 0.01
    run = run_with(tmp_path, belly, *[replace(FIT, z_threshold=1.0 + 0.1 * n) for n in range(10)])
    found = rows_of(run)
    score = [0.7 * value for value in belly.tolist()]

    everything = []
    for fold in range(10):
        days = []
        for at in range(90 + 9 * fold, 99 + 9 * fold):
            past = score[at - 60 : at]
            days.append(((score[at] - mean(past)) / stdev(past), score[at] / 0.01))
        limit, row = 1.0 + 0.1 * fold, found[str(fold)]
        sides = [tuple(0 if abs(z) < limit else 1 if z > 0 else -1 for z in pair) for pair in days]
        assert row["days"] == 9
        assert row["rolling"] == sum(a != 0 for a, _ in sides)
        assert row["frozen"] == sum(b != 0 for _, b in sides)
        assert row["both"] == sum(a == b != 0 for a, b in sides)
        assert row["agree"] == pytest.approx(mean(a == b for a, b in sides))
        assert row["sign"] == pytest.approx(mean((a > 0) == (b > 0) for a, b in days))
        assert row["correlation"] == pytest.approx(correlation(*zip(*days, strict=True)), abs=1e-6)
        everything += days
    assert found["all"]["days"] == 90
    assert found["all"]["rolling"] == sum(found[str(n)]["rolling"] for n in range(10))
    assert found["all"]["correlation"] == pytest.approx(correlation(*zip(*everything, strict=True)), abs=1e-6)
    assert 0 < found["all"]["both"] < found["all"]["frozen"]


def test_a_lasting_move_stops_firing_where_the_mean_follows(tmp_path: Path) -> None:
    """The belly moves up for good on day 9: the frozen score fires on every later day, the rolling one stops."""
    belly = np.random.default_rng(6).normal(0.0, 0.004, 180)
    belly[99:] += 0.06
    found = rows_of(run_with(tmp_path, belly, *[FIT] * 10))

    assert [found[str(n)]["frozen"] for n in range(10)] == [0] + [9] * 9
    assert found["1"]["rolling"] > 3
    assert [found[str(n)]["rolling"] for n in range(4, 8)] == [0] * 4
    assert found["9"]["agree"] == 0.0


def test_what_cannot_be_scored_says_why(tmp_path: Path) -> None:
    """An unidentified fold has its reason; without a curve or a file there is a sentence, and no number."""
    blind = replace(FIT, identified=False, reason="12 curves, 60 needed", train_sd=float("nan"))
    run = run_with(tmp_path, np.zeros(180), blind)
    row = rows_of(run)["0"]
    assert (row["note"], row["rolling"], row["correlation"]) == ("12 curves, 60 needed", None, None)

    pq.write_table(curves_table({}, params()), tmp_path / NAME)
    assert frozen_score.build(run).notes[0].startswith("not evaluable")
    (tmp_path / NAME).unlink()
    assert frozen_score.build(run).notes[0].startswith("not computed")


def test_a_short_past_fires_on_frozen_constants_only(tmp_path: Path) -> None:
    """With fewer than 25 curves before a day the rolling score is unknown: it does not fire and is not correlated."""
    run = run_with(tmp_path, np.where(np.arange(180) % 2 == 0, 0.05, -0.05), *[FIT] * 10)
    table = pq.read_table(tmp_path / NAME).to_pandas()
    table[table["day"] >= DAY0].to_parquet(tmp_path / NAME)
    found = rows_of(run)

    assert (found["0"]["rolling"], found["0"]["frozen"], found["0"]["correlation"]) == (0, 9, None)
    assert found["9"]["correlation"] is not None


def test_the_rolling_score_of_a_run_is_the_engine_s(tiny: Tiny) -> None:
    """At 00:00 of each day of the window z is what the engine's own scan of that day's market gives, to nine places."""
    plan, codes = tiny.run.plan, np.flatnonzero(tiny.dataset.instruments.kind != Kind.OPTION).tolist()
    curves = read_curves(tiny.folder)
    registered = tiny.registration.params.underlyings["BTC"].curve
    assert curves is not None
    assert registered is not None
    panels = reader.panels(
        tiny.dataset, "BTC", plan.t0_ns, plan.t1_ns, codes=codes, funding_average_ns=registered.perp_average_ns
    )
    compared = 0
    for panel in panels:
        day, view = int(panel.times_ns[0]) // NS_PER_DAY, prepare(panel, tiny.registration.params, curves["BTC"])
        fit = tiny.run.fitted[(int(panel.times_ns[0]) - plan.t0_ns) // plan.fold_ns].curve["BTC"]
        if day in curves["BTC"].day:
            found = frozen_score.scored(curves["BTC"], fit, registered, [day])
            assert found.rolling[0] == curve_package(view, replace(fit, z_threshold=0.0)).z[0]
            compared += 1
    assert compared >= 8
