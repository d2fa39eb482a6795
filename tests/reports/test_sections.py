"""Sections: no number typed by hand, and a study in which nothing happened still has its report.  [S10]"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from markupsafe import escape

from hypotheses.sensitivity.registry import SENSITIVITIES
from reports.base import Figure, Note, Table, Text
from reports.load import Run, load
from reports.registry import SECTIONS
from reports.render import Built
from reports.sections import deviations, funnel, nulls
from reports.words import CODES, NONE, usd_micro
from tests.helpers.small_run import Tiny, make, write_config


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A whole run in which nothing was planted and every constraint is switched off."""
    folder = tmp_path_factory.mktemp("empty")
    changes = {f"constraints.{code.lower()}.enabled": False for code in CODES}
    config = write_config(folder, {**changes, "data.synthetic.plants.constraints": {}})
    return load(make(config, folder / "runs").folder)


def pages(run: Run) -> tuple[str, str]:
    """The pages as they were written, with warnings as errors."""
    return (run.path / "report.html").read_text(), (run.path / "report.md").read_text()


def section(run: Run, anchor: str) -> list[object]:
    return list(next(s for s in SECTIONS if s.anchor == anchor).build(run))


def table(run: Run, anchor: str, caption: str) -> Table:
    found = [b for b in section(run, anchor) if isinstance(b, Table) and b.caption.startswith(caption)]
    assert len(found) == 1
    return found[0]


def test_anchors_and_titles_are_given_once() -> None:
    """Each section has its own anchor and title, and a rule or none."""
    assert len({s.anchor for s in SECTIONS}) == len({s.title for s in SECTIONS}) == len(SECTIONS)


def test_an_empty_study_has_a_report_without_warnings(empty: Run) -> None:
    """No signal, no trade, an undefined Sharpe ratio: both pages are made, and say why."""
    html, text = pages(empty)

    assert len(empty.trades) == len(empty.signals) == 0
    assert empty.verdicts["H1"]["sharpe"] is None
    assert "undefined" in html
    assert "switched off in the registration" in text
    assert text.count("switched off in the registration") >= 7


def test_an_empty_study_supports_nothing_but_the_ceiling(empty: Run) -> None:
    """Nothing retained; every constraint is short of data; profit is the capital charge alone."""
    assert empty.verdicts["H1"]["verdict"] != "supported"
    assert empty.verdicts["H3"]["retained"] == []
    assert {row["status"] for row in empty.verdicts["H3"]["constraints"]} == {"not enough data"}
    assert (empty.returns["pnl"] == 0).all()


def test_verdicts_come_with_what_they_cannot_say(run: Run) -> None:
    """First the standing of the run, then the three in order, then the limits, then the table of claims."""
    blocks = section(run, "verdicts")
    notes = [block for block in blocks if isinstance(block, Note)]
    said = " ".join(f"{note.title} {note.text}" for note in notes)

    assert [note.title[:2] for note in notes[1:4]] == ["H1", "H2", "H3"]
    assert notes[0].title == "Exploratory run"
    for limit in run.manifest["cannot_say"]:
        assert limit in said
    assert [row[0] for row in table(run, "verdicts", "Every claim").rows] == ["H1", "H2", "H3"]


def test_costs_by_term_are_those_of_the_trades(run: Run) -> None:
    """Each cell of the table is the sum of its column over the constraint's trades; net is after capital."""
    rows = table(run, "costs", "Terms by constraint").rows
    for row, code in zip(rows, CODES, strict=True):
        mine = run.trades[(run.trades.constraint == code) & (run.trades.status == "traded")]
        assert row[2] == str(len(mine))
        assert row[3] == usd_micro(int(mine.gross_usd_micro.sum()))
        assert row[5] == usd_micro(int(mine.fees_usd_micro.sum()))
        assert row[-1] == usd_micro(int(run.returns[f"x_{code}"].sum()))


