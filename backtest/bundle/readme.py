"""``README.txt`` of a bundle: what a reviewer does with it, in the order in which it is done.  [audit 1, 12]"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

_TEXT: Final = """\
{title}
Run {id}, {mode}, {start} to {end}
Results digest {digest}

WHAT THIS IS

Everything needed to check the results of one run without its owner, but for the market data, which are named by hash
in data.manifest and are not ours to pass on{synthetic}.

{label}

1. WITHOUT INSTALLING ANYTHING

    sha256sum -c SHA256SUMS          every file but SHA256SUMS itself
    open verify.html                 a page without network: drop ledgers/*.jsonl and checkpoints/*/*.ckpt on it

Whoever packed this could have packed another page: its SHA-256 stands in reports/verifier/verify.sha256 of the
repository, and the page there is the same one.

2. WITH THE PROGRAM (Python 3.11 or later, and make)

    git clone REPOSITORY cme-perps && cd cme-perps   from wherever it is published, not from the sender alone
    git checkout {commit}
    make .venv/installed                             the versions of requirements.lock; nothing later needs a network
    .venv/bin/cme reproduce BUNDLE.zip               levels 0 and 1; BUNDLE.zip is the file you were sent
    .venv/bin/cme reproduce BUNDLE.zip --level 2{data}
    .venv/bin/cme reproduce BUNDLE.zip --level 3{data}

    level 0   sums, ledgers row by row, checkpoints, and the digest recomputed from {results}
    level 1   every statistic again from returns, folds and seeds; the digest must be the same (else exit 30)
    level 2   the data set and the engine again; both ledgers must be the same, row by row (else exit 32)
    level 3   level 2 with other threads, processors, hash seeds, zones, locales and folders (else exit 32)

Each prints the registered claim, the reported value and the recomputed value side by side, and writes its report and
an attestation of its own beside the bundle. The bundle itself is never written to.

3. WHAT THIS DOES NOT SHOW

The checkpoints in here were written by whoever packed it. Against them a cut or rewritten ledger shows only if somebody
else kept one: compare them with a checkpoint you hold (--checkpoint FILE), or look up the anchors where they stand.
Nothing here shows that the inputs were true, that everything the engine produced was emitted, or that nobody analysed a
copy of the data elsewhere.

4. WHAT IS IN IT

{listing}
"""
_SAYS: Final = (
    ("registration.toml", "the plan: every number that was chosen, with its reason"),
    ("freeze.json", "the seal that the run was held to"),
    ("seeds.lock", "the root of chance and every stream drawn from it"),
    ("data.manifest", "every file of the data set: hash, size, times, source, licence"),
    ("requirements.lock", "the versions of all packages"),
    ("ledgers/", "every signal and every resolution, chained row by row"),
    ("checkpoints/", "size and tree hash of each ledger"),
    ("anchors.jsonl", "where checkpoints were put out of reach"),
    ("results.", "the results: what is hashed, and the floats that are compared with tolerances"),
    ("verdicts.json", "the three verdicts for reading"),
    ("returns.parquet", "one row a day: what level 1 starts from"),
    ("accruals.parquet", "what each signal earned on each day"),
    ("curves.parquet", "the funding and basis curve of each day, which C5 is scored on"),
    ("placements.parquet", "what each signal would have earned at other times"),
    ("delayed.parquet", "what each signal would have earned filled later"),
    ("folds/", "signals, trades and what was fitted, fold by fold"),
    ("runs/", "journals: this run, and every earlier one on the same data"),
    ("manifest.json", "what names the run and what it stood on"),
    ("files.sha256", "the run's own listing, in which data.manifest is data.json and ledgers/ is ledger/"),
    ("report.html", "the report"),
    ("verify.html", "the verifier for a browser"),
)


def readme(facts: Mapping[str, Any], names: Sequence[str]) -> bytes:
    """Return the text for the run of ``facts`` and the files ``names``."""
    confirmatory = facts["mode"] == "confirmatory"
    label = (
        "The run was confirmatory: code, plan, data, seeds and environment were held to freeze.json before it began."
        if confirmatory
        else "The run was EXPLORATORY: nothing held it to a plan made before its data were seen, and its verdicts are "
        "no evidence for or against the registered hypotheses."
    )
    listing = [f"    {name:20} {what}" for name, what in _SAYS if any(one.startswith(name) for one in names)]
    text = _TEXT.format(
        **{key: facts[key] for key in ("title", "id", "mode", "digest", "results")},
        commit=facts["commit"] or "<the commit of the run>",
        start=facts["window"]["start"],
        end=facts["window"]["end"],
        synthetic=" (this market is synthetic: level 2 draws it again)" if facts["synthetic"] else "",
        data="" if facts["synthetic"] else " --data DIR",
        label=textwrap.fill(label, 120),
        listing="\n".join(listing),
    )
    return text.encode()
