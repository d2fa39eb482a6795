"""Twin of quarantine.py: N2 of the signals that are left, and what it says beside the other rules.  [S1.5]"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.units import MICRO
from hypotheses.permutation_nulls import STREAM, n2, permutations, placed_signals
from hypotheses.records import PermutationNull, Proportion
from hypotheses.sensitivity import missing_days
from hypotheses.sensitivity.base import JudgedRun
from hypotheses.sensitivity.quarantine import leaning_on, n2_without
from tests.hypotheses.cases import DAILY_CHARGE, DAY0, stats
from tests.hypotheses.sensitivity.window import judged, trade
from tests.hypotheses.test_permutation_nulls import placements

BAD, GOOD = "deribit:BTC-PERPETUAL/ask", "binance:BTCUSDC/bid"
RULE = "signals at venues with quarantined quotes left out"


def window(folder: Path, *, good: float, bad: float, elsewhere: float = 0.0) -> JudgedRun:
    """A signal a day at a good venue and one at a bad one: USD each earns where it stood; elsewhere the bad one earns
    nothing on average, the good one ``elsewhere``.

    Quarantine kept a quote of BTC out at the bad venue.
    """
    rows, tables = [], []
    for name, here, there, book, seed in (("good", good, elsewhere, GOOD, 1), ("bad", bad, 0.0, BAD, 2)):
        _, found = placements(here, there, seed=seed)
        tables.append(found.placed.assign(signal_id=name + found.placed["signal_id"]))
        here_only = tables[-1][tables[-1]["shift_ns"] == 0]
        for ident, day, micro in zip(here_only["signal_id"], here_only["day"], here_only["usd_micro"], strict=True):
            rows.append(trade(ident, "C1", day - DAY0 + 0.25, micro / MICRO, rejected_why="", book=book))
    run = judged(folder, [{key: value for key, value in row.items() if key != "book"} for row in rows])
    book = {row["signal_id"]: row["book"] for row in rows}
    legs = [
        [{**leg[0], "book": book[name]}]
        for name, leg in zip(run.run.signals["signal_id"], run.run.signals["legs"], strict=True)
    ]
    none = pd.DataFrame({"signal_id": pd.Series([], dtype=object), "shift_ns": pd.Series([], dtype=np.int64)})
    moved = replace(placements(0.0, 0.0)[1], placed=pd.concat(tables, ignore_index=True), unplaced=none)
    data = replace(run.run, signals=run.run.signals.assign(legs=legs), placements=moved)
    few = stats(n2_draws=199, n2_extended=199)
    run = replace(run, run=data, registration=type(run.registration)(**{**vars(run.registration), "stats": few}))
    run.verdicts.h1.p_n2 = whole(run).p  # type: ignore[misc]
    counts = {"far_from_median": 2, "usable": 9}
    (folder / "quality.json").write_text(
        json.dumps({"rows": [{"underlying": "BTC", "venue": "deribit", "kind": "perp", "counts": counts}]})
    )
    return run


def whole(run: JudgedRun) -> PermutationNull:
    moves = placed_signals(run.run, run.registration.stats)
    assert moves is not None
    return n2(moves, np.full(90, DAILY_CHARGE), run.run.block, run.registration.stats, run.streams(STREAM))


def test_n2_without_some_signals_is_a_loop_over_the_draws_of_the_others(tmp_path: Path) -> None:
    """Each draw puts each signal that is left on the day its permutation names; ratio and mean in floats."""
    run = window(tmp_path, good=15.0, bad=400.0)
    found = n2_without(run, {name for name in run.run.signals["signal_id"] if name.startswith("bad")})
    placed = run.run.placements.placed  # type: ignore[union-attr]
    day_ns, length = 86_400 * 10**9, 90 * 86_400 * 10**9
    at = {(row.signal_id, row.shift_ns): (row.day - DAY0, row.usd_micro) for row in placed.itertuples()}

    def of_days(shift_days: list[int]) -> tuple[float, float]:
        daily = np.full(90, -float(DAILY_CHARGE))
        for source, days in enumerate(shift_days):
            day, micro = at[f"goods{source:02d}", days * day_ns % length]
            daily[day] += micro
        return float(daily.mean() / daily.std(ddof=1)), float(daily.sum())

    (observed, total), by_ratio, by_mean = of_days([0] * 90), 0, 0
    for draw in range(199):
        place = permutations(run.streams(STREAM), draw, 10, 9)
        ratio, drawn = of_days([int(place[d // 9, d % 9]) - d % 9 for d in range(90)])
        by_ratio += ratio >= observed - 1e-12 * abs(observed)
        # sums of whole micro-USD are exact in floats
        by_mean += drawn >= total

    assert found is not None
    assert found.p_ratio == Proportion(by_ratio + 1, 200)
    assert found.p == found.p_mean == Proportion(by_mean + 1, 200)
    assert float(found.sharpe) == pytest.approx(observed * np.sqrt(365), rel=1e-6)  # type: ignore[arg-type]
    assert found.p != whole(run).p


def test_where_the_edge_stands_at_the_bad_venue_n2_turns(tmp_path: Path) -> None:
    """What is left earns as much on other days: every other condition stays, N2 alone no longer rejects."""
    run = window(tmp_path, good=400.0, bad=400.0, elsewhere=400.0)
    assert leaning_on(run.run, {("BTC", "deribit")}) == {f"bads{day:02d}" for day in range(90)}
    part = missing_days.build(run)
    rows = {row["rule"]: row for row in part.tables[0].rows}

    assert rows["as registered"]["p_n2"] == pytest.approx(1 / 200)
    assert rows["days without data dropped"]["p_n2"] == pytest.approx(1 / 200)
    assert rows[RULE]["p_n2"] > 0.05
    assert rows[RULE]["sharpe"] > 1.0
    assert rows[RULE]["p_n1"] < 0.05
    assert rows[RULE]["conditions"] is False
    reached = round(rows[RULE]["p_n2"] * 200) - 1
    assert f"N2 drawn again without 90 of 180 signals: 199 draws, {reached} reach the observed series" in part.notes[-1]
    assert ", by the mean of a day; moves" in part.notes[-1]


def test_where_it_stands_at_the_good_one_it_stays(tmp_path: Path) -> None:
    """N2 rejects with and without; a window whose every signal leans on the bad venue has none left to move."""
    run = window(tmp_path, good=400.0, bad=300.0)
    rows = {row["rule"]: row for row in missing_days.build(run).tables[0].rows}
    assert rows[RULE]["p_n2"] == pytest.approx(1 / 200)
    assert rows[RULE]["conditions"] is True

    bad = run.run.signals["legs"].map(lambda all_: [{**all_[0], "book": BAD}])
    part = missing_days.build(replace(run, run=replace(run.run, signals=run.run.signals.assign(legs=bad))))
    row = {each["rule"]: each for each in part.tables[0].rows}[RULE]
    assert row["p_n2"] is None
    assert row["conditions"] is False
    assert part.notes[-1].endswith("no signal is left to move.")


def test_a_rule_that_takes_days_away_has_no_p_of_n2(tmp_path: Path) -> None:
    """N2 permutes the days of a fold: one that lost a day is another null, and none is stated."""
    run = window(tmp_path, good=400.0, bad=300.0)
    has_data = run.run.has_data.copy()
    has_data[4] = False
    rows = {
        row["rule"]: row
        for row in missing_days.build(replace(run, run=replace(run.run, has_data=has_data))).tables[0].rows
    }

    assert rows["days without data dropped"]["p_n2"] is None
    assert rows["as registered"]["p_n2"] is not None
