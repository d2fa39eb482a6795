"""Rows, limits, seals and what a report cites: exact arithmetic, and never a row of series.  [S9.1, audit 2.1]"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

from backtest.gate.freeze import import_closure
from engine.ledger.format.canonical_json import canonical, parse_any_spelling
from hypotheses.calibration import certificate, code_hashes, edge, page, resampled
from hypotheses.calibration.n2_size import CELLS
from hypotheses.calibration.plan import Limit, load_plan, statistics_hash
from hypotheses.sensitivity import certificate as sensitivity_certificate
from tests.hypotheses.calibration.test_drawn import draw
from tests.hypotheses.calibration.test_n2_size import measured

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "calibration" / "registered.toml"
PLAN = load_plan(CONFIG)


def content(**changes: Any) -> dict[str, Any]:
    """A whole certificate of the running code with one engine row and one of series."""
    rows = [
        {"cell": "engine/informative", "tier": "engine", "name": "H1 supported", "role": "H1", "count": 9, "of": 200,
         "replications": 200, "registered": 200, "share": "0.0450", "low": "0.0208", "high": "0.0837", "limit": None,
         "met": "", "seal": "pipeline"},
        {"cell": "n1/zero", "tier": "series", "name": "N1 rejects", "role": "H3", "count": 240, "of": 2000,
         "replications": 2000, "registered": 2000, "share": "0.1200", "low": "0.1060", "high": "0.1351",
         "limit": {"low": "0.040", "high": "0.060"}, "met": "not met", "seal": "judging"},
    ]  # fmt: skip
    certified = {**code_hashes.seals(), "statistics_hash": statistics_hash(PLAN.study.content)}
    base = {"schema": "certificate/1", "title": "t", "quick": False, "whole": True, "seals": certified, "rows": rows,
            "draws": {"n2": 999, "bootstrap": 499}, "edges": [], "sources": [], "n2_choice": None}  # fmt: skip
    return {**base, **changes}


@pytest.mark.parametrize(("happened", "of"), [(0, 200), (9, 200), (100, 2000), (200, 200)])
def test_intervals_are_clopper_and_pearson_s(happened: int, of: int) -> None:
    """Against the beta quantiles of their definition."""
    low, high = certificate.interval(happened, of)
    assert low == pytest.approx(beta.ppf(0.025, happened, of - happened + 1) if happened else 0.0)
    assert high == pytest.approx(beta.ppf(0.975, happened + 1, of - happened) if happened < of else 1.0)


def test_the_share_decides_exactly_and_chance_is_only_named() -> None:
    """6.0% of 2,000 is inside 6.0%; one more is within chance; twice as much is not met."""
    limit = Limit(low="0.040", high="0.060")
    answers = [
        certificate.met(count, 2000, *certificate.interval(count, 2000), limit) for count in (80, 120, 121, 79, 240)
    ]
    assert answers == ["met", "met", "within chance", "within chance", "not met"]


def test_a_certificate_is_canonical_and_reads_back() -> None:
    """CJ1: no fraction, sorted keys; the same bytes from the same content."""
    text = certificate.text(content())
    assert text == canonical(content()) + b"\n"
    assert parse_any_spelling(text) == content()


def test_a_verdict_cites_engine_rows_only() -> None:
    """The row of series has a role here, by mistake: it is not cited all the same."""
    part = sensitivity_certificate.beside(content(), PLAN.study.content)
    assert [row["hypothesis"] for row in part.tables[0].rows] == ["H1"]
    assert part.tables[0].rows[0]["interval"] == "[2.1%, 8.4%]"
    assert "of this engine, this judging code, these statistics" in part.notes[0]
    assert "N1 rejects" in part.notes[1]


@pytest.mark.parametrize(
    ("key", "word"),
    [("engine_hash", "another engine"), ("judging", "another judging code"), ("statistics_hash", "registered stat")],
)
def test_a_certificate_of_other_code_says_so(key: str, word: str) -> None:
    """Each seal that differs is named."""
    other = content(seals={**content()["seals"], key: "0" * 64})
    assert word in sensitivity_certificate.freshness(other, PLAN.study.content)


def test_an_unfinished_quick_or_missing_certificate_is_told_apart(tmp_path: Path) -> None:
    """Not whole: said.  Quick, of another schema, torn or missing: nothing is cited."""
    assert sensitivity_certificate.freshness(content(whole=False), PLAN.study.content).startswith("not whole")
    path = tmp_path / "certificate.json"
    for text in (canonical(content(quick=True)), canonical(content(schema="other/1")), b"{", None):
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_bytes(text)
        assert sensitivity_certificate.load(path) is None
    assert sensitivity_certificate.beside(None, PLAN.study.content).notes == (sensitivity_certificate.NONE,)
    path.write_bytes(canonical(content()))
    assert sensitivity_certificate.load(path) == content()


def test_the_judging_seal_covers_what_the_hypotheses_import_and_nothing_shown() -> None:
    """Long-run variance and block length are in, directly imported or not; reports, commands and cells are out."""
    names = set(import_closure.closure(code_hashes.JUDGING))
    assert {
        "hypotheses.statistics.long_run_variance",
        "hypotheses.statistics.block_length",
        "engine.exact.decimals",
        "hypotheses.permutation_nulls",
    } <= names
    assert not {name for name in names if name.startswith(("reports", "hypotheses.calibration", "hypotheses.commands"))}
    assert "engine.signals.emit" in import_closure.closure(code_hashes.PIPELINE)


def test_a_changed_byte_changes_the_seal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small tree of our names; only modules that are imported count."""
    for name, text in (("a", "from hypotheses import b"), ("b", "x = 1"), ("c", "y = 1")):
        (tmp_path / "hypotheses").mkdir(exist_ok=True)
        (tmp_path / "hypotheses" / f"{name}.py").write_text(text)
    monkeypatch.setattr(import_closure, "ROOT", tmp_path)
    hashed = import_closure.closure_hash.__wrapped__
    before = hashed(("hypotheses.a",))
    (tmp_path / "hypotheses" / "c.py").write_text("y = 2")
    assert hashed(("hypotheses.a",)) == before
    (tmp_path / "hypotheses" / "b.py").write_text("x = 2")
    assert hashed(("hypotheses.a",)) != before


