"""The page as its reader meets it: files in, words out."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest

from engine.ledger.chain import open_ledger
from engine.ledger.format.canonical_json import canonical, tagged_hash
from reports.verifier import build
from tests.helpers.ledgers import genesis, ledger
from tests.reports.verifier.chromium import Browser, Page
from tests.reports.verifier.conftest import check, give, ready

NO_CHECKPOINT = "no checkpoint given: truncation or a complete rewrite would not be visible"


def test_a_good_ledger_holds_and_the_page_says_what_is_not_known(page: Page, emit: Path) -> None:
    """The sentence of [audit 8.2] stands in the result box itself, beside rows, head and root."""
    text = check(page, emit)
    box = str(page.run("document.querySelector('article.good').innerText"))
    assert "All 6 rows hold" in text
    assert NO_CHECKPOINT in box
    assert "6: the genesis, 5 signals" in box
    assert json.loads(emit.read_text().splitlines()[-1])["row_hash"] in box


def test_with_a_checkpoint_nothing_is_left_open(page: Page, emit: Path, tmp_path: Path) -> None:
    """The three lines that the page itself prints, kept and given back, close the ledger; a longer one finds it cut."""
    check(page, emit)
    kept = tmp_path / "6.ckpt"
    kept.write_text(str(page.run("document.querySelector('article pre').textContent")), encoding="utf-8")
    text = check(page, kept)
    assert "Everything given was checked and holds." in text
    assert NO_CHECKPOINT not in text
    emit.write_bytes(b"".join(ledger(3)))
    text = check(page, emit)
    assert "FAILS" in text
    assert "the ledger was cut" in text
    assert "The first row missing is row 4" in text


def test_the_first_bad_row_is_shown_whole(page: Page, emit: Path) -> None:
    """Index, byte offset, reason, what it means, both hashes, and the raw line."""
    lines = emit.read_bytes().split(b"\n")
    lines[3] = lines[3].replace(b'"net_bps":"', b'"net_bps":"9', 1)
    emit.write_bytes(b"\n".join(lines))
    text = check(page, emit)
    row = lines[3][len(b'{"row":') : -79]
    assert "Row 3 is the first that does not hold (row hash)" in text
    assert "it was changed or damaged since" in text
    assert page.run("ROW_CHECKS.every(([code]) => CODE_MEANINGS[code] !== undefined)")
    assert f"{sum(len(line) + 1 for line in lines[:3]):,}" in text
    assert tagged_hash("row", row) in text
    assert lines[3][-66:-2].decode() in text
    assert page.run("document.querySelector('.bad-box pre').textContent") == lines[3].decode()


def test_a_hostile_line_is_text(page: Page, tmp_path: Path) -> None:
    """Markup in a ledger, in a file name, and characters that turn text around are written out, never obeyed."""
    path = tmp_path / "<img src=x onerror=document.title=1>.jsonl"
    path.write_bytes(
        b'{"row":<img src=x onerror="document.title=1"><script>document.title=2</script>\xe2\x80\xae\xff\n'
    )
    text = check(page, path)
    assert "<img src=x" in text
    assert "\\u{202e}" in text
    assert page.run("document.querySelectorAll('img, article script').length") == 0
    assert page.run("document.title") == "Ledger verifier"


@pytest.mark.parametrize("name", ["a\u202eb.jsonl", "a\x1b[31mb.jsonl", "a\u200bb.jsonl"])
def test_no_invisible_character_of_a_name_reaches_the_page(page: Page, tmp_path: Path, name: str) -> None:
    """Wherever a file's name stands: heading, list of files, the same as data, progress."""
    path = tmp_path / name
    path.write_bytes(open_ledger(genesis())[1])
    text = check(page, path)
    assert f"a\\u{{{ord(name[1]):x}}}" in text
    whole = page.run("document.body.textContent")
    assert [c for c in whole if c != "\n" and unicodedata.category(c) in ("Cc", "Cf")] == []


