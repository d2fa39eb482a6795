"""A word, a null or a missing key where a number belongs: every adapter refuses it by file, place and field.  [S8.2]

The forms are those of the fuzzer, so that an adapter which joins it is tried here as well.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.registry import ADAPTERS, adapter
from backtest.data.build.chunk import part_of
from engine.errors import DataError
from tests.fuzz.data_readers import packed
from tests.fuzz.whole_data import CONTRACTS, FORMS

WORDS = ("n.a.", "0.0100%", "1,234.5", "inf")
TABLES = [form for form in FORMS if form[2] == "table"]
MESSAGES = [form for form in FORMS if form[2] in ("json", "jsonl", "recording")]
LEAST = {"deribit_candles": 3, "binance_quarterly": 4, "funding_history": 2, "binance_klines": 2, "candles_csv": 2,
         "hyperliquid_contexts": 3, "hyperliquid_book_summary": 3, "threevenue": 3, "tardis_trades": 2,
         "deliveries": 2}  # fmt: skip
"""Fields in which each adapter must refuse a word, at least; 4 for the others."""


def rows_of(folder: Path, name: str, file: str, options: dict[str, Any], data: bytes) -> pd.DataFrame:
    """The canonical rows of one file, as the build takes them."""
    (folder / file).write_bytes(data)
    (folder / "fut_expirys.csv").write_bytes(CONTRACTS)
    spec, member = SourceSpec(name, file, options, "a test", "none"), adapter(name)
    parts = [part_of(chunk, spec, member.ordered, None).table.to_pandas() for chunk in member.read(folder, spec)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["code"])


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without the codes of their names, in an order that names do not change."""
    values = rows.drop(columns="code")
    return values.sort_values(values.columns.tolist(), ignore_index=True)


def leaves(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Each number or text of a tree with what holds it."""
    for key in tree if isinstance(tree, dict) else range(len(tree)):
        if isinstance(tree[key], dict | list):
            yield from leaves(tree[key])
        else:
            yield tree, key


def test_every_adapter_is_driven() -> None:
    """None is left out of the fuzzer, and so of these tests."""
    assert {form[0] for form in FORMS} == {each.name for each in ADAPTERS}


@pytest.mark.parametrize("form", TABLES, ids=lambda form: f"{form[0]}-{form[1]}")
@pytest.mark.parametrize("first", [0, 2])
def test_a_word_in_a_column_of_a_table(tmp_path: Path, form: tuple[Any, ...], first: int) -> None:
    """Each column in turn, with two of the words, the next column with the next.

    It is refused with file, row and column, or it is a column that is not read and changes nothing.
    """
    name, file, _, options, bodies = form
    good, refused, messages = rows_of(tmp_path, name, file, options, bodies[0]), set(), list[str]()
    cells = list(csv.reader(io.StringIO(bodies[0].decode())))
    for column, title in enumerate(cells[0]):
        other = [list(row) for row in cells]
        other[1][column] = WORDS[(first + column) % len(WORDS)]
        out = io.StringIO()
        csv.writer(out).writerows(other)
        try:
            rows = rows_of(tmp_path, name, file, options, out.getvalue().encode())
        except DataError as error:
            refused.add(title)
            messages.append(str(error))
        else:
            # a word in a name or a text makes another instrument, or none; in a number nothing may change
            kept = rows if len(rows) == len(good) else good
            pd.testing.assert_frame_equal(*(in_order(frame) for frame in (kept, good)))
    assert all(message.startswith(file) and "expected" in message for message in messages), messages
    assert not any("You might want" in message for message in messages), messages
    assert len(refused) >= LEAST.get(name, 4 if name != "binance_archive" else 3), refused


@pytest.mark.parametrize("form", MESSAGES, ids=lambda form: f"{form[0]}-{form[1]}")
@pytest.mark.parametrize("found", ["n.a.", None, "missing", "inf", [], True])
def test_a_word_a_null_or_a_missing_key_in_a_message(tmp_path: Path, form: tuple[Any, ...], found: object) -> None:
    """Each value in turn: refused with file and field, or one that is not read and changes nothing."""
    name, file, shape, options, bodies = form
    good, messages = rows_of(tmp_path, name, file, options, packed(bodies[0], shape)), list[str]()
    stamps = [line.split(b" ", 1)[0] + b" " if shape == "recording" else b"" for line in bodies[0].splitlines()]
    count = sum(1 for _ in leaves(_messages(bodies[0], shape)))
    for number in range(count):
        tree = _messages(bodies[0], shape)
        holder, key = list(leaves(tree))[number]
        if found == "missing":
            del holder[key]
        else:
            holder[key] = found
        texts = [json.dumps(one).encode() for one in tree]
        body = texts[0] if shape == "json" else b"".join(s + t + b"\n" for s, t in zip(stamps, texts, strict=True))
        try:
            rows = rows_of(tmp_path, name, file, options, packed(body, shape))
        except DataError as error:
            messages.append(str(error))
        else:
            kept = rows if len(rows) == len(good) else good
            pd.testing.assert_frame_equal(*(in_order(frame) for frame in (kept, good)))
    assert len(messages) >= LEAST.get(name, 4), messages
    assert all(message.startswith(file) and "expected" in message for message in messages), messages


def _messages(body: bytes, shape: str) -> list[Any]:
    if shape == "json":
        return [json.loads(body)]
    return [json.loads(line.split(b" ", 1)[1] if shape == "recording" else line) for line in body.splitlines()]


@pytest.mark.parametrize("form", TABLES, ids=lambda form: f"{form[0]}-{form[1]}")
def test_a_table_without_rows_or_with_a_name_twice_is_refused(tmp_path: Path, form: tuple[Any, ...]) -> None:
    """A header alone is no data; of two columns of one name neither is the right one; extra cells shift nothing."""
    name, file, _, options, bodies = form
    head, first, *_ = bodies[0].decode().splitlines()
    twice = f"{head},{head.split(',')[0]}\n{first},{first.split(',')[0]}\n"
    for body in (f"{head}\n", twice, f"{head}\n{first},9\n"):
        with pytest.raises(DataError, match="expected"):
            rows_of(tmp_path, name, file, options, body.encode())
