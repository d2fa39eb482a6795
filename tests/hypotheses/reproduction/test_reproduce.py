"""A published run computed again, level by level; the bundle is only read.  [audit 10.4, 12]"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backtest.audit.bundle.collect import bundle_of
from backtest.audit.bundle.pack import write_archive
from backtest.audit.bundle.statement import hashes, statement
from backtest.audit.bundle.variations import Variation, environment_of, variations
from backtest.audit.tamper import consistent_edit
from backtest.audit.verify_ledger import TrustedInputs
from backtest.environment import ROOT
from backtest.rundir.checksums import renew, sums_text
from engine.constraints.codes import CODES
from engine.errors import MissingError, UsageError
from hypotheses.reproduction.claims import FIELDS
from hypotheses.reproduction.commands import reproduce as command
from hypotheses.reproduction.floats import compare
from hypotheses.reproduction.matrix import Ran
from hypotheses.reproduction.reproduce import reproduce


@pytest.fixture(scope="module")
def packed(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "tiny.zip"
    write_archive(path, bundle_of(tiny.folder, TrustedInputs()).files)
    return path


@pytest.fixture
def unpacked(packed: Path, tmp_path: Path) -> Path:
    shutil.unpack_archive(packed, tmp_path / "b")
    return tmp_path / "b"


def asked(*words: object) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


def sealed_again(bundle: Path) -> Path:
    """Crate, attestation and sums of a forger: of what is there now."""
    names = [p.relative_to(bundle).as_posix() for p in sorted(bundle.rglob("*")) if p.is_file()]
    files = {name: (bundle / name).read_bytes() for name in names if name not in ("SHA256SUMS", "attestation.json")}
    predicate = {"results_digest": (bundle / "digest.txt").read_text().strip()}
    crate = json.loads(files["ro-crate-metadata.json"])
    for one in crate["@graph"]:
        if one["@type"] == "File" and one["@id"] in files:
            one["sha256"] = sha256(files[one["@id"]]).hexdigest()
    files["ro-crate-metadata.json"] = json.dumps(crate).encode()
    files["attestation.json"] = statement("urn:cme-audit:1:bundle", hashes(files), predicate)
    files["SHA256SUMS"] = sums_text(hashes(files))
    for name, data in files.items():
        (bundle / name).write_bytes(data)
    return bundle


def edited(path: Path, change: Callable[[Any], None]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_a_bundle_reproduces_from_its_tables(packed: Path, tmp_path: Path) -> None:
    """Level 1, exit 0: same digest, every claim the same, report and attestation beside; the bundle is untouched."""
    before = packed.read_bytes()
    done = asked(packed, "--out", tmp_path, "--json", "--quiet")
    said = json.loads(done.stdout)

    assert done.exit_code == 0, said["reason"]
    assert said["digest"]["reported"] == said["digest"]["recomputed"]
    assert [one["same"] for one in said["claims"]] == [True] * len(said["claims"])
    assert said["float_tier"]["outside"] == []
    assert said["subject"]["sha256"] == sha256(before).hexdigest()
    assert packed.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tiny.zip.reproduction.attestation.json", "tiny.zip.reproduction.json", "tiny.zip.reproduction.txt",
    ]  # fmt: skip
    attested = json.loads((tmp_path / "tiny.zip.reproduction.attestation.json").read_text())
    assert attested["subject"] == [{"name": "tiny.zip", "digest": {"sha256": sha256(before).hexdigest()}}]
    assert attested["predicate"]["digest"]["recomputed"] == said["digest"]["recomputed"]


def test_claims_stand_side_by_side(packed: Path, tmp_path: Path) -> None:
    """Registered, reported, recomputed: three columns, a line a claim, H1 to H3/C7."""
    text = asked(packed, "--out", tmp_path, "--quiet").stdout
    head, *lines = [line for line in text.splitlines() if line.startswith(("claim", "h1", "h2", "h3"))]

    assert head.split() == ["claim", "registered", "reported", "recomputed"]
    assert {line.split()[0] for line in lines} >= {"h1", "h1/n1", "h2", "h3", *(f"h3/{code}" for code in CODES)}
    assert all(line.endswith("same") for line in lines)
    answers = {line.split()[0]: line for line in lines}
    assert all("not enough data" in answers[f"h3/{code}"] for code in CODES)
    assert all(answers[name].count("cannot tell") == 2 for name in ("h1", "h2", "h3"))


def test_a_run_directory_and_an_unpacked_bundle_reproduce_too(tiny: Any, unpacked: Path) -> None:
    """Both are only read; what they hold afterwards is what they held."""
    for source in (tiny.folder, unpacked):
        before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
        report = reproduce(source, 1, TrustedInputs())
        assert report.exit == 0, report.reason
        assert {path: path.read_bytes() for path in source.rglob("*") if path.is_file()} == before


def test_nothing_is_written_into_what_is_checked(unpacked: Path) -> None:
    """A folder inside the bundle is no place for the report."""
    done = asked(unpacked, "--out", unpacked / "reports", "--quiet")
    assert isinstance(done.exception, UsageError)
    assert not (unpacked / "reports").exists()


def test_lock_file_and_crate_are_those_of_the_bundle(unpacked: Path) -> None:
    """Another lock file is 23, a crate that describes other files 30, whatever sums and attestation say."""
    with (unpacked / "requirements.lock").open("a") as stream:
        stream.write("evil==1.0\n")
    assert reproduce(sealed_again(unpacked), 0, TrustedInputs()).exit == 23
    (unpacked / "requirements.lock").unlink()
    report = reproduce(sealed_again(unpacked), 0, TrustedInputs())
    assert (report.exit, report.exact and report.exact.name) == (30, "crate")
    assert "requirements.lock" in str(report.reason)


def test_a_page_that_is_not_the_repositorys_is_remarked(unpacked: Path) -> None:
    """Whoever packed the bundle could have packed another verifier: said, and nothing is decided by it."""
    assert not [note for note in reproduce(unpacked, 0, TrustedInputs()).unchecked if "verify.html" in note]
    with (unpacked / "verify.html").open("a") as stream:
        stream.write("<!-- -->")
    report = reproduce(sealed_again(unpacked), 0, TrustedInputs())
    assert report.exit == 0
    assert [note for note in report.unchecked if "verify.html" in note]


def test_a_forged_anchor_is_a_finding(unpacked: Path) -> None:
    """Anchors that are none are 18, in the report like every other fault."""
    (unpacked / "anchors.jsonl").write_bytes(b"{}\n")
    report = reproduce(sealed_again(unpacked), 0, TrustedInputs())
    assert report.exit == 18
    assert report.exact is not None
    assert report.exact.name == "checkpoints and anchors"


@pytest.mark.slow
def test_level_2_draws_the_market_and_runs_the_engine_again(packed: Path) -> None:
    """A synthetic study needs nothing but its bundle; both ledgers come out as they were."""
    report = reproduce(packed, 2, TrustedInputs())

    assert report.exit == 0, report.reason
    assert [one.name for one in report.steps if one.level == 2] == ["data, engine and ledgers"]


@pytest.mark.slow
def test_level_2_names_the_first_row_that_differs(tiny: Any, tmp_path: Path) -> None:
    """A forger who made everything agree is told from the data: exit 32, both rows shown."""
    run = Path(shutil.copytree(tiny.folder, tmp_path / tiny.folder.name))
    consistent_edit.forge(run, lambda _, outcomes: consistent_edit.shifted(outcomes[2], "1"))
    digest = reproduce(run, 1, TrustedInputs()).digest["recomputed"]
    claims = reproduce(run, 1, TrustedInputs()).claims
    recomputed = [{"id": one.id, **{field: one.recomputed[field] for field in FIELDS}} for one in claims]
    consistent_edit.settle_results(run, lambda document: document.update(hypotheses=recomputed))

    assert (run / "digest.txt").read_text().strip() == digest
    report = reproduce(run, 2, TrustedInputs())
    assert report.exit == 32
    assert "resolution ledger, row" in str(report.reason)
    assert "reported:" in str(report.reason)
    assert "rebuilt:" in str(report.reason)


def test_a_changed_file_is_named(unpacked: Path) -> None:
    """Level 0: sums that do not hold are 30, with the file's name; what is not listed is refused like what is gone."""
    (unpacked / "README.txt").write_bytes(b"trust me\n")
    report = reproduce(unpacked, 0, TrustedInputs())

    assert report.exit == 30
    assert "README.txt" in str(report.reason)
    (unpacked / "README.txt").unlink()
    assert "no such file" in str(reproduce(unpacked, 0, TrustedInputs()).reason)


