"""Twin of h2.py: windows, books, days and the table of statistics 7.3.

Rules: [S9.H2].
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from engine.errors import DataError
from engine.units import MICRO, NS_PER_DAY, NS_PER_HOUR
from hypotheses import capacity_windows, h2
from hypotheses.base import rows_of
from hypotheses.capacity_windows import daily, window_of
from hypotheses.records import Answer, UpwardReading
from tests.hypotheses.cases import DAY0, leg, profits, run, signal, stats, streams

TARGET = Decimal(25_000)
T0 = DAY0 * NS_PER_DAY
NAN = float("nan")


def at(day: int, hours: float = 1.0) -> int:
    return T0 + day * NS_PER_DAY + int(hours * NS_PER_HOUR)


def window(signals: list[dict], n: int = 30, **changed):
    """Return a window in which every signal is traded: 100 USD modelled, 80 earned."""
    traded = [{"signal_id": s["signal_id"], "modelled_usd_micro": 100 * MICRO} for s in signals]
    columns = ["signal_id", "modelled_usd_micro"]
    trades = pd.DataFrame(traded, columns=columns).assign(status="traded", net_usd_micro=80 * MICRO)
    return replace(run(profits(0, 100, n=n), blocks=10, signals=signals), trades=trades, **changed)


def test_one_signal_earns_the_closed_form_on_its_day() -> None:
    """A = 40 - 2 legs x (2 + 2 + 4) = 24 bps, b = 2 x 2 x 4 / 50,000; E = 1e-4 a^2 / (4 b), zero elsewhere."""
    found = daily(window([signal(at(3), "a", [leg("p/ask"), leg("s/bid")])]), TARGET, NS_PER_DAY)
    expected = 1e-4 * 24**2 / (4 * 2 * 2 * 4 / 50_000)

    assert found.joint[3] == pytest.approx(expected * 1e6)
    assert np.count_nonzero(found.joint) == 1
    assert found.joint[3] == found.naive[3] == found.greedy[3]


def test_shared_depth_is_counted_once_within_a_day_and_anew_the_next() -> None:
    """Two signals on one book earn less together than alone; a day apart each has the book to itself."""
    legs = [leg("p/ask"), leg("s/bid")]
    together = daily(window([signal(at(1), "a", legs), signal(at(1, 2), "b", legs)]), TARGET, NS_PER_DAY)
    apart = daily(window([signal(at(1), "a", legs), signal(at(2), "b", legs)]), TARGET, NS_PER_DAY)
    hourly = daily(window([signal(at(1), "a", legs), signal(at(1, 2), "b", legs)]), TARGET, NS_PER_HOUR)

    assert together.joint.sum() < together.naive.sum() == apart.joint.sum() == hourly.joint.sum()
    assert np.all(together.greedy <= together.joint)
    assert np.count_nonzero(hourly.joint) == 1


def test_a_book_keeps_the_spread_and_depth_of_its_first_signal() -> None:
    """A later, deeper quote of the same window adds nothing, also to the naive sum."""
    first = signal(at(1), "a", [leg("p/ask")])
    deeper = signal(at(1, 2), "b", [leg("p/ask", depth_usd=9e9, spread_bps=0.1)])
    same = signal(at(1, 2), "b", [leg("p/ask")])

    one, two = (daily(window([first, other]), TARGET, NS_PER_DAY) for other in (deeper, same))

    assert np.array_equal(one.joint, two.joint)
    assert np.array_equal(one.naive, two.naive)


def test_one_violation_emitted_twice_in_a_window_is_one_signal() -> None:
    """The same key again adds nothing that day; another short leg is another signal."""
    legs = [leg("p/ask")]
    once = daily(window([signal(at(1), "a", legs)]), TARGET, NS_PER_DAY)
    twice = daily(window([signal(at(1), "a", legs), signal(at(1, 5), "b", legs, short="a")]), TARGET, NS_PER_DAY)

    assert np.array_equal(once.naive, twice.naive)


def test_a_signal_without_depth_earns_its_fixed_cost_at_the_registered_notional() -> None:
    """Net 20 bps and capital 3 bps back: 1e-4 x 25,000 x 23 = 57.50 USD; a losing one is not traded."""
    poor = [leg("p/ask", depth_usd=NAN)]
    winning = signal(at(1), "a", poor, capital_bps=3.0)
    losing = signal(at(2), "b", poor, net_bps=-30.0)
    # Half of 20 bps, no capital cost: 25 USD.
    half = signal(at(4), "c", poor, capture=0.5)

    found = daily(window([winning, losing, half]), TARGET, NS_PER_DAY)

    assert found.joint[[1, 2, 4]].tolist() == [57_500_000, 0, 25_000_000]


def test_carry_borrow_and_capture_move_the_edge() -> None:
    """A = c (v + carry - borrow - costs): each by its own sign, and capture on all of it."""
    base = {"gross_bps": 60.0, "capture": 0.5, "carry_bps": 6.0, "borrow_bps": 2.0}

    demand = window_of(rows_of(window([signal(at(1), "a", [leg("p/ask")], **base)]).signals), TARGET).demands[0]

    assert demand.edge_bps == Decimal(60 + 6 - 2 - 8) / 2


def test_an_ordinary_engine_supports_the_ceiling_and_says_how_weak_that_is() -> None:
    """Small amounts on many days: supported, and the days without signals are counted."""
    signals = [signal(at(d), f"s{d}", [leg(f"b{d}/ask", depth_usd=40_000.0 + d**3)]) for d in range(0, 28, 2)]

    found = h2.evaluate(window(signals), stats(), streams, TARGET, NS_PER_DAY)

    assert found.answer is Answer.SUPPORTED
    assert found.zero_days == 16
    assert found.signals == 14
    assert found.realised_over_modelled == Decimal("0.8")
    assert found.lower_95 < found.mean_usd_per_day < found.upper_95 < 50_000
    assert found.upper is None
    assert "a fortiori" not in found.statement
    assert found.greedy <= found.mean_usd_per_day <= found.naive


def test_read_upwards_each_book_is_as_deep_as_its_deepest_touch_and_nothing_is_lost_to_capture() -> None:
    """Refill of an hour, capture 1, D_b of the window: the closed form of one signal, twice in a day of two hours."""
    legs = [leg("p/ask", depth_usd=10_000.0)]
    signals = [signal(at(1), "a", legs, capture=0.25), signal(at(1, 2), "b", legs, capture=0.25, short="b")]
    deep = {"p/ask": 80_000.0, "other/bid": 1.0}
    # a = 40 - 2 - 2 - 4, b = 2 x 4 / D: interior at a / 2b = 160,000 USD, so the whole depth is taken.
    each = 1e-4 * (32 * 80_000 - 2 * 4 / 80_000 * 80_000**2)

    found = h2.evaluate(window(signals, touch=deep), stats(), streams, TARGET, NS_PER_DAY)

    assert float(found.upper.mean) == pytest.approx(2 * each / 30)
    assert found.upper.naive == found.upper.mean
    assert found.mean_usd_per_day < found.upper.mean


@pytest.mark.parametrize(("joint_usd", "naive_usd", "said"), [(40_000, 49_999, True), (40_000, 50_000, False)])
def test_a_fortiori_needs_both_sums_under_the_claim(joint_usd: int, naive_usd: int, said: bool) -> None:
    """The naive sum at the first depths seen, which it was said of, bounds nothing from above."""
    upper = UpwardReading(Decimal(joint_usd), Decimal(naive_usd))

    assert ("a fortiori" in h2._beside(3, upper, 50_000, {})) is said
    assert "a fortiori" not in h2._beside(0, upper, 50_000, {})
    assert "a fortiori" not in h2._beside(3, None, 50_000, {})


def test_a_book_without_a_touch_is_refused_and_a_window_without_touches_has_a_reason() -> None:
    """Never the first depth in place of the deepest one."""
    signals = [signal(at(1), "a", [leg("p/ask")])]

    with pytest.raises(DataError, match=r"expected the book p/ask, was none: run the window again"):
        h2.evaluate(window(signals, touch={"q/ask": 1.0}), stats(), streams, TARGET, NS_PER_DAY)
    assert "run it again" in h2.evaluate(window(signals), stats(), streams, TARGET, NS_PER_DAY).reasons["upper"]


def test_realised_over_modelled_divides_by_what_was_captured() -> None:
    """80 of 100 USD modelled, of which a half is captured: 1.6; a trade without a signal is refused."""
    half = window([signal(at(1), "a", [leg("p/ask")], capture=0.5)])
    nothing = window([signal(at(1), "a", [leg("p/ask")], capture=0.0)])
    lost = replace(half, trades=half.trades.assign(signal_id="z"))

    assert h2.evaluate(half, stats(), streams, TARGET, NS_PER_DAY).realised_over_modelled == Decimal("1.6")
    assert h2.evaluate(nothing, stats(), streams, TARGET, NS_PER_DAY).realised_over_modelled is None
    with pytest.raises(DataError, match=r"was z without"):
        h2.evaluate(lost, stats(), streams, TARGET, NS_PER_DAY)


def test_a_window_without_signals_says_so() -> None:
    """E = 0 on every day: the registered claim holds by the letter, but no bound exists."""
    found = h2.evaluate(window([]), stats(), streams, TARGET, NS_PER_DAY)

    assert found.registered
    assert found.answer is Answer.CANNOT_TELL
    assert found.statement.startswith("supported by the point estimate only")
    assert found.upper_95 is None
    assert found.reasons["upper_95"] == "every day has the same value"


@pytest.mark.parametrize(
    ("mean", "lower", "upper", "answer", "registered"),
    [
        ("10000", "5000", "20000", Answer.SUPPORTED, True),
        ("10000", "5000", "50000", Answer.CANNOT_TELL, True),
        ("10000", None, None, Answer.CANNOT_TELL, True),
        ("60000", "40000", "90000", Answer.CANNOT_TELL, False),
        ("60000", "50001", "90000", Answer.REFUTED, False),
        ("50000", "40000", "60000", Answer.CANNOT_TELL, False),
    ],
)
def test_the_table_of_decisions(
    mean: str, lower: str | None, upper: str | None, answer: Answer, registered: bool
) -> None:
    """Statistics 7.3 with the three answers beside it."""
    bounds = [None if v is None else Decimal(v) for v in (lower, upper)]

    found = h2.decide(Decimal(mean), *bounds, Decimal(50_000), Decimal("1e-9"))

    assert (answer, registered) == found[:2]


@pytest.mark.parametrize(("usd", "micro"), [("0.0000025", 2), ("0.0000035", 4), ("-0.0000025", -2)])
def test_a_day_is_rounded_half_to_even_once(usd: str, micro: int) -> None:
    """E_d in micro-USD, after the windows of the day are added.  [docs/decisions/0083]"""
    assert capacity_windows._micro(Decimal(usd)) == micro
