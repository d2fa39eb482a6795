"""A whole bundle given to the page as the one file that `cme bundle` writes.  [audit 8.6, 12]"""

from __future__ import annotations

import base64
import io
import json
import zipfile

import pytest

from backtest.audit.bundle.pack import archive
from engine.ledger.chain import append, open_ledger
from engine.ledger.checkpoint import Checkpoint, roots_at
from tests.helpers.ledgers import genesis, ledger, resolution, signal
from tests.reports.verifier.chromium import Page

CHECKPOINT_IDS = "given.checkpoints.map((file) => file.name.split('/').slice(-2).join('/')).sort()"


def bundle_files(rows: int = 5) -> dict[str, bytes]:
    """Return two ledgers that belong together, with a checkpoint of each, under the names of a bundle."""
    emit = ledger(rows)
    emit_id = json.loads(emit[0])["row"]["ledger_id"]
    head, first = open_ledger(genesis(ledger_kind="resolution", emit_ledger_id=emit_id))
    outcomes = [resolution(signal(n), json.loads(emit[n + 1])["row_hash"]) for n in range(rows)]
    settled = [first, *append(head, "resolution", outcomes).lines]
    files = {"ledgers/emit.jsonl": b"".join(emit), "ledgers/resolution.jsonl": b"".join(settled), "README.txt": b"x\n"}
    for lines in (emit, settled):
        ledger_id = json.loads(lines[0])["row"]["ledger_id"]
        root = roots_at((line[len(b'{"row":') : -80] for line in lines), {len(lines)})[len(lines)]
        files[f"checkpoints/{ledger_id}/{len(lines)}.ckpt"] = Checkpoint(ledger_id, len(lines), root).text.encode()
    return files


def zip_of(files: dict[str, bytes], method: int) -> bytes:
    """Return a zip of ``files`` as another program writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as target:
        for name, data in files.items():
            target.writestr(name, data)
    return buffer.getvalue()


def drop(*files: tuple[str, bytes], modified_ms: int = 315_532_800_000) -> str:
    """Return a statement that drops files of these names and bytes onto the page, all with one time, as from a zip."""
    parts = [[name, base64.b64encode(data).decode()] for name, data in files]
    return f"""(() => {{
      const data = new DataTransfer();
      for (const [name, text] of {json.dumps(parts)}) {{
        const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
        data.items.add(new File([bytes], name, {{lastModified: {modified_ms}}}));
      }}
      document.dispatchEvent(new DragEvent("drop", {{dataTransfer: data, bubbles: true, cancelable: true}}));
    }})();"""


def dropped(page: Page, *files: tuple[str, bytes]) -> str:
    """Drop the files and return what the page says of them."""
    page.run(drop(*files))
    page.until("busy.placing === 0")
    return str(page.run("document.getElementById('notice').textContent"))


def checked(page: Page) -> str:
    page.until("!document.getElementById('check').disabled")
    page.run("document.getElementById('check').click()")
    page.until("!busy.on")
    return str(page.run("document.getElementById('results').innerText"))


def test_two_checkpoints_of_one_name_size_and_time_are_both_kept(page: Page) -> None:
    """A zip gives all entries one time, and checkpoints of ledgers of equal length share name and size as well."""
    notes = [(name.rsplit("/", 1)[1], data) for name, data in bundle_files().items() if name.startswith("checkpoints/")]
    assert notes[0][0] == notes[1][0]
    assert len(notes[0][1]) == len(notes[1][1])
    dropped(page, *notes)
    assert page.run("given.checkpoints.length") == 2
    dropped(page, notes[1], ("again.ckpt", notes[0][1]))
    assert page.run("given.checkpoints.length") == 2  # the same bytes under another name are one checkpoint


def test_another_ledger_of_one_name_size_and_time_is_named(page: Page) -> None:
    """What leaves its place is named unless its bytes are the same."""
    whole = b"".join(ledger(5))
    assert "In the place" not in dropped(page, ("emit.jsonl", whole)) + dropped(page, ("emit.jsonl", whole))
    assert "In the place" in dropped(page, ("emit.jsonl", whole[:-70] + b"0" + whole[-69:]))


def test_a_whole_bundle_is_read(page: Page) -> None:
    """One dropped file gives both ledgers and both checkpoints, and everything is checked."""
    files = bundle_files()
    notice = dropped(page, ("run.zip", archive(files)))
    assert "run.zip (4 files)" in notice
    assert "whoever packed it" in notice
    assert page.run(CHECKPOINT_IDS) == sorted(n.split("/", 1)[1] for n in files if n.startswith("checkpoints/"))
    text = checked(page)
    assert "Everything given was checked and holds." in text
    assert text.count("the first 6 rows are those the checkpoint fixes") == 2


def test_a_changed_row_inside_a_bundle_is_found(page: Page) -> None:
    """The rows of an archive are judged as those of files are."""
    files = bundle_files()
    files["ledgers/emit.jsonl"] = files["ledgers/emit.jsonl"].replace(b'"net_bps":"', b'"net_bps":"9', 1)
    dropped(page, ("run.zip", archive(files)))
    assert "Row 1 is the first that does not hold (row hash)" in checked(page)


def test_a_bundle_chosen_in_the_line_of_one_file_is_read_too(
    page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("chosen") / "run.zip"
    path.write_bytes(archive(bundle_files()))
    page.choose('[data-slot="emit"] input', [path])
    page.until("busy.placing === 0 && given.emit !== null")
    assert page.run("[given.emit.name, given.resolution.name]") == [
        f"run.zip/ledgers/{k}.jsonl" for k in ("emit", "resolution")
    ]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: zip_of(bundle_files(), zipfile.ZIP_DEFLATED), "compressed or encrypted: unpack it first"),
        (lambda: zip_of({"a.txt": b"a"}, zipfile.ZIP_STORED), "unpack it first"),
        (lambda: archive(bundle_files())[:-30], "unpack it first"),
        (lambda: archive(bundle_files())[:-12] + b"\xff" * 12, "unpack it first|ask for it again"),
        (lambda: archive(bundle_files())[:100] + archive(bundle_files())[140:], "ask for it again"),
    ],
)
def test_what_is_no_bundle_says_what_to_do(page: Page, make, words: str) -> None:  # type: ignore[no-untyped-def]
    """Nothing of it is taken."""
    notice = dropped(page, ("run.zip", make()))
    assert any(part in notice for part in words.split("|")), notice
    assert page.run("[given.emit, given.checkpoints.length]") == [None, 0]
