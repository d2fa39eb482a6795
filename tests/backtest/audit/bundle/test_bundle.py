"""What a bundle holds, and that its bytes follow from the run alone.  [audit 12]"""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backtest import environment
from backtest.audit.bundle import layout
from backtest.audit.bundle.collect import Bundle, bundle_of
from backtest.audit.bundle.pack import archive
from backtest.audit.bundle.readme import DESCRIPTIONS, readme
from backtest.audit.verify_ledger import TrustedInputs
from backtest.commands.bundle import bundle as command
from backtest.commands.verify import verify
from backtest.tracking import journal
from engine.errors import CmeError, LedgerError, MissingError

MIDNIGHT_US = 1_767_225_600_000_000


@pytest.fixture(scope="module")
def recorded(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny run with the journal that `cme run` keeps beside it."""
    runs = tmp_path_factory.mktemp("runs")
    run = Path(shutil.copytree(tiny.folder, runs / tiny.folder.name))
    write_journal(runs, run)
    return run


def write_journal(runs: Path, run: Path, uid: str = "0b1c2d3e-4f50-4a6b-8c7d-8e9fa0b1c2d3") -> Path:
    ticks = iter(range(MIDNIGHT_US, MIDNIGHT_US + 10**9, 1_000_000))
    verdicts = json.loads((run / "verdicts.json").read_text())
    log = journal.start(runs / uid, "tiny", "exploratory", "run tiny.toml", lambda: next(ticks), uid)
    for stage in ("data", "engine", "placements", "verdicts", "report"):
        log.stage(stage)
    for name in ("registration", "data"):
        log.tag(name, verdicts["run"][name])
    log.tag(f"digest.{verdicts['window']['start'][:10]}", verdicts["run"]["digest"])
    (runs / uid / run.name).mkdir()
    shutil.copyfile(run / "verdicts.json", runs / uid / run.name / "verdicts.json")
    log.artifact(f"{run.name}/verdicts.json")
    log.end(0)
    return log.path


@pytest.fixture(scope="module")
def packed(recorded: Path) -> Bundle:
    return bundle_of(recorded, TrustedInputs())


def test_the_same_run_gives_the_same_archive(recorded: Path, packed: Bundle, tmp_path: Path) -> None:
    """Neither the time nor the place of the run's folder nor the order of its files reaches the bytes."""
    shutil.copytree(recorded.parent, tmp_path / "elsewhere")
    again = bundle_of(tmp_path / "elsewhere" / recorded.name, TrustedInputs())

    assert sha256(archive(packed.files)).digest() == sha256(archive(dict(reversed(again.files.items())))).digest()


def test_an_archive_is_sorted_stored_and_says_nothing_of_its_maker(packed: Bundle, tmp_path: Path) -> None:
    """Names sorted by bytes, 1980-01-01, mode 0644, creator system 3, no compression."""
    path = tmp_path / "b.zip"
    path.write_bytes(archive(packed.files))
    with zipfile.ZipFile(path) as found:
        entries = found.infolist()
        assert found.testzip() is None

    assert [e.filename for e in entries] == sorted(packed.files)
    assert {e.date_time for e in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {(e.create_system, e.external_attr >> 16, e.compress_type) for e in entries} == {(3, 0o100644, 0)}


def test_a_bundle_holds_what_the_text_asks_for(packed: Bundle, recorded: Path) -> None:
    """Every part of audit 12 that an exploratory run has, under its name."""
    names = set(packed.files)
    wanted = {
        "ro-crate-metadata.json", "seeds.lock", "data.manifest", "requirements.lock", "ledgers/emit.jsonl",
        "ledgers/resolution.jsonl", "results.exploratory.json", "results.float.json", "registration.toml",
        "manifest.json", "returns.parquet", "folds/00/trades.parquet", "verify.html", "report.html", "attestation.json",
        "SHA256SUMS", "README.txt", "runs/0b1c2d3e-4f50-4a6b-8c7d-8e9fa0b1c2d3/journal.jsonl",
    }  # fmt: skip

    assert wanted <= names
    assert "results.exact.json" not in names
    assert b"EXPLORATORY" in packed.files["README.txt"]
    assert len([name for name in names if layout.CHECKPOINT.fullmatch(name)]) == 2
    assert packed.files["data.manifest"] == (recorded / "data.json").read_bytes()


def test_sums_are_those_of_an_independent_tool(packed: Bundle, tmp_path: Path) -> None:
    """`sha256sum -c` accepts SHA256SUMS, which lists every file but itself."""
    for name, data in packed.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    done = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b": OK") == len(packed.files) - 1


def test_the_attestation_is_a_statement_about_every_other_file(packed: Bundle) -> None:
    """in-toto Statement v1; subjects are all files but itself and the sums, which come after it."""
    statement = json.loads(packed.files["attestation.json"])
    subjects = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}

    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert set(subjects) == set(packed.files) - {"attestation.json", "SHA256SUMS"}
    assert all(sha256(packed.files[name]).hexdigest() == digest for name, digest in subjects.items())
    assert statement["predicate"]["exit_codes"]["tables"] == 0
    assert statement["predicate"]["results_digest"] == packed.files["digest.txt"].decode().strip()