def test_the_least_edge_follows_from_its_formula() -> None:
    """80% between SR 5 (60%) and 8 (100%) is 6.5; then (6.5/sqrt(365) s + c) 90 / notional."""
    rows = [
        {"cell": f"power/h3/{ratio}", "name": "H3 retains", "count": count, "of": 100}
        for ratio, count in ((0, 2), (5, 60), (8, 100))
    ]
    assert edge.ratio_at_power(rows) == pytest.approx(6.5)
    found = {
        f"{code}/{key}": np.array([value])
        for code in ("C1", "C2", "C3", "C4", "C5", "C6", "C7")
        for key, value in (
            ("trades", 50.0), ("notional", 1e6), ("net", 500.0), ("sd", 100.0), ("charge", 20.0), ("found", 4),
            ("found/of", 5),
        )
    }  # fmt: skip
    first = edge.detectable_edges(rows, found)[0]
    assert first["detectable_bps"] == f"{(6.5 / 365**0.5 * 100 + 20) * 90 / 1e6 * 1e4:.1f}"
    assert first["realised_bps"] == "5.0"


def test_a_resampled_window_moves_real_days_and_random_signals() -> None:
    """Against a loop over signals: own place and shifts, each with what it earns on the real day behind it."""
    profile = np.zeros((resampled.MOST_SIGNALS, 90, 3), dtype=np.int64)
    profile[:5] = draw().below(1000, 5, 90, 3)
    found = resampled.resample(profile, 5, draw(3))
    again = draw(3)
    day, at = resampled.market_days(again), again.below(90, 5)
    assert ((np.diff(day.reshape(18, 5), axis=1) % 90) == 1).all()
    for shift in (0, 4, 86):
        expected = np.zeros(90, dtype=np.int64)
        for signal in range(5):
            stands = (at[signal] + shift) % 90
            for later in range(3):
                expected[min(stands + later, 89)] += profile[signal, day[stands], later]
        got = found.observed if shift == 0 else found.shifted[shift - 4]
        assert np.array_equal(got, expected)
    assert np.array_equal(found.batch[np.arange(90), np.arange(90) % 9].sum(axis=0), found.observed)


def test_the_page_shows_every_row_and_escapes_nothing_it_should_not(tmp_path: Path) -> None:
    """A missed limit is bold, and the page says that it is not whole."""
    text = page.markdown(content(whole=False), {"cpu_s": 60.0, "processor": "p", "cores": 2})
    assert "| N1 rejects | 12.0% | 10.6% to 13.5% | 2,000 | 4.0% to 6.0% | **not met** |" in text
    assert "Not whole yet" in text
    assert "N2's statistic" not in text


@pytest.mark.parametrize(
    ("rejected", "chosen", "words"),
    [
        ({"law": (127, 126, 90)}, "mean", "The plan registers the mean of a day, as the rule gives."),
        ({}, "sharpe", "The plan registers the mean of a day, another than the rule gives."),
        (None, "", "The plan registers the mean of a day."),
    ],
)
def test_the_page_prints_what_the_rule_gives_and_what_the_plan_registers(
    rejected: dict[str, tuple[int, int, int]] | None, chosen: str, words: str
) -> None:
    """The registered plan has the mean, which the rule gives where the ratio fails, and not where it qualifies."""
    columns = {"n2-size/law": measured()["n2-size/law"]} if rejected is None else measured(**rejected)

    document = certificate.document(PLAN, list(CELLS), columns, "")

    assert document["n2_choice"]["statistic"] == chosen
    assert document["n2_choice"]["registered"] == "mean"
    assert document["n2_choice"]["says"].endswith(f". {words}")
    text = page.markdown(document, {"cpu_s": 60.0, "processor": "p", "cores": 2})
    assert f"\n{document['n2_choice']['says']}\n" in text
