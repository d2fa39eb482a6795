"""Twin of claims.py: the negative registry's power is that of `cme power`, claim by claim."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backtest.registration.load import load_registration
from backtest.seeds import streams
from engine.constraints.codes import CODES
from hypotheses.judge import streams_of
from hypotheses.planning import page
from hypotheses.planning.claims import power_by_claim
from hypotheses.planning.statement import statement

ROOT = Path(__file__).resolve().parents[3]
PREREG = ROOT / "configs" / "prereg" / "288615" / "registration.toml"


def test_every_claim_of_h2_and_h3_has_the_power_that_the_statement_prints() -> None:
    """By the rows of its JSON: a constraint's own, all seven's, and H2's column by column."""
    registration, chance = load_registration(PREREG), streams_of(streams.load(ROOT / "seeds.lock"))
    printed = json.loads(page.as_json(statement(registration, chance, None)))
    tables = {table["name"]: table for table in printed["tables"]}

    found = power_by_claim(registration, chance)

    assert set(found) == {"h2", "h3", *(f"h3/{code}" for code in CODES)}
    sleeves = tables["sleeves"]["rows"]
    for k, claim in enumerate([*(f"h3/{code}" for code in CODES), "h3"]):
        (row,) = found[claim]["rows"]
        assert row["rule"] == sleeves[k][0]
        assert [None if v is None else float(v) for v in row["power"]] == pytest.approx(sleeves[k][1:], abs=1e-6)
        assert len(found[claim]["sharpe"]) == len(row["power"])
    for number, row in enumerate(found["h2"]["rows"], start=1):
        assert [float(v) for v in row["power"]] == pytest.approx(
            [r[number] for r in tables["capacity"]["rows"]], abs=1e-6
        )
    assert found["h3/C4"]["rows"][0]["rule"].startswith("C4")
    assert found["h3"]["days"] == 90
