"""A page that a program writes: written, or with ``--check`` compared with what stands there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def write_or_check(page: Path, text: str, command: str, arguments: Sequence[str]) -> list[str]:
    """Write ``text`` as ``page``; with ``--check`` among ``arguments`` write nothing, and return a complaint if stale.

    ``command`` is what makes the page anew.
    """
    if "--check" not in arguments:
        page.write_text(text, encoding="utf-8")
        return []
    if page.is_file() and page.read_text(encoding="utf-8") == text:
        return []
    return [f"docs/{page.relative_to(Path(__file__).parent).as_posix()} is stale: run `{command}`"]
