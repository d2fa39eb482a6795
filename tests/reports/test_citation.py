"""Texts and numbers that know where they come from, through all that a section does with them."""

from __future__ import annotations

import copy
import pickle

import pytest

from reports.citation import Cited, derived, key_of, pieces, ratio, sourced, sources_of, split, total, with_sources
from reports.keys import by_column, cell_attributes, coded, with_keys
from reports.words import count, interval, number, share
from tests.reports.test_sources import expanded

DOCUMENT = {"rows": [{"name": "a", "n": 1234}, {"name": "b", "n": 2}], "ci": [0.5, "1.25"], "<i>": 3, "ok": True}


def test_each_leaf_of_a_document_has_the_field_it_was_read_from() -> None:
    """Entries by their name, a hostile name by its place, truth and nothing without a key; all equal to the plain."""
    read = with_sources(DOCUMENT, "f.json")

    assert read == DOCUMENT
    assert key_of(read["rows"][1]["n"]) == "f.json: rows[b].n"
    assert key_of(read["ci"][1]) == "f.json: ci[1]"
    assert key_of(read["<i>"]) == "f.json: #2"
    assert read["ok"] is True


def test_a_sentence_keeps_the_sources_of_its_figures() -> None:
    """Through format, join, sums, slices and splits, each figure at its place; an f-string has none."""
    read = with_sources(DOCUMENT, "f.json")
    text = "of " + Cited("{} of {n}").format(count(read["rows"][0]["n"]), n=interval(read["ci"])) + "; `x`"

    assert text == "of 1,234 of [0.50, 1.25]; `x`"
    assert [(piece, source.key) for piece, source in pieces(text) if source] == [
        ("1,234", "f.json: rows[a].n"), ("0.50", "f.json: ci[0]"), ("1.25", "f.json: ci[1]"),
    ]  # fmt: skip
    assert [source.key for source in sources_of(text[5:12])] == ["f.json: rows[a].n"]
    assert [len(sources_of(part)) for part in split(text, " of ")] == [1, 2]
    assert sources_of(f"{text}") == []
    assert "<code>x</code>" in coded(text)


def test_what_is_computed_names_its_operation_and_its_inputs() -> None:
    """A ratio, a sum; without a key of each input there is none, and nothing is divided by zero."""
    a, b = sourced(6, "f.json: a"), sourced(3, "f.json: b")

    assert (ratio(a, b), key_of(ratio(a, b))) == (2.0, "(f.json: a) / (f.json: b)")
    assert (total([a, b]), key_of(total([a, b]))) == (9, "sum(f.json: a; f.json: b)")
    assert key_of(derived(1, "-", a, 5)) == ""
    assert ratio(a, sourced(0, "f.json: c")) is None


@pytest.mark.parametrize("value", [sourced(6, "k: a"), sourced(0.5, "k: b"), share(sourced(0.5, "k: b")) + " of it"])
def test_sources_travel_between_processes(value: object) -> None:
    """A copy and a pickled value have the same sources."""
    for again in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert again == value
        assert vars(again) == vars(value)


def test_a_key_is_escaped_and_a_cell_of_one_figure_has_it_itself() -> None:
    """No text of a key or a figure becomes markup."""
    text = number(sourced(1.5, 'f.json: "<b>'))

    assert with_keys("<a> " + text) == (
        '&lt;a&gt; <span title="f.json: &#34;&lt;b&gt;" data-form="number 2">1.50</span>'
    )
    assert cell_attributes(text) == (' title="f.json: &#34;&lt;b&gt;" data-form="number 2"', "1.50")
    assert cell_attributes("1.50") == ("", "1.50")


def test_keys_of_a_column_are_braced_where_they_differ_in_one_part() -> None:
    """Names as a list, numbers that count up as a range, two ends of an interval one after the other."""
    rows = [
        (count(sourced(n, f"t: [{n}].n")), interval([sourced(n, f"f: [{c}].ci[0]"), sourced(n, f"f: [{c}].ci[1]")]))
        for n, c in enumerate(("C1", "C4", "C2"))
    ]

    (_, line) = by_column(("n", "interval"), rows, "caption")
    assert line == "Keys: `t: [{0..2}].n`; `f: [{C1,C4,C2}].ci[0]`; `f: [{C1,C4,C2}].ci[1]`."
    assert list(expanded("f: [{C1,C4,C2}].ci[0]"))[1] == "f: [C4].ci[0]"
    assert list(expanded("t: [{0..2}].n")) == ["t: [0].n", "t: [1].n", "t: [2].n"]
    assert by_column(("n",), [("-",)], "caption") == []
