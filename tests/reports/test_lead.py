"""The first screen: the answers of the verdicts with the mode on each, and risks by the rule of their size."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reports.base import Answers, Points, Text
from reports.figures import strip
from reports.load import Run
from reports.sections import lead


def answers(run: Run) -> Answers:
    block = lead.build(run)[0]
    assert isinstance(block, Answers)
    return block


def risks(run: Run) -> tuple[str, ...]:
    block = lead.build(run)[3]
    assert isinstance(block, Points)
    return block.points


def changed(run: Run, /, **hypotheses: Mapping[str, Any]) -> Run:
    """The run with some fields of its verdicts replaced."""
    verdicts = {key: {**run.verdicts[key], **hypotheses.get(key, {})} if isinstance(run.verdicts[key], dict)
                else run.verdicts[key] for key in run.verdicts}  # fmt: skip
    return replace(run, verdicts=verdicts)


def test_each_answer_stands_with_its_mode(run: Run) -> None:
    """No badge without the word for the mode, and none of a drawn market without saying so."""
    cards = answers(run).cards
    words = [run.verdicts[name]["verdict"].upper() for name in ("H1", "H2", "H3")]
    assert [card.badge for card in cards] == [f"{word}, exploratory, synthetic" for word in words]

    real = replace(run, manifest={**run.manifest, "synthetic": False, "mode": "confirmatory"})
    assert [card.badge for card in answers(real).cards] == [f"{word}, confirmatory" for word in words]


def test_the_numbers_are_those_of_the_verdicts(run: Run) -> None:
    """Sharpe ratio and interval, mean and bound, how many are retained."""
    h1, h2, h3 = (run.verdicts[name] for name in ("H1", "H2", "H3"))
    cards = answers(run).cards

    assert cards[0].number == f"{float(h1['sharpe']):,.2f}".replace("-", "−")
    # Ten days are too few for an interval.
    assert h1["ci"] is None
    assert cards[0].bounds.startswith("95% interval –")
    given = answers(changed(run, H1={"ci": [1.25, 7.5]})).cards[0]
    assert given.bounds == "95% interval [1.25, 7.50]"
    for grade, words in {
        "robust": "further conditions of the plan are met",
        "fragile": "condition of the plan is not",
    }.items():
        graded = answers(changed(run, H1={"ci": [1.25, 7.5], "grade": grade})).cards[0].bounds
        # the grade is explained where it is first met
        assert f"[1.25, 7.50]; {grade}: " in graded
        assert words in graded
    assert cards[1].number == f"{float(h2['mean_usd_per_day']):,.0f} USD"
    assert cards[2].number == f"{len(h3['retained'])} of 7 retained"


def test_a_run_without_a_ratio_has_an_answer_and_no_picture_of_a_number(run: Run) -> None:
    """The dash, the words why, and the bound of the claim alone."""
    card = answers(changed(run, H1={"sharpe": None, "ci": None, "verdict": "cannot tell"})).cards[0]

    assert (card.number, card.tone) == ("–", "unsure")
    assert "undefined" in card.bounds
    assert "<circle" not in card.svg


def test_risks_with_a_known_effect_come_first_by_its_size(run: Run) -> None:
    """A joint loss that takes more than the best constraint's absence; the rest counted, never dropped in silence."""
    stressed = {"sharpe": -500.0, "loss_usd": 1234.5}
    shown = risks(changed(run, H1={"stressed": stressed, "sharpe": 13.0, "failed_conditions": ["first", "second"]}))

    assert shown[0] == (
        "A crash that takes the registered loss on all positions open at once on one underlying, venue and expiry (one "
        "joint loss, 1,234 USD) takes the Sharpe ratio from 13.00 to −500.00."
    )
    assert len(shown) == 4
    assert shown[3] == "More points are below, in the sections they belong to."


def test_the_ratio_without_the_best_constraint_is_recomputed(run: Run) -> None:
    """Daily sums without that constraint's trading, by a plain loop."""
    only = run.returns.copy()
    for code in ("C1", "C2", "C4", "C5", "C6", "C7"):
        only["x"] -= only[f"pnl_{code}"]
        only[f"pnl_{code}"] = 0
    only["pnl_C3"] = np.arange(len(only)) * 10**6 + 10**6
    only["x"] = only["pnl_C3"] + np.where(np.arange(len(only)) % 2, 5, -4) * 10**6
    rest = [5e6 if n % 2 else -4e6 for n in range(len(only))]
    mean = sum(rest) / len(rest)
    deviation = (sum((value - mean) ** 2 for value in rest) / (len(rest) - 1)) ** 0.5
    shown = risks(replace(changed(run, H1={"sharpe": 9.0, "stressed": None}), returns=only))

    ratio = f"{mean / deviation * 365**0.5:.2f}"
    assert f"C3 (put-call parity) earned 100% of the gains; without it the Sharpe ratio is {ratio}." in shown


