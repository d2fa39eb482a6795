"""The page and its Markdown twin: self-contained, byte-stable, and deaf to hostile text.  [S10]"""

from __future__ import annotations

import pickle
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from reports.base import Block, Figure, Note, Section, Table, Text
from reports.load import Run
from reports.registry import SECTIONS
from reports.render import TONES, Built, figures_of, frame_of, markdown, page, render
from tests.helpers.small_run import Tiny

HOSTILE = "<script>alert(1)</script> [x](javascript:y) ![i](http://e.example/i.png) `c` **b** | \r\n# head \\ &lt;i&gt;"
KEY_LINE = r"[A-Z][a-z ]+:? `[A-Za-z0-9 _.,:;/|>=!<+*()\[\]{}`#-]+\."
VOID = {"meta", "br", "img", "link", "hr", "input"}
ACTIVE = {"script", "iframe", "object", "embed", "link", "img", "image", "form", "input", "base", "video", "audio"}


class Page(HTMLParser):
    """A page as its start tags with attributes, and the text of each element by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def html(tiny: Tiny) -> Page:
    return Page((tiny.folder / "report.html").read_text())


@pytest.fixture(scope="module")
def attacked(hostile: Run) -> tuple[str, str]:
    return render(hostile)


@pytest.fixture(scope="module")
def hostile(run: Run) -> Run:
    """The run with hostile text wherever a name, a reason or a registration's words may stand."""
    verdicts = {**run.verdicts}
    verdicts["run"] = {**verdicts["run"], "deviations": [HOSTILE]}
    verdicts["diagnostics"] = [{**row, "name": HOSTILE, "note": HOSTILE} for row in verdicts["diagnostics"]]
    verdicts["H1"] = {**verdicts["H1"], "statement": HOSTILE}
    rows = [{**row, "ci_reason": HOSTILE} for row in verdicts["H3"]["constraints"]]
    verdicts["H3"] = {**verdicts["H3"], "constraints": rows}
    manifest = {
        **run.manifest,
        "title": HOSTILE,
        "cannot_say": [HOSTILE],
        "amendments": [HOSTILE],
        "sources": [{"name": HOSTILE, "adapter": HOSTILE, "verified": "", "notes": [HOSTILE]}],
    }
    quality = {"rows": [{"underlying": HOSTILE, "venue": HOSTILE, "kind": HOSTILE, "counts": {HOSTILE: 1}}]}
    funnel = {code: {**row, "missing": HOSTILE} for code, row in run.funnel.items()}
    registration = {**run.registration, "choices": [{"item": HOSTILE, "value": HOSTILE, "reason": HOSTILE}]}
    trades = run.trades.assign(signal_id=HOSTILE, exit_reason=HOSTILE, underlying=HOSTILE)
    return replace(
        run,
        verdicts=verdicts,
        manifest=manifest,
        quality=quality,
        funnel=funnel,
        registration=registration,
        trades=trades,
    )


def test_the_page_asks_for_nothing(html: Page) -> None:
    """No script, no load, no handler; every link stays on the page; the policy forbids what was forgotten."""
    policy = [a for tag, a in html.tags if a.get("http-equiv") == "Content-Security-Policy"]

    assert policy
    assert "default-src 'none'" in str(policy[0]["content"])
    assert "script-src" not in str(policy[0]["content"])
    for tag, attributes in html.tags:
        assert tag not in ACTIVE
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "xlink:href", "src", "action"):
                assert str(value).startswith("#")
            assert "url(http" not in str(value)


def test_lines_of_a_note_are_paragraphs_and_commands_are_code(run: Run) -> None:
    """In Markdown a note is one line."""
    section = Section("s", "Title", "", lambda _: [])
    blocks: list[Block] = [Note("plain", "Head", "one\ntwo"), Text("Say `cme report RUN` <again>.")]
    text = page(frame_of(run), [(section, blocks)])
    assert "<p>one</p><p>two</p>" in text
    assert "<p>Say <code>cme report RUN</code> &lt;again&gt;.</p>" in text
    assert "> **Head** (note). one two" in markdown(frame_of(run), [(section, blocks)])


