"""The count of nets that follow from their rows, against nets computed by hand (REGISTER.toml), and the command."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backtest.audit import count_net as counting
from backtest.audit.count_net import UNKNOWN, count_net
from backtest.audit.net_of_row import SignalRow
from backtest.commands.verify import verify
from tests.helpers.ledgers import VECTORS, cases, ledger

VECTOR = json.loads((VECTORS / "net_of_rows.json").read_text(encoding="utf-8"))
ROWS = [json.loads(line)["row"] for line in VECTOR["ledger"].splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The ledger of the vector."""
    path = tmp_path / "emit.jsonl"
    path.write_text(VECTOR["ledger"], encoding="utf-8")
    return path


@pytest.mark.parametrize("case", cases("net_of_rows"), ids=lambda case: case["id"])
def test_each_row_gives_the_net_computed_by_hand(case: dict[str, Any]) -> None:
    row = SignalRow(ROWS[case["row"]]["content"])
    assert row.states_terms() is (case["state"] != "no_terms")
    if case["net"] is not None:
        assert row.net_bps() == Fraction(case["net"])
    elif row.states_terms():
        with pytest.raises(LookupError):
            row.net_bps()


def test_each_row_is_counted_once_and_the_differing_are_named(path: Path) -> None:
    found = count_net(path, len(ROWS))
    states = [case["state"] for case in VECTOR["cases"]]
    differing = [case for case in VECTOR["cases"] if case["state"] in ("differs", "not_computed")]
    assert (found.signals, found.no_terms, found.differing) == (len(states), states.count("no_terms"), len(differing))
    assert found.recomputed == found.signals - found.no_terms
    for row, case in zip(found.rows, differing, strict=True):
        content = ROWS[case["row"]]["content"]
        assert (row.row, row.signal_id) == (case["row"], content["signal_id"])
        assert (row.net_bps, row.recomputed_bps) == (content["result"]["net_bps"], case["recomputed_bps"])
        assert row.reason == (UNKNOWN if case["recomputed_bps"] is None else None)


def test_only_the_rows_that_hold_are_counted(path: Path) -> None:
    """Beyond a bad row nothing is known, not even that a line is JSON."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write("no row\n")
    assert count_net(path, 4).signals == 3
    assert CliRunner().invoke(verify, [str(path), "--json"]).exit_code == 10


def test_what_is_not_listed_is_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "LISTED", 1)
    found = count_net(path, len(ROWS))
    assert (found.differing, len(found.rows)) == (3, 1)
    assert counting.sentences(found.document())[-1] == "net: and 2 more rows"


def test_the_command_reports_the_count_and_no_other_code(path: Path) -> None:
    text = CliRunner().invoke(verify, [str(path)])
    assert text.exit_code == 0
    assert "net: recomputed 6 of 8 rows, differing 3; 2 state no terms" in text.stdout
    name = ROWS[4]["content"]["signal_id"]
    assert f"net of signal {name} (row 4): 41.13 bps, its terms: 39.13" in text.stdout
    document = json.loads(CliRunner().invoke(verify, [str(path), "--json"]).stdout)
    assert document["net"] == json.loads(json.dumps(count_net(path, len(ROWS)).document()))


def test_rows_of_other_engines_are_no_fault(tmp_path: Path) -> None:
    """The shared rows state no terms."""
    path = tmp_path / "emit.jsonl"
    path.write_bytes(b"".join(ledger(3)))
    assert count_net(path, 4).document() == {"signals": 3, "recomputed": 0, "no_terms": 3, "differing": 0, "rows": ()}


def test_a_run_reports_the_count_of_its_signals(tiny: Any) -> None:
    """Every signal of a run of ours states its terms, and its net follows."""
    document = json.loads(CliRunner().invoke(verify, [str(tiny.folder), "--json"]).stdout)
    signals = document["ledgers"]["emit"]["counts"]["signal"]
    assert signals > 0
    assert document["net"] == {"signals": signals, "recomputed": signals, "no_terms": 0, "differing": 0, "rows": []}
