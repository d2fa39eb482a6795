"""A plan that states its methods states those of the code; another one is refused before any work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from backtest.registration.load import load_registration
from engine.errors import UsageError
from hypotheses.methods import METHODS, require_methods
from hypotheses.planning.commands import power

ROOT = Path(__file__).resolve().parents[2]
DEMO = (ROOT / "configs" / "demo.toml").read_text(encoding="utf-8").replace('"venues/', f'"{ROOT}/configs/venues/')


def plan_of(folder: Path, pattern: str, replacement: str) -> Path:
    text, count = re.subn(pattern, replacement, DEMO)
    assert count == 1
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_plan_that_decides_states_what_the_code_does() -> None:
    """The registered plan as amended, the demonstration and the studies that run."""
    for name in ("prereg/288615/registration", "demo", "studies/btc-2026q1", "studies/carry-2022-2024"):
        registration = load_registration(ROOT / "configs" / f"{name}.toml")

        assert registration.content["methods"] == dict(METHODS), name
        require_methods(registration)


@pytest.mark.parametrize(
    ("pattern", "replacement", "says"),
    [
        (r'n1_null = ".*"', 'n1_null = "sign_flips_of_days"', "methods.n1_null: expected 'all_sign_flips_of_folds'"),
        (r'h3_rule = ".*"\n', "", "methods.h3_rule: .* was missing"),
        (r"h1_rule = ", "h1_rulee = ", "methods.h1_rule: .* was missing"),
        (r'(h1_rule = ".*")', r'\1\nh1_rulee = "x"', r"methods.h1_rulee: .*did you mean h1_rule"),
        (r'(n2_needs = ".*)exchangeable', r"\1equal", "methods.n2_needs"),
    ],
)
def test_another_method_is_refused(pattern: str, replacement: str, says: str, tmp_path: Path) -> None:
    """Another value, a missing key, an unknown key and another condition of a null are named; so by `cme power`."""
    path = plan_of(tmp_path, pattern, replacement)

    with pytest.raises(UsageError, match=says):
        require_methods(load_registration(path))
    done = CliRunner().invoke(power, [str(path)])
    assert isinstance(done.exception, UsageError)


def test_a_plan_without_the_table_states_nothing(tmp_path: Path) -> None:
    """Plans that are older than the table run as before."""
    path = plan_of(tmp_path, r"(?s)\[methods\].*?\n(?=\[assumptions\])", "")

    require_methods(load_registration(path))


@pytest.mark.parametrize(
    ("pattern", "replacement", "says"),
    [
        (r'transfer_cost_usd = "0"', 'transfer_cost_usd = "3"', "transfer_cost_usd: expected 0"),
        (r'discount = "1"', 'discount = "0.99"', "discount: expected 1"),
        (r'fee_tier = "base"', 'fee_tier = "vip1"', "fee_tier"),
        (r'(latency_ms = \{ binance = )"1000"', r'\1"200"', r"latency_ms.binance: expected grid.latency_ms \(1000\)"),
        (r'(latency_ms = \{ )binance = "1000", ', r"\1", "latency_ms: expected a value of each venue"),
    ],
)
def test_an_assumption_that_the_engine_does_not_share_is_refused(
    pattern: str, replacement: str, says: str, tmp_path: Path
) -> None:
    """It would stand in the plan and count for nothing."""
    with pytest.raises(UsageError, match=says):
        load_registration(plan_of(tmp_path, pattern, replacement))
