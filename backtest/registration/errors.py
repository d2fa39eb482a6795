"""What a reader is told of a registration that cannot be accepted: file, key, what was expected, what was found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from engine.errors import UsageError

_SHOWN = 8
_EXPECTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number without quotes",
    "bool_type": "true or false",
    "list_type": "an array",
    "dict_type": "a table",
    "model_type": "a table",
    "greater_than_equal": "a whole number, zero or more",
    "string_pattern_mismatch": "text of the form {pattern}",
    "string_too_short": "text that is not empty",
    "string_too_long": "text of at most {max_length} characters",
    "literal_error": "one of {expected}",
}


def refuse(path: Path, problem: ValidationError, model: type[BaseModel]) -> UsageError:
    """Return the error of exit code 2 that names every key which cannot be accepted."""
    found = problem.errors()
    lines = [_line(error, model) for error in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"and {len(found) - _SHOWN} more")
    return UsageError(f"{path}: " + "; ".join(lines))


def _line(error: Any, model: type[BaseModel]) -> str:
    key = _dotted(error["loc"])
    if error["type"] == "missing":
        return f"{key}: expected this key, was missing: a registered number has no default"
    if error["type"] == "extra_forbidden":
        allowed = ", ".join(_keys(_table_at(model, error["loc"][:-1])))
        return f"{key}: unknown key, allowed here: {allowed}"
    expected = _EXPECTED.get(error["type"], "")
    if error["type"] == "value_error":
        expected = str(error["ctx"]["error"])
    expected = expected.format(**error.get("ctx", {})) or error["msg"]
    return f"{key}: expected {expected}, was {error['input']!r}"


def _dotted(loc: tuple[int | str, ...]) -> str:
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _keys(model: type[BaseModel] | None) -> Iterator[str]:
    for name, field in (model.model_fields if model else {}).items():
        yield field.alias or name


def _table_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Return the model of the table at ``loc``: its fields are what is allowed there."""
    current: type[BaseModel] | None = model
    for part in loc:
        if isinstance(part, int) or current is None:
            continue
        kind = current.model_fields[part].annotation
        inner = [kind, *get_args(kind)]
        current = next((one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)), None)
    return current
