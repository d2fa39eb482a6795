"""A run directory against itself: ledgers, seal, results, tables.  What is recomputed here needs no market data.

    ledgers   both hold (10-15), against checkpoints and anchors where given (16-18)
    facts     manifest.json names exactly these ledgers (16)
    seal      registration.toml, data.json and seeds.lock hash to what manifest and genesis say (26, 21, 24, 20)
    results   results.*.json is canonical, hashes to digest.txt and verdicts.json, and counts these ledgers (30)
    tables    signals, trades, accruals and returns say what the ledgers say, to the micro-dollar (15)

That the numbers follow from the data is another question: `cme reproduce`.  [audit 8, 10.4, 12]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from backtest import seeds
from backtest.config import load_registration
from backtest.data.manifest import hash_of
from backtest.verification import Held, verify_file
from engine.errors import CmeError, LedgerError, MissingError
from engine.ledger.canon import canonical, parse, parse_any_spelling, tagged_hash
from engine.ledger.checkpoint import parse_checkpoint, text_of
from engine.ledger.verify import Report, Verified, opened
from engine.ledger.walk import lines, parsed
from engine.units import MICRO

KINDS = ("emit", "resolution")
FIGURES = ("gross_usd_micro", "fees_usd_micro", "slippage_usd_micro", "funding_usd_micro", "net_usd_micro")
FIELDS = ("gross_pnl_usd", "fees_usd", "slippage_usd", "funding_usd", "net_pnl_usd")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing asked of a run directory: 0, or the code and the sentence of what does not hold."""

    name: str
    exit: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class RunReport:
    """All that was checked of a run directory; ``exit`` is the first fault in the order of the checks."""

    exit: int
    reason: str | None
    ledgers: Mapping[str, Report]
    findings: tuple[Finding, ...]

    def document(self) -> dict[str, Any]:
        """Return the object of audit 8.2 for the first ledger that does not hold, else of the emit ledger, and more."""
        shown = next((report for report in self.ledgers.values() if report.exit), self.ledgers["emit"])
        unchecked = [f"{kind}: {note}" for kind, report in self.ledgers.items() for note in report.unchecked]
        return {
            **shown.document(),
            "exit": self.exit,
            "reason": self.reason,
            "unchecked": unchecked,
            "ledgers": {kind: report.document() for kind, report in self.ledgers.items()},
            "checks": [{"name": one.name, "exit": one.exit, "reason": one.reason} for one in self.findings],
        }


def is_run(path: Path) -> bool:
    """Return whether ``path`` is a run directory."""
    return (path / "ledger" / "emit.jsonl").is_file() and (path / "manifest.json").is_file()


def verify_run(folder: Path, brought: Held) -> RunReport:
    """Return what holds of the run directory ``folder``; checkpoints and anchors go to the ledger they name."""
    shares = _shares(folder, brought)
    emit = verify_file(folder / "ledger" / "emit.jsonl", shares["emit"])
    known = emit.emitted if not emit.report.exit else None
    resolution = verify_file(folder / "ledger" / "resolution.jsonl", shares["resolution"], known)
    found = {"emit": emit, "resolution": resolution}
    reports = {kind: one.report for kind, one in found.items()}
    findings = [Finding(f"ledger/{kind}", report.exit, report.reason) for kind, report in reports.items()]
    if not any(report.first_bad_row is not None for report in reports.values()):
        findings += [_asked(name, code, check, folder, found) for name, code, check in CHECKS]
    first = next((one for one in findings if one.exit), None)
    reason = None if first is None else f"{first.name}: {first.reason}"
    return RunReport(0 if first is None else first.exit, reason, reports, tuple(findings))


def _shares(folder: Path, brought: Held) -> dict[str, Held]:
    """Return what was brought for each ledger; a checkpoint of neither goes to the emit ledger, where it fails."""
    names = {kind: _origin(folder / "ledger" / f"{kind}.jsonl") for kind in KINDS}
    mine = [item for item in brought.checkpoints if names["resolution"] and names["resolution"] == _claimed(item[1])]
    rest = [item for item in brought.checkpoints if item not in mine]
    anchors: dict[str, Any] = {"emit": brought.anchors, "resolution": None}
    if brought.anchors is not None:
        split = {kind: tuple(a for a in brought.anchors if a.ledger_id == names[kind]) for kind in KINDS}
        anchors = {kind: split[kind] or None for kind in KINDS}
        if not any(split.values()):
            anchors["emit"] = ()
    return {
        "emit": replace(brought, checkpoints=tuple(rest), anchors=anchors["emit"]),
        "resolution": replace(brought, checkpoints=tuple(mine), anchors=anchors["resolution"]),
    }


def _asked(
    name: str, code: int, check: Callable[[Path, Mapping[str, Verified]], None], folder: Path, found: Any
) -> Finding:
    """Return the finding of one check; a file that cannot be read the way it should is code 3."""
    try:
        check(folder, found)
    except LedgerError as error:
        return Finding(name, code if error.exit_code == 10 else error.exit_code, str(error))
    except CmeError as error:
        return Finding(name, error.exit_code, str(error))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, pa.ArrowException) as error:
        return Finding(name, 3, f"expected a readable file of this run, was: {error!r}"[:400])
    return Finding(name, 0, None)


def _facts(folder: Path, found: Mapping[str, Verified]) -> None:
    stated = _json(folder / "manifest.json")["ledgers"]
    for kind, one in found.items():
        _same(f"manifest.json, ledgers.{kind}", facts_of(one.report), stated[kind], 16)


