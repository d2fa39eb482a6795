"""One whole run, byte for byte: again, with more workers, and elsewhere; and what must change when an input does.

Compared run against run on this machine, never with stored output.  [S8.5, S8.6, audit 10.3]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import scipy.linalg

from backtest.seeds.streams import Seeds, lock_content
from tests.helpers.small_run import ROOT, Tiny, make, write_config

MACHINE = {"machine", "kernels", "versions", "commit", "clean"}
"""Facts of the manifest that are recorded, and part of nothing."""
LISTING = "files.sha256"
"""It has the hash of the manifest, machine facts and all."""
LOADED = scipy.linalg.__name__
"""It brings a thread pool of its own, which a page names once it is loaded: two runs of one process would differ."""


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run by its name, the machine facts taken out of the manifest; the listing lists each."""
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    assert len(found.pop(LISTING).splitlines()) == len(found)
    manifest = json.loads(found["manifest.json"])
    found["manifest.json"] = json.dumps({k: v for k, v in manifest.items() if k not in MACHINE}).encode()
    return found


def same(first: Path, second: Path, but: tuple[str, ...] = ()) -> None:
    a, b = contents(first), contents(second)
    assert first.name == second.name
    assert sorted(a) == sorted(b)
    assert [name for name in a if a[name] != b[name] and name not in but] == []


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes_with_two_workers(tiny: Tiny, tmp_path: Path) -> None:
    """Data set, run directory, digest and both pages, made from nothing elsewhere by two workers."""
    again = make(tiny.config, tmp_path / "elsewhere", workers=2)

    assert again.dataset.dataset_hash == tiny.dataset.dataset_hash
    same(tiny.folder, again.folder)


@pytest.mark.slow
def test_the_surroundings_change_nothing(tiny: Tiny, tmp_path: Path) -> None:
    """Another process, hash seed, time zone, locale, working directory and number of BLAS threads: the same bytes."""
    code = (
        "import sys; from pathlib import Path; from tests.helpers.small_run import make;"
        "print(make(Path(sys.argv[1]), Path(sys.argv[2])).folder)"
    )
    surroundings = {
        "PYTHONHASHSEED": "77",
        "TZ": "Pacific/Auckland",
        "LC_ALL": "C",
        "OPENBLAS_NUM_THREADS": "1",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tiny.config), str(tmp_path / "runs")],
        cwd=tmp_path,
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    same(tiny.folder, Path(done.stdout.split()[-1]), but=("report.html", "report.md"))  # they print the machine's facts


@pytest.mark.slow
def test_another_root_of_chance_is_another_market_and_another_run(tiny: Tiny, tmp_path: Path) -> None:
    """Seeds change the synthetic market, the data hash and the id; the registration's hash stays."""
    other = Seeds(lock_content("a second root", tiny.seeds.content["streams"]), tiny.seeds.replicates)
    again = make(tiny.config, tmp_path, streams=other)
    here, there = (json.loads((t.folder / "manifest.json").read_text()) for t in (tiny, again))

    assert again.folder.name != tiny.folder.name
    for key in ("seeds_hash", "dataset_hash"):
        assert here[key] != there[key]
    assert here["config_hash"] == there["config_hash"]


@pytest.mark.slow
def test_one_registered_number_changes_what_it_should(tiny: Tiny, tmp_path: Path) -> None:
    """A higher threshold of C1: other ids throughout, fewer signals of C1, the same packages of the others."""
    config = write_config(tmp_path, {"constraints.c1.threshold_bps": "400"}, "other.toml")
    again = make(config, tmp_path / "runs")
    here, there = (json.loads((t.folder / "funnel.json").read_text()) for t in (tiny, again))

    assert again.registration.config_hash != tiny.registration.config_hash
    assert again.folder.name != tiny.folder.name
    assert there["C1"]["episodes"] < here["C1"]["episodes"]
    assert there["C1"]["examined"] == here["C1"]["examined"]
    for code in ("C2", "C3", "C4", "C5", "C6", "C7"):
        assert there[code]["violations"] == here[code]["violations"]
    assert not {s.signal_id for s in tiny.run.signals} & {s.signal_id for s in again.run.signals}
