"""``ro-crate-metadata.json``: the bundle as an RO-Crate 1.1 under the profile Process Run Crate 0.5.  [audit 12]"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from backtest.audit.bundle.layout import ATTESTATION, CRATE, JOURNAL
from backtest.rundir.files import read_object
from backtest.tracking.journal import Record
from engine.errors import MissingError, ReproduceError

CONTEXT: Final = ("https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context")
"""The second has `sha256`, which the first does not know."""
SPECIFICATION: Final = "https://w3id.org/ro/crate/1.1"
PROFILE: Final = "https://w3id.org/ro/wfrun/process/0.5"
LICENCE: Final = "https://www.apache.org/licenses/LICENSE-2.0"
STAGES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "data": (("registration.toml", "seeds.lock"), ("data.manifest",)),
    "engine": (
        ("registration.toml", "data.manifest", "seeds.lock"),
        (
            "ledgers/emit.jsonl",
            "ledgers/resolution.jsonl",
            "accruals.parquet",
            "returns.parquet",
            "curves.parquet",
            "folds.json",
            "folds/",
            "manifest.json",
            "funnel.json",
            "coverage",
            "quality.json",
            "deliveries.json",
            "forced_exits.json",
            "recovery.json",
            "gaps.json",
        ),
    ),
    "placements": (
        ("data.manifest", "ledgers/emit.jsonl"),
        ("placements.parquet", "unplaced.parquet", "delayed.parquet", "touch.parquet"),
    ),
    "verdicts": (
        ("registration.toml", "seeds.lock", "returns.parquet", "placements.parquet", "touch.parquet"),
        ("results.", "verdicts.json", "digest.txt", "retained.json", "sensitivities.json"),
    ),
    "report": (("verdicts.json", "returns.parquet", "sensitivities.json"), ("report.",)),
}
"""Stage of `cme run` -> (files it reads, files it writes), each by the beginning of its name."""
_TYPES: Final = {
    "html": "text/html", "json": "application/json", "jsonl": "application/jsonl", "md": "text/markdown",
    "parquet": "application/vnd.apache.parquet", "toml": "application/toml", "txt": "text/plain",
    "ckpt": "text/plain", "lock": "text/plain", "sha256": "text/plain", "manifest": "application/json",
}  # fmt: skip


def crate(
    facts: Mapping[str, Any], digests: Mapping[str, str], sizes: Mapping[str, int], records: Sequence[Record]
) -> bytes:
    """Return the metadata of the files ``digests`` (name -> SHA-256): one action a stage of the run's journals.

    Without a journal there is one action a stage, and no times: none are invented.
    """
    end = facts["published_us"]
    # Without a journal the window's end: the bytes of a bundle must not depend on today.
    published = _iso(end)[:10] if end is not None else facts["window"]["end"]
    actions = _actions(facts, digests, records)
    root = {
        "@id": "./",
        "@type": "Dataset",
        "conformsTo": {"@id": PROFILE},
        "name": f"{facts['title']}: run {facts['id']}",
        "description": f"Review bundle of the {facts['mode']} run {facts['id']}, "
        f"{facts['window']['start']} to {facts['window']['end']}; results digest {facts['digest']}.",
        "datePublished": published,
        "license": {"@id": LICENCE},
        "identifier": facts["digest"],
        "hasPart": _single([{"@id": name} for name in sorted(digests)]),
        "mentions": _single([{"@id": action["@id"]} for action in actions]),
    }
    descriptor = {
        "@id": CRATE,
        "@type": "CreativeWork",
        "conformsTo": {"@id": SPECIFICATION},
        "about": {"@id": "./"},
    }
    profile = {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    licence = {"@id": LICENCE, "@type": "CreativeWork", "name": "Apache License 2.0"}
    software = {
        "@id": _software_id(facts),
        "@type": "SoftwareApplication",
        "name": "cme-perps",
        "softwareVersion": str(facts["commit"]),
        "identifier": facts["engine_hash"],
        "runtimePlatform": f"Python {facts['python']}",
    }
    if facts["repository"] is not None:
        software["url"] = facts["repository"]
    files = [_file(name, digests[name], sizes[name]) for name in sorted(digests)]
    graph = [descriptor, root, profile, licence, software, *actions, *files]
    return (json.dumps({"@context": list(CONTEXT), "@graph": graph}, indent=1, ensure_ascii=False) + "\n").encode()


def check_crate(folder: Path, digests: Mapping[str, str]) -> None:
    """Check that the crate describes exactly the files of ``digests`` but those written after it, with these hashes.

    Raises ``MissingError`` (3) for metadata of another form, ``ReproduceError`` (30) naming the first other file.
    """
    if not digests:
        raise ReproduceError(f"{CRATE}: not checked, because the sums do not hold")
    try:
        graph = read_object(folder / CRATE)["@graph"]
        listed = {entity["@id"]: entity["sha256"] for entity in graph if entity["@type"] == "File"}
        # The crate is written before the attestation, and cannot hold its own hash.
        known = {name: digest for name, digest in digests.items() if name not in (CRATE, ATTESTATION)}
        differing = sorted(name for name in {*listed, *known} if listed.get(name) != known.get(name))
    except (KeyError, TypeError) as error:
        raise MissingError(f"{CRATE}: expected the metadata of an RO-Crate, was another document") from error
    if differing:
        raise ReproduceError(
            f"{CRATE}: expected SHA-256 {known.get(differing[0])} of {differing[0]}, was {listed.get(differing[0])}"
        )


def _file(name: str, digest: str, size: int) -> dict[str, Any]:
    entity = {"@id": name, "@type": "File", "contentSize": str(size), "sha256": digest}
    kind = _TYPES.get(name.rsplit(".", 1)[-1])
    named = "journal of a command" if JOURNAL.fullmatch(name) else name
    return entity | {"name": named} | ({"encodingFormat": kind} if kind else {})


def _actions(facts: Mapping[str, Any], digests: Mapping[str, str], records: Sequence[Record]) -> list[dict[str, Any]]:
    times = _times(facts, records)
    actions = []
    for stage, (reads, writes) in STAGES.items():
        results = [{"@id": name} for name in sorted(digests) if name.startswith(writes)]
        if not results:
            continue
        start, end = times.get(stage, (None, None))
        action: dict[str, Any] = {
            "@id": f"#{stage}",
            "@type": "CreateAction",
            "name": f"cme run: {stage}",
            "description": f"The stage {stage} of `cme run registration.toml` at commit {facts['commit']}.",
            "instrument": {"@id": _software_id(facts)},
            "object": _single([{"@id": name} for name in sorted(digests) if name.startswith(reads)]),
            "result": _single(results),
            "actionStatus": "http://schema.org/CompletedActionStatus",  # as text: the profile lists its two values so
        }
        if start is not None and end is not None:
            action |= {"startTime": _iso(start), "endTime": _iso(end)}
        actions.append(action)
    return actions


def _software_id(facts: Mapping[str, Any]) -> str:
    """Return an absolute URI of the program: its repository, else a name made of the engine's hash."""
    return str(facts["repository"] or f"urn:cme-audit:engine:{facts['engine_hash']}")


def _single(references: list[dict[str, str]]) -> Any:
    """Return the one reference itself, else the list: RO-Crate 1.1 asks for no arrays of one."""
    return references[0] if len(references) == 1 else references


def _times(facts: Mapping[str, Any], records: Sequence[Record]) -> dict[str, tuple[int, int]]:
    """Return (start, end) of each stage from the last journal that names the run."""
    of_run = [record for record in records if any(path.startswith(f"{facts['id']}/") for path in record.artifacts)]
    # Without a journal no time is known, and none is made up.
    if not of_run:
        return {}
    begun = of_run[-1].stages
    # A journal records where stages begin; each ends where the next begins, the last with the journal.
    ends = [start for _, start in begun[1:]] + [of_run[-1].end_us]
    return {stage: (start, end) for (stage, start), end in zip(begun, ends, strict=True)}


def _iso(at_us: int) -> str:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
