"""`cme detect`: every planted violation is found with its kind, legs, signs and size; a fair market has none."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from backtest.commands.detect import detect, registration_of, time_of
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.pipeline.detection import LEG, ROWS
from engine.constraints.options.put_call_pairs import parity_gap
from engine.errors import MissingError, UsageError
from engine.units import NS_PER_DAY
from tests.leakage import small_study
from tests.leakage.small_study import NO_PLANTS

ask = partial(small_study.ask, detect)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return small_study.market(tmp_path_factory.mktemp("planted"), small_study.text())


@pytest.fixture(scope="module")
def rows(planted: Dataset, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    out = tmp_path_factory.mktemp("rows") / "all.parquet"
    ask(planted.path, "--out", out)
    return pq.read_table(out).to_pandas()


def truth(dataset: Dataset) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(dataset.read("truth.parquet"))).to_pylist()
    return found


def legs(row: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {leg["instrument"]: int(leg["side"]) for leg in row}


def test_a_plan_without_dates_fits_no_fold_and_says_so(planted: Dataset, tmp_path: Path) -> None:
    """C5 gets no fit of 1970; every other constraint is judged as ever."""
    dates = r"(?s)windows = \[.*?\]|\[\[split\.windows\]\].*?(?=\n\[)"
    relative = """[[split.windows]]
