"""How many bellies had another triple that fits in whole lots: counted, and never tried.  [venues V4]"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest

from engine.constraints.detect import detect
from engine.constraints.detect_days import detect_days
from engine.convention_rows import Lot
from engine.market.multi_day import concatenate_days
from engine.market.view import prepare
from engine.params import Params
from engine.records import Kind, Right, Violations
from engine.units import NS_PER_DAY
from tests.helpers.builders import params, row_keys, rules
from tests.helpers.markets import OPTION_DAYS, STRIKES, Market, fitted, flat_history, option_name
from tests.oracles.lots_slow import whole_lots

BELLY = 90_000.0
"""Between 80,000 and 95,000 its wings are a third and two thirds; between 80,000 and 100,000 they are halves."""
SIZE = Fraction(25_000, 100_000)


def market(dear: float, **mids: float) -> Market:
    """The call of 90,000 is dear by so many coins."""
    name = option_name(OPTION_DAYS[1], BELLY, Right.CALL)
    fair = Market()
    (row,) = [row for row in fair.rows if row.name == name]
    return Market(mids={name: fair.fair(row) + dear, **mids})


def registered(lot: float, threshold: float) -> Params:
    """Everything is traded in that lot."""
    lots = tuple(
        Lot(**row_keys(venue, kind, "2020-01-01"), lot=lot)
        for venue, kind in product(("deribit", "binance"), (Kind.OPTION, Kind.FUTURE, Kind.SPOT, Kind.PERP))
    )
    return params(lots=lots, rules=rules(threshold_bps=threshold))


def seen(dear: float, lot: float, threshold: float = 20.0, code: str = "C4", **mids: float) -> Violations:
    """What `detect` says of the market."""
    view = prepare(market(dear, **mids).block(), registered(lot, threshold), flat_history())
    (found,) = detect(view, fitted(), codes=(code,))
    return found


def fitting(lot: float) -> dict[tuple[float, float], bool]:
    """For each pair of wings of the belly whether its triple is whole lots at some size, in rational numbers."""
    result = {}
    for low, high in product((k for k in STRIKES if k < BELLY), (k for k in STRIKES if k > BELLY)):
        share = Fraction(int(high - BELLY), int(high - low))
        weights = [Fraction(1), share, 1 - share]
        result[low, high] = whole_lots(weights, [Fraction(str(lot))] * 3, SIZE) is not None
    return result


@pytest.mark.parametrize(("lot", "untradable", "others"), [(0.1, 1, 1), (0.01, 0, 0), (0.3, 1, 0)])
def test_a_belly_is_counted_if_another_triple_fits(lot: float, untradable: int, others: int) -> None:
    """At 0.1 BTC thirds do not fit 0.25 and halves do; at 0.01 the chosen one does; at 0.3 none does."""
    by_hand = fitting(lot)
    assert (not by_hand[80_000.0, 95_000.0]) == bool(untradable)
    assert any(fits for pair, fits in by_hand.items() if pair != (80_000.0, 95_000.0)) or not others
    found = seen(0.02, lot)

    assert (found.funnel["untradable"], found.funnel["other_fits"]) == (untradable, others)
    assert found.reason.count("untradable") == untradable
    assert found.fires.any() == (not untradable)


def test_a_triple_that_fits_and_is_below_the_threshold_is_no_other() -> None:
    """The wider wings cost more: over a threshold between the two nets only the one that does not fit is."""
    whole = seen(0.02, 0.01, threshold=1.0)
    net = float(whole.net_bps.max())
    assert seen(0.02, 0.1, threshold=net - 1.0).funnel["untradable"] == 1
    assert seen(0.02, 0.1, threshold=net - 1.0).funnel["other_fits"] == 0


def test_a_rule_without_a_choice_has_no_other() -> None:
    """The perp of C1 has one partner."""
    perp = {"binance:BTCUSDC-PERP": 101_000.0}
    found = seen(0.0, 0.3, code="C1", **perp)

    assert found.funnel["untradable"] == 1
    assert found.funnel["other_fits"] == 0


def test_days_judged_as_one_count_the_same() -> None:
    """A day with such a belly between two without."""
    blocks = [market(dear).block() for dear in (0.0, 0.02, 0.0)]
    days = [
        replace(block, times_ns=block.times_ns + number * NS_PER_DAY, instruments=blocks[0].instruments)
        for number, block in enumerate(blocks)
    ]
    judged = detect_days(concatenate_days(days), registered(0.1, 20.0), flat_history())
    counts = [
        next(each.funnel for each in judged.day(number, flat_history(), fitted())[1] if each.constraint == "C4")
        for number in range(3)
    ]
    assert [(count["untradable"], count["other_fits"]) for count in counts] == [(0, 0), (1, 1), (0, 0)]
