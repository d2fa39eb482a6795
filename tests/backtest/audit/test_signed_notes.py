"""Signed notes and verification keys.  [audit 7.2]"""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backtest.audit.signed_notes import COSIGNATURE, ED25519, Key, key_id, names_on, open_note, parse_key, sign_note
from engine.errors import LedgerError, UsageError
from tests.helpers.ledgers import cases

CASES = cases("signed_notes")
TEXT = "cme-audit/x\n6\nBYsPZO0/nAd204mPt/7WV2Fo8c46Gl46zI69oB/n2fs=\n"


def refused(note: bytes, *keys: Key) -> str:
    with pytest.raises(LedgerError) as error:
        open_note(note, keys)
    assert error.value.exit_code == 17
    return str(error.value)


@pytest.mark.parametrize("case", cases("signed_notes"), ids=lambda c: c["id"])
def test_the_shared_notes_are_opened_or_refused(case: dict) -> None:
    """Each note opens to its text under exactly its key, or is refused with code 17."""
    key = parse_key(case["vkey"])
    assert case["vkey"] == key.text
    if case["valid"]:
        opened = open_note(case["note"].encode(), [key])
        assert (case["text"], (key.name,)) == (opened.text, opened.signers)
    else:
        refused(case["note"].encode(), key)


def test_signing_gives_the_shared_note() -> None:
    """The note made from the test seed is the vector, byte for byte: Ed25519 has one signature for a text."""
    case = next(c for c in CASES if c["id"] == "ok2")
    name = case["text"].split("\n")[0]

    assert case["note"] == sign_note(case["text"], name, bytes.fromhex(case["test_seed_hex"]))


def test_a_key_says_what_it_is() -> None:
    """Another id, algorithm, length or name is a usage error that names the key."""
    good = parse_key(CASES[0]["vkey"])
    for wrong in (
        "",
        "name",
        good.text.replace("530d903a", "530d903b"),
        good.text[:-4],
        good.text + "AAAA",
        "a b" + good.text[good.text.index("+") :],
        f"{good.name}+00000000+AgAA",
    ):
        with pytest.raises(UsageError):
            parse_key(wrong)


def witness(seed: bytes, when: int, text: str) -> tuple[Key, str]:
    """Return a witness's key and its cosignature line, written after the standard's words."""
    from base64 import b64encode

    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes_raw()
    name = "witness.example/w"
    identity = sha256(name.encode() + b"\n\x04" + public).digest()[:4]
    signature = private.sign(f"cosignature/v1\ntime {when}\n{text}".encode())
    data = b64encode(identity + when.to_bytes(8, "big") + signature).decode()
    return Key(name, COSIGNATURE, public), f"\u2014 {name} {data}\n"


def test_a_witness_signs_the_time_and_the_text() -> None:
    """A cosignature holds for its time and text only; beside it the publisher's signature stays good."""
    note = sign_note(TEXT, "publisher", b"\x01" * 32)
    key, line = witness(b"\x02" * 32, 1_767_225_600, TEXT)
    public = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32).public_key().public_bytes_raw()
    publisher = Key("publisher", ED25519, public)

    opened = open_note((note + line).encode(), [key, publisher])
    assert {"publisher", key.name} == set(opened.signers)
    assert (key.name,) == open_note((note + line).encode(), [publisher]).unknown
    _, other = witness(b"\x02" * 32, 1_767_225_600, TEXT.replace("6", "7"))
    assert "bad one" in refused((note + other).encode(), key, publisher)


def test_one_bad_signature_by_a_known_key_rejects_the_whole_note() -> None:
    """A good signature does not save a note on which another known key's signature is bad."""
    note = sign_note(TEXT, "a", b"\x01" * 32)
    other = sign_note(TEXT.replace("6", "7"), "b", b"\x02" * 32)
    keys = [
        Key(name, ED25519, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key().public_bytes_raw())
        for name, seed in (("a", 1), ("b", 2))
    ]
    both = note + other[other.index("\u2014") :]

    assert open_note(both.encode(), keys[:1]).unknown == ("b",)
    refused(both.encode(), *keys)


@pytest.mark.parametrize("note", [b"", b"text\n", b"\xff\n\n", b"a\n\n\xe2\x80\x94 b c\n", b"a\n\n" + b"x" * 70_000])
def test_other_forms_are_refused(note: bytes) -> None:
    """Texts without signatures, other encodings, short signatures and endless notes are code 17, never an exception."""
    refused(note, parse_key(CASES[0]["vkey"]))


def test_names_are_read_without_trust() -> None:
    """The names on a note are told; a plain text has none."""
    assert names_on(sign_note(TEXT, "a", b"\x01" * 32).encode()) == ("a",)
    assert names_on(TEXT.encode()) == ()
    assert key_id("a", ED25519, b"k" * 32) == sha256(b"a\n\x01" + b"k" * 32).digest()[:4]
