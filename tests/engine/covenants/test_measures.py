"""Measures of a pair: causality, readings, symmetry, bad input.  [covenants 1, 2, 11]"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.covenants.checks import check_pair
from engine.covenants.measures import measure
from engine.covenants.parameter_engine import ClosedForm, Training, blocks, unscaled_band
from engine.covenants.parameters import Parameters
from engine.covenants.spread import mirrored_pp, spread_log_pp, spread_pp
from engine.covenants.spread_band import onsets
from engine.errors import DataError, UsageError
from tests.engine.covenants.pair import closes

FULL = Parameters(alpha_rule="u_shaped", beta_rule="regime", reading="principled", sigma_window_d=1.0)


@pytest.mark.parametrize("cut", [3000, 4321, 5999])
def test_what_follows_changes_nothing(cut: int) -> None:
    t_ns, a, b = closes(6000)
    whole, part = measure(t_ns, a, b, FULL), measure(t_ns[:cut], a[:cut], b[:cut], FULL)
    poisoned = measure(t_ns, np.append(a[:cut], a[cut:] * 3), np.append(b[:cut], np.full(6000 - cut, np.nan)), FULL)

    for name in whole.__dataclass_fields__:
        full = getattr(whole, name)[:cut]
        assert np.array_equal(full, getattr(part, name), equal_nan=name != "decorrelated"), name
        assert np.array_equal(full, getattr(poisoned, name)[:cut], equal_nan=name != "decorrelated"), name


@pytest.mark.parametrize("name", ["sigma", "rho", "volatility", "alpha", "beta", "rms"])
def test_every_measure_but_the_spread_leaves_its_own_bar_out(name: str) -> None:
    t_ns, a, b = closes(6000)
    a2 = a.copy()
    a2[-1] *= 1.5
    one, two = measure(t_ns, a, b, FULL), measure(t_ns, a2, b, FULL)

    assert getattr(one, name)[-1] == getattr(two, name)[-1]
    assert one.spread[-1] != two.spread[-1]


def test_sigma_against_a_plain_loop() -> None:
    p = Parameters(sigma_window_d=1.0)
    t_ns, a, b = closes(4000)
    m = measure(t_ns, a, b, p)

    for t in (3000, 3999):
        assert m.sigma[t] == pytest.approx(np.std(m.spread[t - 1440 : t], ddof=1), rel=1e-9)
    assert np.isnan(m.sigma[: 2 * 1440 - 1]).all()


def test_correlation_is_of_five_minute_returns() -> None:
    t_ns, a, b = closes(4000)
    m = measure(t_ns, a, b, Parameters())
    ends = np.flatnonzero(t_ns % 300_000_000_000 == 0)
    t = 3500
    used = ends[ends < t][-289:]
    r_a, r_b = np.diff(np.log(a[used])), np.diff(np.log(b[used]))

    assert m.rho[t] == pytest.approx(np.corrcoef(r_a, r_b)[0, 1], rel=1e-9)


def test_spread_by_the_printed_recursion() -> None:
    _, a, b = closes(500)
    found, anchors = spread_pp(a, b, 100.0)
    m = np.log(a[0] / b[0])
    keep = 2 ** (-1 / 100)
    for t in range(500):
        z = np.log(a[t] / b[t])
        assert found[t] == pytest.approx(100 * (np.exp(z - m) - 1), abs=1e-9)
        m = keep * m + (1 - keep) * z
    mirrored, _ = spread_pp(b, a, 100.0)
    assert mirrored == pytest.approx(mirrored_pp(found), abs=1e-9)
    assert spread_log_pp(a, b, anchors) == pytest.approx(100 * np.abs(np.log(1 + found / 100)), abs=1e-9)


def test_a_new_hedge_ratio_moves_no_spread() -> None:
    _, a, b = closes(400)
    b[200] = b[199]
    a[200] = a[199]
    hedge = np.where(np.arange(400) < 200, 1.0, 1.4)
    found, _ = spread_pp(a, b, 1e12, hedge)  # an anchor that does not move by itself

    assert found[200] == pytest.approx(found[199], abs=1e-9)


@pytest.mark.parametrize(("reading", "equivariant"), [("literal", False), ("scaled", True), ("principled", True)])
def test_equivariance(reading: str, equivariant: bool) -> None:
    p = Parameters(reading=reading)
    t_ns, a, b = closes(13000)
    m = measure(t_ns, a, b, p)
    scaled = replace(m, spread=3 * m.spread, sigma=3 * m.sigma, rms=3 * m.rms)
    one, three = unscaled_band(m, p)[12000:], unscaled_band(scaled, p)[12000:]

    assert np.allclose(3 * one, three, rtol=1e-12) is equivariant


def test_zeta_meets_its_target_in_training() -> None:
    p = Parameters(reading="principled", bar_min=60)
    t_ns, a, b = closes(24 * 100, bar_min=60, seed=9)
    m = measure(t_ns, a, b, p).part(24 * 10, 24 * 100)
    fitted = ClosedForm(p).fit(Training(m, np.zeros(m.t_ns.size)))
    ratio = np.abs(m.spread[1:]) / (fitted.zeta * unscaled_band(m, p)[:-1])

    assert onsets(ratio, 1.0, p.hysteresis) <= 90 / 7
    assert onsets(ratio, 0.97, p.hysteresis) > 90 / 7 - 2
    assert fitted.funding_spike == p.funding_spike


def test_blocks_leave_a_day_between() -> None:
    p = Parameters(bar_min=60)
    plan = blocks(24 * 120, 24 * 91, p)

    assert plan[0] == (0, 24 * 90, 24 * 91, 24 * 98)
    assert all(begin - end == 24 and end - start == 24 * 90 for start, end, begin, _ in plan)
    assert plan[-1][3] == 24 * 120
    with pytest.raises(ValueError, match="at least 91 days"):
        blocks(24 * 120, 24 * 90, p)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"alpha": 0.2}, "alpha: expected a value in"),
        ({"alpha": 0.71}, "alpha: expected a value in"),
        ({"beta": 0.5}, "beta: expected a value in"),
        ({"l_min": 5.0, "l_max": 3.0}, "no leverage can meet it"),
        ({"sb_0_pp": 0.0}, "sb_0_pp: expected more than 0"),
        ({"rr": float("nan")}, "rr: expected a finite number"),
        ({"bar_min": 7}, "divisor of a day"),
        ({"freeze_after_s": 40.0}, "freeze before reduce-only"),
        ({"reading": "poetic"}, "expected literal, scaled, principled"),
    ],
)
def test_an_impossible_covenant_is_refused(changes: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Parameters(**changes)


def test_bad_pairs_are_refused() -> None:
    t_ns, a, b = closes(6000)
    p = Parameters()
    check_pair(t_ns, a, b, p)
    with pytest.raises(DataError, match="leg B has none"):
        check_pair(t_ns, a, None, p)
    with pytest.raises(DataError, match="leg A has none"):
        check_pair(t_ns, np.full(6000, np.nan), b, p)
    with pytest.raises(DataError, match="rising order"):
        check_pair(np.append(t_ns[1:], t_ns[0]), a, b, p)
    with pytest.raises(DataError, match="rows 9 and 10"):
        check_pair(np.delete(t_ns, 10), np.delete(a, 10), np.delete(b, 10), p)
    with pytest.raises(DataError, match="above 0 USD, was -1"):
        check_pair(t_ns, np.where(np.arange(6000) == 7, -1.0, a), b, p)
    with pytest.raises(DataError, match="at least 2880 bars"):
        check_pair(t_ns[:2879], a[:2879], b[:2879], p)
    with pytest.raises(DataError, match="expected 6000 prices"):
        check_pair(t_ns, a, b[:-1], p)