def test_the_page_says_in_what_money_each_figure_is(run: Run) -> None:
    """The unit, the pair that converts, what USD counts as, the quantos, and what waited for the peg."""
    (said,) = (block.text for block in section(run, "costs") if isinstance(block, Text))
    for words in (
        "Every amount on this page is in USDC", "USDT is converted by the mid of spot binance:USDCUSDT",
        "USD counts as USDC", "hyperliquid perp (price USDT, money USDC)", "deribit option (price USD, money USDC)",
        "more than 25 bps from parity: 0 packages within re-arming distance waited",
    ):  # fmt: skip
        assert words in said
    counted = {code: {**row, "reasons": {**row["reasons"], "peg": 2}} for code, row in run.funnel.items()}
    plan = {**run.registration, "fx": {"usdc_usdt": "x:USDCUSDT", "usdc_usd": "x:USDCUSD", "peg_bps": "30"}}
    (other,) = (
        block.text
        for block in section(replace(run, funnel=counted, registration=plan), "costs")
        if isinstance(block, Text)
    )
    assert f"more than 30 bps from parity: {2 * len(CODES)} packages" in other
    assert "USD is converted by the mid of x:USDCUSD" in other
    reasons = table(replace(run, funnel=counted), "funnel", "Packages within re-arming distance")
    assert [row[reasons.head.index("peg")] for row in reasons.rows] == ["2"] * len(CODES)


def test_trades_are_listed_under_the_names_of_the_ledger(tiny: Tiny, run: Run) -> None:
    """The last column is the signal's id, as the ledger holds it; rows are in order of time."""
    listed = table(run, "trades", "The first").rows
    ledger = (tiny.folder / "ledger" / "emit.jsonl").read_text()

    assert len(listed) == len(run.trades)
    assert all(row[-1] in ledger for row in listed)
    assert [row[0] for row in listed] == sorted(row[0] for row in listed)


def test_folds_show_what_training_fitted(run: Run) -> None:
    """Ten rows; labels add up to those tested; a fold without a curve says which reason it was."""
    rows = table(run, "folds", "Folds: labels").rows

    assert [row[0] for row in rows] == [str(n) for n in range(10)]
    assert sum(int(row[3]) for row in rows) == len(run.trades)
    assert all(row[-1].startswith("BTC: |z| >= ") for row in rows)


def test_the_charge_on_margin_and_frozen_scores_stand_among_the_sensitivities(run: Run) -> None:
    """A row a series, all capital never in use; a row a coin and fold, the days of the window all counted."""
    charged = table(run, "sensitivities", "Capital cost on margin in use")
    assert [row[0] for row in charged.rows] == ["all", *CODES]
    assert all(0.0 < float(row[3].rstrip("%")) < 100.0 for row in charged.rows[:2])

    scores = table(run, "sensitivities", "The gate of C5 at 00:00 UTC")
    assert [row[1] for row in scores.rows] == [*map(str, range(10)), "all"]
    assert int(scores.rows[-1][3]) == sum(int(row[3]) for row in scores.rows[:-1]) > 5

    rules = table(run, "resampling", "The same window under other rules")
    assert "H1: p(N2)" in rules.head


@pytest.mark.parametrize(
    ("statistic", "words"),
    [("mean", "counted by the mean of a day"), ("larger", "counted by the larger of both p-values"), ("sharpe", "")],
)
def test_a_null_says_by_what_its_draws_are_counted_where_the_picture_has_another(
    run: Run, statistic: str, words: str
) -> None:
    """The picture has Sharpe ratios whatever decides: of N2 by the mean it does not show what the p-value counts."""
    null = {**run.verdicts["H1"]["n3"], "name": "N2", "statistic": statistic}

    (figure,) = nulls.figures({"n2": null, "n3": None})

    assert isinstance(figure, Figure)
    assert words in figure.words
    assert ("the picture has their Sharpe ratios" in figure.words) == bool(words)


