"""What checking costs in the browser page, against hashlib.sha256 once a line in the same run.  [audit 8.6]

    python benchmarks/verifier.py [folder for the ledgers] [rows, default 100000 and 1000000]

Makes resolution ledgers that hold (about 0.9 kB a row), gives each to the page in a headless Chromium as a user would,
and prints seconds, rows a second and the most memory of the page's process.  Measures, asserts nothing.
"""

from __future__ import annotations

import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.ledger.canon import canonical
from engine.ledger.chain import open_ledger
from engine.ledger.ids import resolution_id
from reports.verifier.build import PAGE
from tests.ledgers import genesis, resolution, signal
from tests.reports.verifier.chromium import Page, browser

FLOORS = {100_000: 5.0, 1_000_000: 40.0}
LINK = """
(async () => {
  const files = given.resolution, walk = new Walk();
  let head = GENESIS_PREV, rows = 0;
  const start = performance.now();
  await eachLine(files, (bytes, from, to) => {
    const text = walk.framed(bytes, from, to, from + FRAME_OPEN.length, to - FRAME_TAIL);
    const at = text.lastIndexOf('"prev_hash":"') + 13;
    if (text.slice(at, at + 64) !== head) throw new Error("chain");
    head = hex(walk.rowHash);
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


def raw_rate(path: Path) -> float:
    """Return lines a second of one hashlib.sha256 a line, over at most 100,000 lines held in memory."""
    with path.open("rb") as file:
        lines = [line for _, line in zip(range(100_000), file, strict=False)]
    began = time.perf_counter()
    for line in lines:
        sha256(line).digest()
    return len(lines) / (time.perf_counter() - began)


def renderer_memory(page: Page) -> int:
    """Return the most memory of the browser's renderers so far, in MB (Linux only, else 0)."""
    infos = page.browser.ask("SystemInfo.getProcessInfo")["processInfo"]
    peaks = [0]
    for info in infos:
        status = Path(f"/proc/{info['id']}/status")
        if info["type"] == "renderer" and status.exists():
            peaks += [int(line.split()[1]) // 1000 for line in status.read_text().splitlines() if "VmHWM" in line]
    return max(peaks)


def measure(path: Path, rows: int) -> None:
    """Print what one ledger costs in the page."""
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as one:
        page = one.open(PAGE.as_uri())
        page.until("busy.ready")
        page.choose('[data-slot="resolution"] input', [path])
        page.until("!document.getElementById('check').disabled")
        empty = renderer_memory(page)
        began = time.perf_counter()
        page.run("document.getElementById('check').click()")
        page.until("!busy.on", 600)
        seconds = time.perf_counter() - began
        verdict = page.run("document.querySelector('.verdict').innerText")
        peak = renderer_memory(page)
        link = page.run(LINK, 600)
    raw = raw_rate(path)
    size = path.stat().st_size
    floor = f"floor {FLOORS[rows]:.0f} s" if rows in FLOORS else "no floor"
    print(f"{rows:>9,} rows, {size / 1e6:,.0f} MB: {verdict}")
    print(f"          all checks     {seconds:6.1f} s ({floor})  {rows / seconds:>9,.0f} rows/s")
    print(
        f"          hash and link  {link / raw:6.2f} of raw (floor 0.10)  {link:>9,.0f} rows/s, raw Python {raw:,.0f}"
    )
    print(f"          memory         {peak:6} MB at most, {empty} MB before")


def main() -> None:
    """Run the benchmark."""
    sizes = [int(text) for text in sys.argv[2:]] or list(FLOORS)
    with tempfile.TemporaryDirectory() as spare:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else spare)
        for rows in sizes:
            path = folder / f"resolution-{rows}.jsonl"
            if not path.exists():
                write(path, rows)
            measure(path, rows)


if __name__ == "__main__":
    main()
