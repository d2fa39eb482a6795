"""Twin of exposure.py: what stood open at once, against a slow loop over every instant.

Rules: [spec README "Joint losses", "Dislocations"].
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from engine.constraints.codes import CODES
from engine.errors import DataError
from engine.units import MICRO, NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND
from hypotheses.exposure import (
    DISLOCATION_KEY,
    OpenNotional,
    dislocations,
    exposure_of,
    joint_losses,
    open_on,
    traded_signals,
)
from tests.helpers import builders
from tests.hypotheses.cases import DAY0, run, signal

STRESS = {"C1": Fraction(450), "C3": Fraction(270), "C6": Fraction(1_081, 2)}
TARGET = Fraction(25_000 * MICRO)
PERP, MAY = ("BTC", "deribit", None), ("BTC", "deribit", 9)
T0 = DAY0 * NS_PER_DAY


def at(code: str, entry: int, leave: int, usd: int, *keys: tuple) -> OpenNotional:
    return OpenNotional(code, entry, leave, usd * MICRO, frozenset(keys or (PERP,)))


def slow(positions: list[OpenNotional]) -> tuple[Fraction, dict[str, Fraction]]:
    """Return L and each L_k: every key at every whole instant, by the words of the ruling."""
    most, joint = dict.fromkeys(STRESS, TARGET), Fraction(0)
    for key in {key for p in positions for key in p.keys}:
        for t in range(30):
            held = [p for p in positions if key in p.keys and p.entry_ns <= t < p.exit_ns]
            each = {code: sum(p.notional_micro for p in held if p.code == code) for code in STRESS}
            most = {code: max(most[code], each[code]) for code in STRESS}
            joint = max(joint, sum(STRESS[code] * each[code] for code in STRESS) / 10_000)
    own = {code: STRESS[code] * most[code] / 10_000 for code in STRESS}
    return max([joint, *own.values()]), own


@pytest.mark.parametrize("seed", range(20))
def test_the_sweep_is_the_slow_loop_over_instants(seed: int) -> None:
    """Random positions on three keys, several opening and closing at one instant, some of no length."""
    draw = np.random.default_rng(seed)
    keys = [PERP, MAY, ("ETH", "binance", None)]
    positions = []
    for _ in range(12):
        start, length = int(draw.integers(0, 20)), int(draw.integers(0, 10))
        chosen = [key for key in keys if draw.random() < 0.6] or keys[:1]
        code = str(draw.choice(list(STRESS)))
        positions.append(at(code, start, start + length, int(draw.integers(1, 40_000)), *chosen))

    joint, each = joint_losses(positions, STRESS, TARGET)

    wanted, own = slow(positions)
    assert joint == round(wanted)
    assert each == {code: round(loss) for code, loss in own.items()}


def test_a_day_of_one_expiry_is_the_figure_of_the_ruling() -> None:
    """24 positions of C3 with 566,168 USD open on one expiry lose 15,286.54 USD at 270 bps, not 675."""
    positions = [at("C3", 0, 9, 23_590, MAY) for _ in range(23)] + [at("C3", 8, 12, 566_168 - 23 * 23_590, MAY)]

    joint, each = joint_losses(positions, STRESS, TARGET)

    assert joint == each["C3"] == 15_286_536_000
    assert each["C1"] == 1_125 * MICRO


def test_what_closes_when_another_opens_is_never_open_with_it() -> None:
    """[entry, exit): the instant of an exit belongs to what opens there."""
    after = joint_losses([at("C1", 0, 5, 60_000), at("C1", 5, 9, 50_000)], STRESS, TARGET)
    across = joint_losses([at("C1", 0, 6, 60_000), at("C1", 5, 9, 50_000)], STRESS, TARGET)

    assert after[1]["C1"] == 60_000 * MICRO * 450 // 10_000
    assert across[1]["C1"] == 110_000 * MICRO * 450 // 10_000


def test_one_key_adds_constraints_and_two_keys_do_not() -> None:
    """C1 and C3 on one expiry lose together; on two expiries the larger one counts."""
    together = joint_losses([at("C1", 0, 9, 60_000, MAY), at("C3", 1, 3, 60_000, MAY, PERP)], STRESS, TARGET)
    apart = joint_losses([at("C1", 0, 9, 60_000, PERP), at("C3", 1, 3, 60_000, MAY)], STRESS, TARGET)

    assert together[0] == 60_000 * MICRO * (450 + 270) // 10_000
    assert apart[0] == 60_000 * MICRO * 450 // 10_000


def test_without_a_trade_the_losses_are_those_of_one_target_notional() -> None:
    """And L is the largest of them."""
    assert joint_losses([], STRESS, TARGET) == (
        1_351_250_000,
        {"C1": 1_125 * MICRO, "C3": 675 * MICRO, "C6": 1_351_250_000},
    )


def test_days_with_an_open_position_are_counted_by_the_half_open_span() -> None:
    """From the day of entry to that of the last instant before the exit; a span of no length is open on none."""
    day = np.arange(5)
    held = at("C1", 2 * NS_PER_DAY - 1, 4 * NS_PER_DAY, 1)

    assert open_on(day, [held]).tolist() == [False, True, True, True, False]
    assert not open_on(day, [at("C1", NS_PER_DAY, NS_PER_DAY, 1)]).any()


def table(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame([dict(zip([*DISLOCATION_KEY, "t_ns"], row, strict=True)) for row in rows])


def test_a_dislocation_lasts_an_hour_from_the_signal_that_opened_it() -> None:
    """The opening signal's hour, not the last one's; every part of the key opens its own."""
    row = ("C3", "BTC", "deribit", 9.0)
    minutes = [0, 40, 59, 60, 100, 119, 121]
    found = dislocations(table(*((*row, m * 60 * NS_PER_SECOND) for m in minutes)))
    others = dislocations(
        table(
            (*row, 0),
            ("C3", "ETH", "deribit", 9.0, 1),
            ("C3", "BTC", "binance", 9.0, 2),
            ("C3", "BTC", "deribit", 8.0, 3),
        )
    )
    perpetual = dislocations(
        table(("C1", "BTC", "x", None, 0), ("C1", "BTC", "x", None, 5), ("C2", "BTC", "x", None, 6))
    )

    backwards = dislocations(table(*((*row, m * 60 * NS_PER_SECOND) for m in minutes[::-1])))

    assert found == backwards == {"C3": 3}
    assert others == {"C3": 4}
    assert perpetual == {"C1": 1, "C2": 1}


def test_one_more_signal_never_lowers_the_count() -> None:
    """The reason for counting from the opening signal."""
    draw = np.random.default_rng(3)
    times = np.sort(draw.integers(0, 30 * 3_600, size=60)) * NS_PER_SECOND
    rows = [("C3", "BTC", "x", 9.0, int(t)) for t in times]
    whole = dislocations(table(*rows))["C3"]

    for lost in range(len(rows)):
        assert dislocations(table(*rows[:lost], *rows[lost + 1 :]))["C3"] <= whole


def window(trades: pd.DataFrame, signals: list[dict]):
    return replace(run(np.zeros((90, 7)), signals=signals), trades=trades)


def held(ident: str, hour: int, *, status: str = "traded", code: str = "C3") -> dict:
    entry = T0 + hour * NS_PER_HOUR
    return {
        "signal_id": ident, "constraint": code, "underlying": "BTC", "venue": "deribit", "expiry_ns": 9,
        "status": status, "t_ns": entry - NS_PER_SECOND, "entry_ns": entry, "exit_ns": entry + 30 * NS_PER_HOUR,
        "notional_usd": 20_000.0,
    }  # fmt: skip


LEGS = [{"instrument": "deribit:A", "expiry_ns": 9}, {"instrument": "deribit:B", "expiry_ns": 9}]


def test_the_exposure_of_a_run_reads_traded_signals_only() -> None:
    """Two legs of one expiry count once; what was void or rejected was never open."""
    trades = pd.DataFrame([held("a", 0), held("b", 12), held("c", 12, status="void"), held("d", 13, code="C1")])
    signals = [signal(T0, ident, LEGS) for ident in "abcd"]

    found = exposure_of(window(trades, signals), builders.params())

    # builders register nine thresholds: C3 270 bps, C1 450 bps
    assert found.stress_micro["C3"] == 40_000 * MICRO * 270 // 10_000
    assert found.joint_micro == (40_000 * 270 + 20_000 * 450) * MICRO // 10_000
    assert (found.open_days[""], found.open_days["C3"], found.open_days["C1"], found.open_days["C7"]) == (2, 2, 2, 0)
    assert found.dislocations == {"C3": 2, "C1": 1}


def test_a_constraint_that_is_not_enabled_has_no_loss() -> None:
    """Its stress loss stands in the plan, and nothing of it can be open."""
    params = builders.params()
    off = replace(params, rules={code: replace(rule, enabled=code == "C7") for code, rule in params.rules.items()})

    found = exposure_of(window(pd.DataFrame([held("a", 0, status="void")]), []), off)

    assert set(found.stress_micro) == {"C7"}
    assert found.joint_micro == found.stress_micro["C7"]
    assert set(found.open_days) == {"", *CODES}


def test_a_trade_without_signal_or_expiry_says_what_to_do() -> None:
    """A run directory that cannot say what was open is not judged as if nothing had been."""
    trades = pd.DataFrame([held("a", 0)])

    with pytest.raises(DataError, match="1 without, the first a: run the window again"):
        traded_signals(trades, pd.DataFrame([signal(T0, "b", LEGS)]))
    with pytest.raises(DataError, match="columns venue, expiry_ns, was none: run the window again"):
        traded_signals(trades.drop(columns=["venue", "expiry_ns"]), pd.DataFrame([signal(T0, "a", LEGS)]))
    with pytest.raises(DataError, match="field expiry_ns, was none: run the window again"):
        exposure_of(window(trades, [signal(T0, "a", [{"instrument": "deribit:A"}])]), builders.params())
    with pytest.raises(DataError, match="VENUE:SYMBOL, was A"):
        exposure_of(window(trades, [signal(T0, "a", [{"instrument": "A", "expiry_ns": None}])]), builders.params())