def test_rules_and_studies_of_a_hostile_ledger_are_text(page: Page, tmp_path: Path) -> None:
    """A study's name may hold anything that NFC text may."""
    path = tmp_path / "emit.jsonl"
    path.write_bytes(open_ledger(genesis(study="<b>x</b>\u202egnol"))[1])
    text = check(page, path)
    assert "<b>x</b>\\u{202e}gnol" in text
    assert page.run("document.querySelectorAll('article b').length") == 0


def drop(*files: tuple[str, str]) -> str:
    """A statement that drops files of these names and texts onto the page."""
    return f"""(() => {{
      const data = new DataTransfer();
      for (const [name, text] of {json.dumps(files)}) data.items.add(new File([text], name));
      document.dispatchEvent(new DragEvent("drop", {{dataTransfer: data, bubbles: true, cancelable: true}}));
    }})();"""


def test_dropped_files_find_their_places(page: Page, emit: Path) -> None:
    """By what they hold, not by their names."""
    resolution = open_ledger(genesis(ledger_kind="resolution"))[1]
    anchor = canonical({"at_us": 1, "schema": "anchor/1"})
    page.run(
        drop(
            ("a.txt", emit.read_text()),
            ("b.txt", resolution.decode()),
            ("c.txt", "cme-audit/x\n1\ny\n"),
            ("d.txt", anchor.decode() + "\n"),
            ("e.txt", "name+0123abcd+AAAA\n"),
            ("f.txt", "a letter"),
        )
    )
    page.until("busy.placing === 0")
    names = page.run(
        "[given.emit.name, given.resolution.name, given.checkpoints[0].name, given.anchors.name, given.key.name]"
    )
    assert names == ["a.txt", "b.txt", "c.txt", "d.txt", "e.txt"]
    assert "f.txt" in page.run("document.getElementById('notice').textContent")


def test_nothing_is_checked_before_every_file_has_its_place(page: Page, emit: Path) -> None:
    """A click in the very moment after a drop, with a ledger already there, does nothing; afterwards it checks all."""
    give(page, [emit])
    page.until("!document.getElementById('check').disabled")
    body = "\n".join(["cme-audit/x", "1", "y"]) + "\n"
    at_once = page.run(drop(("x.ckpt", body)) + "document.getElementById('check').click(); [busy.on, busy.placing]")
    assert at_once == [False, 1]
    page.until("busy.placing === 0")
    assert page.run("document.getElementById('give').getAttribute('aria-busy')") == "false"
    page.run("document.getElementById('check').click()")
    page.until("!busy.on")
    assert "x.ckpt" in page.run("document.getElementById('results').innerText")


def test_files_given_in_a_hurry_are_placed_in_order(page: Page, emit: Path) -> None:
    """Twenty drops in one task: the first ledger is the ledger, the last one of another name the second copy."""
    text = emit.read_text()
    page.run("".join(drop((f"{n}.jsonl", text)) for n in range(20)))
    page.until("busy.placing === 0")
    assert page.run("[given.emit.name, given.copy.name]") == ["0.jsonl", "19.jsonl"]


def test_a_file_that_is_gone_is_named(page: Page, emit: Path) -> None:
    """One file that cannot be read takes no other with it, and the page does not wait for it forever."""
    page.run(
        """{
          const gone = new File(["{"], "gone.jsonl");
          gone.slice = () => ({ arrayBuffer: () => Promise.reject(new Error("it was moved")) });
          inTurn(() => placeEach([gone, new File(["cme-audit/x"], "x.ckpt")]));
        }"""
    )
    page.until("busy.placing === 0")
    assert "gone.jsonl (it was moved)" in page.run("document.getElementById('notice').textContent")
    assert page.run("given.checkpoints[0].name") == "x.ckpt"
    page.run("document.getElementById('clear').click()")
    give(page, [emit])
    assert "gone.jsonl" not in page.run("document.getElementById('notice').textContent")
    assert page.run("given.emit.name") == "emit.jsonl"
    assert "All 6 rows hold" in check(page, emit)


