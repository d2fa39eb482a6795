#!/usr/bin/env bash
# Surprise: A Deribit option that has expired ends eight hours earlier than it did while it was listed: ccxt makes up
#   its market from the name and puts the expiry at 00:00 UTC, not 08:00.
# Who meets it: whoever reads trades or candles of past options through ccxt: time to expiry is short by eight hours,
#   and the last eight hours of trading come after the end.
# Versions: ccxt 4.5.90
# Source: ccxt/deribit.py, create_expired_option_market (through safe_market, for any symbol not listed now); the
#   listed market takes expiration_timestamp of the venue, shown in a comment of fetch_markets for the option used
#   here. Binance, OKX and Bybit have the same function.
# This project: the adapters put Deribit's expiries at 08:00 UTC (backtest/data/adapters/instruments.py,
#   deribit_expiry_ns) and refuse a snapshot whose expiry differs.
# Guess before the run: 2022-06-24T08:00:00Z in both.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check ccxt==4.5.90
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import ccxt

LISTED_MS = 1656057600000  # BTC-24JUN22-52000-P in the venue's own answer: 2022-06-24T08:00:00Z
venue = ccxt.deribit()
market = venue.safe_market("BTC-24JUN22-52000-P")
print("ccxt", ccxt.__version__)
print("expected:", venue.iso8601(LISTED_MS))
print("seen:    ", market["expiryDatetime"], "for", market["symbol"])
assert market["option"] and market["strike"] == 52000.0
assert market["expiryDatetime"] == "2022-06-24T00:00:00.000Z", market["expiryDatetime"]
assert LISTED_MS - market["expiry"] == 8 * 3600 * 1000
PY
