"""The synthetic market as a data set, and the engine's eyes on it."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from backtest.data.build.synthesise import TRUTH_SCHEMA, build_synthetic, spec_of
from backtest.data.format.dataset import open_dataset
from backtest.data.panels import reader
from backtest.registration.load import load_registration
from engine.constraints.detect import detect
from engine.errors import UsageError
from engine.market.view import prepare
from engine.records import CurveHistory
from tests.helpers.synthetic_market import ROOT, demo_table, small_table, streams_of

NO_CURVES = CurveHistory(np.zeros(0, dtype=np.int64), np.zeros((0, 5)))
FUNDING_NS = 8 * 3600 * 10**9


def build(folder, table, workers=1):
    return open_dataset(build_synthetic(spec_of(table, "small"), streams_of("synth"), folder, "small", workers))


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return build(tmp_path_factory.mktemp("planted") / "set", small_table(), workers=2)


def test_a_data_set_is_written_and_opened(planted):
    """Synthetic and said so; one file an (underlying, day); truth in the manifest."""
    assert planted.synthetic
    assert planted.grid_ns == 300 * 10**9
    assert planted.underlyings == ("BTC", "ETH")
    assert len(planted.days("BTC")) == len(planted.days("ETH")) == len(planted.days("FX")) == 24
    truth = pq.read_table(io.BytesIO(planted.read("truth.parquet")))
    assert truth.schema.equals(TRUTH_SCHEMA)
    told = json.loads(planted.read("truth.json"))
    assert sum(count["planted"] for count in told["counts"].values()) == truth.column("side_effect").to_pylist().count(
        False
    )


def test_the_number_of_workers_changes_no_byte(planted, tmp_path):
    """One worker and two give one data set hash."""
    assert build(tmp_path / "set", small_table()).dataset_hash == planted.dataset_hash


def test_a_wrong_table_is_a_usage_error():
    """Exit code 2, naming file and key; so is a market without room for its plants."""
    with pytest.raises(UsageError, match=r"demo\.toml: data\.synthetic\.days: expected at least 2, was 0"):
        spec_of(demo_table(days=0), "demo.toml")


def test_an_unplanted_market_violates_nothing(tmp_path):
    """C1 to C4, C6 and C7 see no package over its threshold, in gross after costs, on any day of either coin."""
    table = small_table(days=16)
    table["plants"]["constraints"] = {}
    held = build(tmp_path / "set", table)
    params = load_registration(ROOT / "configs" / "demo.toml").params
    for underlying in held.underlyings:
        days = held.days(underlying)
        begin, end = days[1] * 86_400 * 10**9, days[-1] * 86_400 * 10**9
        for panel in reader.panels(held, underlying, begin, end, funding_average_ns=FUNDING_NS):
            for seen in detect(prepare(panel, params, NO_CURVES), None):
                assert not seen.funnel["over_threshold"], (underlying, seen.constraint, seen.net_bps.max())


def test_planted_violations_are_seen_with_their_size(planted):
    """C1, C2, C4, C6, C7 and C3: at its first grid time every plant with depth is a package whose net is the truth's,
    to the rounding of quotes to ticks.
    """
    params = load_registration(ROOT / "configs" / "demo.toml").params
    truth = pq.read_table(io.BytesIO(planted.read("truth.parquet"))).to_pylist()
    rows = [r for r in truth if not r["side_effect"] and r["depth"] and r["fits"] and r["constraint"] != "C5"]
    names, seen = planted.instruments.name, set()
    for row in rows:
        panel = next(
            reader.panels(planted, row["underlying"], row["from_ns"], row["from_ns"] + 1, funding_average_ns=FUNDING_NS)
        )
        found = {v.constraint: v for v in detect(prepare(panel, params, NO_CURVES), None, floor=-np.inf)}
        violations = found[row["constraint"]]
        short = np.array([names[c] for c in violations.keys.short])[violations.packages.key]
        nets = violations.net_bps[short == row["short"]]
        assert len(nets)
        assert abs(nets - row["expected_net_bps"]).min() < 4.0, row
        seen.add(row["constraint"])
    assert seen == {"C1", "C2", "C3", "C4", "C6", "C7"}


def test_a_plant_that_shows_one_lot_is_untradable_and_all_others_fit(planted):
    """C1, C2, C3, C4, C6 and C7: the package of every plant over its threshold fires, or for its lots does not."""
    params = load_registration(ROOT / "configs" / "demo.toml").params
    truth = pq.read_table(io.BytesIO(planted.read("truth.parquet"))).to_pylist()
    names, seen = planted.instruments.name, set()
    for row in truth:
        if row["side_effect"] or row["constraint"] == "C5" or row["expected_net_bps"] < row["threshold_bps"] + 6.0:
            continue
        panel = next(
            reader.panels(planted, row["underlying"], row["from_ns"], row["from_ns"] + 1, funding_average_ns=FUNDING_NS)
        )
        found = {v.constraint: v for v in detect(prepare(panel, params, NO_CURVES), None)}[row["constraint"]]
        short = np.array([names[c] for c in found.keys.short])[found.packages.key]
        reasons = {found.reason[n] for n in np.flatnonzero(short == row["short"])}
        assert ("" if row["fits"] else "untradable") in reasons, (row, reasons)
        seen.add((row["constraint"], row["fits"]))
    assert seen == {(code, fits) for code in ("C1", "C2", "C3", "C4", "C6", "C7") for fits in (True, False)}


NO_PRICES = {
    "log_vol": ({"mean": "1000000"}, "exp: expected exponents up to 709"),
    "level": ({"mean": "-1000000"}, "expected forwards above 0 and below"),
    "slope": ({"daily_sd": "1000000000"}, "expected forwards above 0 and below"),
}


@pytest.mark.parametrize("path", NO_PRICES)
def test_numbers_that_lead_to_no_prices_are_a_usage_error(tmp_path, path):
    """Each is in bounds; nothing is written."""
    changes, words = NO_PRICES[path]
    table = small_table()
    table["paths"] = table["paths"] | {path: table["paths"][path] | changes}
    with pytest.raises(UsageError, match=words):
        build(tmp_path / "set", table)
    assert list(tmp_path.rglob("*.parquet")) == []


def test_a_defect_of_the_generator_is_not_blamed_on_the_plan(tmp_path, monkeypatch):
    """An error that is not about the range of numbers leaves as it is."""

    def broken(*_):
        raise ValueError("a defect")

    monkeypatch.setattr("backtest.data.build.synthesise.build_market", broken)
    with pytest.raises(ValueError, match="a defect"):
        build(tmp_path / "set", small_table())
