"""Closed tables: objects with exactly the fields of their shape, each with its grammar.  [audit 2.1]

Not in the schemas module: a journal needs this check alone, and the schemas load the constraints with NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.errors import LedgerError
from engine.ledger.format.fields import Grammar

RecordShape = Mapping[str, Grammar]
"""Field -> the grammar of its values."""


def closed(value: object, shape: RecordShape, where: str) -> None:
    """Check that ``value`` is a dict of exactly the fields of ``shape``, each with its grammar.

    Raises `LedgerError` (10) that begins with ``where`` and the field.
    """
    if type(value) is not dict or value.keys() != shape.keys():
        fields = sorted(map(str, value)) if isinstance(value, dict) else type(value).__name__
        raise LedgerError(f"{where}: expected exactly the fields {', '.join(sorted(shape))}, was {str(fields)[:400]}")
    for key, (words, holds, _) in shape.items():
        if not holds(value[key]):
            raise LedgerError(f"{where}.{key}: expected {words}, was {str(value[key])[:120]!r}")