def test_choices_of_ours_are_listed_with_their_reasons(tiny: Tiny, run: Run) -> None:
    """Every choice of the registration stands in the report, word for word."""
    rows = table(run, "deviations", "What the registered page leaves open").rows

    assert [tuple(row) for row in rows] == [(c.item, c.value, c.reason) for c in tiny.registration.choices]


def test_an_amendment_is_shown_with_its_text_and_what_proves_its_order(run: Run) -> None:
    """Before, after, reason, hypotheses it touches, its place against data access; no proof is made up."""
    change = {"key": "grid.persistence", "before": 2, "after": 3}
    amendment = {"name": "0001", "reason": "a venue changed", "affects": ["H1", "H2"], "changes": [change]}
    order = [{"name": "0001", "order": "before data access", "proof": "the freeze holds its text"}]
    amended = replace(run, registration={**run.registration, "amendments": [amendment]})
    known = replace(amended, manifest={**run.manifest, "amendment_order": order})
    unread = replace(amended, manifest={**run.manifest, "amendment_order": {"unreadable": "x"}})

    shown = ("0001", "grid.persistence: 2 -> 3", "a venue changed", "H1, H2")
    assert table(known, "deviations", "Amendments").rows == ((*shown, "before data access: the freeze holds its text"),)
    assert table(unread, "deviations", "Amendments").rows == ((*shown, "not known"),)


def test_a_page_shows_the_plan_as_amended(tiny: Tiny, run: Run, tmp_path: Path) -> None:
    """The choice and the number in force, not those that the amendment replaced."""
    copy = shutil.copytree(tiny.folder, tmp_path / "run")
    item, persistence = tiny.registration.choices[0].item, run.registration["grid"]["persistence"]
    with (copy / "registration.toml").open("a", encoding="utf-8") as plan:
        plan.write(
            '\n[[amendments]]\nname = "0001"\nat = "2026-11-30T00:00:00Z"\nreason = "a test"\noutcome_known = false\n'
            f'affects = []\nparent_sha256 = "{"0" * 64}"\n'
            f'[[amendments.changes]]\nkey = "grid.persistence"\nbefore = {persistence}\nafter = {persistence + 1}\n'
            f'[[amendments.changes]]\nkey = "choices[{item}].value"\n'
            f'before = {json.dumps(tiny.registration.choices[0].value)}\nafter = "amended"\n'
        )

    amended = load(copy)

    assert table(amended, "deviations", "What the registered page leaves open").rows[0][1] == "amended"
    assert amended.registration["grid"]["persistence"] == persistence + 1


def test_undefined_is_never_an_empty_cell(run: Run, empty: Run) -> None:
    """No table and no sentence shows None or nan: what does not apply is a dash, or a word."""
    for each in (run, empty):
        _, text = pages(each)
        assert NONE in text
        assert not re.search(r"\b(None|nan|NaN|inf)\b", text)


def test_pages_do_not_depend_on_where_the_run_stands(tiny: Tiny, run: Run) -> None:
    """No path of this machine enters the pages."""
    html, text = pages(run)

    assert str(tiny.folder) not in html + text
    assert str(Path.home()) not in html + text


ZERO = dict.fromkeys(funnel.STAGES, 0) | {
    "fires": 0, "crowded": 0, "rejected": {}, "reasons": {}, "threshold_bps": 50.0, "best_net_bps": None,
    "missing": None, "remark": None,
}  # fmt: skip
SEEN = {"examined": 9, "usable": 9, "violations": 5}
STOPS = {
    "not evaluable: no perp": {"missing": "no perp"},
    "no usable: no package had every leg usable (S1.4)": {"examined": 9},
    "no violations: no judged package had a gross above zero": {"examined": 9, "usable": 9},
    "no over threshold: the best net before impact was −16.6 bps of 50 (S4.1)": {**SEEN, "best_net_bps": -16.6},
    "no episodes: 3 over threshold, each stopped by its legs (S4.1): 3 skew": {
        **SEEN, "over_threshold": 3, "reasons": {"skew": 3}},
    "no episodes: 3 over threshold, 2 without depth left to take (S4.3)": {
        **SEEN, "over_threshold": 3, "fires": 2, "crowded": 2},
    "no episodes: 1 over threshold, none at 2 consecutive grid times as registered (S4.1); "
    "the best net before impact was 77.4 bps": {**SEEN, "over_threshold": 1, "fires": 1, "best_net_bps": 77.4},
    "no traded: turned away: 4 for margin (R1.3)": {
        **SEEN, "over_threshold": 9, "fires": 9, "episodes": 4, "rejected": {"margin": 4}},
    "1 trade of 4 signals": {**SEEN, "over_threshold": 9, "fires": 9, "episodes": 4, "traded": 1, "resolved": 1},
}  # fmt: skip