def test_styles_load_nothing(tiny: Tiny) -> None:
    """No import and no address in a style, inline or not; data addresses count as loads too."""
    text = (tiny.folder / "report.html").read_text()

    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", text)
    assert "data:image" not in text


def test_every_id_is_given_once(html: Page) -> None:
    """Ids are unique over all figures, and what is referred to exists."""
    ids = [str(a["id"]) for _, a in html.tags if "id" in a]
    wanted = {str(a[key]).lstrip("#") for _, a in html.tags for key in ("href", "xlink:href") if key in a}
    wanted |= {word for _, a in html.tags for word in str(a.get("aria-labelledby", "")).split()}

    assert [name for name, n in Counter(ids).items() if n > 1] == []
    assert wanted <= set(ids)


def test_every_table_has_a_caption_and_every_figure_words(tiny: Tiny, built: list[Built]) -> None:
    """A table says what it shows, as caption or as the summary that opens it; a figure says it in words too."""
    blocks = [block for _, found in built for block in found]
    text = (tiny.folder / "report.html").read_text()
    tables = [block for block in blocks if isinstance(block, Table) and block.rows]  # one without rows is a sentence

    assert text.count("<table") == len(tables) == text.count("<caption>") + text.count("<summary>")
    for table in tables:
        assert table.caption
        assert {len(row) for row in table.rows} <= {len(table.head)}, table.caption
        assert set(table.right) <= set(range(len(table.head)))
    for block in blocks:
        if isinstance(block, Figure):
            assert block.caption
            assert len(block.words) > 20
            assert block.words[:40] in unescape(re.sub(r"</?span[^>]*>", "", text))
    assert sum(isinstance(block, Figure) for block in blocks) == text.count("<figure ") > 5


def test_figures_alone_are_those_of_the_page(built: list[Built], tiny: Tiny) -> None:
    """Drawn again they are the SVG that stands on the page; each parses as XML and holds nothing active."""
    text = (tiny.folder / "report.html").read_text()
    for name, svg in figures_of(built).items():
        tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(svg).iter()}
        assert not tags & ACTIVE, name
        assert svg.partition("<svg ")[2].partition(" ")[2][-2000:] in text, name


def test_sections_stand_in_the_registered_order_verdicts_first(html: Page, tiny: Tiny) -> None:
    """The order of reports.registry, in the page and in Markdown, and the first is the verdicts."""
    sections = [str(a["id"]) for tag, a in html.tags if tag == "section"]
    heads = re.findall(r"^## (.+)$", (tiny.folder / "report.md").read_text(), flags=re.M)

    assert sections == [section.anchor for section in SECTIONS]
    assert sections[0] == "verdicts"
    assert heads == [section.title for section in SECTIONS]


def test_a_synthetic_run_says_so_first(tiny: Tiny, run: Run, built: list[Built]) -> None:
    """A banner on the page and in Markdown before anything else is said; an observed market has none."""
    text = (tiny.folder / "report.html").read_text()
    real = replace(run, manifest={**run.manifest, "synthetic": False})
    observed = page(frame_of(real), built), markdown(frame_of(real), built)

    assert text.index("Synthetic market.") < text.index("<h1>")
    assert (tiny.folder / "report.md").read_text().splitlines()[2].startswith("**Synthetic market")
    assert "Synthetic market." not in observed[0]
    assert "Synthetic market:" not in observed[1]


def test_the_same_run_gives_the_same_pages(tiny: Tiny, run: Run, built: list[Built]) -> None:
    """Both pages are those on disk, byte for byte."""
    assert (page(frame_of(run), built), markdown(frame_of(run), built)) == (
        (tiny.folder / "report.html").read_text(encoding="utf-8"),
        (tiny.folder / "report.md").read_text(encoding="utf-8"),
    )