def test_a_check_can_be_stopped(page: Page, emit: Path) -> None:
    """A worker that never answers stands for a very large file: Stop ends it, and the page works on."""
    give(page, [emit])
    page.until("!document.getElementById('check').disabled")
    page.run("worker.postMessage = () => {}; document.getElementById('check').click()")
    assert page.run("document.getElementById('progress').hidden") is False
    assert page.run("document.activeElement.id") == "stop"
    page.run("document.getElementById('stop').click()")
    page.until("busy.ready && !busy.on && !document.getElementById('check').disabled")
    assert "Nothing was decided" in page.run("document.getElementById('notice').textContent")
    assert "All 6 rows hold" in check(page, emit)


def test_memory_is_forty_bytes_a_row(open_page: Page) -> None:
    """What is kept of 300,000 rows beside the file's slices: id, mark of the row hash, links and buckets."""
    kept = open_page.run(
        """(() => {
          const table = new IdTable(), id = new Int32Array(4);
          const sum = (list) => list.reduce((n, a) => n + a.byteLength, 0);
          let most = 0;
          for (let n = 0; n < 300000; n++) {
            id[0] = Math.imul(n, 0x9e3779b1); id[1] = n; id[2] = n >> 3; id[3] = 7;
            if (table.find(id) >= 0) throw new Error("found");
            table.add(id, id);
            const held = sum(table.entries) + sum(table.links) + table.heads.byteLength - 36 * CHUNK;
            if (n > 50000) most = Math.max(most, held / n);
          }
          id[0] = Math.imul(1234, 0x9e3779b1); id[1] = 1234; id[2] = 1234 >> 3;
          return [most, table.find(id), table.marked(1234, id)];
        })()"""
    )
    assert kept[0] <= 40
    assert kept[1:] == [1234, True]


def test_a_page_whose_self_test_fails_refuses_to_judge(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One wrong constant of SHA-256, with fitting policy hashes: the page says so and takes no file."""
    text = build._text
    monkeypatch.setattr(build, "_text", lambda name: text(name).replace("0x428a2f98", "0x428a2f99"))
    broken = tmp_path / "broken.html"
    broken.write_text(build.page(), encoding="utf-8")
    page = ready(chromium, broken)
    assert "refuses to judge" in page.run("document.getElementById('broken').textContent")
    assert page.run("document.getElementById('selftest').textContent") == "failed"
    assert page.run("document.getElementById('check').disabled") is True


def test_the_page_names_its_version_and_the_hash_of_its_script(open_page: Page) -> None:
    script = build.SUMS.read_text().splitlines()[1].split()[0]
    assert open_page.run("document.getElementById('script-hash').textContent") == script
    assert re.search(r"Verifier \d+\.\d+", open_page.run("document.querySelector('footer').textContent"))


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_nothing_is_wider_than_the_window(chromium: Browser, emit: Path, width: int) -> None:
    page = ready(chromium, build.PAGE, width)
    check(page, emit)
    assert page.run("document.documentElement.scrollWidth") <= width


def test_every_control_has_a_name_and_is_reached_by_keyboard(page: Page, emit: Path) -> None:
    """No control is hidden from the tab order; each has words of its own."""
    check(page, emit)
    controls = page.run(
        """[...document.querySelectorAll("button, input")].filter((one) => one.offsetParent !== null).map((one) =>
          [one.getAttribute("aria-label") ?? one.closest("label")?.innerText ?? one.innerText, one.tabIndex])"""
    )
    assert len(controls) >= 10
    assert all(name.strip() and index == 0 for name, index in controls)
    assert page.run("document.getElementById('summary').getAttribute('role')") == "status"
    assert page.run("document.activeElement.id") == "results-title"


def test_text_stands_out_from_its_ground() -> None:
    """Contrast of every text colour on every ground, light and dark, is at least 4.5 (WCAG 1.4.3)."""
    css = (build.HERE / "style.css").read_text()
    palettes = [dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6});", text)) for text in re.findall(r":root \{([^}]*)\}", css)]
    assert [len(colours) for colours in palettes] == [12, 12]  # light and dark, the same names
    assert not re.findall(r"color: #|background: #", css)
    for colours in palettes:
        for name in ("ink", "soft", "good", "bad", "open", "link"):
            for ground in ("paper", "wash", "caution", "fault", "over"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


def contrast(one: str, other: str) -> float:
    """The ratio of relative luminances, WCAG 2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
