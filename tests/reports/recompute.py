"""Computes a figure of the page again from its key and its form, with pandas and the standard library alone.

The key is read as `reports.citation` describes it; what a named measure means is written down once more in `MEASURES`.
"""

from __future__ import annotations

import importlib
import json
import operator
import re
import tomllib
from collections.abc import Callable
from functools import lru_cache
from math import erfc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.constraints.codes import CODES
from reports import words

LISTED = {"trades": 200, "signals": 12}
"""Rows that the page lists of a table."""
SIGNS: dict[str, Callable[[Any, Any], Any]] = {"/": operator.truediv, "-": operator.sub}


def written(key: str, form: str, folder: Path) -> str:
    """Return the text of the figure with this key and form."""
    value = value_of(key, folder)
    name, *places = form.split()
    if name == "text":
        return str(value)
    # a share of the capital is of dollars, the amount of micro-dollars
    if key.endswith("(manifest.json: capital_usd)"):
        value /= 1e6
    return str(getattr(words, name)(value, *map(int, places)))


def value_of(key: str, folder: Path) -> Any:
    """Return what ``key`` names in the run directory ``folder``."""
    if key.startswith("("):
        left, sign, right = _binary(key)
        return SIGNS[sign](_float(value_of(left, folder)), _float(value_of(right, folder)))
    file, separator, field = key.partition(": ")
    if "(" in file:
        name, inner = key[:-1].split("(", 1)
        return OPERATIONS[name](_parts(inner), folder)
    assert separator, key
    if file.endswith(".py"):
        return _constant(file, field)
    if file.endswith(".md"):
        lines = (Path(__file__).resolve().parents[2] / file).read_text(encoding="utf-8").splitlines()
        return next(line.split(" | ")[1] for line in lines if line.startswith(f"| {field} | ")).replace("`", "")
    if file.endswith(".parquet"):
        return _of_table(file, field, folder)
    return _of_document(file, field, folder)


def _float(value: Any) -> Any:
    return value if isinstance(value, int | np.integer) else float(value)


def _binary(key: str) -> tuple[str, str, str]:
    """Split ``(A) / (B)``; the parentheses are balanced."""
    depth = 0
    for at, character in enumerate(key):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return key[1:at], key[at + 2], key[at + 5 : -1]
    raise AssertionError(key)


def _parts(inner: str) -> list[str]:
    parts, depth, begin = [], 0, 0
    for at, character in enumerate(inner):
        depth += (character == "(") - (character == ")")
        if character == ";" and not depth:
            parts.append(inner[begin:at])
            begin = at + 2
    return [*parts, inner[begin:]]


OPERATIONS: dict[str, Callable[[list[str], Path], Any]] = {
    "sum": lambda keys, folder: sum(value_of(key, folder) for key in keys),
    "one_part_in": lambda keys, folder: 1 / value_of(keys[0], folder),
    # the last name of the path has the number: an interval of time, a power
    "name": lambda keys, _: int(re.findall(r"\d+", keys[0])[-1]),
    "line": lambda keys, folder: json.dumps(value_of(keys[0], folder), ensure_ascii=False, default=str),
}


def _constant(file: str, field: str) -> Any:
    name, *places = re.findall(r"\w+", field)
    value = getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), name)
    for place in places:
        value = value[int(place)]
    return value


@lru_cache
def _document(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    return tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)


def _of_document(file: str, field: str, folder: Path) -> Any:
    document = _document(folder / file)
    measured = re.fullmatch(r"(\w+)\((.+)\)", field)
    if measured is None:
        return _at(document, field)
    name, path = measured.groups()
    if name == "both_tails":
        fits = [fit for fold in document["folds"] for fit in fold["curve"].values() if fit["identified"]]
        return float(np.mean([erfc(fit[path] / 2**0.5) for fit in fits]))
    return {"count": len, "sum": sum}[name](_at(document, path))


def _at(value: Any, path: str) -> Any:
    """Return what is at a dotted path; an entry of a list by its number, name, item or code; absent counts are 0."""
    for name, entry in re.findall(r"([^.\[\]]+)|\[([^\]]+)\]", path):
        if name:
            value = value.get(name, 0)
        elif entry.isdigit():
            value = value[int(entry)]
        else:
            value = next(row for row in value if entry in (row.get("name"), row.get("item"), row.get("code")))
    return value


@lru_cache
def _table(folder: Path, file: str) -> pd.DataFrame:
    frames = [pd.read_parquet(path) for path in sorted(folder.glob(file.replace("NN", "[0-9][0-9]")))]
    table = pd.concat([frame for frame in frames if len(frame)], ignore_index=True)
    if file == "returns.parquet":
        table["month"] = pd.to_datetime(table["day"], unit="D").dt.strftime("%Y-%m")
        table["margin_CODE"] = table[[f"margin_{code}" for code in CODES]].sum(axis=1)
    return table


def _of_table(file: str, field: str, folder: Path) -> Any:
    measure, _, conditions = field.partition(" where ")
    measure, _, order = measure.partition(" by ")
    table = _table(folder, file)
    for condition in filter(None, conditions.split(" and ")):
        column, sign, wanted = condition.split(" ", 2)
        values = table[column]
        table = table[
            {"=": values.astype(str) == wanted, ">": values > 0 if sign == ">" else None, "!=": values != 0}[sign]
        ]
    if order:
        table = table.sort_values(order.split(", "))
    if cell := re.fullmatch(r"\[(\d+)\]\.(\w+)(.*)", measure):
        value = table.iloc[int(cell[1])][cell[2]]
        return _at(json.loads(value) if isinstance(value, str) and cell[3] else value, cell[3]) if cell[3] else value
    named = re.fullmatch(r"(\w+)\((.*)\)", measure)
    assert named is not None, field
    return MEASURES[named[1]](table, named[2])


def _fall(table: pd.DataFrame, column: str) -> int:
    path, best, fall = 0, 0, 0
    for value in table[column]:
        path += int(value)
        best = max(best, path)
        fall = min(fall, path - best)
    return fall


def _day_of(table: pd.DataFrame, event: str) -> int:
    name, column = event[:-1].split("(")
    if name == "fall":
        path = table[column].cumsum()
        at = int((path - path.cummax().clip(lower=0)).to_numpy().argmin())
        return int(table["day"].iloc[at])
    return int(table["day"].iloc[int(getattr(table[column].to_numpy(), f"arg{name}")())])


def _sharpe(table: pd.DataFrame, columns: str) -> float:
    series = table.eval(columns)
    return float(series.mean() / series.std() * 365**0.5)


def _coin_left(table: pd.DataFrame, place: str) -> float:
    row = table.iloc[int(place.strip("[]"))]
    return float(sum(np.sign(leg["quantity"]) * row.size_usd * leg["weight"] for leg in row.legs))


def _half_lots(table: pd.DataFrame, place: str) -> float:
    row = table.iloc[int(place.strip("[]"))]
    return float(sum(row.size_usd * leg["weight"] / leg["lots"] / 2 for leg in row.legs))


MEASURES: dict[str, Callable[[pd.DataFrame, str], Any]] = {
    "count": lambda table, what: (
        min(len(table), LISTED["signals" if "legs" in table else "trades"]) if what else len(table)
    ),
    "sum": lambda table, column: int(table[column].sum()),
    "min": lambda table, column: int(table[column].min()),
    "max": lambda table, column: int(table[column].max()),
    "mean": lambda table, column: int(table[column].mean()),
    "fall": _fall,
    "day_of": _day_of,
    "sharpe": _sharpe,
    "coin_left": _coin_left,
    "half_lots": _half_lots,
}
