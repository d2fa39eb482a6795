"""`verdicts.json` and `retained.json` say what the results document says, field by field.  [audit 10.4]"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backtest.audit.run.check import verify_run
from backtest.audit.run.derived_fields import by_code, differences, retained_of, verdicts_of
from backtest.audit.tamper import consistent_edit
from backtest.audit.verify_ledger import TrustedInputs
from backtest.results.vocabulary import WORD_OF_DECISION
from backtest.rundir import checksums
from backtest.rundir.files import results_of
from hypotheses.results_documents import DECISION
from tests.helpers.small_run import Tiny

FIELDS = (
    ("run", "digest"), ("run", "data"), ("run", "mode"), ("run", "deviations"), ("run", "commit"),
    ("H1", "verdict"), ("H1", "sharpe"), ("H1", "ci"), ("H1", "p_n1"), ("H1", "p_n1_count"), ("H1", "n1_rejects"),
    ("H1", "p_n2"), ("H1", "n2_rejects"), ("H1", "n2", "sharpe"), ("H1", "n2", "p"),
    ("H2", "verdict"), ("H2", "mean_usd_per_day"),
    ("H3", "verdict"), ("H3", "retained"), ("H3", "constraints", 0, "status"), ("H3", "constraints", 6, "code"),
    ("H3", "constraints"), ("integrity", "head"), ("integrity", "ledger_rows", "emit"), ("integrity", "quarantined"),
)  # fmt: skip


@pytest.fixture
def copy(tiny: Tiny, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny.folder, tmp_path / tiny.folder.name))


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * (1 + 1e-7) + 1e-7
    if isinstance(value, str):
        return "refuted" if value == "supported" else "retained" if value == "dropped" else value + "x"
    if isinstance(value, list):
        return value[:-1] if value else ["C1"]
    return {} if isinstance(value, dict) else 0.5


def altered(path: Path, where: tuple[str | int, ...]) -> None:
    document = json.loads(path.read_text())
    place = document
    for step in where[:-1]:
        place = place[step]
    assert where[-1] in place or isinstance(where[-1], int)
    place[where[-1]] = other(place[where[-1]])
    path.write_text(json.dumps(document))
    checksums.renew(path.parent, [path.name])


def failing(run: Path) -> list[tuple[str, int]]:
    return [(one.name, one.exit) for one in verify_run(run, TrustedInputs()).findings if one.exit]


@pytest.mark.parametrize("where", FIELDS, ids=lambda where: ".".join(map(str, where)))
def test_a_verdict_altered_and_listed_anew_is_still_seen(where: tuple[str | int, ...], copy: Path) -> None:
    """Exit 30 from the comparison with the results document alone: the listing agrees with the forger."""
    altered(copy / "verdicts.json", where)
    assert {code for _, code in failing(copy)} == {30}
    assert {name for name, _ in failing(copy)} <= {"results", "verdicts"}


@pytest.mark.parametrize("bound", ["lower_95", "upper_95"])
def test_the_bounds_of_h2_are_held_where_the_document_has_both(bound: str, copy: Path) -> None:
    """The document has two bounds or none: of a run with one it says nothing of either."""
    consistent_edit.settle_results(
        copy,
        lambda d: [row.update(ci_low="1.5", ci_high="2.5") for row in d["hypotheses"] if row["id"] == "h2"],
    )
    assert failing(copy) == []
    altered(copy / "verdicts.json", ("H2", bound))
    assert failing(copy) == [("verdicts", 30)]


def test_every_field_of_what_is_retained_is_held(copy: Path) -> None:
    """`retained.json` is what the emitter reads: no field of it may say more than the results."""
    fields = json.loads((copy / "retained.json").read_text())
    for name in fields:
        shutil.copy(copy / "retained.json", copy.parent / "kept")
        altered(copy / "retained.json", (name,))
        assert failing(copy) == [("verdicts", 30)], name
        shutil.copy(copy.parent / "kept", copy / "retained.json")


@pytest.mark.parametrize("end", ["traded", "rejected"])
def test_the_ends_of_the_funnel_are_those_of_the_trades(end: str, copy: Path) -> None:
    """A funnel that ends in other trades than there are is 15, listed anew or not."""
    funnel = json.loads((copy / "funnel.json").read_text())
    funnel["C1"][end] = {"void": 3} if end == "rejected" else funnel["C1"][end] + 1
    (copy / "funnel.json").write_text(json.dumps(funnel))
    checksums.renew(copy, ["funnel.json"])

    assert failing(copy) == [("tables", 15)]
    assert "funnel.json, C1" in str(verify_run(copy, TrustedInputs()).reason)


def test_an_exploratory_run_has_no_exact_results(copy: Path) -> None:
    """The name under which results stand says the mode, and it must be the manifest's."""
    (copy / "results.exploratory.json").rename(copy / "results.exact.json")
    checksums.write(copy)
    assert failing(copy) == [("verdicts", 30)]


def leaves(value: Any) -> Iterator[Any]:
    for item in value.values():
        yield from leaves(item) if isinstance(item, dict) else [item]


@pytest.mark.parametrize("decision", WORD_OF_DECISION)
def test_what_was_judged_is_what_is_expected(decision: str, tiny: Tiny, copy: Path) -> None:
    """Of a run of ours there is no difference; of each other decision the document has a forger's file follows it."""
    name, document = results_of(tiny.folder)
    manifest, verdicts = (json.loads((tiny.folder / f"{one}.json").read_text()) for one in ("manifest", "verdicts"))
    digest = (tiny.folder / "digest.txt").read_text().strip()
    expected = verdicts_of(document, manifest, digest)
    assert list(differences(expected, by_code(verdicts), name)) == []
    assert len(list(leaves(expected))) > 60
    assert retained_of(document, manifest, digest, verdicts) == json.loads((tiny.folder / "retained.json").read_text())

    consistent_edit.settle_results(copy, lambda d: [row.update(decision=decision) for row in d["hypotheses"]])
    assert failing(copy) == []


def test_verdicts_and_decisions_are_the_same_words_on_both_floors() -> None:
    """The floor above writes them, this one reads them."""
    assert {answer.value: word for answer, word in DECISION.items()} == {v: k for k, v in WORD_OF_DECISION.items()}
