"""Results of a run directory: the hashed document, and verdicts.json and retained.json beside it.  [audit 10.4]"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backtest.audit.run import derived_fields
from backtest.audit.run.check_tables import facts_of, resolutions
from backtest.rundir.files import RESULTS, read_object, require_same, results_of
from engine.errors import LedgerError
from engine.ledger.format.canonical_json import canonical, tagged_hash
from engine.ledger.verification.verify import Verified


def results(folder: Path, ledgers: Mapping[str, Verified]) -> None:
    """Check that the document hashes to digest.txt and verdicts.json, and names and counts these ledgers.  (30)"""
    name, document = results_of(folder)
    digest = _digest(document)
    require_same("digest.txt", digest, (folder / "digest.txt").read_text(encoding="utf-8").removesuffix("\n"), 30)
    require_same("verdicts.json, run.digest", digest, read_object(folder / "verdicts.json")["run"]["digest"], 30)
    for kind, verified in ledgers.items():
        facts, in_document = facts_of(verified.report), document["ledgers"][kind]
        require_same(f"{name}, ledgers.{kind}", {key: facts[key] for key in in_document}, in_document, 30)
    reasons = [content["exit_reason"] for content in resolutions(folder)]
    void = reasons.count("void")
    counts = {"signals": ledgers["emit"].report.rows - 1, "resolved": len(reasons) - void, "void": void}
    require_same(f"{name}, counts", counts, document["counts"], 30)


def verdicts(folder: Path, ledgers: Mapping[str, Verified]) -> None:  # noqa: ARG001  # all checks are called alike
    """Check verdicts.json and retained.json field by field with what the document and the manifest say.  (30)"""
    name, document = results_of(folder)
    manifest, written = read_object(folder / "manifest.json"), read_object(folder / "verdicts.json")
    digest = _digest(document)
    require_same("results document of a run of this mode", RESULTS[manifest["mode"] != "confirmatory"], name, 30)
    _first(derived_fields.differences(derived_fields.header_of(manifest), document, name))
    _first(
        derived_fields.differences(
            derived_fields.verdicts_of(document, manifest, digest), derived_fields.by_code(written), "verdicts.json"
        )
    )
    kept = read_object(folder / "retained.json")
    _first(
        derived_fields.differences(
            derived_fields.retained_of(document, manifest, digest, written), kept, "retained.json"
        )
    )


def _first(problems: Any) -> None:
    sentence = next(problems, None)
    if sentence is not None:
        raise LedgerError(f"{sentence}; results document and manifest say so: `cme judge` makes it again", exit_code=30)


def _digest(document: Mapping[str, Any]) -> str:
    return tagged_hash("results", canonical(dict(document)))
