"""What a certificate certifies: the files that a cell runs through, by hash.  [statistics 10, audit 9.1]

``judging``: every file of ours that the three hypotheses import, directly or not.  ``pipeline``: those, the engine's
core, and every file that takes a data set to what the hypotheses read.  The hashes of the whole engine and of the whole
analysis stand beside them: a change of a report or a command moves those, and leaves what was measured as it was.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from backtest.gate.freeze import source_trees
from backtest.gate.freeze.import_closure import ROOT, closure_hash
from engine.freeze import engine_hash
from engine.ledger.format.canonical_json import tagged_hash

JUDGING: Final = ("hypotheses.h1", "hypotheses.h2", "hypotheses.h3")
PIPELINE: Final = (
    *JUDGING,
    "backtest.pipeline.window",
    "backtest.pipeline.placements",
    "backtest.results.tables",
    "backtest.results.returns",
)


@cache
def seals() -> dict[str, str]:
    """Return the hashes of the code that is running: judging, pipeline, engine_hash, analysis_hash."""
    engine = engine_hash()
    return {
        "judging": closure_hash(JUDGING),
        "pipeline": tagged_hash("tree", f"{engine} {closure_hash(PIPELINE)}".encode()),
        "engine_hash": engine,
        "analysis_hash": source_trees.analysis(ROOT).tree_hash,
    }
