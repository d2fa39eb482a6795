"""What level 0 came to: its steps, the reports of the ledgers, what could not be checked.  [audit 8.2]"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from backtest.audit.run.check import RunReport
from engine.ledger.verification.verify import Report

KEPT_ELSEWHERE: Final = (
    "checkpoints in a bundle were written by whoever packed it: against a cut or a complete rewrite, bring one that "
    "somebody else kept"
)
_NOTHING: Final = Report(3, None, 0, None, sha256(b"").hexdigest(), None, None, {})
"""Of ledgers that could not be read at all."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing asked at a level: 0, or the code and the sentence of what does not hold."""

    level: int
    name: str
    exit: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """Level 0: its steps in order, the run's own report where it could be read, that of the looks, and remarks."""

    steps: tuple[Step, ...]
    report: RunReport | None
    looks: Report | None
    unchecked: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return the object of audit 8.2, as for a run directory; exit and reason are those of the first bad step."""
        first = next((step for step in self.steps if step.exit), None)
        shown = replace(_NOTHING, reason=first.reason if first else None)
        report = {**shown.document(), "ledgers": {}} if self.report is None else self.report.document()
        ledgers = report["ledgers"] | ({"looks": self.looks.document()} if self.looks else {})
        return {
            **report,
            "exit": first.exit if first else 0,
            "reason": f"{first.name}: {first.reason}" if first else None,
            "ledgers": ledgers,
            "checks": [{"name": step.name, "exit": step.exit, "reason": step.reason} for step in self.steps],
            "unchecked": list(self.unchecked),
        }
