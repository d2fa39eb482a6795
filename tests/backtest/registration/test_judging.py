"""Which keys of a plan an id holds: those that judge, and no other.  [live L0.2]"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from backtest.registration import judging, schema
from backtest.registration.judging import JUDGING, OF_A_RULE, judging_hash
from backtest.registration.load import load_registration
from engine.ledger.format.ids import provenance_hash, signal_id
from engine.ledger.identify import provenance_of
from tests.helpers.small_run import Tiny

ROOT = Path(__file__).resolve().parents[3]
JUDGE_NOT = {
    "Grid": set(),
    "Exits": set(),
    "Costs": {"borrow_rate_annual", "refill_window_h", "refill_sensitivity_h"},
    "Capital": {"committed_usd", "sleeve_parts"},
    "Rule": {"stress_loss_bps"},
}
"""Keys of these tables that do not judge: rates in force stand in each record, the others are for the statistics."""


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    return dict(load_registration(ROOT / "configs" / "demo.toml").content)


def changed(content: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a copy of the plan with another value at a dotted path."""
    copied = copy.deepcopy(content)
    *way, last = path.split(".")
    table: Any = copied
    for key in way:
        table = table[int(key) if key.isdecimal() else key]
    place = int(last) if last.isdecimal() else last
    assert table[place] != value, path
    table[place] = value
    return copied


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("title", "another title"),
        ("study", "another"),
        ("mode", "confirmatory"),
        ("choices.0.reason", "for another reason"),
        ("split.folds", 7),
        ("split.windows.0.start", 0),
        ("statistics.alpha", "0.01"),
        ("power.acknowledged", "0"),
        ("venues.0.fees.0.taker_bps", "99"),
        ("venues.0.funding_source", "elsewhere"),
        ("costs.borrow_rate_annual", {"btc": "0.5"}),
        ("costs.refill_window_h", "12"),
        ("capital.committed_usd", 5),
        ("constraints.c1.stress_loss_bps", "1"),
        ("fitting.z_grid", ["9"]),
        ("data.name", "another"),
    ],
)
def test_what_does_not_judge_changes_no_hash(content: dict[str, Any], path: str, value: object) -> None:
    """Titles, reasons, windows, splits, statistics, sources and dated tables."""
    assert judging_hash(changed(content, path, value)) == judging_hash(content)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("constraints.c1.threshold_bps", "51"),
        ("constraints.c7.enabled", False),
        ("constraints.c5.life_h", "71"),
        ("grid.persistence", 3),
        ("grid.latency_ms", "1001"),
        ("grid.max_age_s.perp", "6"),
        ("exits.rearm_share", "0.4"),
        ("capital.target_notional_usd", "25001"),
        ("capital.depth_share", "0.4"),
        ("capital.margin_share.perp", "0.3"),
        ("costs.fallback_bps.option", "99"),
        ("costs.capital_rate_annual", "0.06"),
        ("underlyings.0.cash_carry.0.spot", "binance:OTHER"),
        ("fx.usdc_usdt", "binance:OTHER"),
        ("fx.peg_bps", "26"),
    ],
)
def test_one_judging_key_changes_the_hash(content: dict[str, Any], path: str, value: object) -> None:
    """Constraints, thresholds, persistence, sizes, latency, pairs, fallbacks, cost rules."""
    assert judging_hash(changed(content, path, value)) != judging_hash(content)


def test_every_key_of_a_table_that_judges_is_decided() -> None:
    """A key that comes later judges or does not: whoever adds it says so here or in `JUDGING`."""
    tables = {"Grid": "grid", "Exits": "exits", "Costs": "costs", "Capital": "capital"}
    for name, table in tables.items():
        assert set(getattr(schema, name).model_fields) == {*JUDGING[table], *JUDGE_NOT[name]}, name
        assert not JUDGE_NOT[name] & set(JUDGING[table])
    assert set(schema.BookCovenantsTable.model_fields) == set(JUDGING["covenants"])
    assert set(schema.Rule.model_fields) == {*OF_A_RULE, *JUDGE_NOT["Rule"]}
    whole = {"constraints", "underlyings", *JUDGING}
    judges_not = {
        "format", "study", "title", "mode", "synthetic", "engine_version", "families", "venue_files", "split",
        "fitting", "statistics", "power", "choices", "venues", "amendments", "methods", "assumptions",
    }  # fmt: skip
    assert set(schema.Document.model_fields) == whole | judges_not


def test_ids_follow_the_tables_that_judge(tiny: Tiny, content: dict[str, Any]) -> None:
    """Equal judging tables give equal ids whatever else was amended; one judging key changed gives others."""
    signals = [trade.position.signal for trade in tiny.run.trades]

    def ids(plan: dict[str, Any]) -> list[str]:
        params, table = tiny.registration.params, tiny.run.instruments
        return [signal_id(provenance_hash(provenance_of(s, table, params, judging_hash(plan)))) for s in signals]

    assert [signal.signal_id for signal in signals] == ids(dict(tiny.registration.content))
    amended = changed(changed(content, "title", "amended"), "choices.0.reason", "another reason")
    assert ids(amended) == ids(content)
    assert not set(ids(changed(content, "grid.persistence", 3))) & set(ids(content))


def test_the_hash_is_tagged(content: dict[str, Any]) -> None:
    """``H("config", CJ of the tables that judge)``, against hashlib and json."""
    import hashlib
    import json

    text = json.dumps(judging.judging_tables(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(b"cme-audit/1/config\0" + text.encode()).hexdigest() == judging_hash(content)
