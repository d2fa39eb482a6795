"""Makes the generator of a named random stream; ``seeds.lock`` lists every stream.  [audit 9.3]

Rules: [R11.3].

    seeds = load(Path("seeds.lock"))
    bits = seeds.generator("h1/n2", 17)        PCG64 of replicate 17; draw with bits.random_raw(n)
    index_below(bits.random_raw(90), 90)       indices in [0, 90)
    permutation(bits, 9)                       a permutation of 9

One generator a replicate, so the number of workers, a resumed run and a new consumer change nothing.  Only raw 64-bit
words are drawn: they are fixed by the definition of PCG64, a library's distributions are not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtest.seeds.start_states import Start, start_states
from engine.errors import GateError, LedgerError, MissingError, UsageError
from engine.ledger.format.canonical_json import canonical, parse_any_spelling, tagged_hash
from engine.ledger.format.closed_tables import RecordShape, closed
from engine.ledger.format.fields import COUNT, HEX, TEXT, Grammar, one_of

_LIST = Grammar("an array", lambda value: type(value) is list)
_SEEDS: RecordShape = {
    "schema": one_of("seeds/1"), "root_text": TEXT, "root_hex": HEX, "bit_generator": TEXT, "streams": _LIST,
    "kat": _LIST,
}  # fmt: skip
_STREAM: RecordShape = {"name": TEXT, "purpose": TEXT, "replicates": COUNT}
_KNOWN: RecordShape = {"stream": TEXT, "replicate": COUNT, "raw_4096_sha256_le": HEX}
KNOWN_WORDS = 4096
"""Raw words hashed by one known answer."""

_TOGETHER = 1024
"""Replicates whose starting states are computed at once: making one alone costs ten times its share."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One named stream: called with the number of a replicate it returns that one's generator.

    Equal for the same root, name and count, whoever loaded them: what was computed from one is not computed again.
    """

    root_hex: str
    name: str
    replicates: int

    def __call__(self, replicate: int) -> np.random.PCG64:
        """Return the generator of ``replicate``.  Raises ``UsageError`` for one beyond those listed."""
        if not 0 <= replicate < self.replicates:
            raise UsageError(
                f"seeds.lock: {self.name}: expected a replicate in [0, {self.replicates}), was {replicate}"
            )
        return generator_of(self.root_hex, self.name, replicate)


@dataclass(frozen=True)
class Seeds:
    """The root of chance, and how many replicates each named stream has."""

    content: Mapping[str, Any]
    replicates: Mapping[str, int]

    @cached_property
    def seeds_hash(self) -> str:
        """``H("seeds", CJ(content))``."""
        return tagged_hash("seeds", canonical(dict(self.content)))

    @property
    def root_hex(self) -> str:
        return str(self.content["root_hex"])

    def stream(self, name: str) -> Stream:
        """Return the stream called ``name``.  Raises ``UsageError`` for one that is not listed."""
        if name not in self.replicates:
            listed = ", ".join(sorted(self.replicates))
            raise UsageError(f"seeds.lock: expected one of the streams {listed}, was {name!r}; list it there first")
        return Stream(self.root_hex, name, self.replicates[name])

    def generator(self, name: str, replicate: int) -> np.random.PCG64:
        """Return the generator of one replicate of a listed stream.

        Raises ``UsageError`` for a stream that is not listed and for a replicate beyond those listed: a draw that was
        not announced is no part of a registered study.
        """
        return self.stream(name)(replicate)

    def check_known_answers(self) -> None:
        """Recompute every known answer; raise ``GateError`` (24) where this machine draws other words."""
        for known in self.content["kat"]:
            name, replicate = known["stream"], known["replicate"]
            digest = known_answer(self.generator(name, replicate))
            if digest != known["raw_4096_sha256_le"]:
                raise GateError(
                    f"seeds.lock: {name}, replicate {replicate}: expected the words {known['raw_4096_sha256_le']}, "
                    f"was {digest}; this NumPy draws another PCG64",
                    exit_code=24,
                )


def load(path: Path) -> Seeds:
    """Return the seeds of ``path``, their schema and root checked; known answers are `Seeds.check_known_answers`.

    Raises ``MissingError`` where the file cannot be read and ``GateError`` (24) where its content does not hold.
    """
    try:
        text = path.read_bytes()
    except OSError as problem:
        raise MissingError(f"expected the seeds at {path}, was: {problem}") from problem
    try:
        content: Any = parse_any_spelling(text)
        closed(content, _SEEDS, "seeds")
        for name, shape in (("streams", _STREAM), ("kat", _KNOWN)):
            for entry in content[name]:
                closed(entry, shape, name)
    except LedgerError as problem:
        raise MissingError(f"{path}: expected seeds/1, was another document: {problem}") from problem
    # Computed again, so that a lock names no other root than that of its published text.
    root = root_of(content["root_text"])
    if content["root_hex"] != root or content["bit_generator"] != "PCG64":
        raise GateError(f"{path}: expected root_hex {root} and PCG64, was {content['root_hex']}", exit_code=24)
    replicates = {stream["name"]: stream["replicates"] for stream in content["streams"]}
    if len(replicates) != len(content["streams"]):
        raise GateError(f"{path}: expected every stream once, was a name twice", exit_code=24)
    return Seeds(content=content, replicates=replicates)


def root_of(text: str) -> str:
    """Return ``root_hex`` of a published text."""
    return tagged_hash("seed_root", text.encode("utf-8"))


def stream_seed(root_hex: str, name: str) -> int:
    """Return the 128-bit seed of a stream, big-endian; the rule's ``root`` is the 32 bytes of ``root_hex``."""
    return int(tagged_hash("seed", bytes.fromhex(root_hex) + b"\x00" + name.encode("utf-8"))[:32], 16)


