"""The digest of a day is over names: a slow loop agrees, and later listings do not change it.  [live L0.3]"""

from __future__ import annotations

from dataclasses import fields
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.schema import CHANNEL_COLUMNS, Channel
from backtest.live.digest import day_digest, day_table
from engine.records import Instruments
from tests.backtest.data.markets import START, instrument, instruments, quote, store

DAY = START // 86_400_000_000_000
NAMES = ("binance:BTCUSDT", "deribit:BTC-PERPETUAL")
ROWS = (
    (NAMES[1], 0, 90000.5, 90001.25),
    (NAMES[0], 0, 89999.1, 90000.0),
    (NAMES[0], 5, 1e-7, 3e22),
)


def shortest(value: float) -> str:
    """The digits of `repr`, in the spelling without a needless fraction or padded exponent."""
    if value != value:
        return ""
    text = repr(float(value)).removesuffix(".0")
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}".replace("e+0", "e+0")
    return text


def slow(dataset: Dataset) -> str:
    """The rule of the text, word by word."""
    table = day_table(dataset, DAY).to_pylist()
    listed = dataset.instruments
    lines = []
    for row in table:
        values = ["" if row[name] is None else shortest(row[name]) for name in CHANNEL_COLUMNS[Channel(row["channel"])]]
        key = (row["t_ns"], listed.name[row["code"]], row["channel"])
        lines.append((key, ",".join([key[1], str(key[2]), str(key[0]), *values])))
    text = "".join(f"{line}\n" for _, line in sorted(lines))
    for name in sorted({listed.name[row["code"]] for row in table}):
        text += ",".join(_field(listed, field.name, listed.name.index(name)) for field in fields(Instruments)) + "\n"
    return sha256(text.encode()).hexdigest()


def _field(listed: Instruments, name: str, at: int) -> str:
    value = getattr(listed, name)[at]
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    return shortest(value) if isinstance(value, float) else str(value)


def made(folder: Path, *more: str) -> Dataset:
    """The same quotes and one mark, with further instruments listed before and between the two."""
    listed = instruments(*(instrument(name) for name in sorted({*NAMES, *more})))
    code = {name: at for at, name in enumerate(listed.name)}
    rows = [quote(START + t, code[name], bid, ask) for name, t, bid, ask in ROWS]
    return store(
        folder / "-".join(("set", *map(str, map(len, more)))),
        listed,
        [*rows, {"channel": Channel.MARK, "t_ns": START, "code": code[NAMES[1]], "mark": 7.5}],
    )


def test_the_digest_is_the_hash_of_the_lines_of_the_text(tmp_path: Path) -> None:
    dataset = made(tmp_path)
    assert day_digest(dataset, DAY) == slow(dataset)
    assert day_digest(dataset, DAY + 1) == sha256(b"").hexdigest()  # a day without rows has no lines


def test_an_instrument_listed_later_changes_the_file_and_not_the_digest(tmp_path: Path) -> None:
    before, after = made(tmp_path), made(tmp_path, "binance:AAA", "binance:ZZZ")
    path = next(path for path in before.files if path.startswith("quotes/"))
    assert before.read(path) != after.read(path)
    assert day_digest(before, DAY) == day_digest(after, DAY)


@pytest.mark.parametrize("changed", ["price", "time", "tick"])
def test_a_changed_row_or_field_changes_the_digest(tmp_path: Path, changed: str) -> None:
    listed = instruments(*(instrument(name, **({"tick": 0.5} if changed == "tick" else {})) for name in NAMES))
    code = {name: at for at, name in enumerate(listed.name)}
    rows = [
        quote(START + t + (changed == "time"), code[name], bid, ask + (changed == "price"))
        for name, t, bid, ask in ROWS
    ]
    other = store(
        tmp_path / "other",
        listed,
        [*rows, {"channel": Channel.MARK, "t_ns": START, "code": code[NAMES[1]], "mark": 7.5}],
    )
    assert day_digest(open_dataset(other.path), DAY) != day_digest(made(tmp_path), DAY)
