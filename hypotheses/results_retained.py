"""`retained.json`: the constraints that go into production, with the seals they were judged under.  [statistics 8.3]

The emitter reads it; a constraint that is not in ``retained`` stays in shadow emission.  It is CJ1, so that its hash
can be registered.  An exploratory run writes it too: its ``mode`` says that nothing was decided by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.constraints.codes import NAMES
from engine.ledger.format.canonical_json import canonical
from hypotheses.records import H3

SCHEMA: Final = "retained/1"


def retained_text(h3: H3, run: Mapping[str, Any], exact: Mapping[str, Any], digest: str) -> str:
    """Return the file: ``run`` and ``exact`` are those of the run's header, ``digest`` that of its results.

    ``status`` holds the word for each of the seven; ``tail_fragile`` the retained ones that one registered
    stress loss would undo.
    """
    document = {
        "schema": SCHEMA,
        "study": exact["study"],
        "analysis_id": exact["analysis_id"],
        "mode": run["mode"],
        "retained": [NAMES[code] for code in h3.retained],
        # Of all of them: a constraint under the floor stays in shadow emission, and is not dropped.  [8.3]
        "status": {NAMES[row.code]: row.status.value for row in h3.constraints},
        "tail_fragile": [NAMES[row.code] for row in h3.constraints if row.tail_fragile],
        "results_digest": digest,
        "engine_hash": run["engine_seal"],
        "config_hash": run["registration"],
        "freeze_hash": exact["freeze_hash"],
        "dataset_hash": exact["dataset_hash"],
        "seeds_hash": exact["seeds_hash"],
    }
    return canonical(document).decode("utf-8") + "\n"
