"""`cme init` and a market of one's own: from the template to verdicts, with a gap that was put in by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backtest.commands.init import TEMPLATES, plan_text
from backtest.registration.load import load_registration
from tests.helpers.cli import DOWN, RunCommand, refused
from tests.helpers.short_plan import SHORT

HOURS = 11 * 24
T0_MS = 1_743_379_200_000  # 2025-03-31
HOUR_MS = 3_600_000
GAP = range(100, 104)
"""Hours in which the perp stands 300 bps over the spot."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_market(folder: Path) -> None:
    """A synthetic pair and USDC/USDT, one row an hour, under the names of the template."""
    (folder / "mine").mkdir()
    times = [T0_MS + n * HOUR_MS for n in range(HOURS)]
    prices = {"ETHUSDT-spot": lambda n: 2000.0, "ETHUSDT-perp": lambda n: 2060.0 if n in GAP else 2000.0}
    for name, price in prices.items():
        rows = [f"{t},{price(n) - 0.05:.2f},50,{price(n) + 0.05:.2f},50" for n, t in enumerate(times)]
        (folder / "mine" / f"{name}.csv").write_text("\n".join(["time,bid,bid_size,ask,ask_size", *rows]) + "\n")
    rows = [f"{t},0.9999,1000000,1.0001,1000000" for t in times]
    (folder / "mine" / "USDCUSDT.csv").write_text("\n".join(["time,bid,bid_size,ask,ask_size", *rows]) + "\n")
    rows = [f"{t},0.0001" for n, t in enumerate(times) if n % 8 == 0]
    (folder / "mine" / "ETHUSDT-funding.csv").write_text("\n".join(["fundingTime,fundingRate", *rows]) + "\n")


def edit(plan: Path) -> None:
    """What a person would change: the dates, the length of a fold, the grid."""
    text = plan.read_text()
    for old, new in (
        ("[[split.windows]]", SHORT + "[[split.windows]]"),
        ('"2025-01-01T00:00:00Z"', '"2025-03-31T00:00:00Z"'),
        ('"2025-06-30T00:00:00Z"', '"2025-04-11T00:00:00Z"'),
        ('step_s = "60"', 'step_s = "3600"'),
    ):
        assert old in text
        text = text.replace(old, new)
    plan.write_text(text)


@pytest.mark.parametrize("template", TEMPLATES)
def test_each_template_is_a_plan(template: str, tmp_path: Path) -> None:
    """It loads under another name, has the demonstration's numbers and none of its coins, market or words."""
    path = tmp_path / "my-own.toml"
    path.write_text(plan_text("my-own", template, tmp_path))
    plan, demo = load_registration(path), load_registration(Path("configs/demo.toml"))

    assert (plan.study, plan.data.name, plan.synthetic) == ("my-own", "my-own", False)
    for table in ("constraints", "capital", "statistics", "exits", "fitting"):
        assert plan.content[table] == demo.content[table]
    assert [each["name"] for each in plan.content["underlyings"]] == [{"spot-perp": "ETH"}.get(template, "BTC")]
    assert plan.content["data"]["synthetic"] == {}
    assert "market" not in [choice.item for choice in plan.choices]
    assert {"window", "grid", "reference price", "root of chance"} <= {choice.item for choice in plan.choices}
    assert plan.title != demo.title
    assert not set(plan.content["data"]["cannot_say"]) & set(demo.content["data"]["cannot_say"])


def test_from_the_template_to_verdicts(here: Path, run_command: RunCommand) -> None:
    """Build, check and run as the command says next; the gap put in by hand is the one trade."""
    assert run_command("init", "eth-carry", "--from", "spot-perp").code == 0
    write_market(here)
    edit(here / "eth-carry.toml")

    built = run_command("data", "build", "eth-carry.toml", "--data", here, "--out", here / "set", "--quiet")
    assert built.code == 0, built.err
    assert run_command("data", "check", here / "set").code == 0
    done = run_command("run", "eth-carry.toml", "--data", here, "--out", here / "runs", "--json", "--tracking", DOWN)
    assert done.code == 0, done.err
    (run,) = json.loads(done.out)["runs"]
    assert {run[name]["verdict"] for name in ("H1", "H2", "H3")} == {"cannot tell"}
    trades = {row["code"]: row["trades"] for row in run["H3"]["constraints"]}
    assert trades == {"C1": 1, **{f"C{k}": 0 for k in range(2, 8)}}


def test_what_is_refused(here: Path, run_command: RunCommand) -> None:
    """A name that is no study, one that exists, a template that does not; nothing is overwritten."""
    refused(run_command("init", "Eth Carry", "--from", "full"), 2, "small letters, digits and hyphens")
    refused(run_command("init", "../up", "--from", "full"), 2, "small letters, digits and hyphens")
    refused(run_command("init", "mine", "--from", "nothing"), 2, "spot-perp")
    (here / "mine.toml").write_text("kept")
    refused(run_command("init", "mine", "--from", "full"), 2, "it exists")
    assert (here / "mine.toml").read_text() == "kept"
