#!/usr/bin/env bash
# Surprise: Implied volatility takes (price, F, K, r, t, flag) for Black and (price, S, K, t, r, flag) for
#   Black-Scholes: rate and time change places inside one package, and each function accepts the other's order in
#   silence.
# Who meets it: whoever moves a crypto option pricer from spot to forward: with r = 0.05 and t = 0.25 a volatility of
#   60% is read as 134%.
# Versions: vollib 1.0.11, numpy 2.4.6
# Source: vollib/black/implied_volatility.py against vollib/black_scholes/implied_volatility.py; the price functions
#   black and black_scholes both take t before r. py_vollib 1.0.12 is a name for the same code.
# This project: no implied volatility is computed: C3 to C5 are relations between prices.
# Guess before the run: none was written down before the signatures were printed; kept because the two sister modules
#   disagree.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check vollib==1.0.11 numpy==2.4.6
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import inspect
from importlib.metadata import version

from vollib.black import black
from vollib.black.implied_volatility import implied_volatility as of_black
from vollib.black_scholes.implied_volatility import implied_volatility as of_black_scholes

t, r = 0.25, 0.05
price = black("c", 100.0, 100.0, t, r, 0.6)
print("vollib", version("vollib"))
print("expected: one order of arguments, 0.6 in the order of Black-Scholes")
print("seen, signatures:", inspect.signature(of_black), inspect.signature(of_black_scholes), inspect.signature(black))
own, other = of_black(price, 100.0, 100.0, r, t, "c"), of_black(price, 100.0, 100.0, t, r, "c")
print(f"seen: {own:.4f} in its own order, {other:.4f} in the order of Black-Scholes")
assert list(inspect.signature(of_black).parameters)[3:5] == ["r", "t"]
assert list(inspect.signature(of_black_scholes).parameters)[3:5] == ["t", "r"]
assert abs(own - 0.6) < 1e-9 and abs(other - 1.3416407864998738) < 1e-6, (own, other)
PY