@pytest.mark.parametrize("said", STOPS)
def test_every_zero_names_the_input_or_the_rule_that_stopped_it(said: str) -> None:
    """From the first stage that is empty, with how near it came; nothing is left to guess.  [S10]"""
    run = SimpleNamespace(funnel={"C1": ZERO | STOPS[said]}, registration={"grid": {"persistence": 2}})
    assert funnel.stopped(run, "C1") == said


def test_c5_stopped_by_costs_is_not_said_to_have_had_no_gap() -> None:
    """Violations there were, so |z| stood and the gross was positive: the sentence names the net and the costs."""
    row = ZERO | SEEN | {"best_net_bps": -3.25, "threshold_bps": 0.0}
    run = SimpleNamespace(funnel={"C5": row}, registration={"grid": {"persistence": 2}})
    said = funnel.stopped(run, "C5")

    assert said.startswith("no over threshold: costs stopped it: the best net before impact was −3.2 bps")
    assert "gross not above zero" not in said
    run.funnel = {"C5": ZERO | {"examined": 9, "usable": 9}}
    assert "gross not above zero" in funnel.stopped(run, "C5")


def test_c6_at_mids_shows_the_age_of_its_corners() -> None:
    """Weighted by packages over the threshold; without one no age is said."""
    inputs = [
        {"over_threshold": 3, "oldest_leg_s": 100.0, "oldest_leg_most_s": 900.0},
        {"over_threshold": 1, "oldest_leg_s": 300.0, "oldest_leg_most_s": 300.0},
        {"over_threshold": 0, "oldest_leg_s": 0.0, "oldest_leg_most_s": 0.0},
    ]
    row = ZERO | SEEN | {"remark": "mids_only", "over_threshold": 4, "inputs": inputs}
    run = SimpleNamespace(funnel={"C6": row})

    assert funnel.stopped(run, "C6") == (
        "mids_only; 4 over threshold at mids, their oldest corner 150 s old on average, 900 s at most"
    )
    run.funnel = {"C6": row | {"over_threshold": 0, "inputs": inputs[2:]}}
    assert funnel.stopped(run, "C6") == "mids_only; 0 over threshold at mids"


def test_packages_that_quarantine_stopped_are_on_the_page(run: Run) -> None:
    """`cme detect` counted them alone; the table has each first reason of `funnel.json`."""
    made = replace(run, funnel={**run.funnel, "C4": {**run.funnel["C4"], "reasons": {"quarantine": 1_234}}})
    rows = {row[0]: row[2:] for row in table(made, "funnel", "Packages within").rows}

    assert rows["C4"] == ("0", "1,234", "0", "0", "0", "0")
    for code in ("C1", "C7"):
        reasons = run.funnel[code]["reasons"]
        assert rows[code] == tuple(
            f"{reasons.get(why, 0):,}" for why in ("skew", "quarantine", "peg", "depth", "threshold", "untradable")
        )


