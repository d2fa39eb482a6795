"""Twins of load.py, judge.py, documents.py and diagnostics.py: from a run directory to its documents and back.

Rules: [R11.5].
"""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from backtest.records import Plan
from backtest.tasks.parallel import parallel_map
from engine.constraints.codes import CODES
from engine.errors import DataError, MissingError
from engine.ledger.format.canonical_json import canonical
from engine.units import NS_PER_DAY
from hypotheses import diagnostics, judge, load, results_documents
from hypotheses.registry import HYPOTHESES
from hypotheses.statistics.dependence import day_permutations
from tests.helpers import builders
from tests.hypotheses.cases import DAY0, bits, leg, profits, run, signal, signals_of, stats, streams, trades

T0 = DAY0 * NS_PER_DAY
PLAN = Plan(T0, T0 + 90 * NS_PER_DAY, T0 - 90 * NS_PER_DAY, 10, 9 * NS_PER_DAY, NS_PER_DAY, NS_PER_DAY)
MANIFEST = {
    "id": "0123",
    "window": {"start": "2026-01-01", "end": "2026-04-01"},
    "mode": "exploratory",
    "deviations": ["data: synthetic"],
    "registration": "aa",
    "engine_seal": "bb",
    "data": "cc",
    "seeds": "dd",
    "commit": "ee",
    "study": "test",
    "freeze_hash": None,
    "dataset_hash": "cc",
    "seeds_hash": "dd",
    "analysis_id": "h1_h2_h3",
    "ledgers": {"emit": {"size": 3, "root": "11", "head": "22"}, "resolution": {"size": 2, "root": "33", "head": "44"}},
}


def registration(**changed):
    return SimpleNamespace(stats=stats(**changed), params=builders.params(), plan=PLAN, windows=(PLAN,), content={})


def window():
    signals = [signal(T0 + d * NS_PER_DAY, f"s{d}", [leg(f"b{d}/ask", depth_usd=4e4 + d**3)]) for d in range(0, 90, 2)]
    earned = np.array([200, 150, 100, 0, -50, 20, 0]) + profits(0, 100)
    earned[:, 6] = 0
    ordered = sorted([*signals, *signals_of(trades(40, 90))], key=lambda row: (row["t_ns"], row["signal_id"]))
    return run(earned, signals=ordered)


def write_run(folder: Path, data=None, **manifest) -> Path:
    """Write the files of a run directory that the hypotheses read."""
    data = data or window()
    columns = {"day": data.day.astype(np.int32), "has_data": data.has_data, "stale_leg_days": np.zeros(data.n, int)}
    columns |= {"x": data.portfolio.x, "pnl": data.portfolio.profit}
    for sleeve in data.sleeves:
        columns |= {f"x_{sleeve.code}": sleeve.x, f"pnl_{sleeve.code}": sleeve.profit}
    pd.DataFrame(columns).to_parquet(folder / "returns.parquet")
    for number in range(2):
        inside = folder / "folds" / f"{number:02d}"
        inside.mkdir(parents=True)
        data.signals.iloc[number::2].to_parquet(inside / "signals.parquet")
        data.trades.iloc[number::2].to_parquet(inside / "trades.parquet")
    funnel = {code: {"examined": 1, "missing": "a perp" if code == "C7" else None} for code in CODES}
    (folder / "funnel.json").write_text(json.dumps(funnel))
    (folder / "coverage.json").write_text(json.dumps({"C1": 0.98}))
    (folder / "manifest.json").write_text(json.dumps({**MANIFEST, **manifest}))
    return folder


@pytest.fixture(scope="module")
def verdicts():
    return judge.judge(window(), registration(), streams)


def test_who_computes_a_verdict_does_not_matter(verdicts) -> None:
    """Two processes and one give the same documents; every hypothesis of the registry has its turn."""
    side_by_side = judge.judge(window(), registration(), streams, parallel_map=parallel_map(2))

    assert results_documents.exact_document(side_by_side, {}) == results_documents.exact_document(verdicts, {})
    assert results_documents.float_entries(side_by_side) == results_documents.float_entries(verdicts)
    assert sorted(judge.ORDER) == [hypothesis.code for hypothesis in HYPOTHESES]


