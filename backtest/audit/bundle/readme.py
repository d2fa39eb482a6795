"""``README.txt`` of a bundle: what a reviewer does with it, in the order in which it is done.  [audit 1, 12]"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from engine.errors import escaped

_TEXT: Final = """\
{title}
Run {id}, {mode}, {start} to {end}
Results digest {digest}

WHAT THIS IS

Everything needed to check the results of one run without its owner, but for the market data, which are named by hash
in data.manifest and are not ours to pass on{drawn}.

{label}

1. WITHOUT INSTALLING ANYTHING

    unzip BUNDLE.zip -d bundle && cd bundle   BUNDLE.zip is the file you were sent; any unzip program will do
    sha256sum -c SHA256SUMS                   every file but SHA256SUMS itself (macOS: shasum -a 256 -c SHA256SUMS)

Then open verify.html in a browser (it needs no network) and give it BUNDLE.zip, or ledgers/emit.jsonl,
ledgers/resolution.jsonl and the files of checkpoints/. Whoever packed this could have packed another page: the page of
the repository is the same file, reports/verifier/verify.html.

2. WITH THE PROGRAM (git, make, Python 3.11 or later; Linux or macOS)

    git clone REPOSITORY cme-perps && cd cme-perps   {repository}
    git checkout {commit}
    make .venv/installed                             the versions of requirements.lock; nothing later needs a network
    .venv/bin/cme verify BUNDLE.zip                  level 0 alone
    .venv/bin/cme reproduce BUNDLE.zip               levels 0 and 1: seconds
    .venv/bin/cme reproduce BUNDLE.zip --level 2{data}
    .venv/bin/cme reproduce BUNDLE.zip --level 3{data}

    level 0   sums, ledgers row by row, checkpoints, and the digest recomputed from {results}
    level 1   every statistic again from returns, folds and seeds; the digest must be the same (else exit 30)
    level 2   the data set and the engine again; both ledgers must be the same, row by row (else exit 32)
    level 3   level 2 with other threads, processors, hash seeds, zones, locales and folders (else exit 32): as long as
              some sixteen runs{dir}

Exit 0 says that all that was asked holds; any other code is that of the first thing that does not, with a sentence.
Each prints the registered claim, the reported value and the recomputed value side by side, and writes its report and
an attestation of its own beside the bundle (or into --out DIR). The bundle itself is never written to.
{freeze_text}
{last}. WHAT THIS DOES NOT SHOW

The checkpoints in here were written by whoever packed it. Against them a cut or rewritten ledger shows only if somebody
else kept one: compare them with a checkpoint you hold (--checkpoint FILE), or look up the anchors where they stand.
Nothing here shows that the inputs were true, that everything the engine produced was emitted, or that nobody analysed a
copy of the data elsewhere.

{listed}. WHAT IS IN IT

{listing}
"""
_FROZEN: Final = """
3. WAS IT REGISTERED BEFORE

freeze.json names code, plan, seeds and environment by hash, {sealed} the data; level 0 compares
them with the run and with its look in ledgers/looks.jsonl. That they are the ones that were published shows only where
somebody else fetched the tag before the data were there:

    git cat-file tag freeze/{study}                     who sealed it when, and the checkpoint of the looks as it was
    git show freeze/{study}:{home}/freeze.json     must be this freeze.json
    .venv/bin/cme freeze --check --registration {home}/registration.toml
                                                     code, plan, seeds and environment here are as sealed; without
                                                     --data DIR the line of the data fails (21), and only that one
"""
_DIR: Final = """

