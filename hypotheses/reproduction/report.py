"""What a reproduction found, as one document, as text, and as an attestation beside the bundle.  [audit 12]"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backtest import environment
from backtest.audit.bundle.level0_report import Step
from backtest.audit.bundle.statement import REPRODUCED, statement
from backtest.data.format.atomic_write import write_whole
from engine.freeze import engine_hash
from hypotheses.reproduction.claims import Claim, table
from hypotheses.reproduction.floats import Floats
from hypotheses.reproduction.matrix import Ran

OUTSIDE = 31


@dataclass(frozen=True, slots=True)
class Report:
    """All that was asked, level by level.  ``exact`` is the first fault of the exact tier, ``exit`` of both."""

    subject: Mapping[str, str]  # name and SHA-256 of what was given
    run: Mapping[str, Any]
    level: int
    steps: tuple[Step, ...]
    claims: tuple[Claim, ...]
    digest: Mapping[str, str | None]  # reported, recomputed
    floats: Floats | None
    environments: tuple[Ran, ...]
    unchecked: tuple[str, ...]

    @property
    def exact(self) -> Step | None:
        return next((step for step in self.steps if step.exit), None)

    @property
    def exit(self) -> int:
        if self.exact is not None:
            return self.exact.exit
        # After the exact tier: a float outside its tolerance must not hide another digest.  [audit 12]
        return OUTSIDE if self.floats is not None and self.floats.outside else 0

    @property
    def reason(self) -> str | None:
        if self.exact is not None:
            return f"level {self.exact.level}, {self.exact.name}: {self.exact.reason}"
        return f"float tier: {self.floats.outside[0]}" if self.floats is not None and self.floats.outside else None

    def document(self) -> dict[str, Any]:
        """Return the report as JSON, ``exit`` and ``reason`` first."""
        return {
            "schema": "reproduction/1",
            "exit": self.exit,
            "reason": self.reason,
            "level": self.level,
            "subject": dict(self.subject),
            "run": dict(self.run),
            "digest": dict(self.digest),
            "claims": [{**asdict(claim), "same": claim.same} for claim in self.claims],
            "steps": [asdict(claim) for claim in self.steps],
            "float_tier": None if self.floats is None else asdict(self.floats),
            "environments": [asdict(claim) for claim in self.environments],
            "unchecked": list(self.unchecked),
            "engine_here": engine_hash(),
            "environment": {
                **environment.source(),
                "lock_sha256": environment.lock_sha256(),
                "versions": environment.versions(),
                "machine": environment.machine(),
            },
        }

    def text(self) -> str:
        """Return the report for reading: claims side by side, each step, the float tier after the exact verdict."""
        lines = [f"{self.run.get('id')}  {self.run.get('mode')}", ""]
        lines += [*table(self.claims), ""] if self.claims else []
        for key in ("reported", "recomputed"):
            lines.append(f"digest {key:11} {self.digest[key] or 'not asked'}")
        lines += ["", *(f"level {step.level}  {step.name:28} {step.reason or 'ok'}" for step in self.steps)]
        lines += [
            f"level 3  {ran.variation:28} {ran.digest or '-'} {f'exit {ran.exit} {ran.reason}' if ran.exit else ''}"
            for ran in self.environments
        ]
        verdict = "everything asked for was checked and holds" if self.exact is None else str(self.reason)
        lines += ["", f"exact tier: exit {self.exact.exit if self.exact else 0}: {verdict}"]
        if self.floats is not None:
            lines.append(f"float tier: {self.floats.compared} compared, {len(self.floats.outside)} outside tolerance")
            # The JSON report has all of them.
            lines += [f"  outside: {name}" for name in self.floats.outside[:20]]
        lines += [f"unchecked: {note}" for note in self.unchecked]
        return "\n".join(line.rstrip() for line in lines) + "\n"


def write(report: Report, folder: Path, stem: str) -> tuple[Path, ...]:
    """Write ``<stem>.reproduction.json``, ``.txt`` and ``.attestation.json`` into ``folder``; return their paths."""
    document = report.document()
    predicate = {
        key: document[key] for key in ("exit", "reason", "level", "run", "digest", "engine_here", "environment")
    }
    predicate["steps"] = {f"{step.level}/{step.name}": step.exit for step in report.steps}
    attested = statement(REPRODUCED, {report.subject["name"]: report.subject["sha256"]}, predicate)
    files: Sequence[tuple[str, bytes]] = (
        (f"{stem}.reproduction.json", (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()),
        (f"{stem}.reproduction.txt", report.text().encode()),
        (f"{stem}.reproduction.attestation.json", attested),
    )
    for name, data in files:
        write_whole(folder / name, data)
    return tuple(folder / name for name, _ in files)
