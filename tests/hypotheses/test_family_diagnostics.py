"""Benjamini-Hochberg and SPA beside Holm and StepM: against their definitions, and guarded where arch gives 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from arch.bootstrap import SPA
from scipy.stats import norm

from hypotheses import h3
from hypotheses.family_diagnostics import BENJAMINI_HOCHBERG, FAMILY, SUPERIOR, of_family, superior
from hypotheses.records import ConstraintRow, Diagnostic, Proportion, Status
from tests.hypotheses.cases import exposure, profits, run, stats, streams


@pytest.fixture(scope="module")
def rows() -> tuple[ConstraintRow, ...]:
    found: tuple[ConstraintRow, ...] = h3.evaluate(run(profits(20, 100)), stats(), streams, exposure()).constraints
    return found


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def of(found: tuple[Diagnostic, ...], name: str) -> dict[str, Diagnostic]:
    return {row.series: row for row in found if row.name == name}


def test_adjusted_p_values_are_those_of_the_definition(rows: tuple[ConstraintRow, ...]) -> None:
    """The least m p_(i) / i over this and the larger ones; one without enough data counts as 1 and has none."""
    counts = [3, 10, 12, 40, 200, 7, 1]
    given = [replace(row, status=Status.DROP, p=Proportion(c, 500)) for row, c in zip(rows, counts, strict=True)]
    given[6] = replace(given[6], status=Status.INSUFFICIENT)

    found = of(of_family(run(profits(20, 100)), given, streams), BENJAMINI_HOCHBERG)

    p = sorted([3 / 500, 10 / 500, 12 / 500, 40 / 500, 200 / 500, 7 / 500, 1.0])
    for row, count in zip(given[:6], counts, strict=False):
        wanted = min(7 * value / (rank + 1) for rank, value in enumerate(p) if value >= count / 500)
        assert found[row.code].p == pytest.approx(wanted)
    assert found["C7"].p is None
    assert "counts as 1" in found["C7"].note


def test_a_copy_of_the_benchmark_has_no_p() -> None:
    """A copy is superior to arch, with p = 0; here it is left out and named."""
    noise = generator().normal(size=200)
    copy = SPA(np.zeros(200), np.zeros((200, 1)), reps=200, seed=generator())
    copy.compute()

    alone = superior(np.zeros((200, 1)), 5, generator())
    beside = superior(np.column_stack([np.zeros(200), noise]), 5, generator())

    assert copy.pvalues["consistent"] == 0.0
    assert (alone.value, alone.p) == (None, None)
    assert alone.note == "1 without variance left out"
    assert beside.p == superior(noise[:, None], 5, generator()).p
    assert beside.note == "1 without variance left out"


def test_one_series_has_the_p_of_its_mean() -> None:
    """Of independent days the p of one constraint is that of the normal mean; it is never 0."""
    days = generator(3).normal(size=250)
    for mean in (0.0, 0.08, 0.2):
        excess = days - days.mean() + mean
        wanted = norm.sf(mean / excess.std() * np.sqrt(250))

        found = superior(excess[:, None], 1, generator())

        assert found.value == pytest.approx(mean)
        assert found.p == pytest.approx(wanted, abs=0.025)
    assert superior((days - days.mean() + 5.0)[:, None], 1, generator()).p == pytest.approx(1 / 2_000)


def test_the_draws_are_those_of_the_named_stream(rows: tuple[ConstraintRow, ...]) -> None:
    """The same stream twice gives one answer, another gives another; the family's name stands in the row."""
    data = run(profits(20, 100))
    first, again = (of(of_family(data, rows, streams), SUPERIOR)[FAMILY] for _ in range(2))
    other = of(of_family(data, rows, lambda name: streams(name + "x")), SUPERIOR)[FAMILY]

    assert first == again
    assert first.value == other.value
    assert first.p != other.p


def test_without_enough_data_nothing_is_tested(rows: tuple[ConstraintRow, ...]) -> None:
    """The reason stands in the note."""
    given = [replace(row, status=Status.INSUFFICIENT) for row in rows]

    found = of(of_family(run(profits(20, 100)), given, streams), SUPERIOR)[FAMILY]

    assert (found.value, found.p, found.note) == (None, None, "no constraint has enough data")