DIR is the folder of the source files, or the data set itself, whose files data.manifest lists; ask whoever has it."""
DESCRIPTIONS: Final = (
    ("registration.toml", "the plan: every number that was chosen, with its reason"),
    ("README.txt", "this text"),
    ("SHA256SUMS", "the SHA-256 of every other file"),
    ("attestation.json", "the same as an in-toto statement, with what was checked when it was packed"),
    ("ro-crate-metadata.json", "which command wrote which file from which, and when"),
    ("freeze.json", "the seal that the run was compared with"),
    ("data-seal.json", "the hash of the data, sealed when they had been collected"),
    ("seeds.lock", "the root of chance and every stream drawn from it"),
    ("data.manifest", "every file of the data set: hash, size, times, source, licence"),
    ("requirements.lock", "the versions of all packages"),
    ("ledgers/", "every signal and every resolution, chained row by row"),
    ("ledgers/looks.jsonl", "every look at the outcomes of the study, chained too"),
    ("checkpoints/", "size and tree hash of each ledger"),
    ("anchors.jsonl", "where checkpoints were put out of reach"),
    ("results.", "the results: what is hashed, and the floats that are compared with tolerances"),
    ("digest.txt", "the digest of the results document"),
    ("verdicts.json", "the three verdicts for reading"),
    ("retained.json", "which constraints were retained"),
    ("sensitivities.json", "the same questions asked otherwise; none decides"),
    ("returns.parquet", "one row a day: what level 1 starts from"),
    ("accruals.parquet", "what each signal earned on each day"),
    ("curves.parquet", "the funding and basis curve of each day, which C5 is scored on"),
    ("placements.parquet", "what each signal would have earned at other times"),
    ("unplaced.parquet", "the times at which a signal could not have been placed"),
    ("delayed.parquet", "what each signal would have earned filled later, or left at its trigger"),
    ("touch.parquet", "the deepest touch of each book that a signal hits"),
    ("folds.json", "where each fold begins and ends"),
    ("folds/", "signals, trades and what was fitted, fold by fold"),
    ("runs/", "journals: this run, and every earlier one on the same data"),
    ("funnel.json", "from packages examined to trades"),
    ("coverage", "what could be judged, in all and day by day"),
    ("quality.json", "why quotes were unusable"),
    ("deliveries.json", "by what expiries were settled"),
    ("forced_exits.json", "the orders of covenants over the book, which closed positions"),
    ("recovery.json", "which planted violations of a synthetic market were found"),
    ("gaps.json", "the gaps of a recording in the window, by instrument and cause"),
    ("manifest.json", "what names the run and what it stood on"),
    ("files.sha256", "the run's own listing, in which data.manifest is data.json and ledgers/ is ledger/"),
    ("report.", "the report, as a page and as text"),
    ("verify.html", "the verifier for a browser"),
)


def readme(facts: Mapping[str, Any], names: Sequence[str]) -> bytes:
    """Return the text for the run of ``facts`` and the files ``names``."""
    confirmatory = facts["mode"] == "confirmatory"
    label = (
        "The run was confirmatory: code, plan, data, seeds and environment were as in freeze.json before it began."
        if confirmatory
        else "The run was EXPLORATORY: nothing tied it to a plan made before its data were seen, and its verdicts are "
        "no evidence for or against the registered hypotheses."
    )
    # What ran is then not what the commit holds: a reader must know before checking it out.
    if not facts["clean"]:
        label += " When it was made the checkout was not as committed, or git could not say: other code may have run."
    listing = [f"    {name:22} {what}" for name, what in DESCRIPTIONS if any(path.startswith(name) for path in names)]
    sealed = "data-seal.json" if "data-seal.json" in names else "and"
    freeze_text = _FROZEN.format(sealed=sealed, study=facts["study"], home=facts["home"]) if confirmatory else ""
    text = _TEXT.format(
        **{key: facts[key] for key in ("title", "id", "mode", "digest", "results")},
        repository=f"REPOSITORY is {facts['repository']}" if facts["repository"] else "REPOSITORY: not published",
        commit=facts["commit"] or "<the commit of the run>",
        start=facts["window"]["start"],
        end=facts["window"]["end"],
        drawn=" (this market is synthetic: level 2 draws it again)" if facts["drawn"] else "",
        data="" if facts["drawn"] else " --data DIR",
        dir="" if facts["drawn"] else _DIR,
        label=textwrap.fill(label, 120),
        freeze_text=freeze_text,
        last=4 if freeze_text else 3,
        listed=5 if freeze_text else 4,
        listing="\n".join(listing),
    )
    return escaped(text, keep="\n").encode()
