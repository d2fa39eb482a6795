"""Every class of tampering, and what must catch it.  [audit 8.4, 14]"""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from hypotheses.reproduction.commands import drill

WITHOUT_DATA = "not catchable without a checkpoint"
ROW = "cme verify: ledger/emit, files"
EXPECTED = {
    "edit a row": (ROW, 11, 11),
    "edit a row and re-hash it": (ROW, 13, 13),
    "drop the tail": ("cme verify: facts, results, tables, files", 16, 16),
    "drop a row": (ROW, 12, 12),
    "drop the genesis": (ROW, 12, 12),
    "reorder two rows": (ROW, 12, 12),
    "duplicate a row": (ROW, 12, 12),
    "insert a row": (ROW, 13, 13),
    "swap the ledgers": ("cme verify: ledger/resolution, files", 15, 15),
    "truncate the file": (ROW, 10, 10),
    "another spelling of a row": (ROW, 11, 11),
    "edit the genesis": (ROW, 13, 13),
    "edit a result": ("cme verify: results, verdicts, files", 30, 30),
    "change the digest": ("cme verify: results, files", 30, 30),
    "edit a result, all made to agree": ("cme reproduce --level 1", 30, 0),
    "alter a verdict": ("cme verify: verdicts, files", 30, 30),
    "alter a verdict and list it anew": ("cme verify: verdicts", 30, 30),
    "cut a table in half": ("cme verify: files", 21, 21),
    "add a file": ("cme verify: files", 3, 3),
    "take a file away": ("cme verify: files", 3, 3),
    "alter the page": ("cme verify: files", 30, 30),
    "edit the returns": ("cme verify: tables, files", 15, 15),
    "drop the capital charge": ("cme reproduce --level 1", 30, 0),
    "edit the trades": ("cme verify: tables, files", 15, 15),
    "edit the registration": ("cme verify: seal, files", 26, 26),
    "edit the manifest": ("cme verify: facts, files", 16, 16),
    "edit the data manifest": ("cme verify: seal, files", 21, 21),
    "edit the seeds": ("cme verify: seal, files", 24, 24),
    "forge a checkpoint: another root": ("cme verify --checkpoint", 16, 16),
    "forge a checkpoint: a row more": ("cme verify --checkpoint", 16, 16),
    "forge a checkpoint: another spelling": ("cme verify --checkpoint", 16, 16),
    "forge a checkpoint: a line more": ("cme verify --checkpoint", 16, 16),
    "flatter a result, all made to agree": ("cme reproduce --level 1", 30, 16),
    "drop the worst loser, all made to agree": ("cme reproduce --level 1", 30, 16),
    "the same, and the statistics with it": (WITHOUT_DATA, 0, 16),
}


def test_the_drill_catches_what_can_be_caught_and_says_what_cannot(tiny: Any) -> None:
    """The whole table: who caught it, its code, and the code against a checkpoint kept elsewhere.

    Whatever is not listed anew the listing catches as well; where it alone does, nothing else states what was changed.
    A forger who recomputes the statistics as well passes every check without data, and no row claims otherwise.
    """
    before = {path: path.read_bytes() for path in tiny.folder.rglob("*") if path.is_file()}
    done = CliRunner().invoke(drill, [str(tiny.folder), "--json", "--quiet"])
    rows = {r["tampering"]: (r["caught_by"], r["exit"], r["with_checkpoint"]) for r in json.loads(done.stdout)["rows"]}

    assert done.exit_code == 0
    assert rows == EXPECTED
    assert {path: path.read_bytes() for path in tiny.folder.rglob("*") if path.is_file()} == before
