"""The tamper drill: each class of tampering on a copy of a real run, and what caught it.  [audit 14, 15]"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backtest.audit.bundle.check import Staged
from backtest.audit.bundle.level0_report import Step
from backtest.audit.run.check import RunFinding, verify_run
from backtest.audit.tamper import consistent_edit
from backtest.audit.tamper.drill import RECOMPUTED, TAMPERINGS, Tampering
from backtest.audit.verify_ledger import TrustedInputs, checkpoint_of
from engine.errors import CmeError, LedgerError, UsageError
from engine.ledger.checkpoint import Checkpoint
from hypotheses.reproduction.reproduce import ReproductionResult, ask_level_1

FEWEST: Final = 6
"""Rows that the tamperings need between them."""
NOT_WITHOUT: Final = "not catchable without a checkpoint"
BEYOND: Final = (
    "not in this table, for a copy of a run cannot show it:",
    "  signals never emitted, inputs edited before they were read     cme reproduce --level 2, from data of your own",
    "  two histories shown to two readers                             cme verify compare, or one checkpoint for both",
    "  a revision chosen after the fact                               the revision that the registration names",
    "  a restored backup, two writing hosts                           exit 41 of the live ledger's high-water mark",
    "  early, repeated or discarded looks                             the looks registry; analysis elsewhere is unseen",
    "  a stolen key                                                   older anchors and witnesses",
)
"""What audit 14 lists besides, and what stands against each."""


@dataclass(frozen=True, slots=True)
class DrillRow:
    """One tampering: what caught it without and with a checkpoint kept elsewhere; exit 0 means nothing did.

    ``caught_by`` names the command and, of `cme verify`, every check that failed.
    """

    tampering: str
    caught_by: str
    exit: int
    reason: str | None
    with_checkpoint: int


def drill(run: Path, on_progress: Callable[[str], None] = lambda _: None) -> tuple[DrillRow, ...]:
    """Return one row a tampering, each done to a fresh copy of ``run``, which is only read.

    Raises ``LedgerError`` with the run's own code where it does not hold before the drill,
    ``UsageError`` (2) where it has too few rows.
    """
    before = verify_run(run, TrustedInputs())
    # Of a run that does not hold, no fault could be laid to the tampering.
    if before.exit:
        raise LedgerError(f"{run}: expected a run that holds, was: {before.reason}", exit_code=before.exit)
    few = min(report.rows for report in before.ledgers.values())
    if few < FEWEST:
        raise UsageError(
            f"{run}: expected ledgers of at least {FEWEST} rows to tamper with, was {few}: name another run"
        )
    kept = {kind: checkpoint_of(report) for kind, report in before.ledgers.items()}
    rows = []
    for tampering in TAMPERINGS:
        on_progress(tampering.name)
        with tempfile.TemporaryDirectory(prefix="cme-drill-") as place:
            copy = Path(shutil.copytree(run, Path(place) / run.name))
            rows.append(_row(tampering, copy, kept))
    return tuple(rows)


def _row(tampering: Tampering, copy: Path, kept: dict[str, Checkpoint]) -> DrillRow:
    tampering.apply(copy)
    # The strongest forger: results that follow from the forged tables.
    if tampering.name == RECOMPUTED:
        _judge_again(copy)
    if tampering.forges is not None:
        code, reason = _first(_verified(copy, TrustedInputs(checkpoints=(("forged", tampering.forges(kept["emit"])),))))
        return DrillRow(tampering.name, "cme verify --checkpoint", code, reason, code)
    trusted = TrustedInputs(checkpoints=tuple((kind, claim.text.encode()) for kind, claim in kept.items()))
    findings = _verified(copy, TrustedInputs())
    code, reason = _first(findings)
    by = f"cme verify: {', '.join(dict.fromkeys(finding.name for finding in findings if finding.exit))}"
    # What the files do not show, recomputing may.
    if not code:
        result = ReproductionResult(Staged(copy, copy, None), [])
        ask_level_1(result)
        code, reason = _first(result.steps)
        by = "cme reproduce --level 1" if code else NOT_WITHOUT
    against, _ = _first(_verified(copy, trusted))
    return DrillRow(tampering.name, by, code, reason, against)


def _verified(run: Path, brought: TrustedInputs) -> Sequence[RunFinding]:
    try:
        return verify_run(run, brought).findings
    # A copy so damaged that verifying it fails is caught as well.
    except CmeError as error:
        return [RunFinding("checkpoint", error.exit_code, str(error))]


def _first(steps: Sequence[Step | RunFinding]) -> tuple[int, str | None]:
    bad = next((step for step in steps if step.exit), None)
    return (0, None) if bad is None else (bad.exit, f"{bad.name}: {bad.reason}")


def _judge_again(run: Path) -> None:
    """Make the results of a forged run follow from its forged tables."""
    result = ReproductionResult(Staged(run, run, None), [])
    ask_level_1(result)
    results = result.recomputed
    if results is None:
        return

    def change(document: dict[str, Any]) -> None:
        document.clear()
        document.update(results.document)

    consistent_edit.settle_results(run, change)


def table(rows: tuple[DrillRow, ...]) -> list[str]:
    """Return the rows as lines of text."""
    shown = [("tampering", "caught by", "exit", "with a checkpoint")]
    shown += [(row.tampering, row.caught_by, str(row.exit), str(row.with_checkpoint or "-")) for row in rows]
    widths = [max(len(line[n]) for line in shown) for n in range(4)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in shown]
