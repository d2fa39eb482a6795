"""Rare losses through the engine: mean zero, a loss of L, words that no other cell uses.  [spec README]"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hypotheses.calibration import market, rare_loss_market, run
from hypotheses.calibration.rare_loss_cells import MARGIN
from hypotheses.calibration.rare_loss_market import ENTRY, FIRST, LIFE_H, MULTIPLES, SPACING, gain_bps, gap_bps
from tests.hypotheses.calibration.test_certificate import CONFIG
from tests.hypotheses.calibration.test_drawn import SEEDS

STRESS_BPS = 450.0


@pytest.mark.parametrize("multiple", MULTIPLES)
def test_a_plant_earns_a_steady_gain_or_loses_so_many_joint_losses_and_nothing_in_the_mean(multiple: float) -> None:
    """Against the family without edge on the same words: the gap at entry is the plant's, its move one of two."""
    days, r = 4_000, 3
    free = market.gap_bps(SEEDS, "free", FIRST + SPACING * MULTIPLES.index(multiple) + r, days)
    planted = gap_bps(SEEDS, multiple, r, days, STRESS_BPS) - free
    fires = planted[:, ENTRY] != 0.0
    assert 0.78 < fires.mean() < 0.82
    assert np.allclose(np.abs(planted[fires, ENTRY]), 250.0)
    assert not planted[:, :ENTRY].any()
    assert not planted[:, ENTRY + LIFE_H + 1 :].any()
    held = planted[fires, ENTRY : ENTRY + LIFE_H + 1]
    assert np.ptp(held[:, 1:], axis=1).max() < 1e-9  # once, an hour after entry, to the horizon
    earned = np.sign(held[:, 0]) * (held[:, 0] - held[:, 1])
    gain, loss = gain_bps(multiple, STRESS_BPS), multiple * STRESS_BPS
    assert set(np.round(earned, 6)) == {round(gain, 6), round(-loss, 6)}
    share = 3.0 * MARGIN / (90 * multiple) / 0.8
    assert abs(float((1.0 - share) * gain - share * loss)) < 1e-9
    assert abs((earned < 0).mean() - share) < 4.0 * np.sqrt(share / fires.sum())


def test_a_window_without_a_loss_just_earns_more_than_three() -> None:
    """72 plants a window: the condition on the result is met by a seventh, no more."""
    assert [round(72 * gain_bps(multiple, STRESS_BPS) / STRESS_BPS, 2) for multiple in MULTIPLES] == [3.45, 3.29]


def test_its_words_are_those_of_no_other_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred of both cells and two thousand of each family share no replicate, and the lock lists them."""
    monkeypatch.setattr(market, "Draw", lambda _seeds, _stream, replicate: replicate)
    families = [market.draws(SEEDS, name, r, "paths") for name in market.FAMILIES for r in range(2_000)]
    here = [market.draws(SEEDS, "free", FIRST + SPACING * k + r, "paths") for k in range(2) for r in range(200)]
    assert len({*families, *here}) == 6_400
    assert max(here) < 750_000  # where the market of all constraints begins


@pytest.mark.slow
def test_one_market_goes_through_the_engine(tmp_path: Path) -> None:
    """A trade a plant; a loss is one L to a twentieth, a gain the law's to the noise of the walk."""
    context = run._context(run.Job(CONFIG, True, tmp_path, None))
    found = rare_loss_market.measures(context, 1.0, 0)
    day = np.asarray(found["in_losses"])
    planted = market.draws(SEEDS, "free", FIRST + SPACING, "plants/C1").uniforms(91, 5)[1:]
    fires, loses = planted[:, 0] < market.PLANTED, planted[:, 4] < 0.035 / market.PLANTED

    assert int(found["trades"]) == fires.sum()
    assert np.abs(day[fires & loses] + 1.0).max() < 0.1
    steady = day[fires & ~loses]
    assert abs(steady.mean() - gain_bps(1.0, STRESS_BPS) / STRESS_BPS) < 4.0 * steady.std() / np.sqrt(len(steady))
    assert not day[~fires].any()
