#!/usr/bin/env bash
# Surprise: The function that writes prices and sizes for signing has a line that turns -0 into 0, and still returns
#   '-0': the line compares with '-0' before the eight decimals are cut off.
# Who meets it: whoever nets positions to zero in floats (a remainder of -1e-13 is usual) and hashes, signs or
#   compares the text of the size.
# Versions: hyperliquid-python-sdk 0.24.0
# Source: hyperliquid/utils/signing.py, float_to_wire: rounded is '-0.00000000' at the comparison, and
#   Decimal('-0.00000000').normalize() prints as -0.
# This project: no order is sent; decimal texts of records have one zero, and '-0' does not match their pattern
#   (engine/ledger/format/canonical_json.py, DECIMAL).
# Guess before the run: '0', as the code says.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check hyperliquid-python-sdk==0.24.0
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
from importlib.metadata import version

from hyperliquid.utils.signing import float_to_wire

remainder = 0.1 + 0.2 - 0.3 - 5.6e-17 * 2
print("hyperliquid-python-sdk", version("hyperliquid-python-sdk"))
print("expected: '0' for all of them")
print("seen:", [(value, float_to_wire(value)) for value in (0.0, -0.0, -1e-13, remainder)])
assert float_to_wire(0.0) == "0"
assert float_to_wire(-0.0) == "-0"
assert float_to_wire(-1e-13) == "-0"
assert remainder < 0 and float_to_wire(remainder) == "-0", remainder
PY
