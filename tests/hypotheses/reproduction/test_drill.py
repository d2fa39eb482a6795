"""Every class of tampering, and what must catch it.  [audit 8.4, 14]"""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from hypotheses.reproduction.commands import drill

WITHOUT_DATA = "not catchable without a checkpoint"
EXPECTED = {
    "edit a row": ("cme verify", 11, 11),
    "edit a row and re-hash it": ("cme verify", 13, 13),
    "drop the tail": ("cme verify", 16, 16),
    "drop a row": ("cme verify", 12, 12),
    "drop the genesis": ("cme verify", 12, 12),
    "reorder two rows": ("cme verify", 12, 12),
    "duplicate a row": ("cme verify", 12, 12),
    "insert a row": ("cme verify", 13, 13),
    "swap the ledgers": ("cme verify", 15, 15),
    "truncate the file": ("cme verify", 10, 10),
    "another spelling of a row": ("cme verify", 11, 11),
    "edit the genesis": ("cme verify", 13, 13),
    "edit a verdict": ("cme verify", 30, 30),
    "change the digest": ("cme verify", 30, 30),
    "edit a verdict and its digest": ("cme reproduce --level 1", 30, 0),
    "edit the returns": ("cme verify", 15, 15),
    "drop the capital charge": ("cme reproduce --level 1", 30, 0),
    "edit the trades": ("cme verify", 15, 15),
    "edit the registration": ("cme verify", 26, 26),
    "edit the manifest": ("cme verify", 16, 16),
    "edit the data manifest": ("cme verify", 21, 21),
    "edit the seeds": ("cme verify", 24, 24),
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

    A forger who recomputes the statistics as well passes every check without data, and no row claims otherwise.
    """
    before = {path: path.read_bytes() for path in tiny.folder.rglob("*") if path.is_file()}
    done = CliRunner().invoke(drill, [str(tiny.folder), "--json", "--quiet"])
    rows = {r["tampering"]: (r["caught_by"], r["exit"], r["with_checkpoint"]) for r in json.loads(done.stdout)["rows"]}

    assert done.exit_code == 0
    assert rows == EXPECTED
    assert {path: path.read_bytes() for path in tiny.folder.rglob("*") if path.is_file()} == before
