"""Order flow, anomalies and changes of regime: each where the answer is known.  [covenants 8.3, 10, 15.5]"""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backtest.simulation import covenant_anomaly as anomaly
from backtest.simulation import covenant_breaks as breaks
from backtest.simulation import covenant_flow as flow
from engine.covenants.measures import measure
from engine.covenants.parameter_engine import Training
from engine.errors import DataError
from engine.units import NS_PER_SECOND

ROOT_TEXT = "root"


def test_flow_that_announces_moves_lowers_the_loss_and_flow_that_knows_nothing_gets_no_weight() -> None:
    found = flow.synthetic_flow(ROOT_TEXT, days=30)

    assert found["planted"]["weight"] > 0
    assert found["planted"]["gain_share"] > 0.03
    assert found["moved by a day"] == found["moved by a day"] | {"weight": 0.0, "gain_share": 0.0}
    assert found["planted"]["loss_without"] == found["moved by a day"]["loss_without"]


def test_the_form_without_flow_is_its_score_of_zero() -> None:
    t_ns, a, b = breaks.changed_pair(ROOT_TEXT, 0, "none")
    m = measure(t_ns, a, b, breaks.PLAN)
    form = flow.FlowForm(breaks.PLAN, 2)
    nothing = np.zeros(t_ns.size)
    quiet = form.revise(m, nothing, form.fit(Training(m, nothing)))
    score = np.full(t_ns.size, 3.0)
    loud = replace(form.fit(Training(m, nothing)), model=0.1)
    known = np.isfinite(quiet.band_pp)

    assert np.isnan(m.flow).all()
    assert form.revise(replace(m, flow=score), nothing, loud).band_pp[known] == pytest.approx(
        quiet.band_pp[known] * 1.3
    )
    assert form.revise(replace(m, flow=1e9 * score), nothing, loud).band_pp[known] == pytest.approx(
        quiet.band_pp[known] * 1.8
    )


def test_best_quotes_are_read_and_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "book.gz"
    quotes = [(1, "100", "2", "102", "3"), (2, "101", "2", "102", "3")]
    lines = [
        f"{t} {json.dumps({'stream': 'x@bookTicker', 'data': {'b': b, 'B': q, 'a': a, 'A': r}})}"
        for t, b, q, a, r in quotes
    ]
    write(path, [*lines, '3 {"stream":"x@trade"}'])
    found = flow.best_quotes(path)
    assert found.t_ns.tolist() == [1, 2]
    assert found.mid.tolist() == [101.0, 101.5]
    assert found.imbalance.tolist() == [0.0, 2.0]

    write(path, [lines[0], '7 {"stream":"x@bookTicker","data":{"b":"?"}}'])
    with pytest.raises(DataError, match=r"book.gz: line 2: expected a best quote, was: ValueError"):
        flow.best_quotes(path)
    write(path, ['3 {"stream":"x@trade"}'])
    with pytest.raises(DataError, match=r"expected messages of best quotes .*, was none"):
        flow.best_quotes(path)
    path.write_bytes(b"no gzip")
    with pytest.raises(DataError, match="expected a gzip file of messages"):
        flow.best_quotes(path)


def test_two_books_without_a_common_time_are_refused(tmp_path: Path) -> None:
    files = []
    for name, begin in (("a", 0), ("b", 10**6)):
        path = tmp_path / name
        quote = {"stream": "x@bookTicker", "data": {"b": "1", "B": "1", "a": "2", "A": "1"}}
        write(path, [f"{(begin + s) * NS_PER_SECOND} {json.dumps(quote)}" for s in range(300)])
        files.append(path)
    with pytest.raises(DataError, match="expected 240 s of both books"):
        flow.book_flow((files[0], files[1]))


def write(path: Path, lines: list[str]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write("\n".join(lines) + "\n")


def test_the_asset_that_leaves_the_others_has_the_largest_score() -> None:
    """Still prices but for a small noise; asset 3 jumps by 10%: its score is far above, the others' is not."""
    rng = np.random.Generator(np.random.PCG64(4))
    prices = 100.0 * np.exp(0.001 * rng.normal(size=(400, 5)))
    prices[300:, 3] *= 1.1
    scores = anomaly.asset_scores(prices, 24.0, 100)

    assert anomaly.flags(scores, 20.0)[300] == 3
    assert (anomaly.flags(scores, 20.0)[:300] == -1).all()
    assert (np.delete(scores[300], 3) < 6).all()
    assert scores[299].tolist() == anomaly.asset_scores(prices[:300], 24.0, 100)[299].tolist()


def test_precision_and_recall_are_counted_by_hand() -> None:
    market = anomaly.Planted(np.zeros((20, 3)), np.array([5, 12]), np.array([1, 2]))
    scores = np.zeros((20, 3))
    scores[6:8, 1] = 9.0  # one alarm, of the asset that broke, an hour after
    scores[12, 0] = 9.0  # at the second break, of another asset
    scores[17, 2] = 9.0  # of the right asset, too late
    found = anomaly.detection(market, scores, 5.0)

    assert found == {"alarms": 3.0, "precision": 1 / 3, "recall": 0.5, "false_a_day": 2 / anomaly.DAYS}


def test_a_larger_break_is_found_more_often() -> None:
    found = anomaly.anomalies(ROOT_TEXT)
    recall = [found[f"{size} pp, z 4"]["recall"] for size in (5, 10, 15)]

    assert recall == sorted(recall)
    assert recall[-1] > 0.7 > 0.4 > recall[0]
    assert np.isnan(found["0 pp, z 4"]["recall"])


def test_a_change_begins_on_its_day_and_nothing_differs_before() -> None:
    change = breaks.CHANGE_D * 96
    _, a, b = breaks.changed_pair(ROOT_TEXT, 1, "none")
    for name in ("volatility", "correlation", "level"):
        _, c, d = breaks.changed_pair(ROOT_TEXT, 1, name)
        assert np.array_equal(a[:change], c[:change])
        assert np.array_equal(b[:change], d[:change])
        assert not np.array_equal(a[change:], c[change:])
    _, c, d = breaks.changed_pair(ROOT_TEXT, 1, "level")
    assert (c / a)[change:] == pytest.approx(np.full(a.size - change, 1.03))
    moves = [np.diff(np.log(x))[change:] for x in breaks.changed_pair(ROOT_TEXT, 1, "correlation")[1:]]
    assert float(np.corrcoef(*moves)[0, 1]) == pytest.approx(0.3, abs=0.1)


def test_monitors_see_a_change_and_its_score_is_counted_from_it() -> None:
    alarms = np.zeros(breaks.DAYS * 96, bool)
    alarms[[26 * 96, 27 * 96, breaks.CHANGE_D * 96 + 3]] = True
    assert breaks._score("x", alarms, 1) == {"x_delay_min": 60.0, "x_false_a_day": 2 / 5}
    assert breaks._score("x", np.zeros(breaks.DAYS * 96, bool), 1)["x_delay_min"] == float("inf")

    found = breaks.regime_changes(ROOT_TEXT, 3)
    assert set(found) == {"none", "volatility", "correlation", "level"}
    assert found["correlation"]["above_after_regime"] > found["none"]["above_after_regime"] + 0.1
    assert found["none"]["above_before_regime"] == found["volatility"]["above_before_regime"]
