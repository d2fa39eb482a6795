"""A ledger of three signals, its checkpoints, and who signs them: a publisher, a witness."""

from __future__ import annotations

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backtest.audit.signed_notes import COSIGNATURE, Key
from engine.ledger.chain import open_ledger
from engine.ledger.checkpoint import Checkpoint, roots_at
from tests.helpers.ledgers import genesis, ledger

LINES = ledger(3)
NAME = open_ledger(genesis())[0].ledger_id
SEED = bytes(range(32))


def claim(size: int) -> str:
    """The checkpoint at ``size`` rows."""
    return Checkpoint(NAME, size, roots_at((line[7:-80] for line in LINES), {size})[size]).text


def key(name: str, algorithm: int) -> Key:
    """The verification key of `SEED` under ``name``."""
    return Key(name, algorithm, Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw())


def cosigned(text: str, name: str = "w") -> bytes:
    """A note of ``text`` cosigned at the time 7."""
    signature = Ed25519PrivateKey.from_private_bytes(SEED).sign(f"cosignature/v1\ntime 7\n{text}".encode())
    data = key(name, COSIGNATURE).id + (7).to_bytes(8, "big") + signature
    return f"{text}\n\u2014 {name} {b64encode(data).decode()}\n".encode()
