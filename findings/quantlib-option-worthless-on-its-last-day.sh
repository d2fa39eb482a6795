#!/usr/bin/env bash
# Surprise: A deep in-the-money option is worth 0 on the whole day of its expiry, not its intrinsic value, and counts
#   as expired at midnight before it.
# Who meets it: whoever marks crypto options at each hour of the day: Deribit's expire at 08:00 UTC, and for eight
#   hours the book shows a loss of the whole premium.
# Versions: QuantLib 1.44
# Source: ql/event.cpp, Event::hasOccurred, and Settings::includeReferenceDateEvents, false by default; the wheels are
#   built without intraday dates. QuantConnect/Lean pull request 6401 met the same.
# This project: expiry is an instant in nanoseconds, and what is left then is settled at the delivery price
#   (engine/positions/expiry.py, settlement.py); no pricing library is asked.
# Guess before the run: intrinsic value, 40.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check QuantLib==1.44
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import QuantLib as ql

today = ql.Date(27, 3, 2026)
ql.Settings.instance().evaluationDate = today
days = ql.Actual365Fixed()
flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, days))
vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), 0.5, days))
process = ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(100.0)), flat, flat, vol)


def value(expiry):
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, 60.0), ql.EuropeanExercise(expiry))
    option.setPricingEngine(ql.AnalyticEuropeanEngine(process))
    return option.NPV(), option.isExpired()


tomorrow, same_day = value(today + 1), value(today)
ql.Settings.instance().includeReferenceDateEvents = True
included = value(today)
print("QuantLib", ql.__version__)
print("expected of a call struck at 60, underlying 100: about 40 until it expires")
print(f"seen: the day before {tomorrow[0]:.4f}, on the day {same_day[0]:.4f} (expired: {same_day[1]})")
print(f"seen with includeReferenceDateEvents: {included[0]:.4f} (expired: {included[1]})")
assert abs(tomorrow[0] - 40.0) < 1e-6 and not tomorrow[1]
assert same_day == (0.0, True), same_day
assert abs(included[0] - 40.0) < 1e-9 and not included[1], included
PY
