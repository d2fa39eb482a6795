"""docs/contract-security.md is what its rows and figures say; every row of risk.md 16 and 22 has a verdict."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

from backtest.simulation.scenario import load_scenario
from backtest.simulation.scenario_run import compute

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
VERDICTS = {
    "measured", "measured in part", "shown in simulation", "shown on real files", "holds as a property", "open",
    "out of scope", "out of scope in part",
}  # fmt: skip


def test_the_page_is_fresh() -> None:
    done = subprocess.run([sys.executable, str(DOCS / "contract_security.py"), "--check"], check=False)

    assert done.returncode == 0, "run python docs/contract_security.py"


def test_every_row_has_a_mechanism_a_figure_a_verdict_and_what_is_not_claimed() -> None:
    text = (DOCS / "contract-security.tsv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))

    assert [row[0] for row in rows] == [str(n) for n in range(1, 25)]
    assert all(len(row) == 6 and all(cell.strip() for cell in row) for row in rows)
    assert {row[4] for row in rows} <= VERDICTS


def test_the_stored_figures_are_those_of_the_scenarios() -> None:
    """One of them computed again: a changed engine leaves a stale page otherwise."""
    stored = json.loads((DOCS / "contract-security.json").read_text(encoding="utf-8"))["markets"]["gap"]
    found = compute(load_scenario(ROOT / "configs" / "scenarios" / "gap.toml").plan, None).figures

    assert set(stored) == set(found)
    assert all(abs(stored[name] - value) <= 1e-6 * abs(value) for name, value in found.items() if value is not None)


def test_the_stored_figures_of_a_study_are_those_of_its_scenario() -> None:
    stored = json.loads((DOCS / "contract-security.json").read_text(encoding="utf-8"))["studies"]["margin-pools"]
    found = compute(load_scenario(ROOT / "configs" / "scenarios" / "margin-pools.toml").plan, None).figures

    assert abs(stored["margin_saved"] - found["margin_saved"]) <= 1e-9
    assert set(stored["shocks"]) == set(found["shocks"])
    assert all(
        abs(stored["shocks"][name][key] - value) <= 1e-6 * abs(value)
        for name, row in found["shocks"].items()
        for key, value in row.items()
    )
