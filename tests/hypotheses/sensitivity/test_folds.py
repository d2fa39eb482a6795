"""Twins of split_audit.py, pruned.py and combinatorial.py, and the canary of statistics 2.6.9."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from backtest.folds.walk_forward import combinatorial, path_count, walk_forward
from backtest.records import Plan
from backtest.results.metrics import sharpe
from backtest.results.returns import daily_charge
from engine.exact.sums import returns
from engine.units import MICRO, NS_PER_DAY
from hypotheses.exposure import dislocations
from hypotheses.sensitivity import combinatorial as crossed
from hypotheses.sensitivity import pruned, split_audit
from hypotheses.sensitivity.labels import all_labels
from hypotheses.sensitivity.thresholds import AtThreshold
from tests.hypotheses.cases import DAY0, stats
from tests.hypotheses.sensitivity.window import PLAN, T0, busy, judged, trade

CANARY = Plan(t0_ns=0, t1_ns=900, history_ns=-90, folds=10, fold_ns=90, gap_ns=4, embargo_ns=4)


def canary(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return t0, t1, feature and outcome: each fold has a place and an outcome of its own, both pure chance.

    Labels inside a fold lie at its place and share its outcome.  Labels that begin in the fold before and end in it
    lie there too and already carry the outcome: they reveal it to whoever trains on them.
    """
    rng = np.random.default_rng(seed)
    place, outcome = rng.normal(0, 100, 10), rng.choice([-1.0, 1.0], 10)
    t0, t1, x, y = [], [], [], []
    for fold in range(10):
        for begin, end in [(fold * 90 + 10 * k, fold * 90 + 10 * k + 4) for k in range(8)] + [
            (fold * 90 - 20 - k, fold * 90 + 20 + k) for k in range(4)
        ]:
            t0.append(begin)
            t1.append(end)
            x.append(place[fold] + rng.normal(0, 0.01))
            y.append(outcome[fold])
    return np.array(t0), np.array(t1), np.array(x), np.array(y)


def gain(x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray, straddles: np.ndarray) -> list[float]:
    """Return what following the nearest training label earns on each test label that does not straddle itself."""
    inside = test[~straddles[test]]
    if not len(train):
        return []
    nearest = train[np.abs(x[inside][:, None] - x[train][None, :]).argmin(axis=1)]
    return [float(v) for v in (y[nearest] * y[inside])[:1]]  # one a fold: the others repeat it


@pytest.mark.parametrize("purged", [True, False])
def test_a_nearest_neighbour_gains_only_where_the_purge_is_off(purged: bool) -> None:
    """Statistics 2.6.9, walk-forward.  The hook: labels are split as if they ended when they begin."""
    earned = []
    for seed in range(40):
        t0, t1, x, y = canary(seed)
        straddles = t0 // 90 != t1 // 90
        for fold in walk_forward(t0, t1 if purged else t0, CANARY):
            earned += gain(x, y, fold.train, fold.test, straddles)

    assert len(earned) >= 350
    if purged:
        assert abs(np.mean(earned)) < 3 / np.sqrt(len(earned))
    else:
        assert np.mean(earned) > 0.99


