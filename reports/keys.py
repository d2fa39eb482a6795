"""Writes the sources of figures: as titles in HTML, as lines of keys in Markdown.  [S10]

In HTML a figure has its key as ``title`` and its form as ``data-form``.  In Markdown a line after each block lists the
keys of its figures in their order, of a table by column; keys of a column that differ in one part have it in braces,
as shells expand them: ``verdicts.json: H3.constraints[{C1,C2}].sharpe``, ``...: [{0..199}].notional_usd``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup, escape

from reports.citation import Source, has_digit, pieces, sources_of, split


def with_keys(text: str) -> Markup:
    """Return ``text`` escaped, each figure of it in an element with its key."""
    return Markup("").join(
        Markup("<span{}>{}</span>").format(attributes(source), piece)
        if source is not None and has_digit(piece)
        else escape(piece)
        for piece, source in pieces(text)
    )


def attributes(source: Source) -> Markup:
    """Return the attributes of an element that is one figure."""
    return Markup(' title="{}" data-form="{}"').format(source.key, source.form)


def coded(text: str) -> Markup:
    """Return ``text`` as `with_keys` does, what stands between two backticks as code."""
    return Markup("").join(
        Markup("<code>{}</code>").format(with_keys(part)) if number % 2 else with_keys(part)
        for number, part in enumerate(split(text, "`"))
    )


def cell_attributes(text: str) -> tuple[Markup, Markup]:
    """Return the attributes of a table cell and its content: the cell itself has the key of its only figure."""
    parts = list(pieces(text))
    if len(parts) == 1 and parts[0][1] is not None and has_digit(text):
        return attributes(parts[0][1]), escape(parts[0][0])
    return Markup(""), with_keys(text)


def key_line(texts: Sequence[str]) -> list[str]:
    """Return the line of keys of the figures of ``texts``, in their order; none without a figure."""
    keys = [source.key for text in texts for source in sources_of(text)]
    return ["", f"Keys: {_quoted(keys)}."] if keys else []


def by_column(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> list[str]:
    """Return the line of keys of a table: those of caption and head, then those of each column from top to bottom."""
    parts = [_quoted([source.key for text in (caption, *head) for source in sources_of(text)])]
    for column in zip(*rows, strict=True):
        cells = [[source.key for source in sources_of(cell)] for cell in column]
        # the two ends of an interval are two runs of keys
        for place in range(max(map(len, cells))):
            parts.append(_quoted(_braced([keys[place] for keys in cells if len(keys) > place])))
    return ["", f"Keys: {'; '.join(filter(None, parts))}."] if any(parts) else []


def _quoted(keys: Sequence[str]) -> str:
    return "; ".join(f"`{key}`" for key in keys)


def _braced(keys: list[str]) -> list[str]:
    """Return keys that differ in one part as one, with that part in braces; other keys as they are."""
    if len(set(keys)) < 2:
        return keys
    parts = [re.split(r"([^A-Za-z0-9_]+)", key) for key in keys]
    if len({len(part) for part in parts}) > 1:
        return keys
    different = [place for place, words in enumerate(zip(*parts, strict=True)) if len(set(words)) > 1]
    if len(different) != 1:
        return keys
    place = different[0]
    middle = [part[place] for part in parts]
    first = "".join(parts[0][:place])
    return [f"{first}{{{_range(middle)}}}{''.join(parts[0][place + 1 :])}"]


def _range(names: list[str]) -> str:
    """Return names as ``a,b,c``, or as ``0..9`` where they count up by one."""
    if all(name.isdigit() for name in names) and names == [str(int(names[0]) + n) for n in range(len(names))]:
        return f"{names[0]}..{names[-1]}"
    return ",".join(names)
