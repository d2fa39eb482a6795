"""Which lines of ours follow which: the feedback that tells a new input from one that says nothing new."""

from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
OURS = tuple(str(ROOT / name) for name in ("engine", "backtest", "hypotheses", "reports", "cme.py"))

Edge = tuple[int, int]


class Coverage:
    """Between ``with`` and its end, ``edges`` gathers the pairs of lines of ours that ran one after the other."""

    def __init__(self) -> None:
        self.edges: set[Edge] = set()
        self._last = 0
        self._ours: dict[CodeType, int] = {}

    def __enter__(self) -> Self:
        self.edges = set()
        self._last = 0
        sys.settrace(self._call)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        code = frame.f_code
        number = self._ours.get(code)
        if number is None:
            ours = code.co_filename.startswith(OURS)
            number = self._ours[code] = (len(self._ours) + 1) << 16 if ours else 0
        return self._line if number else None

    def _line(self, frame: FrameType, event: str, _arg: Any) -> Any:
        if event == "line":
            here = self._ours[frame.f_code] + frame.f_lineno
            self.edges.add((self._last, here))
            self._last = here
        return self._line