@pytest.mark.parametrize("purged", [True, False])
def test_crossed_folds_hide_the_future_and_the_past_alike(purged: bool) -> None:
    """The same canary over 45 splits: labels that straddle either edge of a tested fold are purged."""
    earned = []
    for seed in range(12):
        t0, t1, x, y = canary(seed)
        straddles = t0 // 90 != t1 // 90
        for split in combinatorial(t0, t1 if purged else t0, CANARY):
            for group in split.groups:
                own = split.test[t0[split.test] // 90 == group]
                earned += gain(x, y, split.train, own, straddles)

    assert abs(np.mean(earned)) < 0.3 if purged else np.mean(earned) > 0.7


def test_the_audit_counts_what_a_slow_loop_counts(tmp_path: Path) -> None:
    """Train, test and purged labels by the letter of the rule; a label held over a fold's start is purged from it."""
    rows = [trade(f"a{day}", "C1", day + 0.5, 10.0, days=1 + day % 4) for day in range(-20, 80)]
    rows.append(trade("open", "C1", 40.0, 10.0, days=50, forced=True))
    found = split_audit.build(judged(tmp_path, rows)).tables[0].rows

    for fold, row in enumerate(found):
        start = T0 + fold * PLAN.fold_ns
        ends = {r["signal_id"]: 2**63 - 1 if r["forced"] else r["exit_ns"] for r in rows}
        train = [r for r in rows if ends[r["signal_id"]] < start - NS_PER_DAY]
        before = [r for r in rows if r["t_ns"] < start]
        assert row["train"] == len(train)
        assert row["test"] == sum(start <= r["t_ns"] < start + PLAN.fold_ns for r in rows)
        assert row["purged"] == len(before) - len(train)
        assert row["straddling"] == sum(ends[r["signal_id"]] >= start for r in before)
        assert row["holds"]
        assert row["agrees"]
        assert row["distance_h"] is None or row["distance_h"] > row["gap_h"] == 24.0


def test_a_fold_keeps_what_its_own_past_earned(tmp_path: Path) -> None:
    """A sleeve that loses in training is out, one with too few trades is too; the pruned series lacks their trades."""
    rows = [row for row in busy(mean={"C4": -90.0}) if row["constraint"] != "C7" or row["t_ns"] > T0 + 80 * NS_PER_DAY]
    run = judged(tmp_path, rows)

    portfolios, folds = pruned.build(run).tables

    for row in folds.rows:
        assert [row[code] for code in ("C1", "C4", "C7")] == ["kept", "out", "too little"]
        assert row["kept"] == 5
    inside = [r for r in rows if r["t_ns"] >= T0]
    expected = sum(r["net_usd_micro"] for r in inside if r["constraint"] not in ("C4", "C7")) / MICRO
    assert portfolios.rows[1]["trading"] == pytest.approx(expected)
    assert portfolios.rows[0]["trading"] == pytest.approx(sum(r["net_usd_micro"] for r in inside) / MICRO)


def test_many_signals_of_one_dislocation_do_not_meet_the_floor_of_a_fold() -> None:
    """Thirty dislocations are enough, thirty trades in fifteen of them are not."""
    hour = np.array([0.0, 0.5])
    rows = [trade(f"{day}-{h}", "C1", day + h / 24, 1.0) for day in range(15) for h in hour]
    apart = [{**row, "t_ns": row["t_ns"] + (n % 2) * NS_PER_DAY // 2} for n, row in enumerate(rows)]
    profit = np.ones(90, dtype=np.int64)

    def enough(given: list[dict]) -> bool:
        return pruned._enough(profit, dislocations(pd.DataFrame(given))["C1"], PLAN, stats())

    assert len(rows) == 30
    assert not enough(rows)
    assert enough(apart)


@pytest.mark.parametrize("fold", [0, 4, 9])
def test_what_a_fold_keeps_knows_nothing_from_a_gap_before_it(tmp_path: Path, fold: int) -> None:
    """Statistics 2.6.8 for the nested choice: other outcomes from start - gap on change nothing, earlier ones do."""
    rows = busy()
    cut = PLAN.t0_ns + fold * PLAN.fold_ns - PLAN.gap_ns

    def kept(changed: list[dict]) -> dict[str, str]:
        run = judged(tmp_path, changed)
        labels = all_labels(run.folder, run.run.trades)
        folds = walk_forward(labels["t0"].to_numpy(), labels["t1"].to_numpy(), PLAN)
        return pruned.kept_by(run, folds[fold], labels)

    late = [{**r, "net_usd_micro": -r["net_usd_micro"]} if r["exit_ns"] >= cut else r for r in rows]
    early = [{**r, "net_usd_micro": -r["net_usd_micro"]} if r["exit_ns"] < cut else r for r in rows]

    assert set(kept(rows).values()) == {"kept"}
    assert kept(late) == kept(rows)
    assert set(kept(early).values()) == {"out"}


def at(z: float, nets: dict[int, float]) -> AtThreshold:
    """Return C5's trades at one threshold: one a day, its net by day."""
    trades = []
    for day, net in nets.items():
        start = T0 + day * NS_PER_DAY
        position = SimpleNamespace(
            signal=SimpleNamespace(t_ns=start + 1), exit_ns=start + NS_PER_DAY // 2, forced=False
        )
        trades.append(SimpleNamespace(position=position, rejected="", accruals={DAY0 + day: round(net * MICRO)}))
    return AtThreshold(z, tuple(trades))  # type: ignore[arg-type]


def test_a_split_chooses_the_threshold_that_earned_in_its_training_folds(tmp_path: Path) -> None:
    """2.0 earns in folds 0 and 1 only, 1.5 a little everywhere: the split that tests 0 and 1 cannot see the first."""
    rng = np.random.default_rng(1)
    run = judged(tmp_path, busy(start=0))
    wide = at(2.0, {day: (4_000.0 if day < 18 else -40.0) + rng.normal(0, 9) for day in range(90)})
    steady = at(1.5, {day: 30.0 + rng.normal(0, 9) for day in range(90)})
    few = at(3.0, dict.fromkeys(range(0, 90, 10), 9_000.0))

    chosen, splits = crossed.choices([steady, wide, few], run.run, PLAN, run.registration.params)

    by_groups = dict(zip((split.groups for split in splits), chosen, strict=True))
    assert len(chosen) == 45
    assert by_groups[0, 1] == 1.5
    assert 3.0 not in chosen  # nine trades are fewer than ten
    assert crossed.choices([few], run.run, PLAN, run.registration.params)[0] == [2.0] * 45  # the registered default


def test_paths_take_each_fold_s_trades_from_the_split_that_tests_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine paths; each is the other six sleeves and C5 at the thresholds shown, recomputed by hand."""
    rng = np.random.default_rng(2)
    found = [at(z, {day: rng.normal(20.0, 90.0) for day in range(0, 90, step)}) for z, step in ((1.5, 1), (2.0, 2))]
    monkeypatch.setattr(crossed, "at_thresholds", lambda *_: tuple(found))
    run = judged(tmp_path, busy(start=0), data=tmp_path)

    part = crossed.build(run)

    rows = part.tables[0].rows
    assert len(rows) == path_count(10, 2) == 9
    others = sum(sleeve.x for sleeve in run.run.sleeves if sleeve.code != "C5")
    charge, capital = daily_charge(run.registration.params)["C5"], run.run.portfolio.capital_micro
    for row in rows:
        c5 = np.full(90, -charge)
        for fold, z in enumerate(row["thresholds"].split()):
            for one in next(each for each in found if each.z == float(z)).trades:
                if (one.position.signal.t_ns - T0) // PLAN.fold_ns == fold:
                    ((day, micro),) = one.accruals.items()
                    c5[day - DAY0] += micro
        expected = sharpe(returns(others + c5, Fraction(capital)))
        assert expected is not None
        assert row["portfolio"] == pytest.approx(float(expected), abs=1e-9)
    assert "overfitting" in part.notes[1]


def test_without_the_market_or_a_curve_the_paths_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No number is invented where the data set was not asked for, or no threshold was ever chosen."""
    run = judged(tmp_path, busy(start=0))
    assert crossed.build(run).tables == ()
    monkeypatch.setattr(crossed, "at_thresholds", lambda *_: ())
    assert "not evaluable" in crossed.build(judged(tmp_path, busy(start=0), data=tmp_path)).notes[0]
