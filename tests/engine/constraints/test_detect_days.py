"""Days judged as one tell what each tells by itself: every view, package, key and count, to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from backtest.data.panels import reader
from engine.constraints.detect import detect
from engine.constraints.detect_days import detect_days
from engine.market.multi_day import concatenate_days
from engine.market.view import PreparedPanel, prepare
from engine.params import Fitted, Params
from engine.records import CurveHistory, Kind, Panel
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.helpers.builders import params, rules
from tests.helpers.markets import fitted, flat_history
from tests.helpers.small_run import Tiny
from tests.leakage.test_cuts import lively


def same(one: object, other: object) -> None:
    """Assert that two records are equal to the bit, arrays and records within them too."""
    assert type(one) is type(other)
    for field in fields(one):  # type: ignore[arg-type]
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b, err_msg=field.name, strict=True)
        elif is_dataclass(a):
            same(a, b)
        elif field.name == "detail":  # figures of no package are no figures
            a, b = ({name: values for name, values in each.items() if len(values)} for each in (a, b))
            assert a.keys() == b.keys()
            for name in a:
                np.testing.assert_array_equal(a[name], b[name], err_msg=name, strict=True)
        else:
            assert a == b or (a != a and b != b), field.name


def same_view(one: PreparedPanel, other: PreparedPanel) -> None:
    """Assert that two views are equal, but for conversions of what is not quoted and whether they are known shared."""
    for name in ("spot_usd", "usable", "quality", "mid", "half_spread", "charge", "usd"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name, strict=True)
    assert one.panel is other.panel
    same(one.fees, other.fees)
    assert one.curves is other.curves
    assert one.days is other.days is None


def check(panels: Sequence[Panel], params: Params, curves: CurveHistory, fit: Fitted | None) -> int:
    """Hold days judged as one against each by itself; return how many of its answers were told with the others."""
    judged = detect_days(concatenate_days(panels), params, curves)
    for number, panel in enumerate(panels):
        alone = prepare(panel, params, curves)
        view, found = judged.day(number, curves, fit)
        same_view(view, alone)
        expected = detect(alone, fit)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    return sum(map(len, judged.found))


def held(panel: Panel, columns: np.ndarray) -> Panel:
    """Return ``panel`` without the other columns."""
    values = {f.name: getattr(panel, f.name) for f in fields(Panel)}
    some = {n: v[:, columns] for n, v in values.items() if isinstance(v, np.ndarray) and v.ndim == 2}
    return replace(panel, code=panel.code[columns], **some)


def days(seed: int, kept: float, rows: int = 12) -> list[Panel]:
    """Five days of a market full of violations; of each only some instruments are held."""
    draw = np.random.default_rng(seed)
    out = []
    for day in range(5):
        panel = lively(rows, 10 * seed + day)
        panel = replace(panel, times_ns=panel.times_ns + day * NS_PER_DAY)
        out.append(held(panel, np.flatnonzero(draw.random(panel.shape[1]) < kept)))
    return out


@pytest.mark.parametrize("kept", [1.0, 0.97, 0.8, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_days_of_any_instruments_tell_what_each_tells_by_itself(seed: int, kept: float) -> None:
    """Options, futures, perps and the reference missing on some days: chains end elsewhere, forwards are implied."""
    told = check(days(seed, kept), params(), flat_history(), fitted())

    assert told > 0 or kept < 1.0


def test_a_day_without_a_reference_or_without_quotes_is_told_as_such() -> None:
    """Nothing watched, nothing examined, and the missing input named, on that day alone."""
    every = days(3, 1.0)
    blind = replace(every[1], index=np.full(every[1].shape, np.nan), bid=np.full(every[1].shape, np.nan))
    perps = held(every[2], np.flatnonzero(every[2].instruments.kind[every[2].code] == Kind.PERP))
    told = check([every[0], blind, perps, held(every[3], np.empty(0, dtype=np.int64)), every[4]], params(),
                 flat_history(), fitted())  # fmt: skip

    assert told == 2 * 5


@pytest.mark.parametrize("life_ns", [NS_PER_HOUR // 4, 24 * NS_PER_HOUR])
def test_a_perp_without_funding_on_one_day_is_not_watched_on_that_day(life_ns: int) -> None:
    """Neither where its carry is not known, nor where none is due within the life; on the other days it is."""
    every = days(4, 1.0)
    rate = every[1].funding_rate.copy()
    rate[:, every[1].instruments.kind[every[1].code] == Kind.PERP] = np.nan
    every[1] = replace(every[1], funding_rate=rate)
    short = params(rules=rules(life_ns=life_ns))

    assert check(every, short, flat_history(), fitted()) == 5 * 5 - 2


def test_two_futures_of_an_expiry_are_not_mixed_up() -> None:
    """Each day takes the one it holds, by its name: such days are judged by themselves."""
    every = days(5, 1.0)
    table = every[0].instruments
    dated = np.flatnonzero(table.kind == Kind.FUTURE)
    expiry = table.expiry_ns.copy()
    expiry[dated[1]] = expiry[dated[0]]
    twice = [replace(p, instruments=replace(table, expiry_ns=expiry)) for p in every]
    apart = [held(p, np.flatnonzero(p.code != dated[n % 2])) for n, p in enumerate(twice)]

    assert check(apart, params(), flat_history(), fitted()) == 0


def test_two_options_of_a_strike_on_two_days_are_no_chain() -> None:
    """An option that is listed anew under another name: what no day by itself refuses is not refused."""
    every = days(6, 1.0)
    table = every[0].instruments
    options = np.flatnonzero(table.kind == Kind.OPTION)
    first = options[0]
    twin = next(
        c for c in options[1:] if (table.expiry_ns[c], table.right[c]) == (table.expiry_ns[first], table.right[first])
    )
    strike = table.strike.copy()
    strike[twin] = strike[first]
    anew = [replace(p, instruments=replace(table, strike=strike)) for p in every]
    apart = [held(p, np.flatnonzero(p.code != (first, twin)[n % 2])) for n, p in enumerate(anew)]

    assert check(apart, params(), flat_history(), fitted()) == 5 * 2  # C1 and C2 hold no options


def test_the_days_of_a_market_tell_what_each_tells_by_itself(tiny: Tiny) -> None:
    """Forty days with late and missing quotes, listings and expiries, four at a time, with a fit in force."""
    plan, registered = tiny.run.plan, tiny.registration.params
    average_ns = registered.underlyings["BTC"].curve.perp_average_ns
    every = list(reader.panels(tiny.dataset, "BTC", plan.history_ns, plan.t1_ns, funding_average_ns=average_ns))
    told = sum(
        check(every[at : at + 4], registered, tiny.run.curves["BTC"], tiny.run.fitted[-1])
        for at in range(0, len(every), 4)
    )

    assert told > len(every)
