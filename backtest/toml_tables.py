"""Checks every table that people write against a pydantic model, and names each key that cannot be accepted.

    class Coin(Table):
        spot_usd: Number

    read_table(Coin, tomllib.loads(text))        raises TableError: "vol: unknown key, allowed here: spot_usd"

A registration (`backtest.registration`) and a synthetic market (`backtest.data.synthetic`) are read by it.  It imports
nothing of ours, so that the synthetic market does not either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

# Beyond this many a message is no list to work through; the rest are counted.
_SHOWN: Final = 8
_EXPECTED: Final = {
    "string_type": "text in quotes",
    "int_type": "a whole number without quotes",
    "bool_type": "true or false",
    "list_type": "an array",
    "dict_type": "a table",
    "model_type": "a table",
    "greater_than_equal": "a whole number of at least {ge}",
    "less_than_equal": "a whole number of at most {le}",
    "string_pattern_mismatch": "text of the form {pattern}",
    "string_too_short": "text that is not empty",
    "string_too_long": "text of at most {max_length} characters",
    "literal_error": "one of {expected}",
}


class Table(BaseModel):
    """A table that holds exactly its keys; nothing is converted, nothing is assumed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TableError(ValueError):
    """A table that cannot be accepted; the message names every key, what was expected and what was found."""


T = TypeVar("T", bound=Table)


def read_table(model: type[T], content: object, prefix: str = "") -> T:
    """Return ``content``, a parsed TOML table, as a ``model``; ``prefix`` begins the name of every key in a message.

    Raises ``TableError`` if a key is missing or unknown or a value is not what its field expects.
    """
    try:
        return model.model_validate(content)
    except ValidationError as problem:
        raise TableError("; ".join(_lines(problem, model, prefix))) from problem


def _lines(problem: ValidationError, model: type[BaseModel], prefix: str) -> list[str]:
    errors = problem.errors()
    lines = [_line(error, model, prefix) for error in errors[:_SHOWN]]
    return [*lines, f"and {len(errors) - _SHOWN} more"] if len(errors) > _SHOWN else lines


def _line(error: Any, model: type[BaseModel], prefix: str) -> str:
    key = _dotted(prefix, error["loc"])
    if error["type"] == "missing":
        return f"{key}: expected this key, was missing: a registered number has no default"
    if error["type"] == "extra_forbidden":
        allowed = ", ".join(_keys(_table_at(model, error["loc"][:-1])))
        return f"{key}: unknown key, allowed here: {allowed}"
    expected = _EXPECTED.get(error["type"], "")
    if error["type"] == "value_error":
        expected = str(error["ctx"]["error"])
    else:
        expected = expected.format(**error.get("ctx", {})) or error["msg"]
    return f"{key}: expected {expected}, was {error['input']!r}"


def _dotted(prefix: str, loc: tuple[int | str, ...]) -> str:
    text = prefix
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _keys(model: type[BaseModel] | None) -> Iterator[str]:
    for name, field in (model.model_fields if model else {}).items():
        yield field.alias or name


def _table_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Return the model of the table at ``loc``: its fields are what is allowed there."""
    current: type[BaseModel] | None = model
    in_members = False
    for part in loc:
        if in_members or current is None:
            # the number of a member of an array, or the key of a member of a table of tables
            in_members = False
            continue
        kind = next(f.annotation for name, f in current.model_fields.items() if part in (name, f.alias))
        inner = [kind, *get_args(kind)]
        current = next((model for model in inner if isinstance(model, type) and issubclass(model, BaseModel)), None)
        in_members = get_origin(kind) in (list, dict)
    return current
