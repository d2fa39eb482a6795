"""The page of benchmarks is what the kept results make it."""

from __future__ import annotations

from benchmarks import all as everything
from benchmarks.page import PAGE, RESULTS, page


def test_the_page_is_written_from_the_kept_results() -> None:
    """Not edited by hand, not forgotten after a measurement: ``python benchmarks/all.py --page`` writes it again."""
    assert PAGE.read_text(encoding="utf-8") == page((*everything.LIGHT, *everything.HEAVY))


def test_every_kept_result_belongs_to_a_question() -> None:
    """Nothing is kept of a question that is no longer asked."""
    assert {file.stem for file in RESULTS.iterdir()} <= {*everything.LIGHT, *everything.HEAVY}
