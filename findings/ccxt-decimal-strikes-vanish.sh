#!/usr/bin/env bash
# Surprise: The strike of an expired Deribit option with a decimal strike (0d625 means 0.625) is None, and its unified
#   symbol is not the one it had while listed.
# Who meets it: whoever collects USDC options on XRP, TRX or AVAX, whose strikes have decimals, and filters or joins
#   by strike or symbol after they expired.
# Versions: ccxt 4.5.90
# Source: ccxt/deribit.py, create_expired_option_market: parse_number('0d625') is None and the text goes into the
#   symbol as it is; a listed market gets its strike as a number from the venue and writes 0.625.
# This project: the letter d is read as the decimal point (backtest/data/adapters/instruments.py, deribit), and a name
#   of another form is an error.
# Guess before the run: 0.625, symbol XRP/USDC:USDC-260327-0.625-C.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check ccxt==4.5.90
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import ccxt

venue = ccxt.deribit()
decimal = venue.safe_market("XRP_USDC-27MAR26-0d625-C")
whole = venue.safe_market("XRP_USDC-27MAR26-2-C")
print("ccxt", ccxt.__version__)
print("expected: 0.625 XRP/USDC:USDC-260327-0.625-C")
print("seen:    ", decimal["strike"], decimal["symbol"])
print("seen of a whole strike:", whole["strike"], whole["symbol"])
assert whole["strike"] == 2.0 and whole["symbol"] == "XRP/USDC:USDC-260327-2-C", whole
assert decimal["strike"] is None, decimal["strike"]
assert decimal["symbol"] == "XRP/USDC:USDC-260327-0d625-C", decimal["symbol"]
PY
