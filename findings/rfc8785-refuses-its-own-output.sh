#!/usr/bin/env bash
# Surprise: Canonical JSON that the package wrote cannot be canonicalised again after json.loads: a float of 2^60 is
#   written without a point, read back as an integer, and refused.
# Who meets it: whoever verifies a hash chain by parsing a stored record and canonicalising it: the writer's own
#   record fails, for notional amounts, nanosecond times or volumes kept as floats.
# Versions: rfc8785 0.1.4
# Source: rfc8785/_impl.py: integers beyond 2^53 - 1 raise IntegerDomainError, floats do not, and RFC 8785 (section
#   3.2.2.3) prints whole floats below 1e21 as digits only.
# This project: the canonical profile has no floats and no integer beyond 2^53 - 1 on the way in or out
#   (engine/ledger/format/canonical_json.py, canonical and parse); rfc8785 is the oracle of its tests inside that
#   domain only.
# Guess before the run: writing, reading and writing again gives the same bytes.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check rfc8785==0.1.4
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import json
from importlib.metadata import version

import rfc8785

written = rfc8785.dumps({"notional": 2.0**60})
print("rfc8785", version("rfc8785"))
print("expected: dumps(loads(dumps(x))) == dumps(x)")
print("seen, written:", written)
try:
    again = rfc8785.dumps(json.loads(written))
    raise SystemExit(f"it was accepted: {again!r}")
except rfc8785.IntegerDomainError as error:
    print("seen, written again: IntegerDomainError:", error)
assert written == b'{"notional":1152921504606847000}', written
assert rfc8785.dumps(json.loads(rfc8785.dumps({"notional": 2.0**52}))) == rfc8785.dumps({"notional": 2.0**52})
PY
