"""A stream added at the end of ``seeds.lock`` leaves every other line as it was.

Rules: [S8.5].
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from backtest.seeds.add_stream import with_stream
from engine.errors import UsageError

LOCK = Path(__file__).resolve().parents[3] / "seeds.lock"


def test_the_new_stream_is_last_and_its_known_answer_is_numpys_own() -> None:
    before = json.loads(LOCK.read_text())
    after = json.loads(with_stream(LOCK.read_text(), "h3/bootstrap/C9", "a ninth", 9999))
    assert after["streams"][:-1] == before["streams"]
    assert after["kat"][:-1] == before["kat"]
    assert after["streams"][-1] == {"name": "h3/bootstrap/C9", "purpose": "a ninth", "replicates": 9999}
    # audit 9.3 written out: the stream's seed is the hash of root and name, the replicate is the spawn key
    root = sha256(b"cme-audit/1/seed_root\0" + before["root_text"].encode()).digest()
    seed = int.from_bytes(sha256(b"cme-audit/1/seed\0" + root + b"\0h3/bootstrap/C9").digest()[:16], "big")
    words = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(0,))).random_raw(4096)
    assert after["kat"][-1]["raw_4096_sha256_le"] == sha256(words.astype("<u8").tobytes()).hexdigest()


@pytest.mark.parametrize(("name", "replicates", "message"), [("h1/n2", 1, "is there"), ("new", 0, "at least 1")])
def test_a_name_that_is_there_and_no_replicates_are_refused(name: str, replicates: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        with_stream(LOCK.read_text(), name, "none", replicates)
