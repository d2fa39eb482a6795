"""An instrument that the plan names and the data lack: which those are, and what a plan may say of them beforehand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from backtest.records import Registration
from backtest.registration.load import load_registration
from backtest.registration.named import faults, lacking, named
from engine.errors import UsageError
from tests.helpers import small_run

ROOT = Path(__file__).parents[3]
NAME = re.compile(r"[a-z]+:[A-Z]+(?:-PERP(?:ETUAL)?)?")
SPOT = "binance:BTCUSDC"
KNOWN = {"instrument": SPOT, "reason": "the venue does not offer it"}


def plan(folder: Path, changes: dict[str, Any] | None = None) -> Registration:
    return load_registration(small_run.write_config(folder, changes))


def texts(value: Any) -> set[str]:
    """Every text below a table."""
    if isinstance(value, dict):
        return set().union(*map(texts, value.values()))
    if isinstance(value, list):
        return set().union(*map(texts, value))
    return {value} if isinstance(value, str) else set()


def test_every_name_of_an_instrument_in_the_plan_is_found() -> None:
    """Every text below the tables of the coins that has the form venue:symbol, and the pair of dollars."""
    registered = load_registration(ROOT / "configs" / "prereg" / "288615" / "registration.toml")
    written = {text for text in texts(registered.content["underlyings"]) if NAME.fullmatch(text)}

    found = named(registered.params)

    assert set(found) == written | {"binance:USDCUSDT"}
    assert found["binance:USDCUSDT"] == tuple(f"C{n}" for n in range(1, 8))
    assert found["hyperliquid:BTC-PERP"] == ("C1", "C6")
    assert found["binance:ETHUSDC-PERP"] == ("C1", "C2")


def test_an_instrument_of_a_disabled_constraint_is_not_asked_for(tmp_path: Path) -> None:
    """Without C1 nothing needs the USDT spot pair."""
    off = {"enabled": False, "threshold_bps": "50", "lookback_d": "0", "life_h": "24", "stress_loss_bps": "450"}

    assert "binance:BTCUSDT" in named(plan(tmp_path).params)
    assert "binance:BTCUSDT" not in named(plan(tmp_path, {"constraints.c1": off}).params)


def test_what_is_lacking_is_named_with_the_constraints_and_the_known_reason(tmp_path: Path) -> None:
    """One sentence each; one that the plan lists is no fault, and one that it lists wrongly is."""
    unknown, known = plan(tmp_path), plan(tmp_path / "known", {"data.known_missing": [KNOWN]})
    every = set(named(unknown.params))

    (entry,) = lacking(unknown, every - {SPOT})
    (listed,) = lacking(known, every - {SPOT})

    assert (entry.instrument, entry.used_by, entry.known) == (SPOT, ("C1", "C6"), "")
    assert "no package of it (C1, C6) can be judged" in entry.sentence
    assert "as the plan says (the venue does not offer it)" in listed.sentence
    (fault,) = faults(unknown, every - {SPOT})
    assert f"expected {SPOT}, which the plan names for C1, C6, in the data set, was in no file" in fault
    assert list(faults(known, every - {SPOT})) == []
    (there,) = faults(known, every)
    assert f"expected no {SPOT} in the data set" in there
    assert lacking(unknown, every) == ()


def test_the_name_that_was_meant_is_offered(tmp_path: Path) -> None:
    """One of the same venue that the plan does not name already: Hyperliquid's perp of BTC by another venue's way."""
    registration = plan(tmp_path)
    others = set(named(registration.params)) - {"hyperliquid:BTC-PERP"}

    (entry,) = lacking(registration, {*others, "hyperliquid:BTCUSD-PERP", "deribit:BTC-PERP"})
    assert "check its name (did you mean hyperliquid:BTCUSD-PERP?)" in entry.sentence
    (alone,) = lacking(registration, others)
    assert "check its name and the sources" in alone.sentence


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([KNOWN, KNOWN], "expected each instrument once"),
        (
            [KNOWN | {"instrument": "binance:BTCUSDX"}],
            "expected an instrument that the plan names, was binance:BTCUSDX",
        ),
        ([{"instrument": SPOT}], r"known_missing\[0\]\.reason: expected this key, was missing"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(tmp_path: Path, entries: list[dict[str, str]], says: str) -> None:
    """Twice, unknown to the plan, or without a reason."""
    with pytest.raises(UsageError, match=says):
        plan(tmp_path, {"data.known_missing": entries})


def test_a_plan_without_the_list_keeps_its_hash_and_an_amendment_fills_it(tmp_path: Path) -> None:
    """An empty list is no other plan; with an entry it is."""
    absent, empty = plan(tmp_path), plan(tmp_path / "empty", {"data.known_missing": []})
    assert absent.config_hash == empty.config_hash
    assert "known_missing" not in absent.content["data"]

    path = small_run.write_config(tmp_path / "amended", {}, "registration.toml")
    with path.open("a", encoding="utf-8") as text:
        text.write(
            '\n[[amendments]]\nname = "0001"\nat = "2026-11-30T00:00:00Z"\nreason = "no such pair"\n'
            f'outcome_known = false\naffects = ["H3"]\nparent_sha256 = "{"0" * 64}"\n'
            '[[amendments.changes]]\nkey = "data.known_missing"\nbefore = []\n'
            f'after = [{{ instrument = "{SPOT}", reason = "{KNOWN["reason"]}" }}]\n'
        )
    amended = load_registration(path)

    assert dict(amended.data.known_missing) == {SPOT: KNOWN["reason"]}
    assert amended.config_hash != absent.config_hash
