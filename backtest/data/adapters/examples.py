"""One example of each adapter: the table of a plan that reads a file, and a few lines of such a file.

The examples stand in ``examples.toml`` as a person would write them; a test reads each sample with its own adapter.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SourceExample:
    """``source``: one table of ``[[data.sources]]`` as TOML.  ``sample``: the first lines of ``file``.

    ``inside`` is what the file is packed in (gzip, zip, xlsx, feather), "" for a plain one; the sample is the text
    inside it, of a workbook or a Feather file its cells as CSV.
    """

    source: str
    file: str
    inside: str
    sample: str


def example_of(name: str) -> SourceExample:
    """Return the example of the adapter ``name``; each of the registry has one.

    >>> print(example_of("quotes_table").sample.splitlines()[0])
    received,bid,bid_qty,ask,ask_qty
    """
    return _examples()[name]


@cache
def _examples() -> dict[str, SourceExample]:
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return {name: SourceExample(**fields) for name, fields in tomllib.loads(text).items()}
