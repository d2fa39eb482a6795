"""Streams by name: the vectors of audit 9.3, the lock, and what may not be drawn.

Rules: [R11.3].
"""

from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from backtest.seeds.streams import (
    KNOWN_WORDS,
    generator_of,
    index_below,
    known_answer,
    load,
    lock_content,
    lock_text,
    permutation,
    root_of,
    stream_seed,
)
from engine.constraints.codes import CODES
from engine.errors import GateError, MissingError, UsageError
from engine.ledger.format.canonical_json import canonical, tagged_hash
from tests.helpers.ledgers import cases

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "seeds.lock"


def test_streams_draw_the_published_words_indices_and_permutations():
    """Twelve cases: root, seed, raw words, multiply-shift indices and stable-argsort permutations."""
    for case in cases("seeds"):
        root, stream, replicate = case["root_hex"], case["stream"], case["replicate"]
        assert root_of(case["root_text"]) == root
        assert f"{stream_seed(root, stream):032x}" == case["stream_seed_hex"]
        words = generator_of(root, stream, replicate).random_raw(KNOWN_WORDS)
        assert [str(word) for word in words[:4]] == case["first_raw_u64"]
        assert known_answer(generator_of(root, stream, replicate)) == case["raw_4096_sha256_le"]
        indices = index_below(words, case["index_n"])
        assert indices[:6].tolist() == case["first_indices"]
        assert indices.min() >= 0
        assert indices.max() < case["index_n"]
        order = permutation(generator_of(root, stream, replicate), 100)
        if case["perm_100"] is not None:
            assert order.tolist() == case["perm_100"]
        assert sorted(order.tolist()) == list(range(100))


def test_hashes_of_indices_and_permutations_agree():
    """The little-endian hashes of the vectors, in whichever width they were taken."""
    for case in cases("seeds"):
        bits = generator_of(case["root_hex"], case["stream"], case["replicate"])
        order = permutation(bits, 100)
        found = {sha256(order.astype(width).tobytes()).hexdigest() for width in ("<u8", "<u4", "<i8")}
        assert case["perm_100_sha256_le"] in found


def test_sums_of_resampled_returns_are_those_of_the_exact_vectors():
    """Whole numbers from stream to sum: the first replicates as printed, all of them by the hash of their lines."""
    root = root_of("AsPredicted 288615")
    for case in cases("exact_statistics"):
        returns = np.array(case["returns_1e9"], dtype=np.int64)
        drawn = [
            returns[index_below(generator_of(root, case["boot_stream"], r).random_raw(len(returns)), len(returns))]
            for r in range(case["boot_replicates"])
        ]
        sums = [[str(x.sum()), str((x * x).sum())] for x in drawn]
        assert [str(returns.sum()), str((returns * returns).sum())] == [case["sum"], case["sum_squares"]]
        assert sums[:3] == case["boot_first_sums"]
        lines = "".join(f"{value},{square}\n" for value, square in sums)
        assert sha256(lines.encode()).hexdigest() == case["boot_sums_sha256"]


@pytest.mark.parametrize("name", ["seedseq-1-0-0-0", "seedseq-3-4-2-17"])
def test_raw_words_of_a_spawn_key_are_a_fact_of_the_generator(vectors, name):
    """The superseded keys of the statistics: their raw words stay true."""
    table = json.loads((vectors / "stats" / "seeds.json").read_text())["vectors"]
    vector = next(entry for entry in table if entry["id"] == name)
    sequence = np.random.SeedSequence(vector["inputs"]["entropy"], spawn_key=vector["inputs"]["spawn_key"])
    assert sequence.generate_state(4).tolist() == vector["expected"]["generate_state_4_uint32"]
    words = np.random.PCG64(sequence).random_raw(4)
    assert [str(word) for word in words] == vector["expected"]["pcg64_random_raw_4"]


def test_the_lock_is_rooted_in_the_registration_s_number_and_knows_its_answers():
    """The root was published before the data; the hash is of the canonical form, not of the layout."""
    seeds = load(LOCK)
    assert seeds.content["root_text"] == "AsPredicted #288615"
    assert seeds.seeds_hash == tagged_hash("seeds", canonical(dict(seeds.content)))
    assert LOCK.read_text() == lock_text(lock_content(seeds.content["root_text"], seeds.content["streams"]))
    seeds.check_known_answers()


def test_the_streams_that_decide_are_listed_with_their_draws():
    """N2 to 99,999; every bootstrap 9,999."""
    listed = load(LOCK).replicates
    assert listed["h1/n2"] == 99_999
    assert {listed[name] for name in listed if "bootstrap" in name and name.startswith("h")} == {9_999}
    assert {f"h3/bootstrap/{code}" for code in CODES} <= set(listed)


def test_what_nobody_announced_cannot_be_drawn():
    """An unlisted stream, and a replicate beyond those listed."""
    seeds = load(LOCK)
    with pytest.raises(UsageError, match="'h1/n4'"):
        seeds.generator("h1/n4", 0)
    with pytest.raises(UsageError, match=r"\[0, 9999\), was 9999"):
        seeds.generator("h1/bootstrap", 9_999)
    with pytest.raises(UsageError, match="was -1"):
        seeds.generator("h1/bootstrap", -1)


def test_a_replicate_is_the_same_in_another_process_and_after_others():
    """By name, never by order: no consumer can move another's draws."""
    seeds = load(LOCK)
    for replicate in range(5):
        seeds.generator("h2/bootstrap", replicate).random_raw(100)
    here = seeds.generator("h1/n2", 3).random_raw(5).tolist()
    code = "from pathlib import Path; from backtest.seeds.streams import load; import sys;"
    code += "print(load(Path(sys.argv[1])).generator('h1/n2', 3).random_raw(5).tolist())"
    there = subprocess.run(
        [sys.executable, "-c", code, str(LOCK)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == str(here)


def test_a_lock_that_was_touched_is_refused(tmp_path):
    """Another root, a wrong answer, a missing key, no file: exit codes 24, 24, 3, 3."""
    content = dict(load(LOCK).content)
    file = tmp_path / "seeds.lock"
    file.write_text(lock_text(content | {"root_text": "another"}))
    with pytest.raises(GateError) as error:
        load(file)
    assert error.value.exit_code == 24
    wrong = deepcopy(content)
    wrong["kat"][0]["raw_4096_sha256_le"] = "0" * 64
    file.write_text(lock_text(wrong))
    with pytest.raises(GateError, match="h1/n2") as error:
        load(file).check_known_answers()
    assert error.value.exit_code == 24
    file.write_text(lock_text({key: value for key, value in content.items() if key != "kat"}))
    with pytest.raises(MissingError, match="seeds/1"):
        load(file)
    with pytest.raises(MissingError):
        load(tmp_path / "nowhere")


def test_an_index_needs_a_range_that_fits():
    """0 < n < 2**32."""
    with pytest.raises(ValueError, match="was 0"):
        index_below(np.array([1], dtype=np.uint64), 0)
