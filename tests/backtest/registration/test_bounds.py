"""A plan from anybody: what it states twice must agree, what it asks for is bounded, and its names stay names."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from backtest import limits
from backtest.pipeline.dataset import prepare_dataset
from backtest.registration import fields
from backtest.registration.load import load_registration
from backtest.registration.schema import Document
from backtest.seeds import streams
from engine.errors import MOST_MESSAGE, MissingError, UsageError
from tests.helpers.small_run import document, toml

ROOT = Path(__file__).resolve().parents[3]


def refused(folder: Path, changes: dict[str, Any], *words: str) -> None:
    """The tiny plan with ``changes`` is refused with exit code 2 in one paragraph that holds ``words``."""
    path = folder / "plan.toml"
    path.write_text(toml(document(changes)), encoding="utf-8")
    with pytest.raises(UsageError) as error:
        load_registration(path)
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert text.isprintable()
    assert len(text) <= MOST_MESSAGE
    for word in words:
        assert word in text


def test_numbers_that_lead_to_no_prices_are_the_plans_fault(tmp_path: Path) -> None:
    """Each is in bounds, and the volatility they make is no number: exit code 2, nothing is written."""
    path = tmp_path / "plan.toml"
    path.write_text(toml(document(SMALLEST | {"data.synthetic.paths.log_vol.mean": "1000000"})), encoding="utf-8")
    seeds = streams.load(ROOT / "seeds.lock")
    with pytest.raises(UsageError, match="expected a market whose prices are numbers above zero"):
        prepare_dataset(load_registration(path), None, seeds, tmp_path / "out", 1, None)
    assert list(tmp_path.rglob("*.parquet")) == []


TWICE: dict[str, tuple[str, Any]] = {
    "grid.step_s": ("3600", "data.synthetic.grid_s"),
    "grid.persistence": (1, "data.synthetic.plants.persistence"),
    "constraints.c5.life_h": ("24", "data.synthetic.costs.life_h.C5"),
    "capital.target_notional_usd": ("20000", "data.synthetic.costs.target_usd"),
    "capital.depth_share": ("0.4", "data.synthetic.costs.depth_share"),
    "costs.capital_rate_annual": ("0.1", "data.synthetic.costs.capital_rate"),
    "costs.borrow_rate_annual.btc": ("0.1", "data.synthetic.costs.borrow_rate"),
    "capital.margin_share.short_option": ("0.2", "data.synthetic.costs.short_option_margin"),
    "capital.margin_share.perp": ("0.3", "data.synthetic.costs.perp_margin"),
    "costs.fallback_bps.future": ("6", "data.synthetic.costs.fallback_bps.future"),
}


@pytest.mark.parametrize("key", TWICE)
def test_a_plan_that_states_one_thing_twice_and_differently_is_refused(tmp_path: Path, key: str) -> None:
    """The market that is drawn and the rules it is judged by have one grid, one threshold, one cost."""
    value, other = TWICE[key]
    refused(tmp_path, {key: value}, key, other, "both state one thing")


def test_a_market_of_other_days_or_coins_than_the_plan_is_refused(tmp_path: Path) -> None:
    """A market shorter than the window is a choice, and its missing days are counted; one of another year is none."""
    path = tmp_path / "plan.toml"
    path.write_text(toml(document({"data.synthetic.days": 20})), encoding="utf-8")
    assert load_registration(path).data.synthetic["days"] == 20
    words = "no day of the market is in the window"
    refused(tmp_path, {"data.synthetic.start": "2026-02-02"}, "data.synthetic.start", "2026-01-05 to 2026-02-02", words)
    refused(tmp_path, {"data.synthetic.start": "2025-12-08"}, "data.synthetic.start", words)
    coin = document()["data"]["synthetic"]["underlyings"]["BTC"]
    refused(tmp_path, {"data.synthetic.underlyings": {"ETH": coin}}, "expected BTC as in underlyings, was ETH")


@pytest.mark.parametrize("key", ["venues", "choices"])
def test_an_entry_that_is_there_twice_is_refused(tmp_path: Path, key: str) -> None:
    """Of two venues of one name the second would silently give the rules of funding."""
    entries = document()[key]
    again = {**entries[0], "fees": []} if key == "venues" else {**entries[0], "value": "another"}
    refused(tmp_path, {key: [*entries, again]}, f"{key}: expected each entry once")


BEYOND: dict[str, tuple[Any, str]] = {
    "grid.latency_ms": ("1000000000000", "grid.latency_ms: expected a span of at most 3660 days"),
    "grid.max_skew_s": ("0.0000000001", "grid.max_skew_s: expected a span of whole nanoseconds"),
    "constraints.c1.life_h": ("99999999999", "constraints.c1.life_h: expected a span of at most"),
    "capital.committed_usd": (0, "capital.committed_usd: expected a whole number of at least 1"),
    "capital.target_notional_usd": ("9" * 30, "capital.target_notional_usd: expected a decimal in quotes of at most"),
    "statistics.alpha": ("0", "statistics.alpha: expected a decimal in quotes between 0 and 1, neither"),
    "statistics.level": ("1", "statistics.level: expected a decimal in quotes between 0 and 1, neither"),
    "statistics.n2_draws": (10**9, "statistics.n2_draws: expected a whole number of at most 1000000"),
    "statistics.bootstrap_draws": (0, "statistics.bootstrap_draws: expected a whole number of at least 1"),
    "statistics.n3_step_h": ("0.0000001", "statistics.n3_step_h: expected at most 100000 distances"),
    "statistics.n3_max_d": ("0.5", "statistics.n3_max_d: expected at least n3_min_d"),
    "fitting.z_grid": (["2"] * 2000, "fitting.z_grid: expected at most 1000 entries, was 2000"),
    "split.folds": (10**6, "split.folds: expected at most 1000 folds"),
    "data.synthetic.days": (36_525, "data.synthetic.days: expected at most 3660"),
    "data.synthetic.chains.strikes": (10**6 + 1, "chains.strikes: expected 0 to 999"),
    "data.synthetic.chains.future_weekly": (10**9, "chains.future_weekly: expected 0 to 100"),
    "data.synthetic.plants.constraints.C1.count": (10**9, "plants.constraints.C1.count: expected 0 to 100000"),
    "data.synthetic.underlyings.BTC.spot_usd": ("0", "BTC.spot_usd: expected a decimal above 0"),
    "data.synthetic.underlyings.BTC.strike_step": ("-1", "BTC.strike_step: expected a decimal above 0"),
    "data.synthetic.paths.level.half_life_h": ("0", "level.half_life_h: expected a decimal above 0"),
    "data.synthetic.paths.log_vol.daily_sd": ("-1", "log_vol.daily_sd: expected a decimal of 0 or more"),
    "data.synthetic.quotes.depth_usd.perp": ("0", "quotes.depth_usd.perp: expected a decimal above 0"),
    "data.synthetic.plants.constraints.C1.life_s": ([10**12] * 2, "life_s: expected two ascending spans"),
    "data.synthetic.grid_s": (10**40, "grid_s: expected a divisor of 3600"),
}


@pytest.mark.parametrize("key", BEYOND)
def test_what_is_out_of_bounds_is_refused_before_any_work(tmp_path: Path, key: str) -> None:
    """Exit code 2, naming the key and the limit."""
    value, says = BEYOND[key]
    refused(tmp_path, {key: value}, says)


def test_a_hundred_years_of_minutes_are_refused(tmp_path: Path) -> None:
    """The work a plan asks for is bounded by its grid times."""
    window = {"history_start": "2009-01-01T00:00:00Z", "start": "2099-01-01T00:00:00Z", "end": "2099-01-11T00:00:00Z"}
    refused(
        tmp_path,
        {"split.windows": [window], "grid.step_s": "60", "data.kind": "path", "data.path": "x", "data.synthetic": {},
         "synthetic": False},
        "expected at most 10000000 grid times",
    )  # fmt: skip


def test_a_grid_finer_than_a_second_is_refused(tmp_path: Path) -> None:
    """A step of a nanosecond is a span, but no grid."""
    refused(tmp_path, {"grid.step_s": "0.000000001"}, "grid.step_s: expected 0 or at least 1 s")


def test_a_plan_of_a_megabyte_is_refused_alone_and_with_its_venue_files(tmp_path: Path) -> None:
    """The limit holds for the whole text."""
    refused(
        tmp_path, {"title": "x", "choices": [{"item": "a", "value": "b", "reason": "c" * 2**20}]}, "at most 1048576"
    )
    (tmp_path / "big.toml").write_text("# " + "x" * 2**19)
    tree = document({"venue_files": ["big.toml"] * 3})
    del tree["venues"]
    (tmp_path / "plan.toml").write_text(toml(tree))
    with pytest.raises(UsageError, match="at most 1048576 bytes of plan, venue files and amendments"):
        load_registration(tmp_path / "plan.toml")


def test_a_chain_of_plans_is_bounded(tmp_path: Path) -> None:
    """1,500 plans that extend each other are refused, and so is a circle."""
    for number in range(1500):
        (tmp_path / f"{number}.toml").write_text(f'extends = "{number + 1}.toml"\n')
    with pytest.raises(UsageError, match=f"at most {limits.PLAN_CHAIN} plans that extend each other"):
        load_registration(tmp_path / "0.toml")


def texts(kind: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield (key, type) of every text of a table and the tables below it."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, hint in typing.get_type_hints(kind, include_extras=True).items():
            if name in kind.model_fields:
                yield from texts(hint, f"{where}.{name}".lstrip("."))
    elif get_origin(kind) in (list, dict):
        yield from texts(get_args(kind)[-1], f"{where}[]")
    elif get_origin(kind) is typing.Annotated:
        yield from ([(where, kind)] if get_args(kind)[0] is str else texts(get_args(kind)[0], where))
    elif kind is str:
        yield where, kind


HOSTILE = "x/../../../escaped"
"""Leaves its folder, and begins as every name may begin."""

INPUTS = {"data.path", "venue_files[]", "data.sources[].path"}
"""Texts that name what is read: no folder of output is made of them."""


def test_no_text_of_a_plan_leads_out_of_the_output_folder(tmp_path: Path) -> None:
    """Every text of the schema is set to a path in turn: it is refused, or what is written stays below ``--out``."""
    seeds = streams.load(ROOT / "seeds.lock")
    accepted = []
    for key, kind in texts(Document, ""):
        if key in INPUTS or kind in (fields.Quantity, fields.NotNegative, fields.Positive, fields.Share, fields.Time):
            continue
        tree = deepcopy(document(SMALLEST))
        _replace(tree, key.replace("format", "schema"), HOSTILE)
        (tmp_path / "plan.toml").write_text(toml(tree))
        try:
            registration = load_registration(tmp_path / "plan.toml")
        except (UsageError, MissingError):
            continue
        accepted.append(key)
        for name in (registration.study, registration.data.name):
            assert Path(name).name == name, key
    assert {"title", "choices[].reason", "data.cannot_say[]"} <= set(accepted)
    assert not {"study", "data.name", "underlyings[].name"} & set(accepted)

    changes = {**SMALLEST, "title": HOSTILE, "engine_version": HOSTILE}
    inside = tmp_path / "a" / "b" / "c"
    inside.mkdir(parents=True)
    (inside / "plan.toml").write_text(toml(document(changes)))
    prepare_dataset(load_registration(inside / "plan.toml"), None, seeds, inside / "out", 1, None)
    assert sorted(path.name for path in inside.iterdir()) == ["out", "plan.toml"]
    assert list(tmp_path.rglob("escaped")) == []


SMALLEST: dict[str, Any] = {
    "split.folds": 1,
    "split.windows": [
        {"history_start": "2026-01-05T00:00:00Z", "start": "2026-01-06T00:00:00Z", "end": "2026-01-07T00:00:00Z"}
    ],
    "power.expected_active_days": {f"c{number}": 0 for number in range(1, 8)},
    "data.synthetic.days": 2,
    "data.synthetic.plants.constraints": {},
}


def _replace(tree: dict[str, Any], key: str, value: str) -> None:
    """Set the text at ``key``, of an array the first entry's; an array that is empty gets one."""
    node: Any = tree
    *parents, last = key.replace("[]", ".[]").split(".")
    for parent in parents:
        if not node or (parent != "[]" and parent not in node):
            return
        step = parent if parent != "[]" else 0 if isinstance(node, list) else next(iter(node))
        node = node[step]
    if last == "[]":
        if isinstance(node, list):
            node[:1] = [value]
        else:
            node[next(iter(node))] = value
    elif last in node:
        node[last] = value
