#!/usr/bin/env bash
# Surprise: With the same seed, eight random signs drawn as int8 in one call are not the eight drawn one by one, nor
#   those drawn as 3 + 5; as int64 all three agree.
# Who meets it: whoever draws random sign flips or block starts with a small dtype to save memory and later splits the
#   draw in batches or over workers: the null distribution changes with the batch size.
# Versions: numpy 2.4.6
# Source: numpy/random/_bounded_integers.pyx and src/distributions: one call of an 8- or 16-bit type takes four or two
#   values from each 32-bit word and throws the rest of the last word away at its end.
# This project: only whole words are drawn (PCG64.random_raw, backtest/seeds/streams.py), and the rules from words to
#   indices and signs are written out, so batches never matter.
# Guess before the run: the same numbers, as for random() or the default int64.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import numpy as np


def drawn(dtype, sizes):
    generator = np.random.default_rng(5)
    return [int(x) for size in sizes for x in generator.integers(0, 2, size=size, dtype=dtype)]


print("numpy", np.__version__)
print("expected: batches do not change the numbers")
seen = {}
for name in ("int8", "int16", "int64"):
    seen[name] = drawn(name, [8]), drawn(name, [1] * 8), drawn(name, [3, 5])
    print(f"seen, {name}: at once {seen[name][0]}, one by one {seen[name][1]}, as 3 + 5 {seen[name][2]}")
assert seen["int64"][0] == seen["int64"][1] == seen["int64"][2]
assert seen["int8"][0] == [1, 1, 1, 1, 1, 1, 0, 1] and seen["int8"][1] == [1, 1, 1, 0, 1, 0, 0, 0], seen
assert seen["int8"][2] != seen["int8"][0] and seen["int16"][0] != seen["int16"][1], seen
PY
