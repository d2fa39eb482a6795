"""Whole files, each made once: what the damage begins with."""

from __future__ import annotations

import hashlib
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

from backtest.audit.bundle.pack import archive
from backtest.audit.bundle.statement import BUNDLED, statement
from backtest.audit.signed_notes import ED25519, Key, sign_note
from backtest.gate.freeze import seal
from backtest.gate.looks import null_results as registry
from backtest.tracking import journal
from engine.ledger.chain import append, open_ledger
from engine.ledger.format.canonical_json import canonical
from tests.backtest.gate import sandbox
from tests.helpers import ledgers, small_run

ROOT: Final = Path(__file__).resolve().parents[2]
UUID: Final = "ce0d755e-e7d5-56c9-8819-356f41c1aa34"
CHECKPOINT: Final = f"cme-audit/{UUID}\n6\nU74TS1ZMB6PMd4Xzo0Rq99G4k4EDEcNDX3s/7YZbwUc=\n"
FREEZE: Final = "configs/prereg/rehearsal/freeze.json"
_SEED: Final = bytes(range(32))
_PLAN: Final = ROOT / "configs" / "prereg" / "288615" / "registration.toml"


def key() -> str:
    """The text of a verification key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Key("publisher", ED25519, Ed25519PrivateKey.from_private_bytes(_SEED).public_key().public_bytes_raw()).text


def note() -> bytes:
    """A checkpoint signed by that key."""
    return sign_note(CHECKPOINT, "publisher", _SEED).encode()


def anchor() -> bytes:
    """One line of anchors."""
    content = {
        "at_us": 1, "checkpoint_sha256": "a" * 64, "evidence_sha256": None, "ledger_id": UUID, "method": "git_tag",
        "reference": "x", "schema": "anchor/1", "size": 6,
    }  # fmt: skip
    return canonical(content) + b"\n"


@cache
def emit() -> bytes:
    """An emit ledger of three signals."""
    return b"".join(ledgers.ledger(3))


@cache
def outcomes() -> bytes:
    """The resolution ledger of these, one of them corrected."""
    head, _ = open_ledger(ledgers.genesis())
    rows = append(head, "signal", ledgers.signals(3)).head.rows
    start, first = open_ledger(ledgers.genesis(ledger_kind="resolution", emit_ledger_id=head.ledger_id))
    contents = [ledgers.resolution(one, rows[one["signal_id"]]) for one in ledgers.signals(3)]
    done = append(start, "resolution", contents)
    again = ledgers.resolution(
        ledgers.signal(0), rows[ledgers.signal(0)["signal_id"]], 1, done.head.rows[contents[0]["resolution_id"]]
    )
    return b"".join([first, *done.lines, *append(done.head, "resolution", [again]).lines])


@cache
def looks_ledger() -> bytes:
    """A looks ledger with one look opened and closed."""
    head, first = open_ledger(ledgers.live("looks"), ledgers.NOON)
    lines = [first]
    for at, event in enumerate(("open", "close")):
        done = append(head, "look", [ledgers.look(event)], ledgers.NOON + at)
        head, lines = done.head, [*lines, *done.lines]
    return b"".join(lines)


@cache
def database() -> bytes:
    """The live store of three signals, its log folded in."""
    import sqlite3

    with tempfile.TemporaryDirectory() as place:
        with ledgers.store(Path(place)) as live:
            live.append("signal", ledgers.signals(3))
            path = live.path
        base = sqlite3.connect(path)
        base.execute("PRAGMA journal_mode=DELETE")
        base.close()
        return path.read_bytes()


def mark() -> bytes:
    """A high-water mark."""
    return canonical({"ledger_id": UUID, "row_hash": "0" * 64, "seq": 3}) + b"\n"


@cache
def registration() -> bytes:
    """The registered plan."""
    return _PLAN.read_bytes()


@cache
def tiny_registration() -> bytes:
    """A plan without any file beside it."""
    return small_run.toml(small_run.document()).encode()


@cache
def amendment() -> bytes:
    """An amendment of the registered plan."""
    parent = hashlib.sha256(registration()).hexdigest()
    return (
        f'[[amendments]]\nname = "0001"\nat = "2026-11-22T00:00:00Z"\nreason = "a test"\noutcome_known = false\n'
        f'parent_sha256 = "{parent}"\naffects = ["H1"]\n[[amendments.changes]]\nkey = "grid.persistence"\n'
        "before = 2\nafter = 3\n"
    ).encode()


def receipts() -> bytes:
    """Receipts with evidence and without."""
    said = {"registry": "R", "number": "1", "address": "a", "date": "2026-01-01"}
    kept = {"evidence": "page.pdf", "evidence_sha256": hashlib.sha256(b"x").hexdigest()}
    none = {"evidence": "", "evidence_sha256": ""}
    return small_run.toml({"receipts": [{**said, **kept}, {**said, **none}]}).encode()


def manifest() -> bytes:
    """The manifest of a data set of two files."""
    facts = {"sha256": "a" * 64, "size": 1, "rows": 1, "min_us": 1, "max_us": 2, "source": "x", "licence": "y"}
    files = [{"path": name, **facts} for name in ("dataset.json", "quotes/a.parquet")]
    return canonical({"schema": "dataset/1", "name": "x", "files": files, "cutoff_us": 2})


@cache
def study() -> Path:
    """A folder with a frozen study: ``checkout`` and ``data``."""
    folder = Path(tempfile.mkdtemp(prefix="cme-fuzz-study-"))
    sandbox.dataset(folder / "data")
    sandbox.frozen(sandbox.checkout(folder / "checkout"), folder / "data")
    return folder


def freeze() -> bytes:
    """The freeze of that study."""
    return (study() / "checkout" / FREEZE).read_bytes()


def unsealed() -> dict[str, Any]:
    """That freeze, made before its data."""
    content: dict[str, Any] = json.loads(freeze())
    return content | {"data": {"path": "set", "dataset_hash": None}}


def data_seal() -> bytes:
    """The seal of its data."""
    content = {"schema": "data-seal/1", "dataset_hash": "d" * 64, "path": "set", "sealed_at_us": 1}
    return json.dumps(content | {"freeze_hash": seal.freeze_hash(unsealed())}, indent=1).encode()


@cache
def journal_lines() -> bytes:
    """The journal of a finished run."""
    with tempfile.TemporaryDirectory() as place:
        ticks = iter(range(10**15, 10**15 + 99))
        uid = "0b1c2d3e-4f50-4a6b-8c7d-8e9fa0b1c2d3"
        log = journal.start(Path(place), "x", "exploratory", "run", lambda: next(ticks), uid)
        log.param("workers", "1")
        for key, value in (("data", "x"), ("registration", "z"), ("digest.2026-01-23", "d" * 64)):
            log.tag(key, value)
        log.stage("folds")
        log.metric("h1/sharpe.2026_01_23", 1.5)
        log.metric("h1/other", float("nan"))
        (Path(place) / "run").mkdir()
        (Path(place) / "run" / "verdicts.json").write_bytes(b"{}")
        log.artifact("run/verdicts.json")
        log.end(0)
        return log.path.read_bytes()


@cache
def negatives() -> bytes:
    """A negative registry of two claims."""
    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        run.mkdir()
        claim = {"statistic": "0.5", "p_num": 1, "p_den": 2, "ci_low": None, "ci_high": None}
        claims = [{"id": name, "decision": "not_supported", **claim} for name in ("h1", "h3/C1")]
        power = {"n_days": 90, "sharpe": [1.0], "rows": [{"name": "rule", "kind": "exact", "power": [0.05]}]}
        verdicts = {"run": {"id": "r", "mode": "exploratory", "digest": "d" * 64}, "H1": {"power": power}}
        results = {"study": "s", "freeze_hash": None, "dataset_hash": "e" * 64, "hypotheses": claims}
        (run / "verdicts.json").write_text(json.dumps(verdicts))
        (run / "results.exploratory.json").write_text(json.dumps(results))
        registry.record(Path(place) / "negatives.jsonl", run, 1, dict)
        return (Path(place) / "negatives.jsonl").read_bytes()


def attestation() -> bytes:
    """A statement about one file."""
    return statement(BUNDLED, {"a": "b"}, {"results_digest": "d" * 64})


def small_archive() -> bytes:
    """A bundle-like archive."""
    return archive({"README.txt": b"x", "SHA256SUMS": b"", "folds/01/fitted.json": b"[]"})
