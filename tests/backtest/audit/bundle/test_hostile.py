"""Files from a stranger: whatever stands in them, a reader ends with a value or an error of ours.

Never a traceback of another kind, never a file outside the reader's folder, never memory without bound.
"""

from __future__ import annotations

import contextlib
import io
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtest.audit.bundle.check import staged
from backtest.audit.bundle.statement import BUNDLED, STATEMENT, check_statement, check_sums
from backtest.audit.signed_notes import parse_key
from backtest.audit.verify_ledger import TrustedInputs
from backtest.data.format import manifest
from backtest.gate.freeze import seal
from backtest.registration.load import load_registration
from backtest.seeds import streams
from backtest.tracking import journal
from engine.errors import CmeError, MissingError
from engine.ledger.checkpoint import parse_checkpoint, text_of
from engine.ledger.format.canonical_json import parse
from engine.ledger.verification.anchors import parse_anchors
from engine.ledger.verification.verify import verify_ledger
from hypotheses.reproduction.reproduce import reproduce

UUID = "ce0d755e-e7d5-56c9-8819-356f41c1aa34"
CHECKPOINT = f"cme-audit/{UUID}\n6\nU74TS1ZMB6PMd4Xzo0Rq99G4k4EDEcNDX3s/7YZbwUc=\n".encode()
ANCHOR = (
    b'{"at_us":1,"checkpoint_sha256":"' + b"a" * 64 + b'","evidence_sha256":null,"ledger_id":"' + UUID.encode()
    + b'","method":"git_tag","reference":"x","schema":"anchor/1","size":6}\n'
)  # fmt: skip

