"""A browser driven over a pipe with the standard library: DevTools messages, one JSON text and a zero byte each."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE_S = 60.0


def find() -> str | None:
    """The path of a Chromium on this machine, None where there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@dataclass
class Browser:
    """A running browser; the messages that are no answers stand in ``events``."""

    process: subprocess.Popen[bytes]
    to: int
    from_: int
    events: list[dict[str, Any]] = field(default_factory=list)
    _rest: bytes = b""
    _count: int = 0

    def ask(self, method: str, session: str | None = None, patience_s: float = PATIENCE_S, **params: Any) -> Any:
        """The result of one DevTools call; an error answer and silence raise."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data) :]
        end = time.monotonic() + patience_s
        while True:
            answer = self._next(end - time.monotonic())
            if answer.get("id") != self._count:
                self.events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            else:
                return answer["result"]

    def open(self, url: str, width: int = 1280, height: int = 900) -> Page:
        """A new page at ``url``, loaded."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        page = Page(self, self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        for domain in ("Page", "Runtime", "DOM", "Log", "Network"):
            page.ask(f"{domain}.enable")
        page.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        page.ask("Page.navigate", url=url)
        page.until("document.readyState === 'complete'")
        return page

    def _next(self, patience_s: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self.from_], [], [], max(0.0, patience_s))
            data = os.read(self.from_, 1 << 20) if ready else b""
            if not data:
                raise TimeoutError(f"the browser said nothing for {patience_s:.0f} s")
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(text)
        return answer


@dataclass
class Page:
    """One page of a browser."""

    browser: Browser
    session: str

    def ask(self, method: str, **params: Any) -> Any:
        return self.browser.ask(method, self.session, **params)

    def run(self, expression: str, patience_s: float = PATIENCE_S) -> Any:
        """The value of a JavaScript expression, awaited; under the page's own content policy."""
        found = self.browser.ask(
            "Runtime.evaluate", self.session, patience_s, expression=expression, awaitPromise=True, returnByValue=True,
            allowUnsafeEvalBlockedByCSP=False,
        )  # fmt: skip
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"])[:2000])
        return found["result"].get("value")

    def until(self, condition: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until ``condition`` holds."""
        end = time.monotonic() + patience_s
        while not self.run(f"Boolean({condition})"):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {patience_s:.0f} s: {condition}")
            time.sleep(0.02)

    def choose(self, selector: str, files: Sequence[Path]) -> None:
        """Put files into a file input, as its dialog would."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(path.resolve()) for path in files])

    def picture(self, path: Path) -> None:
        """Write the whole page as a PNG."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def browser(profile: Path, *flags: str) -> Iterator[Browser]:
    """A Chromium with a new profile in ``profile``; it ends with the block."""
    program = find()
    if program is None:
        raise FileNotFoundError("no Chromium on this machine")
    read, child_write = os.pipe()
    child_read, write = os.pipe()

    def place() -> None:  # the browser reads from descriptor 3 and writes to 4
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (child_read, child_write)]
        for fd, number in zip(high, (3, 4), strict=True):
            os.dup2(fd, number)

    process = subprocess.Popen(
        [program, *FLAGS, *flags, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(3, 4), preexec_fn=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(child_read)
    os.close(child_write)
    try:
        yield Browser(process, write, read)
    finally:
        with contextlib.suppress(OSError):
            os.write(write, b'{"id":0,"method":"Browser.close"}\0')
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(read)
        os.close(write)
