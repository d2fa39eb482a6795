"""Every figure of the page has the file and field it comes from, and is what that field gives.  [S10]"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.small_run import Tiny
from tests.reports.recompute import written

WITHOUT_KEY = {
    r"\b\d{4}-\d\d(-\d\d)?\b": "a month or a day of the calendar",
    r"\b[CHN][1-7]\b": "the name of a constraint, a claim or a null",
    r"\b[hn][1-3]_\w+": "the name of a key of the plan",
    r"\b[RS]\d+(\.[A-Z]?\d+)*": "a section of the method",
    r"\b(statistics|audit|risk) \d+(\.\d+)?": "a section of another text of the specification",
    r"\bSHA-256\b": "the name of a function",
}
"""Digits that are no figures, and why."""
NO_FIGURES = {"style", "title"}
VOID = {"meta", "br", "path", "use", "line", "circle"}


@dataclass(frozen=True)
class Shown:
    """Text of one element, with key and form of the nearest element around it that has them."""

    text: str
    key: str
    form: str


class Walk(HTMLParser):
    """All text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str, str]] = [("", "", "")]
        self.texts: list[Shown] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        _, key, form = self.open[-1]
        if "data-form" in given:
            key, form = str(given["title"]), str(given["data-form"])
        if tag not in VOID:
            self.open.append((tag, key, form))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag, attrs

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        tag, key, form = self.open[-1]
        if tag not in NO_FIGURES:
            self.texts.append(Shown(data, key, form))


@pytest.fixture(scope="module")
def figures(tiny: Tiny) -> list[Shown]:
    """The texts with a key, without the scales of pictures, in the order of the page."""
    texts = Walk((tiny.folder / "report.html").read_text(encoding="utf-8")).texts
    return [shown for shown in texts if shown.key and shown.form != "picture"]


def without_key(page: str) -> list[str]:
    """Return the texts with a digit that has neither a key nor a reason to have none."""
    bare = [shown.text.strip() for shown in Walk(page).texts if not shown.key]
    return [text for text in bare if re.search(r"\d", re.sub("|".join(WITHOUT_KEY), "", text))]


def test_every_digit_of_the_page_has_a_key(tiny: Tiny) -> None:
    """Prose, cells, heads, captions, cards and pictures; a digit typed by hand into a sentence would be seen."""
    page = (tiny.folder / "report.html").read_text(encoding="utf-8")

    assert without_key(page) == []
    assert without_key(page.replace("<p>", "<p>12 ", 1)) != []


def test_the_markdown_twin_has_the_same_keys(tiny: Tiny, figures: list[Shown]) -> None:
    """As often as the page has each, with the braces of columns expanded."""
    text = (tiny.folder / "report.md").read_text(encoding="utf-8")
    quoted = [key for line in re.findall(r"^Keys: (.*)\.$", text, flags=re.M) for key in re.findall("`([^`]*)`", line)]
    listed = Counter(key for pattern in quoted for key in expanded(pattern))

    assert listed == Counter(shown.key for shown in figures)


def expanded(pattern: str) -> Iterator[str]:
    """Yield the keys of a pattern, as a shell expands its braces."""
    head, brace, rest = pattern.partition("{")
    if not brace:
        yield pattern
        return
    names, _, tail = rest.partition("}")
    first, dots, last = names.partition("..")
    parts = [str(n) for n in range(int(first), int(last) + 1)] if dots else names.split(",")
    yield from (head + part + tail for part in parts)


def test_fifty_figures_drawn_at_random_are_what_their_files_give(tiny: Tiny, figures: list[Shown]) -> None:
    """From the file and the field that the page names, by other code, in the form that the page names."""
    distinct = sorted({(shown.key, shown.form, shown.text) for shown in figures})
    # each way of computing is drawn, however few figures it has
    ways: dict[str, list[tuple[str, str, str]]] = {}
    for figure in distinct:
        ways.setdefault(way_of(figure[0]), []).append(figure)
    draw = np.random.default_rng(20261130)
    drawn = [members[int(draw.integers(len(members)))] for members in ways.values()]
    drawn += [distinct[int(place)] for place in draw.choice(len(distinct), 50, replace=False)]

    assert len(drawn) > 60
    for key, form, text in drawn:
        check(key, form, text, tiny.folder)


def way_of(key: str) -> str:
    """Return how the figure of a key is computed: the names and signs of its operations, and its kind of file."""
    return " ".join(re.findall(r"\w+(?=\()|[/-](?= \()|\.\w+(?=: )", key))


def check(key: str, form: str, text: str, folder: Path) -> None:
    again = written(key, form, folder)
    # a part of an id is shown of it, and a line of a plan in words of ours around its numbers
    if key.startswith("line("):
        assert all(number in again for number in re.findall(r"\d[\d.-]*\d|\d", text)), (key, text)
    elif form == "text":
        plain = text.rstrip("%")
        assert again.startswith(plain) or again.endswith(plain), (key, text)
    else:
        assert text == again, (key, form)


def test_a_figure_that_is_not_what_its_file_gives_is_seen(tiny: Tiny) -> None:
    """The recomputation can fail: a wrong digit and a wrong field."""
    check("verdicts.json: H1.n_days", "count", "10", tiny.folder)
    with pytest.raises(AssertionError):
        check("verdicts.json: H1.n_days", "count", "11", tiny.folder)
    with pytest.raises(AssertionError):
        check("verdicts.json: H2.signals", "count", "10", tiny.folder)