def test_a_run_directory_is_read_back_whole(tmp_path: Path) -> None:
    """Series, signals, trades and missing inputs come back as they were written, sorted."""
    data = load.load(write_run(tmp_path), registration())

    assert np.array_equal(data.portfolio.x, window().portfolio.x)
    assert np.array_equal(data.block, np.arange(90) // 9)
    assert data.signals["signal_id"].tolist() == window().signals["signal_id"].tolist()
    assert len(data.trades) == len(window().trades)
    assert data.missing == {"C7": "a perp"}


def test_a_missing_day_and_a_sleeve_that_does_not_add_up_are_refused(tmp_path: Path) -> None:
    """No verdict is computed from part of a window, nor from books that do not balance."""
    write_run(tmp_path)
    whole = pd.read_parquet(tmp_path / "returns.parquet")

    whole.iloc[:-1].to_parquet(tmp_path / "returns.parquet")
    with pytest.raises(DataError, match="was 89 rows"):
        load.load(tmp_path, registration())
    whole.assign(x_C3=whole["x_C3"] + 1).to_parquet(tmp_path / "returns.parquet")
    with pytest.raises(DataError, match="add up"):
        load.load(tmp_path, registration())


def test_an_unfinished_run_says_what_is_lacking(tmp_path: Path) -> None:
    """A missing file is named, with its path."""
    with pytest.raises(MissingError, match=r"returns\.parquet"):
        load.load(tmp_path, registration(), PLAN)
    write_run(tmp_path, window={"start": "2025-01-01"})
    with pytest.raises(DataError, match="registered windows"):
        load.load(tmp_path, registration())
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(MissingError, match="seeds_hash"):
        judge.header_of(tmp_path, window())


def test_verdicts_come_from_files_and_go_to_files(tmp_path: Path) -> None:
    """What interface.md promises of verdicts.json stands in it; the exploratory run writes no exact results."""
    data = load.load(write_run(tmp_path), registration())
    found = judge.judge(data, registration(), streams)

    digest = judge.write(tmp_path, found, data, PLAN, judge.header_of(tmp_path, data))

    shown = json.loads((tmp_path / "verdicts.json").read_text())
    names = {"verdict", "grade", "sharpe", "ci", "p_n1", "p_n2", "p_n3", "p_boot", "psr", "dsr", "n_days", "power"}
    assert names <= set(shown["H1"])
    stressed = {"loss_usd", "sharpe", "ci", "p_n1", "mean_day_usd", "least_mean_day_usd"}
    assert stressed <= set(shown["H1"]["stressed"])
    assert {"rule_of_three", "loss_days", "active_days"} <= set(shown["H1"])
    assert {"upper_95", "naive", "greedy", "zero_days", "signals", "realised_over_modelled"} <= set(shown["H2"])
    row = {
        "code",
        "status",
        "sharpe",
        "ci",
        "ci_equal_tailed",
        "block_length",
        "active_days",
        "trades",
        "active_blocks",
    }
    assert all(
        row | {"p", "p_holm", "p_stepm", "tail_fragile", "stress_usd", "stressed_ci", "untradable"} <= set(one)
        for one in shown["H3"]["constraints"]
    )
    assert shown["H1"]["p_n1_count"][1] == 1024
    assert shown["H1"]["p_n2"] is None
    assert shown["H1"]["p_n2_reason"]
    assert shown["window"] == {
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-04-01T00:00:00Z",
        "days": 90,
        "days_with_data": 90,
        "coverage": {"C1": 0.98},
    }
    assert shown["run"]["digest"] == digest == (tmp_path / "digest.txt").read_text().strip()
    assert not (tmp_path / "results.exact.json").exists()
    assert (tmp_path / "results.exploratory.json").exists()
    assert not list(tmp_path.glob("*.part"))


def test_judging_again_writes_the_same_bytes(tmp_path: Path) -> None:
    """Two computations of one run differ in nothing, floats and diagnostics included."""
    texts = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        data = load.load(write_run(folder, mode="confirmatory"), registration())
        judge.write(folder, judge.judge(data, registration(), streams), data, PLAN, judge.header_of(folder, data))
        texts.append({file.name: file.read_bytes() for file in folder.iterdir() if file.suffix in {".json", ".txt"}})

    assert "results.exact.json" in texts[0]
    assert texts[0] == texts[1]


def test_the_exact_results_are_canonical_and_complete(verdicts) -> None:
    """Eleven ids in order, decimal strings, integers or null only: CJ1 takes the document as it is."""
    document = results_documents.exact_document(verdicts, {"study": "test", "freeze_hash": None})

    ids = [row["id"] for row in document["hypotheses"]]
    assert ids == ["h1", "h1/n1", "h2", "h3", *(f"h3/{code}" for code in CODES)]
    assert {row["decision"] for row in document["hypotheses"]} <= {"supported", "not_supported", "inconclusive"}
    assert canonical(document)
    assert document["hypotheses"][0]["p_den"] == 1024
    assert len(results_documents.results_digest(document)) == 64


def test_an_undefined_statistic_is_null(verdicts) -> None:
    """C7 never traded: no number stands where there is none."""
    row = results_documents.exact_hypotheses(verdicts)[-1]

    assert (row["id"], row["statistic"], row["decision"]) == ("h3/C7", None, "inconclusive")


def test_numbers_for_readers_have_ten_digits_and_no_negative_zero() -> None:
    """R11.5: rounded, never NaN."""
    assert results_documents.readable(Decimal("3.14159265358979")) == 3.141592654
    assert str(results_documents.readable(-0.0)) == "0.0"
    with pytest.raises(ValueError, match="finite"):
        results_documents.readable(float("nan"))


def test_a_sharpe_ratio_shows_the_seven_digits_that_returns_of_nine_places_can_give(verdicts) -> None:
    """Every ratio and interval of H1 and of the constraints; amounts and bounds in USD have ten."""
    first, third = results_documents.hypothesis_section(verdicts.h1), results_documents.constraints_section(verdicts.h3)
    second = results_documents.hypothesis_section(verdicts.h2)

    def shown(value: Decimal) -> float:
        return float(f"{value:.6e}")

    assert first["sharpe"] == shown(verdicts.h1.sharpe) != float(verdicts.h1.sharpe)
    assert first["ci"] == [shown(verdicts.h1.ci.low), shown(verdicts.h1.ci.high)]
    assert first["stressed"]["sharpe"] == shown(verdicts.h1.stressed.sharpe)
    for row, of in zip(third["constraints"], verdicts.h3.constraints, strict=True):
        assert row["sharpe"] == (None if of.sharpe is None else shown(of.sharpe))
    assert second["upper_95"] == float(f"{verdicts.h2.upper_95:.9e}") != shown(verdicts.h2.upper_95)


def test_the_float_tier_carries_tolerances_and_no_nulls(verdicts) -> None:
    """Seventeen digits beside a declared tolerance, for everything a library computed."""
    entries = results_documents.float_entries(verdicts)

    assert any(entry["name"] == "h1/psr" for entry in entries)
    assert any("GARCH" in entry["name"] for entry in entries)
    assert all(
        set(entry) == {"name", "value", "rtol", "atol"} and float(entry["value"]) is not None for entry in entries
    )


def test_diagnostics_see_what_was_put_in() -> None:
    """Autocorrelation of a slow series, clusters of volatility, and the days that made the profit."""
    noise = np.random.default_rng(9).normal(0, 100, 300)
    slow = np.convolve(noise, np.ones(5), "valid")[:, None] * np.ones(7) / 7 + 50
    found = {(row.series, row.name): row for row in diagnostics.diagnose(run(slow, blocks=10), streams)}

    assert found["portfolio", "autocorrelation lag 1"].value > 0.6
    assert found["portfolio", "autocorrelation lag 1"].p == 1 / 2_000
    assert found["portfolio", "active days"].value == len(slow)
    assert found["portfolio", "Ljung-Box Q, 5 lags"].p < 1e-6
    assert found["portfolio", "ARCH LM, 5 lags"].note == ""
    assert found["portfolio", "share of profit from the best 5 days"].value > 0
    assert {series for series, _ in found} == {"portfolio", *CODES}


def test_a_diagnostic_that_cannot_be_computed_is_listed_with_its_reason() -> None:
    """Nothing is swallowed: too short, constant, or not converged are words in the table."""
    short = diagnostics.of_sleeve(run(profits(1, 10, n=12), blocks=3).portfolio, day_permutations(12, bits(), 99))
    idle = diagnostics.of_sleeve(run(np.zeros((90, 7))).portfolio, day_permutations(90, bits(), 99))
    losing = diagnostics.of_sleeve(run(profits(-500, 10)).portfolio, day_permutations(90, bits(), 99))

    assert short[0].note == "12 days, fewer than 20"
    assert idle[0].note == "the series is constant"
    assert any("not positive" in row.note for row in losing)
    assert all(row.value is not None or row.note for row in losing)


def test_a_constraint_with_a_missing_input_keeps_its_reason_to_the_end(tmp_path: Path) -> None:
    """From funnel.json to verdicts.json."""
    data = load.load(write_run(tmp_path, replace(window())), registration())
    found = judge.judge(data, registration(), streams)

    assert results_documents.constraints_section(found.h3)["constraints"][6]["status_reason"] == "not evaluable: a perp"
