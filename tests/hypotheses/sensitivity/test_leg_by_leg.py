"""Twin of leg_by_leg.py: packages filled by hand, and a whole run against a loop over its panels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backtest.data.format.dataset import open_dataset
from engine.units import BPS
from hypotheses.load import load
from hypotheses.sensitivity import leg_by_leg
from hypotheses.sensitivity.base import JudgedRun
from hypotheses.sensitivity.leg_by_leg import FillPath, fill
from tests.helpers.small_run import Tiny

NAN = float("nan")


def path(*mids: list[float], quantity: tuple[float, ...] = (-1.0, 1.0), **changed: Any) -> FillPath:
    """Legs in the order of their fills; one row of ``mids`` a leg, over the steps."""
    mid = np.array(mids).T
    given = FillPath(
        np.array(quantity), (False,) * len(quantity), np.full(len(quantity), 10.0), mid, np.ones(mid.shape),
        np.ones(mid.shape),
    )  # fmt: skip
    return replace(given, **changed)


def test_a_later_leg_pays_what_its_price_moved() -> None:
    """The first is filled where the package was; the second is bought three dearer, in USD per base unit."""
    found = fill(path([100.0, 90, 90, 90, 90], [50.0, 53, 99, 99, 99]))

    assert found == leg_by_leg.Fills(-1, 3.0, 0.0)


def test_an_inverse_leg_pays_by_its_contracts() -> None:
    """The profit in coin, q (1 - E/P), at 60 USD a coin."""
    given = path([100.0] * 5, [50.0, 60, 60, 60, 60], inverse=(False, True), conversion=np.full((5, 2), 60.0))

    assert fill(given).moved == pytest.approx((1 - 50 / 60) * 60)


@pytest.mark.parametrize("what", ["quote", "size"])
def test_a_stranded_package_is_unwound_on_the_path(what: str) -> None:
    """The second leg is missing at its step: the first, sold at 100, is bought back at its next quote."""
    mid = [100.0, NAN, 104.0, 110, 110], [50.0, NAN if what == "quote" else 50.0, 50, 50, 50]
    enough = np.ones((5, 2))
    enough[1, 1] = 1.0 if what == "quote" else 0.0

    assert fill(path(*mid, enough=enough)) == leg_by_leg.Fills(1, 0.0, -4.0)


def test_without_a_later_quote_the_last_price_counts() -> None:
    """Sold at 100 and never quoted again: nothing is earned but what is known."""
    found = fill(
        path([100.0, 101.0, NAN, NAN, NAN, NAN], [1.0, 1, 1, 1, 1, 1], [5.0, 5, NAN, 5, 5, 5], quantity=(-1, 1, 1))
    )

    assert (found.stranded, found.unwound) == (2, -1.0)


def test_a_package_that_strands_on_its_first_leg_has_nothing_to_unwind() -> None:
    """No leg was filled: no profit and no cost."""
    assert fill(path([NAN] * 5, [50.0] * 5)) == leg_by_leg.Fills(0, 0.0, 0.0)


def test_a_run_is_read_at_its_fills(tiny: Tiny) -> None:
    """Legs come thinnest first, step 0 is the entry; sums of the rows are those of the packages, exact in the rest."""
    run = load(tiny.folder, tiny.registration, tiny.registration.plan)
    judged = JudgedRun(
        tiny.folder, run, tiny.registration, tiny.registration.plan, None, None, 99, tiny.dataset.path  # type: ignore[arg-type]
    )  # fmt: skip

    (table,) = leg_by_leg.build(judged).tables
    rows = {row["series"]: row for row in table.rows}
    traded = run.trades[run.trades.status == "traded"]
    signals = run.signals.set_index("signal_id")
    name = str(traded.underlying.iloc[0])
    own = traded[traded.underlying == name]
    found = list(
        leg_by_leg.paths(
            open_dataset(Path(tiny.dataset.path)), tiny.registration.params, judged.plan, name, own, signals
        )
    )

    assert rows["all"]["trades"] == len(traded)
    assert rows["all"]["net"] == pytest.approx(traded.net_usd_micro.sum() / 1e6)
    parts = [row for code, row in rows.items() if code != "all"]
    for key in ("trades", "stranded", "net", "moved", "lost", "other"):
        assert rows["all"][key] == pytest.approx(sum(row[key] for row in parts))
    assert {ident for ident, _, _ in found} == set(own.signal_id)
    for ident, units, legs in found:
        depths = [leg["depth_usd"] for leg in sorted(signals.loc[ident, "legs"], key=leg_by_leg._depth)]
        known = [depth for depth in depths if not np.isnan(depth)]
        assert known == sorted(known)
        assert len(legs.mid) == len(depths) + leg_by_leg.PATIENCE
        trade = own[own.signal_id == ident].iloc[0]
        # Base units times S is the notional: the weights say which S that was.
        leg = max(signals.loc[ident, "legs"], key=lambda leg: leg["weight"])
        assert units * abs(leg["quantity"]) * leg["mid"] * leg["money"] == pytest.approx(
            leg["weight"] * trade.notional_usd
        )
        assert legs.cost_bps.sum() < 2 * BPS
