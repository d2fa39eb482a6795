"""Lists what was planted, as rows to be compared with what a run detects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from backtest.data.synthetic.market import SyntheticMarket
from backtest.data.synthetic.plants import Plant
from backtest.data.synthetic.relations import Relation

TRUTH_FIELDS: Final[Mapping[str, type]] = {
    "plant_id": str,  # <underlying>-<number in time order>; side effects share it
    "constraint": str,  # C1 .. C7
    "underlying": str,
    "venue": str,
    "expiry_ns": int,  # 2^63 - 1 where the relation has none
    "from_ns": int,  # first grid time at which it exists
    "to_ns": int,  # first grid time at which it is gone
    "side": int,
    "short": str,  # the leg that is sold and names the episode
    "legs": list,  # of {instrument, quantity}; + bought, - sold, per unit of base notional
    "gross_bps": float,  # at fair mids at from_ns, before rounding to ticks
    "expected_net_bps": float,  # gross + carry - cost of the closed form, at average depth
    "threshold_bps": float,
    "above_threshold": bool,
    "depth": bool,  # False: the moved quotes come without sizes
    "fits": bool,  # False: the moved quotes show one lot, so that nothing can be traded
    "kind": str,  # convergent, fleeting, stubborn
    "side_effect": bool,  # another package that the same quotes violate, or nearly
    "note": str,
}
"""Columns of ``truth.parquet``."""


def truth_rows(market: SyntheticMarket) -> list[dict[str, object]]:
    """Return a row a planted relation and a row a side effect, underlyings in order, then in time order."""
    rows: list[dict[str, object]] = []
    for underlying, plants in market.plants.items():
        for number, plant in enumerate(plants):
            name = f"{underlying}-{number:05d}"
            rows.append(_row(market, name, plant, plant.relation, False))
            # Under the plant's own name: a run that reports one has found the plant's quotes, not a false alarm.
            rows += [_row(market, name, plant, effect, True) for effect in plant.effects]
    return rows


def summary(market: SyntheticMarket, rows: list[dict[str, object]]) -> dict[str, object]:
    """Return counts by constraint and kind, and the specification, for ``truth.json``; numbers as text or integers."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        of_constraint = counts.setdefault(str(row["constraint"]), Counter())
        if row["side_effect"]:
            of_constraint["side_effects"] += 1
            continue
        of_constraint["planted"] += 1
        of_constraint[str(row["kind"])] += 1
        of_constraint["above_threshold"] += bool(row["above_threshold"])
        of_constraint["without_depth"] += not row["depth"]
        of_constraint["untradable"] += not row["fits"]
    # floats as their shortest text: JSON numbers would depend on the writer
    specification = _plain(market.spec.model_dump())
    return {"schema": "truth/1", "counts": {k: dict(v) for k, v in counts.items()}, "specification": specification}


def _row(market: SyntheticMarket, name: str, plant: Plant, relation: Relation, side_effect: bool) -> dict[str, object]:
    times = market.paths[plant.underlying].times_ns
    rule = market.spec.plants.constraints[relation.constraint]
    return {
        "plant_id": name,
        "constraint": relation.constraint,
        "underlying": plant.underlying,
        "venue": relation.venue,
        "expiry_ns": relation.expiry_ns,
        "from_ns": int(times[plant.window.from_step]),
        "to_ns": int(times[plant.window.to_step]),
        "side": relation.side,
        "short": relation.short,
        "legs": [{"instrument": leg, "quantity": quantity} for leg, quantity in relation.legs],
        "gross_bps": relation.gross_bps,
        "expected_net_bps": relation.net_bps,
        "threshold_bps": rule.threshold_bps,
        "above_threshold": relation.net_bps >= rule.threshold_bps,
        "depth": plant.depth,
        "fits": plant.fits,
        "kind": plant.kind,
        "side_effect": side_effect,
        "note": plant.note,
    }


def _plain(value: object) -> object:
    """Return ``value`` with decimals as text, as in every record that is hashed."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return repr(value) if isinstance(value, float) else value
