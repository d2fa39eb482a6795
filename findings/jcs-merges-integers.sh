#!/usr/bin/env bash
# Surprise: Three packages of canonical JSON give three answers for the integer 2^53 + 1: jcs writes 2^53, so that two
#   records share one hash, rfc8785 raises, canonicaljson writes it exactly.
# Who meets it: whoever hashes or signs records with nanosecond times, 64-bit order ids or token amounts, or checks in
#   one library what another signed.
# Versions: jcs 0.2.1, rfc8785 0.1.4, canonicaljson 2.0.0
# Source: jcs/_jcs.py sends integers to convert2Es6Format in jcs/ntoj.py, whose first step is float(value);
#   rfc8785/_impl.py checks the range; canonicaljson uses json.dumps.
# This project: integers beyond 2^53 - 1 are refused with their place (engine/ledger/format/canonical_json.py), so all
#   three agree on every record.
# Guess before the run: jcs and rfc8785 both refuse, as RFC 8785 wants values that IEEE 754 doubles can hold.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check jcs==0.2.1 rfc8785==0.1.4 canonicaljson==2.0.0
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
from importlib.metadata import version

import canonicaljson
import jcs
import rfc8785

small, large = {"order_id": 2**53}, {"order_id": 2**53 + 1}
print(*(f"{name} {version(name)}" for name in ("jcs", "rfc8785", "canonicaljson")))
print("expected: two different integers never give the same bytes")
print("seen, jcs:", jcs.canonicalize(small), jcs.canonicalize(large))
print("seen, canonicaljson:", canonicaljson.encode_canonical_json(large))
assert jcs.canonicalize(small) == jcs.canonicalize(large) == b'{"order_id":9007199254740992}'
assert canonicaljson.encode_canonical_json(large) == b'{"order_id":9007199254740993}'
try:
    rfc8785.dumps(large)
    raise SystemExit("rfc8785 accepted it")
except rfc8785.IntegerDomainError as error:
    print("seen, rfc8785: IntegerDomainError:", error)
PY