def test_the_crate_describes_each_stage_with_the_times_of_the_journal(packed: Bundle) -> None:
    """RO-Crate 1.1 under Process Run Crate 0.5: an action a stage; every id it mentions is in the graph.

    What the profile asks of each entity, MUST and SHOULD, but the agent: nobody recorded who it was.
    """
    context = json.loads(packed.files["ro-crate-metadata.json"])["@context"]
    assert context == ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
    graph = {one["@id"]: one for one in json.loads(packed.files["ro-crate-metadata.json"])["@graph"]}
    actions = [one for one in graph.values() if one["@type"] == "CreateAction"]

    assert graph["ro-crate-metadata.json"]["conformsTo"]["@id"] == "https://w3id.org/ro/crate/1.1"
    assert graph["./"]["conformsTo"]["@id"] == "https://w3id.org/ro/wfrun/process/0.5"
    assert graph["./"]["datePublished"] == "2026-01-01"
    assert [one["@id"] for one in actions][:2] == ["#data", "#engine"]
    assert all(one["startTime"] <= one["endTime"] for one in actions)
    assert all({"name", "description", "instrument", "object", "result"} <= set(one) for one in actions)
    software = graph[actions[0]["instrument"]["@id"]]
    assert {"name", "softwareVersion"} <= set(software)
    assert "version" not in software  # not both
    assert {"name", "description", "license", "datePublished"} <= set(graph["./"])
    made = {end["@id"] for one in actions for end in listed(one["result"])}
    assert {"funnel.json", "folds/00/fitted.json", "sensitivities.json", "report.md", "manifest.json"} <= made
    assert graph[graph["./"]["conformsTo"]["@id"]]["@type"] == "CreativeWork"
    for action in actions:
        ends = [action["instrument"], *listed(action["object"]), *listed(action["result"])]
        assert {end["@id"] for end in ends} <= set(graph)
    assert {part["@id"] for part in graph["./"]["hasPart"]} <= set(graph)


def listed(references: Any) -> list[Any]:
    """Return a property of the crate as a list; one reference stands alone in it."""
    return references if isinstance(references, list) else [references]


