"""A plant of the curve lies between two midnights."""

from __future__ import annotations

from backtest.data.synthetic.expiries import NS_PER_DAY
from backtest.data.synthetic.market import build_market
from backtest.data.synthetic.spec import read_spec
from backtest.data.synthetic.truth import truth_rows
from tests.helpers.synthetic_market import demo_table, streams_of


def test_no_plant_of_the_curve_is_in_a_days_curve():
    """A day's curve is that of 00:00: of 40 plants of four hours, one in six would be in it by chance."""
    table = demo_table(days=60, grid_s=3600)
    rule = table["plants"]["constraints"]["C5"] | {
        "count": 40, "untradable": 0, "tradable": True, "life_s": [14400, 14400],
    }  # fmt: skip
    table["plants"] = table["plants"] | {"constraints": {"C5": rule}}
    market = build_market(read_spec(table, "hourly"), streams_of("curve"))
    lives = [(row["from_ns"], row["to_ns"]) for row in truth_rows(market) if not row["side_effect"]]
    assert len(lives) == 40
    # `to_ns` is the first grid time without the plant.
    assert not [life for life in lives if (life[0] - 1) // NS_PER_DAY != (life[1] - 1) // NS_PER_DAY]
