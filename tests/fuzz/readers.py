"""Every reader of a file from outside, and whole files to damage.

A reader is given bytes and an empty folder of its own; it may return anything or raise an error of ours.  `small` needs
nothing but this repository's vectors; `of_a_run` damages the files of a finished run and of its bundle.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backtest.audit import reconcile
from backtest.audit.bundle.pack import archive
from backtest.audit.bundle.statement import check_statement, check_sums
from backtest.audit.bundle.unpack import unpack
from backtest.audit.signed_notes import names_on, open_note, parse_key
from backtest.audit.verify_ledger import TrustedInputs, trusted_inputs, verify_with_emit
from backtest.commands.verify import _lines as shown
from backtest.data.format import manifest
from backtest.gate import checks, receipts
from backtest.gate.freeze import seal
from backtest.gate.looks import null_results, registry
from backtest.registration.load import load_registration
from backtest.seeds import streams
from backtest.tracking import journal, trials
from backtest.tracking.view import tracked_run
from engine.errors import CmeError
from engine.ledger.checkpoint import parse_checkpoint, text_of
from engine.ledger.format.canonical_json import canonical, parse, parse_any_spelling
from engine.ledger.store.export import export_lines
from engine.ledger.store.high_water_mark import read_mark, write_mark
from engine.ledger.store.live_store import open_store
from engine.ledger.verification.anchors import parse_anchors
from engine.ledger.verification.compare import compare
from hypotheses.reproduction.levels import reported
from hypotheses.reproduction.reproduce import reproduce
from tests.backtest.gate import sandbox
from tests.fuzz import whole
from tests.fuzz.data_readers import data_readers
from tests.fuzz.plants import planted_readers
from tests.fuzz.recording_readers import recording_readers
from tests.fuzz.whole import CHECKPOINT, ROOT
from tests.helpers.ledgers import genesis, signal

Read = Callable[[bytes, Path], object]


PLAN: Final = "configs/prereg/288615/registration.toml"


@dataclass(frozen=True, slots=True)
class Reader:
    """One reader: what its whole files look like, the shape their damage knows, and the reading itself."""

    name: str
    shape: str
    whole: tuple[bytes, ...]
    read: Read


def small() -> tuple[Reader, ...]:
    """Return the readers that need no run."""
    note, key, anchor, emit = whole.note(), whole.key().encode(), whole.anchor(), whole.emit()
    plain = CHECKPOINT.encode()
    return (
        Reader("canonical", "json", (anchor[:-1], canonical(signal(0))), _canonical),
        Reader("checkpoint", "bytes", (plain, note), _checkpoint),
        Reader("anchors", "lines", (anchor, anchor * 2), lambda data, _: parse_anchors(io.BytesIO(data))),
        Reader("note", "bytes", (note, note + note), _note),
        Reader("key", "bytes", (key,), lambda data, _: parse_key(data.decode("utf-8", "replace"))),
        Reader("emit ledger", "ledger", (emit, emit.splitlines(keepends=True)[0]), _emit),
        Reader("resolution ledger", "ledger", (whole.outcomes(),), _resolution),
        Reader("comparison", "ledger", (emit,), lambda data, _: compare(io.BytesIO(data), io.BytesIO(emit))),
        Reader("held files", "bytes", (note, plain, key, anchor), _held),
        Reader("high-water mark", "json", (whole.mark(),), _high_water),
        Reader("live store", "bytes", (whole.database(),), _live),
        Reader("looks registry", "ledger", (whole.looks_ledger(),), _looks),
        Reader("registration", "toml", (whole.registration(), whole.tiny_registration()), _registration),
        Reader("amendment", "amendment", (whole.amendment(),), _amended),
        Reader("receipts", "toml", (whole.receipts(),), _receipt),
        Reader("manifest", "json", (whole.manifest(),), _dataset),
        Reader("freeze", "json", (whole.freeze(),), _frozen),
        Reader("data seal", "json", (whole.data_seal(),), _sealed),
        Reader("seeds", "json", ((ROOT / "seeds.lock").read_bytes(),), _seeds),
        Reader("journal", "lines", (whole.journal_lines(),), _journals),
        Reader("negatives", "lines", (whole.negatives(),), _failures),
        Reader("sums", "bytes", (b"a" * 64 + b"  README.txt\n" + b"b" * 64 + b"  verify.html\n",), _sums),
        Reader("attestation", "json", (whole.attestation(),), _attested),
        Reader("archive", "zip", (whole.small_archive(),), _archive),
        *(Reader(*each) for each in (*data_readers(), *recording_readers())),
    )


def planted() -> tuple[Reader, ...]:
    """Return the copies of readers that hold a fault on purpose."""
    return tuple(Reader(*each) for each in planted_readers())


RUN_FILES: Final = (
    ("manifest.json", "json"), ("verdicts.json", "json"), ("results.exploratory.json", "json"), ("digest.txt", "bytes"),
    ("results.float.json", "json"), ("registration.toml", "toml"), ("seeds.lock", "json"), ("data.json", "json"),
    ("returns.parquet", "bytes"), ("accruals.parquet", "bytes"), ("folds/01/trades.parquet", "bytes"),
    ("ledger/resolution.jsonl", "ledger"),
)  # fmt: skip


def of_a_run(run: Path) -> tuple[Reader, ...]:
    """Return the readers of a run directory and of its bundle, made from the finished run ``run``."""
    from backtest.audit.bundle.collect import bundle_of

    files = dict(bundle_of(run, TrustedInputs()).files)
    found = [
        Reader(f"run, {name}", shape, ((run / name).read_bytes(),), _run_with(run, name)) for name, shape in RUN_FILES
    ]
    return (*found, Reader("bundle", "zip", (archive(files),), _bundle))


def put(place: Path, name: str, data: bytes) -> Path:
    """Write one file below ``place`` and return its path."""
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _canonical(data: bytes, _place: Path) -> None:
    with suppress(CmeError):
        assert canonical(parse(data)) == data
    canonical(parse_any_spelling(data))


def _checkpoint(data: bytes, _place: Path) -> None:
    text = text_of(data)
    assert parse_checkpoint(text).text == text


def _note(data: bytes, _place: Path) -> None:
    names_on(data)
    open_note(data, (parse_key(whole.key()),))


def _emit(data: bytes, place: Path) -> None:
    path = put(place, "emit.jsonl", data)
    brought = TrustedInputs(checkpoints=(("kept", CHECKPOINT.encode()),), anchors=())
    for given in (brought, TrustedInputs()):
        shown(verify_with_emit(path, None, given).report.document())


def _resolution(data: bytes, place: Path) -> None:
    emit = put(place, "emit.jsonl", whole.emit())
    shown(verify_with_emit(put(place, "resolution.jsonl", data), emit, TrustedInputs()).report.document())


def _held(data: bytes, place: Path) -> None:
    path, emit = put(place, "held", data), put(place, "emit.jsonl", whole.emit())
    key = put(place, "key", whole.key().encode())
    for checkpoints, keys, anchors in (
        ([path], [], None),
        ([path], [key], None),
        ([key], [path], None),
        ([], [], path),
    ):
        with suppress(CmeError):
            shown(verify_with_emit(emit, None, trusted_inputs(checkpoints, keys, anchors)).report.document())


def _high_water(data: bytes, place: Path) -> None:
    mark = read_mark(put(place, "marks/highwater.json", data))
    if mark is not None:
        write_mark(place / "marks" / "highwater.json", mark)


def _live(data: bytes, place: Path) -> None:
    path = put(place, "ledger.sqlite", data)
    with open_store(path, genesis(), place / "marks" / "highwater.json") as opened:
        list(export_lines(opened))
        opened.append("signal", [signal(7)])


def _looks(data: bytes, place: Path) -> None:
    put(place, f"looks/{registry.LEDGER}", data)
    last = data.rstrip(b"\n").rsplit(b"\n", 1)[-1]
    with suppress(ValueError, KeyError, TypeError):
        row = json.loads(last)
        mark = {"ledger_id": row["row"]["ledger_id"], "row_hash": row["row_hash"], "seq": row["row"]["seq"]}
        put(place, f"looks/{registry.MARK}", canonical(mark) + b"\n")
    registry.read(place / "looks").summary()


def _registration(data: bytes, place: Path) -> None:
    shutil.copytree(ROOT / "configs" / "venues", place / "configs" / "venues")
    load_registration(put(place, PLAN, data))


def _amended(data: bytes, place: Path) -> None:
    put(place, str(Path(PLAN).parent / "amendments" / "0001.toml"), data)
    _registration(whole.registration(), place)


def _receipt(data: bytes, place: Path) -> None:
    put(place, "page.pdf", b"x")
    put(place, receipts.RECEIPTS_FILE, data)
    receipts.read(place)


def _dataset(data: bytes, place: Path) -> None:
    put(place, "data/manifest.json", data)
    for entry in manifest.load(place / "data")[1].values():
        with suppress(CmeError):
            manifest.read_checked(place / "data", entry)


def _frozen(data: bytes, place: Path) -> None:
    found = seal.read(put(place, "freeze.json", data))
    seal.freeze_hash(found)
    study = whole.study()
    copy = Path(shutil.copytree(study / "checkout", place / "checkout", symlinks=True))
    put(copy, whole.FREEZE, data)
    situation = sandbox.situation(copy, study / "data")
    for check in checks.CHECKS:
        if check.name not in ("clean tree", "looks"):  # these ask git, which is a program of its own
            with suppress(CmeError, OSError):  # the gate makes a fault of these
                list(check.faults(situation))


def _sealed(data: bytes, place: Path) -> None:
    put(place, seal.DATA_SEAL_FILE, data)
    seal.sealed_data(place, whole.unsealed())


def _seeds(data: bytes, place: Path) -> None:
    found = streams.load(put(place, "seeds.lock", data))
    assert found.seeds_hash
    found.check_known_answers()


def _journals(data: bytes, place: Path) -> None:
    path = put(place, "runs/one/journal.jsonl", data)
    put(place, "runs/run/manifest.json", b'{"window":{"start":"2026-01-23"},"data":"x","registration":"y","id":"run"}')
    put(place, "runs/run/ledger/emit.jsonl", b"")
    reconcile.orphans(place / "runs")
    trials.trials_of(place / "runs" / "run")
    tracked_run(journal.read(path))


def _failures(data: bytes, place: Path) -> None:
    null_results.read(put(place, null_results.NEGATIVES_FILE, data))


def _sums(data: bytes, place: Path) -> None:
    put(place, "SHA256SUMS", data)
    check_sums(place)


def _attested(data: bytes, place: Path) -> None:
    put(place, "attestation.json", data)
    check_statement(place, {"a": "b"})


def _archive(data: bytes, place: Path) -> None:
    path, target = put(place, "given/x.zip", data), place / "out" / "bundle"
    try:
        unpack(path, target)
    except CmeError:
        assert not target.exists()
        raise
    assert sum(one.stat().st_size for one in target.rglob("*")) < 10 * len(data) + 10**6


def _bundle(data: bytes, place: Path) -> None:
    path = put(place, "given/x.zip", data)
    reproduce(path, 1, TrustedInputs()).document()
    assert [one.name for one in place.rglob("*") if one.is_file()] == ["x.zip"]


def _run_with(run: Path, name: str) -> Read:
    """Return the reader of ``run`` with the file ``name`` other: level 0, and what a report says of it."""

    def read(data: bytes, place: Path) -> None:
        copy = Path(shutil.copytree(run, place / run.name, copy_function=_linked))
        (copy / name).unlink()
        put(copy, name, data)
        reproduce(copy, 0, TrustedInputs()).document()
        with suppress(ValueError, KeyError, TypeError, AttributeError):  # whoever calls it expects these
            reported(copy)

    return read


def _linked(source: str, target: str) -> str:
    Path(target).symlink_to(Path(source).resolve())
    return target