def test_sums_made_again_do_not_save_an_edited_result(unpacked: Path) -> None:
    """The digest is recomputed from the document, and at level 1 the document from the tables."""
    path = unpacked / "results.exploratory.json"
    path.write_bytes(path.read_bytes().replace(b'"decision":"inconclusive"', b'"decision":"supported"', 1))
    assert reproduce(sealed_again(unpacked), 0, TrustedInputs()).exit == 30

    consistent_edit.settle_results(unpacked, lambda document: None)
    assert reproduce(sealed_again(unpacked), 0, TrustedInputs()).exit == 0
    report = reproduce(unpacked, 1, TrustedInputs())
    assert report.exit == 30
    assert [one.id for one in report.claims if not one.same] == ["h1"]
    assert "hypotheses[h1].decision" in str(report.reason)


def test_a_ledger_fault_keeps_its_own_code(unpacked: Path) -> None:
    """Codes of audit 8.3 come through: a row's hash is 11."""
    path = unpacked / "ledgers" / "emit.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"gross_bps":"', b'"gross_bps":"1', 1))
    assert reproduce(sealed_again(unpacked), 0, TrustedInputs()).exit == 11


def test_a_checkpoint_kept_elsewhere_is_asked(packed: Path) -> None:
    """With one the note about the bundle's own is gone; a foreign one is 16."""
    alone = reproduce(packed, 0, TrustedInputs())
    assert "whoever packed it" in alone.unchecked[0]
    forged = f"cme-audit/{'0' * 8}-0000-5000-8000-{'0' * 12}\n5\nU74TS1ZMB6PMd4Xzo0Rq99G4k4EDEcNDX3s/7YZbwUc=\n"
    assert reproduce(packed, 0, TrustedInputs(checkpoints=(("kept", forged.encode()),))).exit == 16


