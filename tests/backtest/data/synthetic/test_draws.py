"""Raw words to numbers, against plain loops and known distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backtest.data.synthetic.draws import normals, octets, uniforms
from tests.helpers.synthetic_market import streams_of

OPEN = streams_of("draws")


def test_uniforms_are_the_upper_53_bits_of_each_word():
    """(word >> 11) 2^-53, word by word."""
    words = [int(w) for w in OPEN("a", 0).random_raw(50)]
    assert uniforms(OPEN("a", 0), 50).tolist() == [(w >> 11) / 2**53 for w in words]


def test_normals_have_the_moments_and_tails_of_the_normal_law():
    """Mean, variance, skewness, kurtosis and a tail share of 200,000 draws within five standard errors."""
    z = normals(OPEN("b", 0), 200_000)
    assert abs(z.mean()) < 5 / math.sqrt(len(z))
    assert abs(z.var() - 1) < 5 * math.sqrt(2 / len(z))
    assert abs((z**3).mean()) < 5 * math.sqrt(15 / len(z))
    assert abs((z**4).mean() - 3) < 5 * math.sqrt(96 / len(z))
    assert abs((z > 1.96).mean() - 0.025) < 5 * math.sqrt(0.025 / len(z))


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9])
def test_any_count_of_numbers_can_be_drawn(count):
    """Odd counts too, though normals come in pairs and bytes in eights."""
    assert normals(OPEN("c", 0), count).shape == (count,)
    assert octets(OPEN("c", 0), count).shape == (count,)


def test_bytes_come_lowest_first():
    """The eight bytes of a word, little end first on every machine."""
    word = int(OPEN("d", 3).random_raw(1)[0])
    assert octets(OPEN("d", 3), 8).tolist() == list(word.to_bytes(8, "little"))
    assert np.array_equal(octets(OPEN("d", 3), 5), octets(OPEN("d", 3), 8)[:5])
