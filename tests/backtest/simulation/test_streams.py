"""Every stream that a simulation draws from is listed in seeds.lock, and its words are those of the lock.  [S8.5]"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from backtest.seeds.streams import load
from backtest.simulation.covenant_streams import LOCK, normals, stream_of, words
from engine.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
NAMED = re.compile(r'"((?:venue|covenants)/[a-z][a-z0-9_/]+)"')


def test_every_stream_named_in_the_simulations_is_listed() -> None:
    sources = [*(ROOT / "backtest" / "simulation").rglob("*.py"), *(ROOT / "hypotheses" / "covenants").glob("*.py")]
    named = {name for path in sources for name in NAMED.findall(path.read_text(encoding="utf-8"))}
    listed = set(load(LOCK).replicates)

    assert {"covenants/p3", "covenants/thin", "venue/cascade"} <= named
    assert named <= listed


def test_words_are_those_of_the_lock() -> None:
    lock = load(LOCK)

    assert np.array_equal(
        words(lock.content["root_text"], "covenants/p3", 7, 3), lock.generator("covenants/p3", 3).random_raw(7)
    )
    assert not np.array_equal(words("another", "covenants/p3", 7, 3), lock.generator("covenants/p3", 3).random_raw(7))


def test_what_is_not_listed_is_not_drawn() -> None:
    with pytest.raises(UsageError, match=r"expected one of the streams .*, was 'covenants/secret'; list it there"):
        stream_of("root", "covenants/secret")
    with pytest.raises(UsageError, match=r"covenants/thin: expected a replicate in \[0, 1\), was 1"):
        words("root", "covenants/thin", 1, 1)


def test_normals_are_normal() -> None:
    drawn = normals("root", "covenants/thin", 20_000)

    assert float(drawn.mean()) == pytest.approx(0.0, abs=0.03)
    assert float(drawn.std()) == pytest.approx(1.0, abs=0.03)
    assert float(np.mean(np.abs(drawn) > 1.96)) == pytest.approx(0.05, abs=0.006)