QUICK = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@st.composite
def damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """``body`` with a few bytes replaced, cut out, repeated or put in; or bytes of nothing in particular."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=400))
    data = bytearray(body)
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.integers(1, 40))
        how = draw(st.sampled_from(("set", "cut", "twice", "put")))
        if how == "set":
            data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif how == "cut":
            del data[at : at + length]
        elif how == "twice":
            data[at:at] = data[at : at + length]
        else:
            word = st.sampled_from(
                (b"\x00", b"\xff", b"null", b"-1", b"1e999", b"[" * 300, b'"\\ud800"', b"9" * 30, b"{}")
            )
            data[at:at] = draw(word)
    return bytes(data)


@cache
def texts(folder: Path) -> dict[str, bytes]:
    """The files of a finished run that readers are given here."""
    names = ("registration.toml", "data.json", "seeds.lock", "ledger/emit.jsonl", "ledger/resolution.jsonl")
    return {name: (folder / name).read_bytes() for name in names}


def survives(read: Callable[[], object]) -> None:
    """``read`` returns, or raises an error of this project."""
    with contextlib.suppress(CmeError):
        read()


def put(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@QUICK
@given(data=st.data())
def test_checkpoints_anchors_keys_and_canonical_texts(data: st.DataObject) -> None:
    """Small texts, parsed in memory."""
    survives(lambda: parse_checkpoint(text_of(data.draw(damaged(CHECKPOINT)))))
    survives(lambda: parse_anchors(io.BytesIO(data.draw(damaged(ANCHOR)))))
    survives(lambda: parse(data.draw(damaged(ANCHOR[:-1]))))
    survives(lambda: parse_key(data.draw(st.text(max_size=80))))


@QUICK
@given(data=st.data())
def test_ledgers(tiny: Any, data: st.DataObject) -> None:
    """A damaged ledger never holds and never raises; the first bad row is within the rows there are."""
    whole = texts(tiny.folder)[data.draw(st.sampled_from(("ledger/emit.jsonl", "ledger/resolution.jsonl")))]
    body = b"".join(whole.splitlines(keepends=True)[: data.draw(st.integers(1, 5))])
    hurt = data.draw(damaged(body))
    report = verify_ledger(io.BytesIO(hurt)).report

    assert report.exit or body.startswith(hurt)
    assert report.first_bad_row is None or report.first_bad_row <= hurt.count(b"\n") + 1


@QUICK
@given(data=st.data())
def test_registrations(tiny: Any, tmp_path: Path, data: st.DataObject) -> None:
    """A registration is text of anybody: venues, quantities, dates."""
    path = put(tmp_path, "r.toml", data.draw(damaged(texts(tiny.folder)["registration.toml"])))
    survives(lambda: load_registration(path))


@QUICK
@given(data=st.data())
def test_manifests_seeds_freezes_and_journals(tiny: Any, tmp_path: Path, data: st.DataObject) -> None:
    """The JSON files of a bundle."""
    run = texts(tiny.folder)
    put(tmp_path, "manifest.json", data.draw(damaged(run["data.json"][:2000])))
    survives(lambda: manifest.load(tmp_path))
    seeds_path = put(tmp_path, "seeds.lock", data.draw(damaged(run["seeds.lock"])))
    survives(lambda: streams.load(seeds_path))
    freeze = put(tmp_path, "freeze.json", data.draw(damaged(b'{"schema":"freeze/1","study":"x"}')))
    survives(lambda: seal.read(freeze))
    log = put(tmp_path, "journal.jsonl", data.draw(damaged(_journal())))
    survives(lambda: journal.read(log))


@QUICK
@given(data=st.data())
def test_sums_and_attestations(tmp_path: Path, data: st.DataObject) -> None:
    """What names the files of a bundle."""
    put(tmp_path, "SHA256SUMS", data.draw(damaged(b"a" * 64 + b"  README.txt\n")))
    put(
        tmp_path,
        "attestation.json",
        data.draw(damaged(b'{"_type":"x","subject":[{"name":"a","digest":{"sha256":"b"}}]}')),
    )
    survives(lambda: check_sums(tmp_path))
    survives(lambda: check_statement(tmp_path, {"a": "b"}))


@pytest.mark.parametrize(
    ("name", "digest"), [("2147483648", '"b"'), ("null", '"b"'), ("true", '"b"'), ('"a"', "5"), ('"a"', "[]")]
)
def test_a_subject_that_is_no_text_is_no_statement(tmp_path: Path, name: str, digest: str) -> None:
    """Code 3; names of other types cannot be put in order.  Found by the driver of `tests/fuzz`."""
    subject = f'[{{"digest":{{"sha256":{digest}}},"name":{name}}}]'
    document = f'{{"_type":"{STATEMENT}","predicate":{{}},"predicateType":"{BUNDLED}","subject":{subject}}}'
    put(tmp_path, "attestation.json", document.encode())
    with pytest.raises(MissingError, match="was another statement"):
        check_statement(tmp_path, {"a": "b"})


@cache
def _journal() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        ticks = iter(range(10**15, 10**15 + 99))
        log = journal.start(Path(place), "x", "test", "x", lambda: next(ticks), "0b1c2d3e-4f50-4a6b-8c7d-8e9fa0b1c2d3")
        log.metric("a", 1)
        log.stage("b")
        log.end(0)
        return log.path.read_bytes()


NAMES = (
    "manifest.json", "verdicts.json", "digest.txt", "results.exploratory.json", "results.float.json", "funnel.json",
    "coverage.json", "registration.toml", "seeds.lock", "data.manifest", "returns.parquet", "accruals.parquet",
    "folds/03/signals.parquet", "folds/03/trades.parquet", "placements.parquet", "ledgers/emit.jsonl",
)  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    from backtest.audit.bundle.collect import bundle_of

    return dict(bundle_of(tiny.folder, TrustedInputs()).files)


@settings(QUICK, max_examples=25)
@given(data=st.data())
def test_a_bundle_with_any_one_file_damaged(bundle: dict[str, bytes], data: st.DataObject) -> None:
    """The whole of level 1 on it, its sums made again by the attacker: a report with a code, and no other file."""
    import tempfile

    from tests.hypotheses.reproduction.test_reproduce import sealed_again

    name = data.draw(st.sampled_from([one for one in NAMES if one in bundle]))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "bundle"
        for each, body in bundle.items():
            (folder / each).parent.mkdir(parents=True, exist_ok=True)
            (folder / each).write_bytes(body)
        (folder / name).write_bytes(data.draw(damaged(bundle[name])))
        try:
            sealed_again(folder)
        except (ValueError, OSError):
            return
        before = sorted(path for path in Path(place).rglob("*"))
        survives(lambda: reproduce(folder, 1, TrustedInputs()).document())
        assert sorted(path for path in Path(place).rglob("*")) == before


def test_what_is_neither_bundle_nor_run_is_refused(tmp_path: Path) -> None:
    """Nothing, an empty folder, a text: code 3."""
    put(tmp_path, "x.zip", b"not a zip at all, but long enough to look at")
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "none", tmp_path / "x.zip", tmp_path / "empty"):
        with pytest.raises(CmeError) as caught, staged(source):
            pass
        assert caught.value.exit_code == 3


def test_a_long_line_is_refused_without_being_held() -> None:
    """A ledger of one endless line costs a line's limit, not its length."""
    stream = io.BytesIO(b'{"row":' + b" " * 60_000_000)
    tracemalloc.start()
    report = verify_ledger(stream).report
    extra = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert report.exit == 10
    assert extra < 2_000_000


def test_a_deep_text_is_an_error_of_ours() -> None:
    """Brackets without end do not reach the interpreter's limit."""
    for text in (b"[" * 100_000, b'{"a":' * 50_000):
        with pytest.raises(CmeError):
            parse(text)
