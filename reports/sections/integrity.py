"""Hashes, seals and ledgers that tie the numbers to their inputs."""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Section, Table, Text
from reports.citation import Cited
from reports.load import Run
from reports.words import count, plural


def build(run: Run) -> Sequence[Block]:
    """Return seals, ledgers and digest, with a sentence on what they prove and what they do not."""
    facts = run.manifest
    integrity = run.verdicts["integrity"]
    rows = (
        ("engine, tree hash", facts["engine_hash"]),
        ("registration, configuration hash", facts["config_hash"]),
        ("seeds hash", facts["seeds_hash"]),
        ("data set hash", facts["dataset_hash"]),
        ("requirements.lock, SHA-256", facts["lock_sha256"] or "not found"),
        ("commit", (facts["commit"] or "unknown") + ("" if facts["clean"] else " (working tree not clean or unknown)")),
        ("results digest", run.verdicts["run"]["digest"] or "none"),
        *(
            (
                f"{kind} ledger: rows, head",
                Cited("{} with its first, the genesis; {}").format(plural(v["size"], "row"), v["head"]),
            )
            for kind, v in facts["ledgers"].items()
        ),
        ("quotes quarantined", count(integrity["quarantined"])),
    )
    return [
        Table("Hashes that name the inputs and the record", ("what", "value"), rows),
        Text(
            "The chain proves integrity since the last checkpoint that somebody else holds. It does not prove that the "
            "inputs were true, nor that nobody analysed a copy of the data elsewhere. No checkpoint was given here: "
            "truncation or a complete rewrite would not be visible."
        ),
    ]


SECTION = Section("integrity", "Integrity", "S5", build)
