"""What does checking a ledger cost in the browser page, against one SHA-256 a line in Python?

Ledgers of outcomes that hold (about 0.9 kB a row) are given to the page in a headless Chromium, as a user would.
The rates are for a second of the renderer's CPU time; the floors are 100,000 rows in 5 s (20 k rows/s), a million in
40 s (25 k rows/s), and for hash and link alone 0.10 of the raw rate of Python.  [audit 8.6]

Hash and link alone is timed in the page after its self-test, which the worker that checks always has behind it: what
the browser compiles on the way is no part of the rate.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import Row, cpu_seconds, machine, table
from engine.ledger.chain import open_ledger
from engine.ledger.format.canonical_json import canonical
from engine.ledger.format.ids import resolution_id
from reports.verifier.build import PAGE
from tests.helpers.ledgers import genesis, resolution, signal
from tests.reports.verifier.chromium import Page, browser

AIMS = {100_000: "20 k rows/s", 1_000_000: "25 k rows/s"}
RAW = "hashlib.sha256, once a line"
SETTLED_S = 1.0  # after the self-test: its compilers and collectors have ended
LINK = """
(async () => {
  const files = given.resolution, walk = new Walk();
  let head = GENESIS_PREV, rows = 0;
  const start = performance.now();
  await eachLine(files, (bytes, text, from, to) => {
    const end = to - FRAME_TAIL, at = text.lastIndexOf('"prev_hash":"', end) + 13;
    walk.framed(bytes, from, to, from + FRAME_OPEN.length, end);
    if (text.slice(at, at + 64) !== head) throw new Error("chain");
    head = text.slice(to - 66, to - 2);
    rows += 1;
    return rows < 100000;
  }, async () => {});
  return rows / (performance.now() - start) * 1000;
})()
"""


def tagged(tag: bytes, *parts: bytes) -> bytes:
    """Return H(tag, parts) as hex digits; the engine's own function, without its checks, for speed."""
    digest = sha256(b"cme-audit/1/" + tag + b"\0")
    for part in parts:
        digest.update(part)
    return digest.hexdigest().encode()


def write(path: Path, rows: int) -> None:
    """Write a resolution ledger of ``rows`` rows that holds."""
    first = signal(0)
    text = canonical(resolution(first, "c" * 64))
    head, line = open_ledger(genesis(ledger_kind="resolution"))
    name, prev = head.ledger_id.encode(), head.row_hash.encode()
    old_id, old_signal = resolution(first, "")["resolution_id"].encode(), first["signal_id"].encode()
    with path.open("wb", 1 << 22) as file:
        file.write(line)
        for seq in range(1, rows):
            who = f"{seq:08x}-0000-5000-8000-000000000000"
            content = text.replace(old_signal, who.encode()).replace(
                old_id, resolution_id(who, "registered", 0).encode()
            )
            row = (
                b'{"content":%b,"content_hash":"%b","kind":"resolution","ledger_id":"%b","prev_hash":"%b",'
                b'"recorded_at_us":null,"schema":"row/1","seq":%d}'
            ) % (content, tagged(b"resolution", content), name, prev, seq)
            prev = tagged(b"row", row)
            file.write(b'{"row":%b,"row_hash":"%b"}\n' % (row, prev))


def raw_seconds(path: Path) -> float:
    """Return the CPU seconds of one hashlib.sha256 a line, over at most 100,000 lines held in memory."""
    with path.open("rb") as file:
        lines = [line for _, line in zip(range(100_000), file, strict=False)]
    return cpu_seconds(lambda: [sha256(line).digest() for line in lines]) / len(lines)


def renderer_memory(page: Page) -> int:
    """Return the most memory of the browser's renderers so far, in MB (Linux only, else 0)."""
    infos = page.browser.ask("SystemInfo.getProcessInfo")["processInfo"]
    peaks = [0]
    for info in infos:
        status = Path(f"/proc/{info['id']}/status")
        if info["type"] == "renderer" and status.exists():
            peaks += [int(line.split()[1]) // 1000 for line in status.read_text().splitlines() if "VmHWM" in line]
    return max(peaks)


def renderer_seconds(page: Page) -> dict[int, float]:
    """Return the CPU seconds that each of the browser's renderers has taken so far (Linux)."""
    infos = page.browser.ask("SystemInfo.getProcessInfo")["processInfo"]
    return {info["id"]: info["cpuTime"] for info in infos if info["type"] == "renderer"}


def taken(page: Page, began: dict[int, float]) -> float:
    """Return the CPU seconds since then of the renderer that took most, which is the page's: empty tabs have others."""
    return max(seconds - began.get(name, 0.0) for name, seconds in renderer_seconds(page).items())


def measure(path: Path, count: int) -> list[Row]:
    """Return what one ledger of ``count`` rows costs in the page: all checks, and hash and link alone."""
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as one:
        page = one.open(PAGE.as_uri())
        page.until("busy.ready")
        page.choose('[data-slot="resolution"] input', [path])
        page.until("!document.getElementById('check').disabled")
        began = renderer_seconds(page)
        page.run("document.getElementById('check').click()")
        page.until("!busy.on", 1200)
        seconds = taken(page, began)
        verdict = page.run("document.querySelector('.verdict').innerText")
        if f"All {count:,} rows hold" not in verdict:
            raise RuntimeError(f"expected the page to find {count:,} rows that hold, was: {verdict}")
        memory = renderer_memory(page)
        page.run("selfTest()")
        time.sleep(SETTLED_S)
        began = renderer_seconds(page)
        page.run(LINK, 1200)
        linked = taken(page, began)
    raw = raw_seconds(path)
    name = f"the page, {count:,} rows, {memory} MB at most"
    few = min(count, 100_000)
    return [
        _row(f"{name}: all checks", count, seconds, raw, AIMS.get(count, "")),
        _row(f"the page, {few:,} rows: hash and link", few, linked, raw, "10"),
    ]


def _row(name: str, count: int, seconds: float, raw: float, aim: str) -> Row:
    ratio = seconds / count / raw
    rate = f"{count / seconds / 1e3:.3g} k rows/s"
    return Row(name, rate, RAW, f"{1e-3 / raw:.3g} k rows/s", ratio, ratio, ratio, aim)


def rows(counts: Sequence[int] = tuple(AIMS)) -> list[Row]:
    """Return the rows of both sizes, each measured once: a million rows are half a gigabyte."""
    found = []
    with tempfile.TemporaryDirectory() as spare:
        for count in counts:
            path = Path(spare) / f"resolution-{count}.jsonl"
            write(path, count)
            found += measure(path, count)
            path.unlink()
    return found


if __name__ == "__main__":
    print(table(rows([int(text) for text in sys.argv[1:]] or tuple(AIMS))))
    print(machine())
