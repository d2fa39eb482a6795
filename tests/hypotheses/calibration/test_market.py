"""The small market: its law, and one replication of it through the engine.  [S9.1, S2.8]"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hypotheses.calibration import engine_cells, market, run, verdict_cells
from hypotheses.calibration.all_constraints import offset
from hypotheses.calibration.market import FIRST_HOUR, LAWS, gap_bps
from tests.hypotheses.calibration.test_drawn import SEEDS

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "calibration" / "registered.toml"


def test_the_walk_begins_anew_when_nobody_holds() -> None:
    """At 01:00 the gap is a first step and perhaps a plant; after it the steps have the deviation they claim."""
    gap = gap_bps(SEEDS, "free", 0, 400)
    planted = np.abs(gap[:, FIRST_HOUR]) > 100
    first = np.where(planted, np.abs(gap[:, FIRST_HOUR]) - 250.0, gap[:, FIRST_HOUR])
    assert abs(first.std() - market.WALK_BPS) < 1.0
    assert np.abs(first).max() < 5 * market.WALK_BPS
    assert 0.7 < planted.mean() < 0.9
    quiet = gap[:, FIRST_HOUR + market.PERSISTENCE :]
    assert abs(np.diff(quiet, axis=1).std() - market.WALK_BPS) < 0.2
    assert np.abs(quiet).max() < 130  # never near the threshold and its costs


def test_a_plant_without_edge_is_gone_before_entry_and_one_with_an_edge_is_not() -> None:
    """Entry is at 03:00: nothing planted then, or the whole gap; it ends by 08:00, the longest life."""
    entry = FIRST_HOUR + market.PERSISTENCE
    assert np.abs(gap_bps(SEEDS, "costly", 1, 200)[:, entry]).max() < 60
    gap = gap_bps(SEEDS, "informative", 1, 200)
    fires = np.abs(gap[:, FIRST_HOUR]) > 100
    assert (np.abs(gap[fires, entry]) > 100).all()
    assert np.abs(gap[:, 8:]).max() < 130
    widened = np.abs(gap).max(axis=1) > 500
    assert 0.05 < widened[fires].mean() < 0.25


def test_families_and_replications_have_words_of_their_own() -> None:
    """No two share a stream's replicate; beyond the last a replication is refused; seven's stand apart."""
    assert len({gap_bps(SEEDS, family, r, 1).tobytes() for family in LAWS for r in range(5)}) == 15
    with pytest.raises(ValueError, match=r"\[0, 250000\)"):
        market.draws(SEEDS, "free", 250_000, "paths")
    mine = offset(SEEDS, 0, "calibrate/market/BTC/paths", 0).random_raw(4)
    assert np.array_equal(mine, SEEDS.generator("calibrate/market/BTC/paths", 750_000).random_raw(4))


def test_no_two_replications_of_the_families_share_a_replicate(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first 250 of a family are a thousand apart, as they always were; two thousand of each are all different."""
    monkeypatch.setattr(market, "Draw", lambda _seeds, _stream, replicate: replicate)
    of = {name: [market.draws(SEEDS, name, r, "paths") for r in range(2_000)] for name in market.FAMILIES}

    assert [replicates[:250] for replicates in of.values()] == [
        [1_000 * (250 * family + r) for r in range(250)] for family in range(3)
    ]
    drawn = [replicate for replicates in of.values() for replicate in replicates]
    assert len(set(drawn)) == 6_000
    assert max(drawn) < SEEDS.replicates["calibrate/market/BTC/paths"]


@pytest.mark.slow
def test_every_plant_fires_and_a_free_signal_earns_nothing_anywhere(tmp_path: Path) -> None:
    """Through the engine: as many trades as plants, no move unpriced, own and moved profit of one law around zero."""
    context = run._context(run.Job(CONFIG, True, tmp_path, None))
    data, registration = engine_cells.market_run(context, "free", 0)
    kept = engine_cells.kept(data, registration)
    planted = market.draws(SEEDS, "free", 0, "plants/C1").uniforms(91, 5)[1:, 0] < market.PLANTED

    assert int(kept["trades"]) == planted.sum()
    assert kept["missing"][:, 0].tolist() == [0, 0]
    assert np.array_equal(kept["observed"], kept["profit"])
    assert not kept["charge"].any()
    trade = kept["observed"][planted] / 1e6
    moved = kept["shifted"].sum(axis=1) / 1e6 / planted.sum()
    assert abs(trade.mean()) < 4 * trade.std() / np.sqrt(len(trade))
    assert abs(moved.mean()) < 1.0
    found = verdict_cells.judge(context, kept, registration.plan, np.zeros(90, dtype=np.int64))
    both = {"n2_ratio", "n2_mean"}
    assert set(found) == {"n1", "n2", "n3", "supported", "robust", "retained", "retained/of"} | both
    assert found["retained/of"] == 1
