"""Sums of a bundle's files, and the in-toto statement that names them.  [audit 12]

An attestation here is a statement without a signature: it says what was found, and a signature over it, made with any
tool, says by whom.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from backtest.audit.bundle.layout import ATTESTATION, SUMS
from backtest.rundir import checksums
from backtest.rundir.files import read_object
from engine.errors import MissingError, ReproduceError

STATEMENT: Final = "https://in-toto.io/Statement/v1"
BUNDLED: Final = "urn:cme-audit:1:bundle"
REPRODUCED: Final = "urn:cme-audit:1:reproduction"


def statement(predicate_type: str, subjects: Mapping[str, str], predicate: Mapping[str, Any]) -> bytes:
    """Return an in-toto Statement v1: ``subjects`` are SHA-256 by name, sorted."""
    document = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": subjects[name]}} for name in sorted(subjects)],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each file."""
    return {name: sha256(data).hexdigest() for name, data in files.items()}


def check_sums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of an unpacked bundle but ``SHA256SUMS``, which lists exactly these.

    Raises ``ReproduceError`` (30) naming the first file that differs, is missing or is not listed, ``MissingError``
    (3) for sums that are none.
    """
    listed = checksums.listed_digests(folder / SUMS)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    digests = {name: checksums.digest_of(path) for name, path in files.items() if name != SUMS}
    for name in sorted({*listed, *digests}):
        if listed.get(name) != digests.get(name):
            raise ReproduceError(
                f"{name}: expected SHA-256 {listed.get(name, 'none: it is not listed')} of {SUMS}, was "
                f"{digests.get(name, 'no such file')}: one of the two was changed after the bundle was packed"
            )
    return digests


def check_statement(folder: Path, digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the predicate of the bundle's attestation, whose subjects are every other file.

    ``digests`` maps each file to its SHA-256.  Raises ``MissingError`` (3) if the attestation is no such statement,
    ``ReproduceError`` (30) if its subjects are not the files.
    """
    document = read_object(folder / ATTESTATION)
    try:
        subjects = {subject["name"]: subject["digest"]["sha256"] for subject in document["subject"]}
        predicate = dict(document["predicate"])
        known = document["_type"] == STATEMENT and document["predicateType"] == BUNDLED
        # JSON allows other types in their place, which would compare unequal without a reason.
        known = known and all(isinstance(text, str) for text in (*subjects, *subjects.values()))
    except (KeyError, TypeError, ValueError) as error:
        raise MissingError(f"{ATTESTATION}: expected an in-toto Statement v1, was another document") from error
    if not known:
        raise MissingError(f"{ATTESTATION}: expected an in-toto Statement v1 of a bundle, was another statement")
    # An attestation cannot hold its own hash.
    wanted = {name: digest for name, digest in digests.items() if name != ATTESTATION}
    if subjects != wanted:
        differing = sorted(name for name in {*subjects, *wanted} if subjects.get(name) != wanted.get(name))
        raise ReproduceError(
            f"{ATTESTATION}: expected every other file as its subject, was different for {differing[:5]}"
        )
    return predicate
