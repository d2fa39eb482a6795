"""The registry is the only list of constraints: an eighth is one file, one line, one plan table, one planted market.

A copy of the checkout gets them, and nothing else of it is changed: then its own contract tests hold for the eighth,
and `cme run` takes a tiny plan to three verdicts that count it.  What a plan registers of it is its table of rules with
its numbers (sleeve, expected days and trades) and, in ``seeds.lock``, its two streams.  [S2.8]
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from backtest.seeds.streams import lock_content, lock_text
from tests.helpers.small_run import ROOT, document, toml

CODE = "C8"
MEMBER = ROOT / "tests" / "contracts" / "eighth" / "c8_perp_pair.py"
SOURCES = ("engine", "backtest", "hypotheses", "reports", "tests", "configs")
FILES = ("cme.py", "pyproject.toml", "requirements.lock", "seeds.lock", "Makefile")

PLANTED = '''
def perp_pair() -> Planted:
    """The DEX perp 1.5 per cent over the CEX perp: sell it, buy the other."""
    market = Market(mids={"hyperliquid:BTC-PERP": 1.015 * S})
    return Planted(market, {"hyperliquid:BTC-PERP": -1.0, "binance:BTCUSDC-PERP": 1.0}, 150.0)


PLANTED["C8"] = perp_pair
'''
RULE = {"enabled": True, "threshold_bps": "40", "lookback_d": "0", "life_h": "24", "stress_loss_bps": "360"}
SHORT = {
    "split.folds": 3,
    "split.windows": [
        {"history_start": "2026-01-05T00:00:00Z", "start": "2026-01-09T00:00:00Z", "end": "2026-01-12T00:00:00Z"}
    ],
    "data.synthetic.days": 7,
    "power.expected_active_days": dict.fromkeys((f"c{n}" for n in range(1, 8)), 1),
}
PLANTS = 10
"""Violations of C6 in the market of the study, all of which move the perp of the DEX, and no others."""


def extended(folder: Path) -> Path:
    """Copy the checkout into ``folder``, with the eighth constraint."""
    skip = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)

    shutil.copy(MEMBER, folder / "engine" / "constraints" / MEMBER.name)
    registry = folder / "engine" / "constraints" / "registry.py"
    line = "    c7_vertical.CONSTRAINT,\n"
    text = registry.read_text()
    assert text.count(line) == 1
    text = text.replace(line, line + "    c8_perp_pair.CONSTRAINT,\n")
    registry.write_text(text.replace("    c7_vertical,\n", "    c7_vertical,\n    c8_perp_pair,\n"))
    with (folder / "tests" / "contracts" / "planted.py").open("a") as file:
        file.write(PLANTED)

    lock = json.loads((folder / "seeds.lock").read_text())
    new = [
        {**stream, "name": stream["name"].replace("C7", CODE), "purpose": stream["purpose"].replace("C7", CODE)}
        for stream in lock["streams"]
        if stream["name"].endswith("/C7") and stream["name"].startswith("h3/")
    ]
    (folder / "seeds.lock").write_text(lock_text(lock_content(lock["root_text"], [*lock["streams"], *new])))
    return folder


def plan(path: Path) -> Path:
    """Write the tiny plan with a table of the eighth constraint and its numbers."""
    tree: dict[str, Any] = document(SHORT)
    plants = tree["data"]["synthetic"]["plants"]["constraints"]
    tree["data"]["synthetic"]["plants"]["constraints"] = {"C6": {**plants["C6"], "count": PLANTS}}
    tree["constraints"]["c8"] = RULE
    tree["capital"]["sleeve_parts"]["c8"] = 1
    tree["power"]["expected_active_days"] |= {"c8": 1}
    tree["power"]["expected_trades"] |= {"c8": 10}
    path.write_text(toml(tree), encoding="utf-8")
    return path


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in ``folder``, whose packages come before those of this checkout."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extended(tmp_path_factory.mktemp("eighth"))


def test_the_eighth_constraint_keeps_the_promises_of_all(checkout: Path) -> None:
    """Planted, silent without arbitrage, blind to the future, free of the order of instruments: the contract tests."""
    done = python(
        checkout,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/contracts/test_every_constraint.py"),
        *("-k", f"{CODE} or planted_case"),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 passed" in done.stdout


@pytest.mark.slow
def test_a_tiny_study_with_an_eighth_constraint_ends_in_three_verdicts(checkout: Path, tmp_path: Path) -> None:
    """Every later stage follows the registry: sleeves, returns, verdicts, report and the page that verifies."""
    config = plan(tmp_path / "eight.toml")

    options = ("--out", str(tmp_path / "runs"), "--quiet", "--exploratory", "--workers", "1")
    done = python(checkout, "cme.py", "run", str(config), *options)

    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (path.parent for path in (tmp_path / "runs").glob("*/verdicts.json"))
    verdicts = json.loads((run / "verdicts.json").read_text())
    assert {"H1", "H2", "H3"} <= set(verdicts)
    assert [row["code"] for row in verdicts["H3"]["constraints"]] == [f"C{n}" for n in range(1, 9)]
    assert {"x_C8", "pnl_C8"} <= set(pq.read_schema(run / "returns.parquet").names)
    assert json.loads((run / "funnel.json").read_text())[CODE]["episodes"] > 0
    assert "perp pair" in (run / "report.html").read_text()
    checked = python(checkout, "cme.py", "verify", str(run))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_verifier_page_follows_the_registry(checkout: Path) -> None:
    """The page built in the copy knows the eighth name; the page of this checkout does not."""
    done = python(checkout, "-c", "from reports.verifier.build import page; print('\"perp_pair\"' in page())")

    assert done.stdout.strip() == "True", done.stderr
    assert "perp_pair" not in (ROOT / "reports" / "verifier" / "verify.html").read_text()


def test_a_plan_that_forgets_the_eighth_constraint_is_refused(checkout: Path, tmp_path: Path) -> None:
    """A constraint of the registry has no default: the plan of seven names the missing tables, exit code 2."""
    config = tmp_path / "seven.toml"
    config.write_text(toml(document(SHORT)), encoding="utf-8")

    done = python(checkout, "cme.py", "run", str(config), "--out", str(tmp_path / "runs"))

    assert done.returncode == 2
    for key in ("constraints.c8", "capital.sleeve_parts.c8", "power.expected_trades.c8"):
        assert key in done.stderr
