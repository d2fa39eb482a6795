"""The page and Python on the nets of rows: one count, the same rows, the same values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backtest.audit.count_net import count_net
from engine.ledger.chain import append, open_ledger
from engine.ledger.format.ids import derived_ids
from tests.helpers.ledgers import VECTORS, cases, genesis
from tests.reports.verifier.chromium import Page
from tests.reports.verifier.conftest import check
from tests.reports.verifier.inpage import report, verify

LEDGER = json.loads((VECTORS / "net_of_rows.json").read_text(encoding="utf-8"))["ledger"].encode()
MOVED = ("fee_", "lots_", "margin_share_", "settlements_", "capital_rate")


def both(page: Page, data: bytes, folder: Path) -> dict[str, Any]:
    """The count of the two verifiers, which must be one."""
    path = folder / "counted.jsonl"
    path.write_bytes(data)
    [result] = verify(page, [{"emit": [data]}])
    found = report(result, "emit")
    assert found["exit"] == 0, found["reason"]
    python: dict[str, Any] = json.loads(json.dumps(count_net(path, found["rows"]).document()))
    assert found["net"] == python
    return python


def test_the_page_gives_the_nets_computed_by_hand(open_page: Page, tmp_path: Path) -> None:
    found = {row["row"]: row for row in both(open_page, LEDGER, tmp_path)["rows"]}
    nets = open_page.run(
        f"""{json.dumps(LEDGER.decode())}.trim().split("\\n").map((line) => {{
          const row = JSON.parse(line).row;
          try {{
            const net = new SignalRow(row.content).net();
            return [String(net.above), String(net.below)];
          }} catch {{ return null; }}
        }})"""
    )
    for case in cases("net_of_rows"):
        assert (case["row"] in found) == (case["state"] in ("differs", "not_computed"))
        if case["net"] is not None:
            above, _, below = case["net"].partition("/")
            assert int(nets[case["row"]][0]) * int(below) == int(nets[case["row"]][1]) * int(above), case["id"]


def test_the_two_agree_on_the_ledger_of_a_run(open_page: Page, tiny: Any, tmp_path: Path) -> None:
    found = both(open_page, (tiny.folder / "ledger" / "emit.jsonl").read_bytes(), tmp_path)
    assert found["recomputed"] == found["signals"] > 0
    assert found["differing"] == 0


def test_the_two_agree_on_rows_altered_in_one_term(open_page: Page, tiny: Any, tmp_path: Path) -> None:
    """Each signal of the run once for each kind of term, hashes computed again: the chain holds, the net does not."""
    lines = (tiny.folder / "ledger" / "emit.jsonl").read_bytes().splitlines()
    contents = [row["content"] for row in (json.loads(line)["row"] for line in lines) if row["kind"] == "signal"]
    for number, content in enumerate(contents):
        params, wanted = content["provenance"]["params"], MOVED[number % len(MOVED)]
        name = next((name for name in sorted(params) if name.startswith(wanted)), "capital_rate")
        params[name] = "1.5"
        content.update(derived_ids("signal", content))
    head, first = open_ledger(genesis())
    found = both(open_page, first + b"".join(append(head, "signal", contents).lines), tmp_path)
    assert found["differing"] == found["recomputed"] == len(contents)
    assert all(row["recomputed_bps"] not in (None, row["net_bps"]) for row in found["rows"])


def test_the_page_shows_the_count_and_names_the_differing_rows(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "emit.jsonl"
    path.write_bytes(LEDGER)
    text = check(page, path)
    assert "recomputed 6 of 8 rows, differing 3; 2 state no terms" in text
    name = json.loads(LEDGER.splitlines()[4])["row"]["content"]["signal_id"]
    assert f"row 4, signal {name}: 41.13 bps in the row; from its terms 39.13 bps" in text
    assert "The net of 3 signals does not follow from its row" in text
