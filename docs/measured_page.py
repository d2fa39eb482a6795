"""A page that is written from kept figures: renewed by an option, written, or compared with what stands there."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from generated_page import write_or_check


def rounded(value: Any, digits: int) -> Any:
    """Return ``value`` with floats of ``digits`` digits: a page shows fewer."""
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item, digits) for item in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def renew_check_or_write(
    about: str, option: str, measured: Callable[[Path], dict[str, Any]], digits: int, figures: Path,
    text_of: Callable[[dict[str, Any]], str], page: Path,
) -> int:  # fmt: skip
    """Read the command line and return the exit code: 1 where ``--check`` finds the page stale.

    ``option PATH`` keeps what ``measured`` finds there in ``figures`` before the page is written.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(option, dest="source", type=Path)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    if asked.source:
        figures.write_text(json.dumps(rounded(measured(asked.source), digits), indent=1) + "\n", encoding="utf-8")
    text = text_of(json.loads(figures.read_text(encoding="utf-8")))
    complaints = write_or_check(page, text, f"python docs/{parser.prog}", ["--check"] if asked.check else [])
    sys.stderr.writelines(f"{complaint}\n" for complaint in complaints)
    return len(complaints)
