"""Closed tables: an object of exactly the fields that its shape names, each of its grammar.  [audit 2.1]

Beside the schemas and not in them: a journal needs this check alone, and the schemas load the constraints with NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.errors import LedgerError
from engine.ledger.format.fields import Grammar

RecordShape = Mapping[str, Grammar]
"""Field -> the grammar of its values."""


def closed(value: object, shape: RecordShape, where: str) -> None:
    """Refuse whatever is not an object of exactly the fields of ``shape``, each of its grammar.

    Raises `LedgerError` with ``where`` and the field.
    """
    if type(value) is not dict or value.keys() != shape.keys():
        found = sorted(map(str, value)) if isinstance(value, dict) else type(value).__name__
        raise LedgerError(f"{where}: expected exactly the fields {sorted(shape)}, was {str(found)[:400]}")
    for key, (words, holds, _) in shape.items():
        if not holds(value[key]):
            raise LedgerError(f"{where}.{key}: expected {words}, was {str(value[key])[:120]!r}")
