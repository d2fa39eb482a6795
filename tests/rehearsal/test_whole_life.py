"""The whole life of a registered study on a synthetic market, by the commands alone, in a checkout of its own.

docs/rehearsal.md tells the same story for a reader.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.ledger.format.canonical_json import canonical, tagged_hash
from tests.helpers import small_run
from tests.helpers.cli import DOWN

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("engine", "backtest", "hypotheses", "reports", "configs")
FILES = ("cme.py", "seeds.lock", "requirements.lock", ".gitignore", ".gitattributes", "pyproject.toml")
STUDY = {
    "study": "rehearsal", "mode": "confirmatory", "synthetic": False, "data.kind": "path", "data.path": "set",
    "data.synthetic": {},
}  # fmt: skip
HOME = Path("configs", "prereg", "rehearsal")
PLAN = str(HOME / "registration.toml")

pytestmark = pytest.mark.slow


class Life:
    """A checkout, and the two commands that a researcher has in it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.data, self.runs = folder / "checkout", folder / "data", folder / "runs"
        for name in SOURCES:
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copyfile(ROOT / name, self.root / name)
        (self.root / "tests").mkdir()
        shutil.copyfile(ROOT / "tests" / "requirements.lock", self.root / "tests" / "requirements.lock")
        small_run.write_config(self.root / HOME, STUDY, "registration.toml")
        self.market = small_run.write_config(folder / "market")
        self.git("init", "-q")

    def git(self, *arguments: str) -> None:
        who = ["-c", "user.name=researcher", "-c", "user.email=researcher@example.org"]
        subprocess.run(["git", "-C", str(self.root), *who, *arguments], check=True, capture_output=True)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def cme(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "CME_", "PYTEST"))}
        return subprocess.run(
            [sys.executable, "-P", "cme.py", *arguments],
            cwd=self.root, env={**plain, "PYTHONPATH": str(self.root)}, capture_output=True, text=True, timeout=1800,
        )  # fmt: skip

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # a tracker that refuses at once: the tests of tracking wait for MLflow's store, this one need not, five times
        place = ["--data", str(self.data), "--out", str(self.runs), "--workers", "1", "--json", "--tracking", DOWN]
        return self.cme("run", PLAN, *place, *arguments)

    def freeze(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.cme("freeze", "--registration", PLAN, "--data", str(self.data), *arguments)


def test_from_registration_to_verdicts_and_never_twice(tmp_path: Path) -> None:
    """Register, freeze, tag, collect, seal, look once, report; a second look is refused, a replication agrees."""
    life = Life(tmp_path)
    life.commit("register")

    assert life.freeze("--check").returncode == 3  # nothing is sealed yet
    frozen = life.freeze("--json")
    assert frozen.returncode == 0, frozen.stderr
    freeze = json.loads((life.root / HOME / "freeze.json").read_text())
    assert freeze["data"]["dataset_hash"] is None
    assert json.loads(frozen.stdout)["freeze_hash"] == tagged_hash("freeze", canonical(freeze))
    life.commit("freeze")
    life.git("tag", "-a", "freeze/rehearsal", "-m", "sealed")
    assert life.freeze("--check").returncode == 0

    assert life.run("--confirmatory").returncode == 21  # no data yet: nothing is sealed to look at
    assert life.cme("data", "synth", str(life.market), "--out", str(life.data / "set"), "--quiet").returncode == 0
    assert life.freeze("--seal-data").returncode == 0
    life.commit("seal the data")

    done = life.run()
    assert done.returncode == 0, done.stderr
    (first,) = json.loads(done.stdout)["runs"]
    assert (first["run"]["mode"], first["run"]["deviations"]) == ("confirmatory", [])
    folder = Path(first["path"])
    assert (folder / "results.exact.json").exists()
    assert not (folder / "results.exploratory.json").exists()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["clean"] is True  # the looks ledger is not, since the look was opened
    assert (manifest["looks"]["number"], manifest["freeze_hash"]) == (1, json.loads(frozen.stdout)["freeze_hash"])
    looks = json.loads(life.cme("looks", "--registration", PLAN, "--json").stdout)
    assert (looks["number"], looks["closed"]) == (1, 1)

    assert life.run("--confirmatory").returncode == 25
    assert not list(life.runs.glob("*/results.exploratory.json"))
    life.commit("the look")
    again = life.run("--replication-of", looks["looks"][0]["look_id"])
    assert again.returncode == 0, again.stderr
    (second,) = json.loads(again.stdout)["runs"]
    assert second["run"]["id"] == first["run"]["id"] + "-r1"
    assert second["run"]["digest"] == first["run"]["digest"]

    life.commit("the replication")
    with (life.root / "engine" / "units.py").open("a") as stream:
        stream.write("#\n")
    assert life.freeze("--check").returncode == 22
    life.commit("a change of the engine")
    assert life.run("--confirmatory").returncode == 22