def test_who_builds_a_section_does_not_matter(tiny: Tiny, run: Run) -> None:
    """Each of a run and to blocks that went through a pickle, as between processes, the last section first."""

    def elsewhere(work: Callable[[Run, int], list[Block]], shared: Run, numbers: Sequence[int]) -> list[list[Block]]:
        sent = pickle.dumps((work, shared))
        done = {}
        for number in reversed(numbers):
            there, of = pickle.loads(sent)
            done[number] = pickle.dumps(there(of, number))
        return [pickle.loads(done[number]) for number in numbers]

    html, text = render(run, elsewhere)  # type: ignore[arg-type]

    assert html == (tiny.folder / "report.html").read_text(encoding="utf-8")
    assert text == (tiny.folder / "report.md").read_text(encoding="utf-8")


def test_hostile_text_never_comes_alive_in_html(attacked: tuple[str, str], html: Page) -> None:
    """No tag more than the plain page has kinds of, no active one, and the text is shown as it was."""
    text = attacked[0]
    found = Page(text)

    assert {tag for tag, _ in found.tags} <= {tag for tag, _ in html.tags} | {"div"}
    assert "<script" not in text
    assert "<script>alert(1)</script> [x](javascript:y)" in "".join(found.words)


def test_hostile_text_never_comes_alive_in_markdown(attacked: tuple[str, str]) -> None:
    """Every mark of a hostile name is escaped: no tag, link, emphasis, code, heading or extra cell.

    Read back by the rules of CommonMark for escapes: after removing escaped characters, no mark of theirs is left.
    """
    lines = attacked[1].splitlines()
    keys = [line for line in lines if line.startswith(("Keys: `", "Drawn from `"))]
    text = "\n".join(line for line in lines if line not in keys)
    # keys are code, of names that can be no markup
    assert not [key for key in keys if not re.fullmatch(KEY_LINE, key)]
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", text)

    assert "\r" not in text
    assert "<" not in bare
    assert "`" not in bare
    assert "](" not in bare
    assert "**b**" not in bare
    assert "&" not in bare
    assert [line for line in text.splitlines() if line.lstrip("> ").startswith("# head")] == []
    cells = {line.count("|") for line in bare.splitlines() if line.startswith("| exit") or line.startswith("| C1 |")}
    assert cells
    for block in _tables(bare):
        assert len({line.count("|") for line in block}) == 1, block[0]


def test_a_backslash_of_the_text_does_not_free_the_mark_after_it(run: Run) -> None:
    """A text that brings its own escapes is escaped itself: what it marks stays text."""
    written = markdown(frame_of(run), [(_section(), [Text("\\*b* and \\`c`")])]).splitlines()[-1]

    assert not re.search(r"[*`]", re.sub(r"\\[!-/:-@\[-`{-~]", "", written))


def _tables(text: str) -> list[list[str]]:
    return [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.M)]


@pytest.mark.parametrize("start", ["# a", "- a", "+ a", "> a", "1. a", "12) a", "=", "| a |", "* a", "~~~", "```"])
def test_a_paragraph_begins_nothing(run: Run, start: str) -> None:
    """A first character that would begin a heading, list, quote, rule, table or fence is escaped."""
    written = markdown(frame_of(run), [(_section(), [Text(start)])]).splitlines()[-1]

    assert re.match(r"\\|\d+\\", written)
    assert written.replace("\\", "") == start


def _section() -> Section:
    return Section("x", "X", "", lambda _run: [])


def test_each_kind_of_block_has_a_form_in_both(run: Run) -> None:
    """Text, note of every tone (said in a word), open and folded table, figure."""
    blocks: list[Any] = [
        Text("plain words"),
        *(Note(tone, f"head {tone}", "said") for tone in TONES),
        Table("open table", ("a", "n"), (("x", "1"),), right=(1,)),
        Table("folded table", ("a",), (("y",),), folded=True),
        Figure("f", "a caption", "<svg xmlns='http://www.w3.org/2000/svg'></svg>", "the words of it", "a.json: b"),
    ]
    html, text = page(frame_of(run), [(_section(), blocks)]), markdown(frame_of(run), [(_section(), blocks)])

    for words in ("plain words", *TONES.values(), "open table", "folded table", "a caption", "the words of it"):
        assert words in html
        assert words in text
    assert '<td class="n">1</td>' in html
    assert "| --- | ---: |" in text
    assert "<summary>folded table</summary>" in html