history_start = "recording_start"
start = "recording_start + {} d"
end = "recording_start + {} d"
"""
    known = registration_of(planted, None)
    first, last = known.plan.t0_ns - known.plan.history_ns, known.plan.t1_ns - known.plan.history_ns
    plan = tmp_path / "plan.toml"
    plan.write_text(re.sub(dates, relative.format(first // NS_PER_DAY, last // NS_PER_DAY), known.text, count=1))

    done = ask(planted.path, "--out", tmp_path / "rows.parquet", "--config", plan, "--json")

    document = json.loads(done.stdout)
    assert any("C5: no fold to fit its curve on" in remark for remark in document["remarks"])
    assert document["constraints"]["C5"]["fires"] == 0
    assert document["constraints"]["C1"]["fires"] > 0


def test_the_columns_are_those_of_the_interface(rows: pd.DataFrame, planted: Dataset) -> None:
    """Names, order and types; sorted by time, constraint and legs; no expiry is null."""
    assert rows.columns.tolist() == [
        "t_ns", "constraint", "underlying", "venue", "expiry_ns", "legs", "gross_bps", "cost_bps", "net_bps",
        "cost_model", "threshold_bps", "fires", "touch_bps", "reason",
    ]  # fmt: skip
    assert [field.name for field in LEG] == [
        "instrument", "side", "ratio", "price_usd", "bid", "ask", "bid_qty", "ask_qty", "age_ns",
    ]  # fmt: skip
    order = [
        (t, code, [(leg["instrument"], leg["side"], leg["ratio"]) for leg in own])
        for t, code, own in zip(rows.t_ns, rows.constraint, rows.legs, strict=True)
    ]
    assert order == sorted(order)
    assert rows.expiry_ns[rows.constraint == "C1"].isna().all()
    assert rows.expiry_ns[rows.constraint == "C3"].notna().all()
    # Whole micro-bps, one at least: what rounding leaves of 0 is no row.
    assert (rows.gross_bps >= 1e-6).all()
    assert (rows.gross_bps == np.rint(rows.gross_bps * 1e6) / 1e6).all()
    assert ((rows.reason == "") == rows.fires).all()
    assert set(rows.cost_model) <= {"depth", "spread", "fallback"}
    assert str(ROWS.field("t_ns").type) == "int64"


@pytest.mark.parametrize("code", ["C1", "C2", "C3", "C4", "C6", "C7"])
def test_every_planted_violation_is_found(code: str, rows: pd.DataFrame, planted: Dataset) -> None:
    """At its first grid time every plant is one package: its short leg, its signs, its size, and its verdict.

    Sizes agree to the rounding of quotes to ticks, 1 bps of S for an option.  Where another wing or corner is as good
    to that rounding, it may have been taken: then the package is at least as good as the planted one; so it is where
    another plant moves one of its legs.  A plant that shows less than a lot is not counted: its cost is that of a size
    below what the venue takes.
    """
    every = truth(planted)
    plants = [p for p in every if p["constraint"] == code and not p["side_effect"] and p["fits"]]
    own = rows[rows.constraint == code].groupby("t_ns")
    exact = 0
    for plant in plants:
        here = own.get_group(plant["from_ns"])
        wanted = {leg["instrument"]: int(np.sign(leg["quantity"])) for leg in plant["legs"]}
        found = here[[legs(row) == wanted for row in here.legs]]
        exact += len(found)
        if found.empty:
            found = here[[legs(row).get(plant["short"]) == -1 for row in here.legs]]
        assert len(found) == 1, plant
        row = found.iloc[0]
        better = max(row.gross_bps - plant["gross_bps"], row.net_bps - plant["expected_net_bps"])
        worse = min(row.gross_bps - plant["gross_bps"], row.net_bps - plant["expected_net_bps"])
        assert worse > -4.0, plant
        assert better < 4.0 or moved_by_another(plant, every), plant
        assert row.venue == plant["venue"]
        over = row.net_bps >= row.threshold_bps
        # recovery is counted over the plants that fit their lots; of the others the reason says so
        assert row.fires == (over and plant["fits"])
        assert plant["fits"] or row.reason == "untradable"
        if plant["fits"] and abs(plant["expected_net_bps"] - plant["threshold_bps"]) > 2.0:
            assert row.fires == plant["above_threshold"], plant
    assert exact >= 0.9 * len(plants) > 0


def moved_by_another(plant: dict[str, Any], every: list[dict[str, Any]]) -> bool:
    """Whether another plant quotes one of its instruments at its first grid time; one of C5 bends every forward."""
    own = {leg["instrument"] for leg in plant["legs"]}
    return any(
        other["plant_id"] != plant["plant_id"]
        and other["from_ns"] <= plant["from_ns"] < other["to_ns"]
        and (other["constraint"] == "C5" or own & {leg["instrument"] for leg in other["legs"]})
        for other in every
    )


def test_the_touch_is_the_gross_at_bid_and_ask(rows: pd.DataFrame) -> None:
    """What a package gives up is half the spread of each leg in USD over S, which is one price a grid time.

    S is what the rows themselves imply: whatever the relation, within 1% of the mid of a spot leg of that time.
    """
    implied: dict[int, list[float]] = {}
    spot: dict[int, float] = {}
    for row in rows[rows.touch_bps.notna()].itertuples():
        half_usd = sum(
            leg["ratio"] * leg["price_usd"] * (leg["ask"] - leg["bid"]) / (leg["ask"] + leg["bid"]) for leg in row.legs
        )
        implied.setdefault(row.t_ns, []).append(1e4 * half_usd / (row.gross_bps - row.touch_bps))
        if row.constraint == "C1":
            spot[row.t_ns] = row.legs[1]["price_usd"]
    shared = [t for t in spot if len(implied[t]) > 2]

    assert len(shared) > 20
    for t in shared:
        assert implied[t] == pytest.approx([spot[t]] * len(implied[t]), rel=0.01)


def test_parity_at_the_touch_is_the_profit_of_the_conversion(rows: pd.DataFrame) -> None:
    """C3 with a future in coin: touch over gross is that of `parity_gap` at bids and asks over that at mids."""
    seen = 0
    for row in rows[rows.constraint == "C3"].itertuples():
        call, put, future = (
            next((leg for leg in row.legs if leg["instrument"].endswith(end)), None) for end in ("-C", "-P", "26")
        )
        if call is None or put is None or future is None or call["ask"] > 2.0:
            continue
        strike = float(call["instrument"].split("-")[2])
        sides = {name: (leg["bid"], leg["ask"]) for name, leg in (("c", call), ("p", put), ("f", future))}
        (c_bid, c_ask), (p_bid, p_ask), (f_bid, f_ask) = sides.values()
        touch = parity_gap(c_ask, c_bid, p_ask, p_bid, strike, f_ask, f_bid, coin=True)
        c, p, f = (0.5 * sum(pair) for pair in sides.values())
        mid = parity_gap(c, c, p, p, strike, f, f, coin=True)
        way = 0 if call["side"] < 0 else 1
        # Legs in whole lots are within 1% of their weights.
        given_up = 1.0 - touch[way] / mid[way]
        assert 1.0 - row.touch_bps / row.gross_bps == pytest.approx(given_up, rel=0.02)
        seen += 1
    assert seen > 10


def test_ratios_are_those_of_the_planted_package(rows: pd.DataFrame, planted: Dataset) -> None:
    """All but C5, leg by leg: a leg of whole lots is within 1% of its weight.  [venues V4]"""
    seen = 0
    for plant in truth(planted):
        if plant["side_effect"] or plant["constraint"] == "C5":
            continue
        wanted = {leg["instrument"]: leg["quantity"] for leg in plant["legs"]}
        here = rows[(rows.t_ns == plant["from_ns"]) & (rows.constraint == plant["constraint"])]
        for row in here.legs:
            if {leg["instrument"] for leg in row} == set(wanted):
                signed = {leg["instrument"]: leg["side"] * leg["ratio"] for leg in row}
                assert signed == pytest.approx(wanted, rel=0.01)
                seen += 1
    assert seen > 50


def test_curves_are_judged_by_their_own_statistic(rows: pd.DataFrame, planted: Dataset) -> None:
    """C5: a plant says how far the curve was bent; which side is dear is for z to say, and where it has no past yet
    there is no row.  Each row is three futures and the perp: sum |w| = 2.
    """
    own = rows[rows.constraint == "C5"]
    first = min(plant["from_ns"] for plant in truth(planted)) // NS_PER_DAY

    assert len(own)
    assert own.t_ns.min() // NS_PER_DAY >= first + 20
    for row in own.legs:
        assert len({leg["instrument"] for leg in row}) == 4
        assert row[3]["instrument"].endswith("-PERPETUAL")
        assert sum(leg["ratio"] for leg in row) == pytest.approx(2.0)


def test_a_fair_market_fires_nothing(tmp_path: Path) -> None:
    """Without plants C1 to C4, C6 and C7 see no package over its threshold on any day."""
    dataset = small_study.market(tmp_path, small_study.text(**NO_PLANTS, days="8"))
    done = ask(dataset.path, "--out", tmp_path / "rows.parquet", "--json")
    document = json.loads(done.stdout)

    assert {code: counts["fires"] for code, counts in document["constraints"].items()} == dict.fromkeys(NO_PLANTS, 0)
    assert any("C5" in remark and "unidentified" in remark for remark in document["remarks"])


def test_at_mids_nothing_is_subtracted_and_nothing_judged(planted: Dataset, rows: pd.DataFrame, tmp_path: Path) -> None:
    """Costs 0, no cost model, no reason; net is gross and carry; as many rows as have a gross above the floor."""
    end = "2026-01-07"
    ask(planted.path, "--out", tmp_path / "mids.parquet", "--mids-only", "--to", end, "--min-gross-bps", "5")
    mids = pq.read_table(tmp_path / "mids.parquet").to_pandas()

    assert (mids.cost_bps == 0).all()
    assert mids.cost_model.isna().all()
    assert (mids.reason == "").all()
    assert not mids.fires.any()
    assert (mids.gross_bps > 5).all()
    assert mids.t_ns.max() < time_of(end, "--to")
    options = mids[mids.constraint.isin(["C3", "C4", "C7"])]
    assert (options.net_bps == options.gross_bps).all()


def test_a_span_and_a_constraint_give_the_same_rows_as_the_whole(
    planted: Dataset, rows: pd.DataFrame, tmp_path: Path
) -> None:
    """Cutting the question cuts the answer."""
    begin, end = (time_of(text, "") for text in ("2026-01-20T06:00:00Z", "2026-01-21T12:00:00+00:00"))
    out = tmp_path / "part.parquet"
    ask(planted.path, "--out", out, "--constraint", "C4", "--constraint", "C1", "--from", begin, "--to", end)
    part = pq.read_table(out).to_pandas()
    whole = rows[(rows.t_ns >= begin) & (rows.t_ns < end) & rows.constraint.isin(["C1", "C4"])]

    assert len(part)
    assert part.to_json() == whole.reset_index(drop=True).to_json()


def test_without_a_registration_the_error_says_where_to_name_it(planted: Dataset, tmp_path: Path) -> None:
    """Not in the data set, not on the command line: code 2; a folder that is none: code 3; a wrong code or time: 2."""
    registration = small_study.registered(tmp_path, small_study.text())
    del registration
    bare = open_dataset(_without_registration(tmp_path))
    out = tmp_path / "x.parquet"
    with pytest.raises(UsageError, match="--config"):
        ask(bare.path, "--out", out)
    ask(bare.path, "--out", out, "--config", tmp_path / "plan.toml", "--to", "2026-01-06")
    assert out.is_file()
    with pytest.raises(MissingError):
        ask(tmp_path / "nothing", "--out", out)
    with pytest.raises(UsageError, match="C9"):
        ask(planted.path, "--out", out, "--constraint", "C9")
    with pytest.raises(UsageError, match="--from"):
        ask(planted.path, "--out", out, "--from", "yesterday")


def test_a_failure_leaves_the_file_as_it_was(planted: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole or not at all: no half file, no temporary beside it."""
    from backtest.pipeline import detection

    out = tmp_path / "rows.parquet"
    out.write_bytes(b"before")

    def broken(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(detection, "sort_rows", broken)
    done = CliRunner().invoke(detect, [str(planted.path), "--out", str(out), "--constraint", "C1"])

    assert done.exit_code != 0
    assert [file.name for file in tmp_path.iterdir()] == ["rows.parquet"]
    assert out.read_bytes() == b"before"


def test_times_are_read_as_utc() -> None:
    """Dates, times with zone or none, nanoseconds."""
    day = 20_468 * NS_PER_DAY
    assert time_of("2026-01-15", "") == time_of("2026-01-15T00:00:00Z", "") == time_of("2026-01-15T00:00:00", "") == day
    assert time_of("2026-01-15T01:00:00+01:00", "") == time_of(str(day), "") == day


def _without_registration(folder: Path) -> Path:
    from backtest.data.build.synthesise import build_synthetic, spec_of
    from backtest.seeds import streams as seed_streams

    plan = small_study.registered(folder, small_study.text(days="3", **NO_PLANTS))
    streams = seed_streams.load(small_study.ROOT / "seeds.lock").generator
    target = build_synthetic(spec_of(plan.data.synthetic, "bare"), streams, folder / "bare", "bare")
    (folder / "plan.toml").write_text(small_study.text(), encoding="utf-8")
    return target


def test_at_mids_no_row_of_lots_ticks_or_funding_is_needed(planted: Dataset, tmp_path: Path) -> None:
    """Nothing is sized, charged or paid there; at net the first that lacks is named with its table."""
    plan = tmp_path / "plan.toml"
    text = registration_of(planted, None).text
    for table in ("lots", "ticks", "funding", "delivery"):
        text = re.sub(rf"(?ms)^\[\[venues\.{table}\]\].*?(?=^\[|\Z)", "", text)
    plan.write_text(text)
    span = ("--from", "2026-01-05", "--to", "2026-01-06", "--config", plan)

    assert ask(planted.path, "--out", tmp_path / "mids.parquet", "--mids-only", *span).exit_code == 0
    assert pq.read_table(tmp_path / "mids.parquet").num_rows > 0
    with pytest.raises(UsageError, match=r"venues\."):
        ask(planted.path, "--out", tmp_path / "net.parquet", *span)
