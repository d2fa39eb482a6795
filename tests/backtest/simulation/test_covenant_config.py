"""Plans of covenant studies: those of the repository load, what is wrong is refused with its place.  [covenants 15]"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest.simulation.covenant_config import load_study
from backtest.simulation.covenant_data import load_bars
from engine.errors import DataError, MissingError, UsageError
from tests.helpers.covenant_plan import STORED, candles, plan_text

STUDIES = Path(__file__).parents[3] / "configs" / "studies"
PLAN = plan_text("machinery", "2024-02-10", "2024-03-01", STORED)


def written(folder: Path, text: str = PLAN) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(STUDIES.glob("scpc-*.toml")), ids=lambda p: p.stem)
def test_the_studies_of_the_repository_load(path: Path) -> None:
    assert load_study(path).study == path.stem


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"covenants/1"', '"other"', "schema: expected 'covenants/1', was 'other'"),
        (
            'study = "tiny"',
            'study = "../tiny"',
            "study: expected letters, digits and _ . + -, at most 64, was '../tiny'",
        ),
        ('study = "tiny"', 'study = "a/b"', "study: expected letters, digits"),
        ('study = "tiny"', 'study = ".."', "study: expected letters, digits"),
        ('study = "tiny"', f'study = "{"a" * 65}"', "study: expected letters, digits"),
        ("bar_min = 60", "alpha = 0.9", "alpha: expected a value in"),
        ("bar_min = 60", "bar_min = 60\nl_min = 20.0", "no leverage can meet it"),
        ("bar_min = 60", 'bar_min = "60"', "bar_min: expected int, was '60'"),
        ("bar_min = 60", "colour = 1", "was also 'colour'"),
        ('["a.feather", "b.feather"]', '["a.feather"]', "a pair has two legs"),
        ('["a.feather", "b.feather"]', "[]", "mark: expected two files"),
        ("2024-03-01T00:00:00Z", "2024-01-01T00:00:00Z", "expected start before end"),
        ("2024-03-01T00:00:00Z", "2024-03-01T00:00:00", "with its zone"),
        ('"machinery"', '"poem"', "kind: expected one of"),
        ("[window]", "[window", "expected TOML"),
        # a rule of another spelling was taken for one of the others
        *(
            ("bar_min = 60", f'{name} = "U-shaped"', f"{name}: expected")
            for name in ("alpha_rule", "beta_rule", "sign_mode", "breach_rule", "rr_rule", "reading")
        ),
        # numbers and times that left 64 bits, or memory, only where they were used
        ("bar_min = 60", "confirmation = 10000000000000000000", "confirmation: expected at most"),
        ("bar_min = 60", "l_max = 1" + "0" * 400, "l_max: expected at most"),
        ("bar_min = 60", "confirmation = 1000001", "confirmation: expected a value in"),
        ("bar_min = 60", "sigma_window_d = 1e300", "sigma_window_d: expected a value in"),
        ("2024-02-10T00:00:00Z", "0001-01-01T00:00:00+14:00", "expected a whole second of the years 1971 to 2260"),
        ("2024-03-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "expected a whole second of the years 1971 to 2260"),
        ("2024-03-01T00:00:00Z", "2040-03-01T00:00:00Z", "expected at most 3,660 days, was 5,864"),
        ("2024-02-10T00:00:00Z", "2024-02-10T00:00:00.9Z", "expected a whole second"),
        # numpy warned of means of nothing, and correlations off the bars' grid were NaN
        ("2024-03-01T00:00:00Z", "2024-02-11T00:00:00Z", "expected at least 3 days, was 24 hours"),
        ("2024-02-10T00:00:00Z", "2024-02-10T00:07:00Z", "expected a whole bar of 60 minutes"),
        ("[parameters]", "[inference]\nplacebo_draws = 10001\n[parameters]", "a count from 1 to 10,000, was 10001"),
        ("[parameters]", "[inference]\nbootstrap_draws = 0\n[parameters]", "a count from 1 to 100,000, was 0"),
        ("[parameters]", "[inference]\nseed_text = 5\n[parameters]", "seed_text: expected a text, was 5"),
        *(
            ("[parameters]", f"[accounts]\n{name} = {value}\n[parameters]", f"accounts: {name}: expected a value in")
            for name, value in (
                ("capital_usd", "0"),
                ("leverage", "-1"),
                ("leverage", "nan"),
                ("taker_fee", "5"),
                ("lot_a", "0"),
                ("half_spread", "-0.1"),
                ("maintenance_b", "inf"),
                # a long's liquidation price divides by 1 - m
                ("maintenance_a", "1"),
                ("maintenance_a", "-0.01"),
                ("volume_share", "0"),
                ("liquidation_fee", "1e300"),
            )
        ),
    ],
)
def test_a_wrong_plan_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        load_study(written(tmp_path, PLAN.replace(old, new)))


def test_missing_and_bad_files(tmp_path: Path) -> None:
    study = load_study(written(tmp_path))
    with pytest.raises(MissingError, match="expected a study"):
        load_study(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="--data"):
        load_bars(study, None)
    with pytest.raises(MissingError, match="expected candles"):
        load_bars(study, tmp_path)
    a = candles(tmp_path / "a.feather")
    a.iloc[:0].to_feather(tmp_path / "b.feather")
    with pytest.raises(DataError, match="a pair needs both legs"):
        load_bars(study, tmp_path)
    a.iloc[[1, 0, *range(2, 1000)]].reset_index(drop=True).to_feather(tmp_path / "b.feather")
    with pytest.raises(DataError, match="rising order, row 1"):
        load_bars(study, tmp_path)
    a.iloc[: 24 * 3].to_feather(tmp_path / "b.feather")
    with pytest.raises(DataError, match="warm-up"):
        load_bars(study, tmp_path)


def test_bars_are_known_at_their_close(tmp_path: Path) -> None:
    a = candles(tmp_path / "a.feather")
    b = candles(tmp_path / "b.feather", seed=2).drop(index=[1000]).reset_index(drop=True)
    b.to_feather(tmp_path / "b.feather")
    bars = load_bars(load_study(written(tmp_path)), tmp_path)

    first = int(bars.t_ns[0])
    assert first == pd.Timestamp("2024-01-01 01:00", tz="UTC").value
    assert bars.price_a[0] == a["close"][0]
    assert np.flatnonzero(np.isnan(bars.price_b)).tolist() == [1000]
    assert bars.t_ns[-1] == pd.Timestamp("2024-03-01", tz="UTC").value
    assert (np.diff(bars.t_ns) == 3_600_000_000_000).all()
