"""A plan that begins before the first day of a fee it needs is refused before any work, with key, venue and day."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backtest.registration.first_days import require_known, require_known_from, traded_kinds
from backtest.registration.load import load_registration
from engine.errors import UsageError
from engine.records import Kind
from tests.backtest.data.markets import START, instrument, instruments, quote, store
from tests.helpers.cli import RunCommand

CONFIGS = Path(__file__).parents[3] / "configs"
CARRY = CONFIGS / "studies" / "carry-2022-2024.toml"
DAY_NS = 86_400 * 10**9


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """The carry study with Binance's spot and perp fees known from 2021-10-04 on, a day after its history begins."""
    fees = (CONFIGS / "venues" / "binance.toml").read_text(encoding="utf-8")
    (tmp_path / "binance.toml").write_text(fees.replace('from = "2019-09-01"', 'from = "2021-10-04"'), encoding="utf-8")
    plan = tmp_path / "late.toml"
    text = CARRY.read_text(encoding="utf-8").replace('"../venues/binance.toml"', '"binance.toml"')
    plan.write_text(text, encoding="utf-8")
    return plan


def test_each_venue_and_kind_is_named_with_its_first_day(late: Path) -> None:
    """History begins on 2021-10-03: perp and spot of C1, the perp and the futures of C5, and no option."""
    with pytest.raises(UsageError) as refused:
        require_known(load_registration(late))

    said = str(refused.value)
    assert "begins to trade, on 2021-10-03" in said
    assert re.findall(r"venues\.fees of binance (\w+) known from 2021-10-04", said) == ["spot", "perp", "future"]


def test_a_day_later_and_the_plans_of_the_repository_pass(late: Path) -> None:
    """The first day itself is known; every plan here begins after the first rows of what it trades."""
    plan = load_registration(late)
    begin = min(window.history_ns for window in plan.windows)

    require_known_from(plan, begin + DAY_NS)
    with pytest.raises(UsageError, match="on 2021-10-03"):
        require_known_from(plan, begin + DAY_NS - 1)
    for path in ("demo.toml", "studies/btc-2026q1.toml", "studies/carry-2022-2024.toml", "studies/clock-control.toml"):
        require_known(load_registration(CONFIGS / path))
    require_known(load_registration(CONFIGS / "prereg" / "288615" / "registration.toml"))


def test_what_a_plan_can_trade_follows_its_constraints() -> None:
    """The 2026 study has options at Deribit, perps at two venues and no triangle."""
    assert traded_kinds(load_registration(CONFIGS / "studies" / "btc-2026q1.toml").params) == (
        ("binance", Kind.SPOT),
        ("binance", Kind.PERP),
        ("deribit", Kind.FUTURE),
        ("deribit", Kind.OPTION),
        ("hyperliquid", Kind.PERP),
    )


def test_run_and_detect_say_so_before_any_quote_is_read(late: Path, tmp_path: Path, run_command: RunCommand) -> None:
    """Without a data folder at all the plan is refused, exit 2, and nothing is written; mids cost nothing."""
    done = run_command("run", late, "--data", tmp_path / "nowhere", "--out", tmp_path / "runs")

    assert done.code == 2
    assert "venues.fees of binance perp known from 2021-10-04" in " ".join(done.err.split())
    assert not (tmp_path / "runs").exists()
    rows = [quote(START, 0, 1.0, 2.0)]
    data = store(tmp_path / "set", instruments(instrument("binance:BTCUSDT-PERP")), rows)
    asked = ("detect", data.path, "--config", late, "--from", "2021-10-03", "--out", tmp_path / "rows.parquet")
    detected, at_mids = run_command(*asked), run_command(*asked, "--mids-only")
    assert detected.code == 2
    assert "venues.fees of binance perp known from 2021-10-04" in " ".join(detected.err.split())
    assert at_mids.code == 0