def test_the_rate_of_c5_stands_beside_its_nominal_one() -> None:
    """At thresholds 2.0 and 1.5 a standard normal passes 4.55% and 13.36% of the time; no fit, no sentence."""
    fit = {"identified": True}
    curves = [{"BTC": fit | {"z_threshold": 2.0}}, {"BTC": fit | {"z_threshold": 1.5}}, {"BTC": {"identified": False}}]
    row = {"usable": 2_000, "over_threshold": 90, "fires": 50}
    run = SimpleNamespace(folds={"folds": [{"curve": each} for each in curves]}, funnel={"C5": row})

    (text,) = funnel._by_chance(run)

    assert "thresholds at 9.0% of grid times" in text.text
    assert "50 of 2,000 judged grid times, 2.5%" in text.text
    run.folds = {"folds": [{"curve": curves[2]}]}
    assert funnel._by_chance(run) == []


def test_the_page_says_the_words_for_readers_only(run: Run) -> None:
    """An id of a document (retain, drop, insufficient, not_supported, inconclusive) stands in no cell of H3's table."""
    html, text = pages(run)
    kinds = ("retain", "drop", "insufficient", "retain")
    rows = [{**row, "status": kinds[i % 4]} for i, row in enumerate(run.verdicts["H3"]["constraints"])]
    made = replace(run, verdicts={**run.verdicts, "H3": {**run.verdicts["H3"], "constraints": rows}})
    cells = [row[2] for row in table(made, "constraints", "H3, one row").rows]

    assert cells == ["retained", "dropped", "not enough data", "retained", "retained", "dropped", "not enough data"]
    assert not re.search(r"\b(insufficient|not_supported|inconclusive)\b", html + text)
    note = next(b for b in section(made, "verdicts") if isinstance(b, Note) and b.title.startswith("H3"))
    assert "Retained: C1, C4, C5. Dropped: C2, C6." in note.text


def test_every_part_of_the_sensitivities_is_on_the_page_or_named_as_left_out(run: Run, built: list[Built]) -> None:
    """Computed and shown nowhere is the same as not computed: title, tables row by row, and notes, in both pages.

    The file must hold each member of the registry or name it, so that a part which is missing passes nowhere.
    """
    html, text = pages(run)
    html = re.sub(r"</?span[^>]*>", "", html)  # a figure in a title has its key
    document = json.loads((run.path / "sensitivities.json").read_text())
    names = [part["name"] for part in document["parts"]]
    asked = [member for member in SENSITIVITIES if member.name not in names]
    shown = {block.caption: block for _, blocks in built for block in blocks if isinstance(block, Table)}

    assert set(names) <= {member.name for member in SENSITIVITIES}
    assert len(names) == len(set(names))
    assert [member.title for member in asked] == document["not_asked"]
    for part in document["parts"]:
        assert text.count(f"### {part['title']}") == 1, part["name"]
        assert f">{escape(part['title'])}</h3>" in html, part["name"]
        for drawn in part["tables"]:
            assert escape(drawn["caption"]) in html, drawn["caption"]
            assert len(shown[drawn["caption"]].rows) == len(drawn["rows"]), drawn["caption"]
        for note in part["notes"]:
            assert escape(note) in html, note
    for title in document["not_asked"]:
        assert f"{title}: not computed here" in text
        assert f"{escape(title)}: not computed here" in html


def test_repairs_and_rehearsals_stand_beside_the_looks() -> None:
    """Each repair with its number, its state and the look that it stands beside; older registries have neither."""
    looks = [
        {"look_id": "a", "state": "closed", "repair_of": None, "reason": "the registered analysis"},
        {"look_id": "b", "state": "closed", "repair_of": "a", "reason": "repair of a after tests/x.py"},
    ]
    registry = {"number": 2, "closed": 2, "open": 0, "aborted": 0, "looks": looks, "repaired": 1, "blinded": 3}

    text = deviations._looks(registry)

    assert "Repaired 1 of 1: b, closed, beside a (repair of a after tests/x.py), which it does not replace." in text
    assert "Blinded rehearsals, which saw no outcome: 3." in text
    older = {**registry, "looks": [{"look_id": "a", "state": "closed"}]}
    older.pop("blinded")
    assert "epaired" not in deviations._looks(older) + str(older["looks"])