@pytest.mark.parametrize("address", [None, "https://example.org/cme-perps.git"])
def test_the_readme_names_the_repository_or_says_that_it_is_not_published(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    """The address is ``repository-code`` of CITATION.cff, in the README and as the url of the program in the crate."""
    line = "" if address is None else f'repository-code: "{address}"\n'
    (tmp_path / "CITATION.cff").write_text(f"cff-version: 1.2.0\n# repository-code: no\n{line}license: Apache-2.0\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    files = bundle_of(recorded, TrustedInputs()).files
    text, graph = files["README.txt"].decode(), json.loads(files["ro-crate-metadata.json"])["@graph"]
    (software,) = (one for one in graph if one["@type"] == "SoftwareApplication")

    assert software.get("url") == address
    assert ("not published" in text) == (address is None)
    assert (str(address) in text) == (address is not None)


def test_no_market_data_are_taken_along(packed: Bundle) -> None:
    """The data set's own files are named by hash only."""
    assert not [name for name in packed.files if "quotes/" in name or name == "instruments.parquet"]


def test_a_run_that_does_not_hold_is_not_bundled(recorded: Path, tmp_path: Path) -> None:
    """The code is the run's own; an unfinished run is 3."""
    copy = Path(shutil.copytree(recorded, tmp_path / recorded.name))
    (copy / "digest.txt").write_text("0" * 64 + "\n")
    with pytest.raises(LedgerError) as caught:
        bundle_of(copy, TrustedInputs())
    assert caught.value.exit_code == 30

    (copy / "verdicts.json").unlink()
    with pytest.raises(MissingError, match=r"verdicts\.json"):
        bundle_of(copy, TrustedInputs())


def test_a_confirmatory_run_without_its_freeze_is_not_bundled(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run was held to belongs into its bundle; where it cannot be found, its hash is named."""
    from backtest.audit.bundle import collect

    with pytest.raises(MissingError, match=r"freeze\.json with the hash " + "a" * 64):
        collect._freeze_of({"freeze_hash": "a" * 64}, None)


def test_the_command_writes_one_file_and_prints_its_hash(recorded: Path, tmp_path: Path) -> None:
    """Exit 0; the hash on stdout is that of the file; a name that is no zip is a usage error."""
    done = CliRunner().invoke(command, [str(recorded), "--out", str(tmp_path / "b.zip"), "--json"])
    said = json.loads(done.stdout)

    assert done.exit_code == 0
    assert said["sha256"] == sha256((tmp_path / "b.zip").read_bytes()).hexdigest()
    assert [path.name for path in tmp_path.iterdir()] == ["b.zip"]
    refused = CliRunner().invoke(command, [str(recorded), "--out", str(tmp_path / "b.tar")])
    assert isinstance(refused.exception, CmeError)
    assert refused.exception.exit_code == 2


def test_a_bundle_is_verified_packed_and_unpacked(packed: Bundle, tmp_path: Path) -> None:
    """`cme verify BUNDLE` is level 0: the object of audit 8.2, each check, and what was not checked."""
    (tmp_path / "b.zip").write_bytes(archive(packed.files))
    shutil.unpack_archive(tmp_path / "b.zip", tmp_path / "b")
    for path in (tmp_path / "b.zip", tmp_path / "b"):
        done = CliRunner().invoke(verify, [str(path), "--json"])
        said = json.loads(done.stdout)
        assert (done.exit_code, said["exit"], said["reason"]) == (0, 0, None)
        assert {"sums", "attestation", "freeze", "looks", "ledger/emit", "files"} <= {c["name"] for c in said["checks"]}
        assert said["rows"] == said["ledgers"]["emit"]["rows"] > 0
        assert any("whoever packed it" in note for note in said["unchecked"])
    read = CliRunner().invoke(verify, [str(tmp_path / "b.zip")])
    assert read.stdout.startswith("exit 0: everything asked for")

    (tmp_path / "b" / "funnel.json").write_bytes(packed.files["funnel.json"] + b"\n")
    refused = CliRunner().invoke(verify, [str(tmp_path / "b")])
    assert refused.exit_code == 30
    assert "funnel.json: expected SHA-256" in refused.stdout
    (tmp_path / "b" / "ledgers" / "emit.jsonl").unlink()
    (tmp_path / "c.zip").write_bytes(b"PK no zip at all")
    for path in (tmp_path / "b", tmp_path / "c.zip"):
        assert getattr(CliRunner().invoke(verify, [str(path)]).exception, "exit_code", None) == 3


def test_the_readme_tells_how_to_open_check_and_repeat(packed: Bundle) -> None:
    """In the order in which it is done; each kind of file that is there is explained."""
    text = packed.files["README.txt"].decode()
    steps = ["unzip", "sha256sum -c", "verify.html", "git clone", "git checkout", "make .venv/installed", "cme verify",
             "cme reproduce BUNDLE.zip  ", "--level 2", "--level 3"]  # fmt: skip
    places = [text.index(step) for step in steps]
    told = [name for name, _ in DESCRIPTIONS]

    assert places == sorted(places)
    assert [name for name in packed.files if not any(name.startswith(one) for one in told)] == []
    assert max(map(len, text.splitlines())) <= 120


def test_no_control_character_of_a_title_reaches_the_readme() -> None:
    """A title may hold what turns text around; in README.txt it is written out."""
    words = ("id", "mode", "digest", "results", "repository", "commit")
    facts = dict.fromkeys(words, "x") | {"title": "a\u202eb\x1b[31m", "clean": True, "drawn": True}
    text = readme(facts | {"window": {"start": "s", "end": "e"}}, ()).decode()

    assert text.startswith("a\\u202eb\\x1b[31m\n")
    assert text.replace("\n", "").isprintable()
