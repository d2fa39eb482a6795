"""Nothing leaves the page or its worker: no request, no image, no evaluation of text.  [audit 8.6.1]"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reports.verifier.build import page
from tests.reports.verifier.chromium import Browser, Page
from tests.reports.verifier.conftest import ready

ATTEMPTS = """
(async (address) => {
  const out = {};
  const held = async (name, work) => { try { out[name] = String(await work()); } catch (e) { out[name] = "blocked"; } };
  await held("fetch", () => fetch(address + "/fetch").then((answer) => answer.status));
  await held("request", () => new Promise((resolve, reject) => {
    const one = new XMLHttpRequest();
    one.onload = () => resolve("loaded"); one.onerror = reject; one.open("GET", address + "/xhr"); one.send();
  }));
  await held("socket", () => new Promise((resolve, reject) => {
    const one = new WebSocket(address.replace("http", "ws") + "/socket"); one.onopen = resolve; one.onerror = reject;
  }));
  await held("eval", () => eval("1 + 1"));
  await held("function", () => new Function("return 2")());
  if (typeof importScripts === "function") await held("import", () => importScripts(address + "/import.js"));
  if (typeof document !== "undefined") {
    const load = (name, part) => held(name, () => new Promise((resolve, reject) => {
      const one = document.createElement(name);
      one.onload = resolve; one.onerror = reject; part(one); document.body.append(one);
      setTimeout(() => reject(new Error("nothing")), 2000);
    }));
    await load("img", (one) => { one.src = address + "/image.png"; });
    await load("script", (one) => { one.src = address + "/script.js"; });
    await load("link", (one) => { one.rel = "stylesheet"; one.href = address + "/style.css"; });
    const frame = document.createElement("iframe");  // fires load for a blocked page too: the server tells
    frame.src = address + "/frame";
    document.body.append(frame);
    const inline = document.createElement("script");
    inline.textContent = "globalThis.ran = true";
    document.body.append(inline);
    out.inline = globalThis.ran === true ? "ran" : "blocked";
    navigator.sendBeacon(address + "/beacon", "x");
  }
  return out;
})
"""
IN_WORKER = """
(async (address) => {
  const text = `(${attempts})("${address}").then((out) => postMessage(out))`;
  const one = new Worker(URL.createObjectURL(new Blob([text], {type: "text/javascript"})));
  return new Promise((resolve) => { one.onmessage = (event) => resolve(event.data); });
})
"""


class Counter(BaseHTTPRequestHandler):
    """Answers everything and remembers what was asked."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(page().encode() if self.path == "/verify.html" else b"")

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Counter.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Counter) as one:
        thread = threading.Thread(target=one.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{one.server_port}"
        one.shutdown()
        thread.join()


def attempts(page: Page, address: str) -> dict[str, str]:
    """What came of each attempt to reach ``address`` from the page."""
    found: dict[str, str] = page.run(f'({ATTEMPTS})("{address}")')
    return found


def attempts_in_worker(page: Page, address: str) -> dict[str, str]:
    script = IN_WORKER.replace("${attempts}", ATTEMPTS.strip().replace("`", "\\`"))
    found: dict[str, str] = page.run(f'({script})("{address}")')
    return found


def test_the_page_reaches_nothing(chromium: Browser, server: str) -> None:
    """From a file, every way out is shut; the counting server hears nothing."""
    from reports.verifier.build import PAGE

    found = attempts(ready(chromium, PAGE), server)
    assert set(found.values()) == {"blocked"}, found
    assert Counter.asked == []


def test_the_worker_reaches_nothing(chromium: Browser, server: str) -> None:
    """A worker from a Blob starts, and inherits the policy."""
    from reports.verifier.build import PAGE

    found = attempts_in_worker(ready(chromium, PAGE), server)
    assert "import" in found
    assert set(found.values()) == {"blocked"}, found
    assert Counter.asked == []


def test_without_the_policy_the_same_attempts_arrive(chromium: Browser, server: str, tmp_path: Path) -> None:
    """The test can fail: a page without the policy reaches the server from both places."""
    bare = tmp_path / "bare.html"
    bare.write_text("<!DOCTYPE html><title>bare</title><body>", encoding="utf-8")
    one = chromium.open(bare.as_uri())
    assert attempts(one, server)["fetch"] == "200"
    assert attempts_in_worker(one, server)["eval"] == "2"
    assert Counter.asked.count("/fetch") == 2
    assert "/image.png" in Counter.asked


def test_a_page_served_by_http_works_and_asks_for_nothing_more(chromium: Browser, server: str) -> None:
    """Plain http: no WebCrypto may be there, and hashing does not need it."""
    one = chromium.open(f"{server}/verify.html")
    one.until("busy.ready")
    assert Counter.asked == ["/verify.html"]
