"""The crate of a bundle against the rules of RO-Crate 1.1 and Process Run Crate 0.5, REQUIRED and RECOMMENDED.

The rules are written down here again, from the two texts; decision 0460 says why the community's validator is no test
dependency, and what it answered.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from backtest import environment
from backtest.audit.bundle.collect import bundle_of
from backtest.audit.verify_ledger import TrustedInputs
from tests.backtest.audit.bundle.test_bundle import recorded  # noqa: F401  # a fixture

WORDS = (
    "@id @type about actionStatus conformsTo contentSize datePublished description encodingFormat endTime hasPart "
    "identifier instrument license mentions name object result runtimePlatform sha256 softwareVersion startTime url "
    "version"
)
TERMS = frozenset(WORDS.split())
"""What the two contexts define, of it only what a bundle may use."""
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?\Z")
NEEDS_A_NAME = {"CreateAction lacks agent", "Dataset lacks author", "Dataset lacks publisher"}
NEEDS_AN_ADDRESS = {"SoftwareApplication lacks url", "SoftwareApplication is named by no http address"}
ASKED = {
    "Dataset": "author conformsTo datePublished description hasPart license mentions name publisher",
    "SoftwareApplication": "name softwareVersion url",
    "CreateAction": "actionStatus agent description endTime instrument name object result startTime",
    "File": "contentSize encodingFormat name",
    "CreativeWork": "",
}
"""Type -> the properties that an entity of it MUST or SHOULD have."""


def problems(crate: dict[str, Any]) -> set[str]:
    """Return what of the rules does not hold."""
    graph = {entity["@id"]: entity for entity in crate["@graph"]}
    found = {f"{name} twice" for name in graph if [one["@id"] for one in crate["@graph"]].count(name) > 1}
    if graph["ro-crate-metadata.json"]["about"] != {"@id": "./"}:
        found.add("the descriptor is about no root")
    for entity in graph.values():
        kind = entity["@type"]
        found |= {f"{kind} has {key}, which no context defines" for key in entity.keys() - TERMS}
        found |= {f"{kind} lacks {key}" for key in ASKED[kind].split() if not entity.get(key)}
        for key, value in entity.items():
            references = value if isinstance(value, list) else [value]
            if isinstance(value, list) and len(value) < 2:
                found.add(f"{kind}.{key} is an array of {len(value)}")
            found |= {
                f"{kind}.{key} refers to {one['@id']}, which is not described"
                for one in references
                if isinstance(one, dict) and one["@id"] not in graph and key not in ("conformsTo", "license")
            }
            if key in ("startTime", "endTime", "datePublished") and not TIME.match(value):
                found.add(f"{kind}.{key} is no time of ISO 8601")
        if kind == "CreateAction" and entity["actionStatus"] not in (
            "http://schema.org/CompletedActionStatus",
            "http://schema.org/FailedActionStatus",
        ):
            found.add("CreateAction.actionStatus is none of the two texts")
        if kind == "SoftwareApplication" and not entity["@id"].startswith("http"):
            found.add("SoftwareApplication is named by no http address")
    return found


@pytest.mark.parametrize("address", [None, "https://example.org/cme-perps"])
def test_a_bundle_holds_the_rules_but_for_what_needs_a_name(
    recorded: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str | None,
) -> None:
    """Agent, author and publisher have names, which no file of a run holds; a program has an address if published."""
    (tmp_path / "CITATION.cff").write_text("" if address is None else f"repository-code: {address}\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    crate = json.loads(bundle_of(recorded, TrustedInputs()).files["ro-crate-metadata.json"])

    assert problems(crate) == NEEDS_A_NAME | (NEEDS_AN_ADDRESS if address is None else set())


@pytest.mark.parametrize(
    ("kind", "key", "value", "words"),
    [
        ("Dataset", "license", None, "Dataset lacks license"),
        ("File", "encodingFormat", None, "File lacks encodingFormat"),
        ("CreateAction", "result", [{"@id": "report.md"}], "CreateAction.result is an array of 1"),
        ("CreateAction", "object", {"@id": "x"}, "CreateAction.object refers to x, which is not described"),
        ("CreateAction", "actionStatus", {"@id": "x"}, "CreateAction.actionStatus is none of the two texts"),
        ("CreateAction", "endTime", "yesterday", "CreateAction.endTime is no time of ISO 8601"),
        ("File", "colour", "red", "File has colour, which no context defines"),
    ],
)
def test_the_rules_find_what_breaks_them(
    recorded: Path,  # noqa: F811
    kind: str,
    key: str,
    value: object,
    words: str,
) -> None:
    """Each rule above can fail."""
    crate = json.loads(bundle_of(recorded, TrustedInputs()).files["ro-crate-metadata.json"])
    entity = next(one for one in crate["@graph"] if one["@type"] == kind)
    entity[key] = value

    assert words in problems(crate)
