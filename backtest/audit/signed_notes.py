"""Signed notes: who published a checkpoint.  C2SP signed-note and tlog-cosignature, Ed25519.  [audit 7.2]

    <text, ends with LF>
    <empty line>
    — <key name> <base64 of key id (4 bytes) and signature>

    key id = SHA-256(name || 0x0A || algorithm || public key)[:4]      verification key text: name+<hex id>+<base64>

Algorithm 0x01 signs the text; 0x04, a witness's cosignature, signs "cosignature/v1\\ntime <t>\\n" and the text, and
carries t (8 bytes) before its signature.  Keys are given by whoever verifies, never read from what is verified.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from engine.errors import LedgerError, UsageError
from engine.ledger.checkpoint import NOTE_LIMIT

EXIT: Final = 17
ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
_NAME = re.compile(r"[^\s+]{1,512}\Z")
_SIGNATURE = "\u2014 "


@dataclass(frozen=True, slots=True)
class Key:
    """A verification key: its name, what it signs with, and 32 bytes."""

    name: str
    algorithm: int
    public: bytes

    @property
    def id(self) -> bytes:
        return key_id(self.name, self.algorithm, self.public)

    @property
    def text(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_base64(bytes([self.algorithm]) + self.public)}"


@dataclass(frozen=True, slots=True)
class Opened:
    """A note whose signatures by known keys are all good: its text, those keys' names, and the other names on it.

    ``witnesses`` are the signers that cosigned; the others signed as publishers do, whatever their names are.
    """

    text: str
    signers: tuple[str, ...]
    unknown: tuple[str, ...]
    witnesses: tuple[str, ...]


def key_id(name: str, algorithm: int, public: bytes) -> bytes:
    """Return the first four bytes of SHA-256(name || LF || algorithm || public)."""
    return sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:4]


def parse_key(text: str) -> Key:
    """Return the key of a verification key's text, the inverse of ``Key.text``; raises ``UsageError`` (2)."""
    parts = text.split("+", 2)
    data = _decoded(parts[2]) if len(parts) == 3 else None
    if data is None or len(data) != 33 or data[0] not in (ED25519, COSIGNATURE) or not _NAME.match(parts[0]):
        raise UsageError(f"key: expected name+<8 hex>+<base64 of an Ed25519 key>, was {text[:120]!r}")
    key = Key(parts[0], data[0], data[1:])
    # The id binds name, algorithm and key: a text put together of two keys has another.
    if key.id.hex() != parts[1]:
        raise UsageError(f"key {key.name}: expected the id {key.id.hex()} of this name and key, was {parts[1][:20]!r}")
    return key


def open_note(note: bytes, keys: Sequence[Key]) -> Opened:
    """Return the text of ``note`` and who signed it.

    Signatures by keys that are not given are ignored.  Raises ``LedgerError`` (17) for a note of another form, a bad
    signature by a given key, and a note that no given key signed.
    """
    text, signatures = _split(note)
    known = {(key.name, key.id): key for key in keys}
    signers: dict[str, bool] = {}
    unknown = []
    for name, identity, signature in signatures:
        key = known.get((name, identity))
        if key is None:
            unknown.append(name)
        else:  # each of them, a second one under the same name too
            _check(key, text, signature)
            signers[name] = signers.get(name, False) or key.algorithm == COSIGNATURE
    # Signatures by unknown keys prove nothing to this reader.
    if not signers:
        key_names = ", ".join(key.name for key in keys) or "no key"
        raise LedgerError(f"note: expected a signature by {key_names}, was {unknown or 'unsigned'}", exit_code=EXIT)
    return Opened(text, tuple(signers), tuple(unknown), tuple(name for name, cosigned in signers.items() if cosigned))


def names_on(note: bytes) -> tuple[str, ...]:
    """Return the key names on a note, unchecked; empty for a plain text.  Raises ``LedgerError`` (17)."""
    return tuple(name for name, _, _ in _split(note)[1]) if b"\n\n" in note else ()


def sign_note(text: str, name: str, seed: bytes) -> str:
    """Return ``text`` as a note signed by the Ed25519 key of the 32 bytes ``seed`` under ``name``.  [audit 7.2]"""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(seed)
    identity = key_id(name, ED25519, private.public_key().public_bytes_raw())
    return f"{text}\n{_SIGNATURE}{name} {_base64(identity + private.sign(text.encode()))}\n"


def _split(note: bytes) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Return the text, and (name, key id, signature) of each signature line."""
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LedgerError(f"note: expected UTF-8, was: {error}", exit_code=EXIT) from error
    # From the right: the text itself may hold empty lines.
    text, blank, tail = whole.rpartition("\n\n")
    lines = tail.split("\n")
    if (
        not blank
        or len(note) > NOTE_LIMIT
        or lines.pop()
        or not lines
        or re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", whole)
    ):
        raise LedgerError("note: expected a text, an empty line and signature lines, was another form", exit_code=EXIT)
    return text + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_SIGNATURE).partition(" ")
    data = _decoded(encoded)
    if not line.startswith(_SIGNATURE) or not _NAME.match(name) or data is None or len(data) < 5:
        raise LedgerError(f"note: expected a signature line, was {line[:120]!r}", exit_code=EXIT)
    return name, data[:4], data[4:]


def _check(key: Key, text: str, signature: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    message = text.encode()
    if key.algorithm == COSIGNATURE:
        # The time is inside what is signed, so that a witness's time cannot be changed.
        message = f"cosignature/v1\ntime {int.from_bytes(signature[:8], 'big')}\n".encode() + message
        signature = signature[8:]
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise LedgerError(f"note: expected a good signature by {key.name}, was a bad one", exit_code=EXIT) from error


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str) -> bytes | None:
    """Return the bytes of canonical base64, None for any other text."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    # Encoded again, because base64 spells the same bytes in several ways.
    return data if _base64(data) == text else None
