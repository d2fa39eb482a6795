"""Assembles the browser verifier: one HTML file, nothing outside, its script and style pinned by hash.  [audit 8.6]

    python -m reports.verifier.build        writes verify.html and verify.sha256 beside this file

The page is committed as built: `cme bundle` copies it, and a reader compares its hashes with verify.sha256.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Final

from engine.constraints.codes import NAMES

HERE: Final = Path(__file__).resolve().parent
PAGE: Final = HERE / "verify.html"
SUMS: Final = HERE / "verify.sha256"
PARTS: Final = (
    "bytes", "sha256", "canon", "grammar", "ids", "schemas", "forms", "merkle", "idtable", "rational", "net",
    "netcount", "walk", "lines", "notes", "verify", "compare", "selftest", "worker", "view", "zip", "page", "start",
)  # fmt: skip
"""The script in the order of its text: a constant is defined before it is used at load."""
_TOP_NAME: Final = re.compile(r"^(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)


def page() -> str:
    """Return the page that `main` writes; the committed file must be equal to it.

    Raises ``ValueError`` if page.html does not have each placeholder exactly once, or two parts give one name.
    """
    project = tomllib.loads((HERE.parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    style, script = "\n" + _text("style.css"), "\n" + _script()
    # pinned by hash: a changed byte of script or style is not run by the browser
    policy = "; ".join((
        "default-src 'none'",
        f"script-src '{_source(script)}'",
        f"style-src '{_source(style)}'",
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
    ))  # fmt: skip
    parts = {"policy": policy, "style": style, "script": script, "version": project["version"]}
    html = _text("page.html")
    for name, text in parts.items():
        before, mark, after = html.partition("{" + name + "}")
        # Exactly once: a placeholder left in the page would be shown to readers.
        if not mark or "{" + name + "}" in after:
            raise ValueError(f"page.html: expected {{{name}}} once")
        html = before + text + after
    return html


def sums(html: str) -> str:
    """Return the lines of verify.sha256: the file, and the script as the page itself shows it."""
    script = html.partition("<script>")[2].partition("</script>")[0]
    return f"{_hex(html)}  verify.html\n{_hex(script)}  script of verify.html\n"


def main() -> None:
    """Write the page and its hashes."""
    html = page()
    PAGE.write_bytes(html.encode())
    SUMS.write_bytes(sums(html).encode())


def _script() -> str:
    # "</" would end the script element inside a string
    ledger = json.dumps(_text("selftest.jsonl")).replace("</", "<\\/")
    parts = [_text(f"parts/{name}.js") for name in PARTS]
    names_given = _TOP_NAME.findall("\n".join(parts))
    # a script lets a second function take the name of a first, and the first caller gets the second
    if twice := sorted({name for name in names_given if names_given.count(name) > 1}):
        raise ValueError(f"parts: expected each name once at the top of the script, was twice: {', '.join(twice)}")
    script = '"use strict";\n\n' + "\n".join(parts)
    names = ", ".join(json.dumps(name) for name in sorted(NAMES.values()))
    return script.replace("/*{good_ledger}*/null", ledger).replace("/*{constraints}*/", names)


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    main()