def _seal(folder: Path, found: Mapping[str, Verified]) -> None:
    manifest = _json(folder / "manifest.json")
    recomputed = {
        "engine_hash": (20, manifest["engine_hash"]),
        "config_hash": (26, load_registration(folder / "registration.toml").config_hash),
        "dataset_hash": (21, _dataset_hash(folder / "data.json")),
        "seeds_hash": (24, seeds.load(folder / "seeds.lock").seeds_hash),
        "study": (26, manifest["study"]),
        "prereg": (26, manifest["prereg"]),
    }
    for field, (code, value) in recomputed.items():
        _same(f"manifest.json, {field}", value, manifest[field], code)
        for kind, one in found.items():
            _same(f"genesis of the {kind} ledger, {field}", value, one.genesis[field], code)
    emit = found["emit"].report.ledger_id
    _same("genesis of the resolution ledger, emit_ledger_id", emit, found["resolution"].genesis["emit_ledger_id"], 15)


def _dataset_hash(path: Path) -> str:
    try:
        return hash_of(parse_any_spelling(path.read_bytes()))
    except LedgerError as error:
        raise LedgerError(f"{path.name}: {error}", exit_code=21) from error


def _results(folder: Path, found: Mapping[str, Verified]) -> None:
    names = [name for name in ("results.exact.json", "results.exploratory.json") if (folder / name).exists()]
    if len(names) != 1:
        raise MissingError(
            f"expected one of results.exact.json and results.exploratory.json, was {names}: judge the run"
        )
    document: Any = parse((folder / names[0]).read_bytes())
    digest = tagged_hash("results", canonical(document))
    _same("digest.txt", digest, (folder / "digest.txt").read_text(encoding="utf-8").removesuffix("\n"), 30)
    _same("verdicts.json, run.digest", digest, _json(folder / "verdicts.json")["run"]["digest"], 30)
    for kind, one in found.items():
        facts, stated = facts_of(one.report), document["ledgers"][kind]
        _same(f"{names[0]}, ledgers.{kind}", {key: facts[key] for key in stated}, stated, 30)
    reasons = [content["exit_reason"] for content in _resolutions(folder)]
    void = reasons.count("void")
    counts = {"signals": found["emit"].report.rows - 1, "resolved": len(reasons) - void, "void": void}
    _same(f"{names[0]}, counts", counts, document["counts"], 30)


def _tables(folder: Path, found: Mapping[str, Verified]) -> None:  # noqa: ARG001  # all checks are called alike
    signals, trades = _folds(folder, "signals"), _folds(folder, "trades")
    emitted = {content["signal_id"]: content["provenance_hash"] for content in _contents(folder, "emit", "signal")}
    resolved = {content["signal_id"]: content for content in _resolutions(folder)}
    shown = dict(zip(signals["signal_id"], signals["provenance_hash"], strict=True))
    _same("folds/*/signals.parquet, ids", _summary(emitted), _summary(shown), 15)
    _same("folds/*/signals.parquet, rows", len(emitted), len(signals), 15)
    stated = {row[0]: row[1:] for row in _figures(trades)}
    owed = {
        name: (*(_micro(content[field]) for field in FIELDS), content["exit_reason"])
        for name, content in resolved.items()
    }
    _same("folds/*/trades.parquet, figures", _summary(owed), _summary(stated), 15)
    accruals = pd.read_parquet(folder / "accruals.parquet")
    earned = dict.fromkeys(owed, 0) | accruals.groupby("signal_id")["usd_micro"].sum().astype(int).to_dict()
    _same("accruals.parquet, net of each signal", _summary({n: f[4] for n, f in owed.items()}), _summary(earned), 15)
    returns = pd.read_parquet(folder / "returns.parquet")
    by_day = accruals.groupby("day")["usd_micro"].sum().reindex(returns["day"]).fillna(0).astype(int).tolist()
    _same("returns.parquet, pnl of each day", by_day, returns["pnl"].astype(int).tolist(), 15)


CHECKS = (("facts", 16, _facts), ("seal", 26, _seal), ("results", 30, _results), ("tables", 15, _tables))


def facts_of(report: Report) -> dict[str, Any]:
    """Return what manifest and results say of a ledger."""
    return {"ledger_id": report.ledger_id, "size": report.rows, "root": report.root, "head": report.head}


def _same(what: str, expected: object, found: object, code: int) -> None:
    if expected != found:
        raise LedgerError(f"{what}: expected {str(expected)[:300]}, was {str(found)[:300]}", exit_code=code)


def _summary(by_id: Mapping[str, object]) -> list[tuple[str, object]]:
    return sorted(by_id.items())


def _figures(trades: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    financing = trades["borrow_usd_micro"] - trades["funding_usd_micro"]
    columns = trades.assign(funding_usd_micro=financing)[["signal_id", *FIGURES, "exit_reason"]]
    return columns.itertuples(index=False, name=None)


def _folds(folder: Path, table: str) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.glob(f"folds/[0-9]*/{table}.parquet"))])


def _resolutions(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the first revisions, which the tables show."""
    return (one for one in _contents(folder, "resolution", "resolution") if one["revision"] == 0)


def _contents(folder: Path, ledger: str, kind: str) -> Iterator[dict[str, Any]]:
    with opened(folder / "ledger" / f"{ledger}.jsonl") as stream:
        for line, _ in lines(stream):
            row = parsed(line)["row"]
            if row["kind"] == kind:
                yield row["content"]


def _origin(path: Path) -> str | None:
    with opened(path) as stream:
        first = next(lines(stream), (b"", False))[0]
    try:
        return str(parsed(first)["row"]["ledger_id"])
    except (LedgerError, TypeError, KeyError):
        return None


def _claimed(note: bytes) -> str | None:
    try:
        return parse_checkpoint(text_of(note)).ledger_id
    except LedgerError:
        return None


def _micro(text: str) -> int:
    return int(Decimal(text) * MICRO)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
