"""The committed page is what its parts build, small, closed, and pinned by its own hashes."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from reports.verifier import build
from reports.verifier.build import PAGE, SUMS, page, sums


def inline(html: str, tag: str) -> str:
    found = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def source(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def test_the_committed_page_is_fresh() -> None:
    """`python -m reports.verifier.build` would change nothing."""
    assert PAGE.read_text(encoding="utf-8") == page()
    assert SUMS.read_text(encoding="utf-8") == sums(page())


def test_the_page_is_under_200_kb() -> None:
    assert len(PAGE.read_bytes()) < 200_000


def test_the_content_policy_is_that_of_the_specification() -> None:
    """[audit 8.6.1] with the hashes of the one script and the one style."""
    html = page()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert policy[1] == (
        f"default-src 'none'; script-src {source(inline(html, 'script'))}; style-src {source(inline(html, 'style'))}; "
        "worker-src blob:; base-uri 'none'; form-action 'none'"
    )
    assert html.index("Content-Security-Policy") < html.index("<style>") < html.index("<script>")


def test_nothing_outside_is_referred_to() -> None:
    """No address, no loading attribute, no style attribute, no handler, no evaluation of text."""
    html = page()
    for pattern in (r"https?://", r"\bsrc=", r"\bhref=", r"url\(", "@import", r"\bstyle=", r"\son[a-z]+=", r"\beval\(",
                    "new Function", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "importScripts",
                    "XMLHttpRequest", r"\bfetch\("):  # fmt: skip
        assert not re.search(pattern, html), pattern


def test_two_parts_may_not_give_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second function would silently replace the first: a comparison of roots was lost so once."""
    text = build._text
    added = "\nasync function sameBytes(a, b) {\n  return true;\n}\n"
    monkeypatch.setattr(build, "_text", lambda name: text(name) + (added if name == "parts/page.js" else ""))
    with pytest.raises(ValueError, match="sameBytes"):
        build.page()


def test_verify_sha256_names_the_file_and_its_script() -> None:
    html = PAGE.read_bytes()
    script = inline(html.decode(), "script")
    assert SUMS.read_text() == (
        f"{hashlib.sha256(html).hexdigest()}  verify.html\n"
        f"{hashlib.sha256(script.encode()).hexdigest()}  script of verify.html\n"
    )
