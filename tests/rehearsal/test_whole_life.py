"""The whole life of a registered study whose window the record sets, by the commands alone, in a checkout of its own.

docs/rehearsal.md tells the same story for a reader.  The days are those of a synthetic market at an injected clock; the
way of recorded messages into a day is in tests/live/test_recorded_day.py.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from backtest.data.format.dataset import Dataset
from backtest.pipeline.dataset import prepare_dataset
from backtest.registration.load import load_registration
from backtest.seeds import streams
from engine.ledger.format.canonical_json import canonical, tagged_hash
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.helpers.checkout import Checkout
from tests.helpers.five_days import FIRST_DAY, MARKET, STUDY
from tests.helpers.small_run import ROOT, write_config

HISTORY, WINDOW = 2, 4
START, FROM, TO = (f"2026-01-{day:02d}T00:00:00Z" for day in (5, 5 + HISTORY, 5 + HISTORY + WINDOW))
DRAWN = {
    **MARKET, "split.windows": [{"history_start": START, "start": FROM, "end": TO}],
    "data.synthetic.days": HISTORY + WINDOW,
}  # fmt: skip
RECORDED = {
    **STUDY, "study": "rehearsal", "mode": "confirmatory",
    "split.windows": [{"history_start": "recording_start", "start": f"recording_start + {HISTORY} d",
                       "end": f"recording_start + {HISTORY + WINDOW} d"}],
}  # fmt: skip

pytestmark = pytest.mark.slow


class Life:
    """The checkout, the folder of the daily operation, and the market whose days are sealed."""

    def __init__(self, folder: Path) -> None:
        registration = load_registration(write_config(folder / "market", DRAWN))
        seeds = streams.load(ROOT / "seeds.lock")
        self.market: Dataset = prepare_dataset(registration, None, seeds, folder / "drawn", 1, None)
        self.checkout, self.live = Checkout(folder, RECORDED), folder / "live"

    def emit(self, days: int) -> list[Any]:
        """Emit on the morning after ``days`` days and return what was done to each ledger."""
        words = ("emit", self.checkout.plan, "--days-of", self.market.path, "--live", self.live, "--workers", 1)
        done = self.checkout.cme(*words, "--tracking", "off", "--json", now_ns=morning(days))
        ledgers: list[Any] = document(done)["ledgers"]
        return ledgers

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return self.checkout.run("--live", self.live, *arguments)


def morning(days: int) -> int:
    """01:00 after ``days`` days, ns UTC."""
    return (FIRST_DAY + days) * NS_PER_DAY + NS_PER_HOUR


def document(done: subprocess.CompletedProcess[str]) -> Any:
    """Return the JSON document of a command that ended well."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_from_registration_to_verdicts_and_never_twice(tmp_path: Path) -> None:
    """Register, date, freeze, emit, join, seal, look once, verify; a second look is refused, a replication agrees."""
    life = Life(tmp_path)
    checkout = life.checkout
    checkout.commit("register")

    (history,) = life.emit(1)
    assert (history["study"], history["days"]) == ("rehearsal-history", ["2026-01-05"])
    assert checkout.freeze().returncode == 26  # the window has no dates
    dating = ("--window", "--days", life.live / "days")
    assert checkout.freeze(*dating, now_ns=morning(1)).returncode == 0
    assert checkout.freeze(*dating, now_ns=morning(1)).returncode == 26  # once
    checkout.commit("the dates")

    assert checkout.freeze("--check").returncode == 3  # nothing is sealed yet
    frozen = checkout.freeze("--json")
    freeze_hash = document(frozen)["freeze_hash"]
    freeze = json.loads((checkout.root / checkout.home / "freeze.json").read_text())
    assert freeze["data"]["dataset_hash"] is None
    assert freeze_hash == tagged_hash("freeze", canonical(freeze))
    checkout.commit("freeze")
    checkout.git("tag", "-a", "freeze/rehearsal", "-m", "sealed")
    assert checkout.freeze("--check").returncode == 0

    emitted = 0
    for days, judged in ((3, ["2026-01-07"]), (4, ["2026-01-08"]), (6, ["2026-01-09", "2026-01-10"])):
        ledger = life.emit(days)[-1]  # the first of them judges the second day of the history too
        assert (ledger["study"], ledger["days"]) == ("rehearsal", judged)
        emitted += ledger["appended"]
    resolving = ("resolve", checkout.plan, "--live", life.live, "--workers", 1, "--tracking", "off")
    resolved = checkout.cme(*resolving, now_ns=morning(6))
    assert (resolved.returncode, "nothing of the window was read" in resolved.stderr) == (28, True)
    assert [path.parent.name for path in life.live.glob("ledgers/*/resolution.jsonl")] == ["rehearsal-history"]

    assert life.run("--confirmatory").returncode == 21  # no data yet: nothing is sealed to look at
    joining = ("data", "join", life.live / "days", "--out", checkout.data / "joined")
    assert checkout.cme(*joining, "--registration", checkout.plan, "--quiet").returncode == 0
    assert checkout.freeze("--seal-data").returncode == 0
    checkout.commit("seal the data")

    (first,) = document(life.run())["runs"]
    assert (first["run"]["mode"], first["run"]["deviations"]) == ("confirmatory", [])
    folder = Path(first["path"])
    assert (folder / "results.exact.json").exists()
    assert not (folder / "results.exploratory.json").exists()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["clean"] is True  # the looks ledger is not, since the look was opened
    assert (manifest["looks"]["number"], manifest["freeze_hash"]) == (1, freeze_hash)
    assert manifest["emitted"]["signals"] == emitted > 0
    looks = document(checkout.cme("looks", "--registration", checkout.plan, "--json"))
    assert (looks["number"], looks["closed"]) == (1, 1)
    assert checkout.cme("verify", folder, "--quiet").returncode == 0

    assert life.run("--confirmatory").returncode == 25
    assert not list(checkout.runs.glob("*/results.exploratory.json"))
    checkout.commit("the look")
    (second,) = document(life.run("--replication-of", looks["looks"][0]["look_id"]))["runs"]
    assert second["run"]["id"] == first["run"]["id"] + "-r1"
    assert second["run"]["digest"] == first["run"]["digest"]
    again = ("reproduce", folder, "--level", 2, "--data", checkout.data / "joined", "--out", tmp_path / "again")
    assert checkout.cme(*again, "--quiet").returncode == 0

    checkout.commit("the replication")
    with (checkout.root / "engine" / "units.py").open("a") as stream:
        stream.write("#\n")
    assert checkout.freeze("--check").returncode == 22
    checkout.commit("a change of the engine")
    assert life.run("--confirmatory").returncode == 22