def generator_of(root_hex: str, name: str, replicate: int) -> np.random.PCG64:
    """Return ``PCG64(SeedSequence(stream_seed, spawn_key=(replicate,)))``, listed or not: for building the list."""
    chunk, place = divmod(replicate, _TOGETHER)
    start = Start(_states(root_hex, name, chunk)[place])
    return np.random.PCG64(start)  # type: ignore[arg-type]  # takes any ISeedSequence; the stub knows SeedSequence only


@lru_cache(maxsize=128)
def _states(root_hex: str, name: str, chunk: int) -> NDArray[np.uint64]:
    """Return the starting states of one chunk of a stream's replicates, shape (chunk, 4), read-only: 32 KiB."""
    states = start_states(stream_seed(root_hex, name), chunk * _TOGETHER, (chunk + 1) * _TOGETHER)
    states.flags.writeable = False
    return states


def known_answer(bits: np.random.PCG64) -> str:
    """Return the SHA-256 of the first 4,096 raw words, little-endian."""
    return sha256(bits.random_raw(KNOWN_WORDS).astype("<u8").tobytes()).hexdigest()


def index_below(words: NDArray[np.uint64], n: int) -> NDArray[np.int64]:
    """Return ``((word >> 32) * n) >> 32`` for each raw word: an index in ``[0, n)``, int64 of the shape of ``words``.

    Raises ``ValueError`` unless ``0 < n < 2**32``.

    >>> index_below(np.array([0, 2**63, 2**64 - 1], dtype=np.uint64), 10).tolist()
    [0, 5, 9]
    """
    if not 0 < n < 2**32:
        raise ValueError(f"expected 0 < n < 2**32, was {n}")
    shift = np.uint64(32)
    # The upper half alone, so that its product with n fits 64 bits.
    return (((np.asarray(words, dtype=np.uint64) >> shift) * np.uint64(n)) >> shift).astype(np.int64)


def permutation(bits: np.random.PCG64, n: int) -> NDArray[np.int64]:
    """Return the stable argsort of ``n`` raw draws: a permutation of ``0 .. n - 1``, int64 of shape (n,)."""
    # Stable: two equal words must not leave the order to the sorting method.
    return np.argsort(bits.random_raw(n), kind="stable").astype(np.int64)


def lock_content(root_text: str, streams: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the content of ``seeds.lock`` for streams ``{name, purpose, replicates}``; one known answer a stream."""
    root = root_of(root_text)
    return {
        "schema": "seeds/1",
        "root_text": root_text,
        "root_hex": root,
        "bit_generator": "PCG64",
        "streams": [dict(stream) for stream in streams],
        "kat": [
            {
                "stream": stream["name"],
                "replicate": 0,
                "raw_4096_sha256_le": known_answer(generator_of(root, stream["name"], 0)),
            }
            for stream in streams
        ],
    }


def lock_text(content: Mapping[str, Any]) -> str:
    """Return the text of ``seeds.lock``: the content, indented; its hash is of the canonical form."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