def test_without_anything_to_name_the_list_says_so(run: Run) -> None:
    """An empty list would read as if nobody had looked."""
    even = run.returns.copy()
    for code in range(1, 8):
        even[f"pnl_C{code}"] = 10**6
    settled = [{**row, "status": "retain"} for row in run.verdicts["H3"]["constraints"]]
    quiet = changed(
        run, H1={"stressed": None, "failed_conditions": []}, H3={"constraints": settled}, run={"deviations": []},
        window={"coverage": dict.fromkeys(run.verdicts["window"]["coverage"], 1.0)},
    )  # fmt: skip
    signals = run.signals.assign(cost_model="depth")

    assert risks(replace(quiet, returns=even, signals=signals)) == ("No rule of this page names a risk.",)


@pytest.mark.parametrize(
    ("h1", "h2", "dropped", "words"),
    [
        ("supported", "supported", [], "holds in this window; its modelled size stays below the registered ceiling."),
        ("refuted", "refuted", [], "is refuted in this window; its modelled size is above the registered ceiling."),
        ("cannot tell", "cannot tell", ["C4"], "no evidence that there is none; whether its modelled size stays below "
         "the registered ceiling is open; C4 failed and leaves the engine."),
        ("supported", "supported", ["C2", "C4"], "; C2, C4 failed and leave the engine."),
    ],
)  # fmt: skip
def test_what_follows_is_said_of_a_confirmatory_run_alone(
    run: Run, h1: str, h2: str, dropped: list[str], words: str
) -> None:
    """By the answers; a synthetic or exploratory run confirms nothing."""
    rows = [
        {**row, "status": "drop" if row["code"] in dropped else "retain"} for row in run.verdicts["H3"]["constraints"]
    ]
    answered = changed(
        run, H1={"verdict": h1}, H2={"verdict": h2}, H3={"constraints": rows}, run={"mode": "confirmatory"}
    )
    real = replace(answered, manifest={**run.manifest, "synthetic": False})

    assert lead.follows(real).endswith(words)
    assert "nothing for any venue" in lead.follows(answered)
    assert "nothing is confirmed" in lead.follows(changed(real, run={"mode": "exploratory"}))


def test_what_it_cost_is_recomputed_from_trades_and_returns(run: Run) -> None:
    """Each amount by a slow loop over the trades, and the sum comes out."""
    traded = [row for _, row in run.trades.iterrows() if row["status"] == "traded"]
    earned = sum(row["gross_usd_micro"] + row["funding_usd_micro"] for row in traded)
    costs = [sum(row[f"{term}_usd_micro"] for row in traded) for term in ("fees", "slippage", "borrow")]
    left = sum(int(day) for day in run.returns["x"])
    capital = sum(int(day) for day in run.returns["pnl"]) - left
    assert min(earned, costs[0], capital) > 0
    assert earned - sum(costs) - capital == left

    wanted = [f"{amount / 1e6:,.2f}".replace("-", "−") for amount in (earned, *costs, capital, left)]
    assert re.findall(r"−?[\d,]+\.\d\d", lead.paid(run)) == wanted
    assert lead.paid(run) in [block.text for block in lead.build(run) if isinstance(block, Text)]


def test_the_picture_places_number_interval_and_bound_in_proportion() -> None:
    """Distances on the line are those of the values."""
    svg = strip.draw("good", 5.0, (4.0, 7.0), 1.0, "claim: above <1>")
    point = float(re.search(r'<circle cx="([\d.]+)"', svg)[1])  # type: ignore[index]
    ends = re.search(r'x1="([\d.]+)" y1="16" x2="([\d.]+)" y2="16" stroke="#0072b2"', svg)
    bound = float(re.search(r'<line x1="([\d.]+)" y1="4"', svg)[1])  # type: ignore[index]

    assert ends is not None
    unit = (point - bound) / 4
    assert float(ends[1]) == pytest.approx(bound + 3 * unit, abs=0.11)
    assert float(ends[2]) == pytest.approx(bound + 6 * unit, abs=0.11)
    assert "&lt;1&gt;" in svg