def test_the_float_tier_is_said_after_the_exact_verdict(unpacked: Path) -> None:
    """Outside its tolerance is 31; the exact tier's own verdict stays 0."""

    def nudge(entries: list[dict[str, str]]) -> None:
        entries[0]["value"] = repr(float(entries[0]["value"]) + 1e-6)

    edited(unpacked / "results.float.json", nudge)
    renew(unpacked, ["results.float.json"])
    report = reproduce(sealed_again(unpacked), 1, TrustedInputs())

    assert report.exit == 31
    assert report.exact is None
    assert "exact tier: exit 0" in report.text()


def test_tolerances_are_those_declared() -> None:
    """|a - b| <= atol + rtol |a|; an entry only one side has is outside; trials that differ leave dsr unchecked."""

    def entry(name: str, value: str, rtol: str = "1e-9", atol: str = "1e-12") -> dict[str, str]:
        return {"name": name, "value": value, "rtol": rtol, "atol": atol}

    assert compare([entry("a", "2", rtol="1")], [entry("a", "1")], True).outside != ()  # loosened by who reports
    assert compare([entry("a", "2", atol="9")], [entry("a", "1")], True).outside != ()
    assert compare([entry("a", "1")], [entry("a", "1.0000000009")], True).outside == ()
    assert compare([entry("a", "1")], [entry("a", "1.0000000011")], True).outside != ()
    assert compare([entry("a", "1")], [], True).outside == ("a: not recomputed",)
    assert compare([entry("h1/dsr", "1")], [], False).outside == ()
    with pytest.raises(MissingError):
        compare([entry("a", "nan")], [], True)


def test_level_3_needs_one_digest(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another digest under any variation is 32, and the variation is named."""
    from hypotheses.reproduction import reproduce as module

    digest = reproduce(packed, 1, TrustedInputs()).digest["recomputed"]

    def ran(*_: object) -> tuple[Ran, ...]:
        return Ran("default", 0, digest, None), Ran("TZ Mars", 0, "f" * 64, None)

    monkeypatch.setattr(module, "run_all", ran)
    monkeypatch.setattr(module, "_level_2", lambda *_: None)
    report = reproduce(packed, 3, TrustedInputs(), variations=[Variation("default")])
    assert report.exit == 32
    assert "TZ Mars" in str(report.reason)


def combined() -> list[Variation]:
    """Every variation of the matrix, gathered into as few processes as keep each value in one of them."""
    matrix = {one.name: one.variables for one in variations()}
    parts = (
        ("one BLAS thread", "OPENBLAS_CORETYPE Haswell", "hash seed 0", "TZ Asia/Kathmandu", "LC_ALL C"),
        ("two BLAS threads", "OPENBLAS_CORETYPE Nehalem", "no NumPy dispatch", "libm without FMA and AVX2",
         "hash seed 1", "TZ America/St_Johns", "LC_ALL C.UTF-8", "NumPy in place of the compiled kernels"),
    )  # fmt: skip
    # a third process for one more hash seed costs half a minute; test_same_everywhere.py judges under it
    elsewhere = {"default", "another folder", "2 workers", "hash seed 4242"}
    assert {name for names in parts for name in names} | elsewhere >= set(matrix)
    gathered = [{key: value for name in names for key, value in matrix.get(name, {}).items()} for names in parts]
    return [
        Variation(f"gathered {at}", variables, workers=1 + at % 2, elsewhere=at == 1)
        for at, variables in enumerate(gathered)
    ]


@pytest.mark.slow
def test_the_matrix_of_environments_gives_one_digest(packed: Path) -> None:
    """Threads, processors, dispatch, libm, hash seeds, zones, locales, folders, workers: one digest.  [audit 15.3]"""
    report = reproduce(packed, 3, TrustedInputs(), variations=combined())

    assert report.exit == 0, report.reason
    assert {one.digest for one in report.environments} == {report.digest["reported"]}


def test_what_may_not_decide_does_differ_between_environments() -> None:
    """The negative control: the same processes give other bits for a matrix product."""
    code = "from backtest.audit.bundle.variations import differing_statistics as f; print(f()['BLAS product'])"
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment_of(Variation(name, {"OPENBLAS_CORETYPE": name})),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in ("Haswell", "Nehalem")
    }
    assert len(said) == 2
