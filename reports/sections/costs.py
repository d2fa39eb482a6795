"""The trades' gains and costs, by term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backtest.registration.conventions import conventions_of
from reports.base import Block, Figure, Note, Section, Table, Text
from reports.citation import Cited, derived, key_name, sourced, total
from reports.figures import costs as figure
from reports.load import PLAN, Run
from reports.rows import RETURNS, TRADES, Rows
from reports.words import CODES, NAMES, count, plural, usd_micro

DOLLARS = {"USD", "USDC", "USDT"}
PEG_BPS = sourced("25", "reports/sections/costs.py: PEG_BPS")
"""Of plans from before the key."""
TERMS = ("gross", "funding", "fees", "slippage", "borrow", "net")


def build(run: Run) -> Sequence[Block]:
    """Return the terms by constraint: of trades, and of the capital committed to them."""
    terms = {code: _terms(run, code) for code in CODES}
    rows = tuple(
        (
            code,
            NAMES[code],
            count(terms[code]["trades"]),
            *(usd_micro(terms[code][term]) for term in TERMS),
            usd_micro(terms[code]["capital"]),
            usd_micro(terms[code]["after_capital"]),
        )
        for code in CODES
    )
    return [
        Figure(
            "costs",
            "Where the money came from and where it went, by constraint.",
            figure.draw(CODES, terms, {code: _notional_usd(run, code) for code in CODES}),
            "Left in USD, right in bps of the notional traded, where a constraint that trades little is as visible as "
            "the largest. Upwards: earned. Downwards: paid. Capital is charged on the whole sleeve every day, traded "
            "or not.",
            f"{TRADES}: {', '.join(f'{term}_usd_micro' for term in TERMS)}, notional_usd; {RETURNS}: pnl_CODE - x_CODE",
        ),
        Table(
            "Terms by constraint over the window, USD",
            (
                "code",
                "constraint",
                "trades",
                "gross",
                "funding received",
                "fees",
                "slippage",
                "borrow",
                "trading net",
                "capital",
                "net",
            ),
            rows,
            right=tuple(range(2, 11)),
        ),
        Text(_money(run)),
        *unverified(run),
    ]


def _money(run: Run) -> str:
    """Return in what money the figures are, and what waited for the peg of the dollars.  [venues V1]"""
    table = run.registration.get("fx") or {}
    pair = table.get("usdc_usdt") or run.registration["data"]["fx"]
    with_usd = table.get("usdc_usd") or table.get("usdt_usd")
    usd = (
        f"USD is converted by the mid of {with_usd}" if with_usd else "USD counts as USDC, for no pair of USD is stored"
    )
    quantos = sorted(
        {
            # rows of single coins repeat what their kind's row says
            f"{venue['name']} {row['kind']} (price {row['price']}, money {row['money']})"
            for venue in run.registration["venues"]
            for row in venue.get("money", [])
            if row["price"] != row["money"] and {row["price"], row["money"]} <= DOLLARS
        }
    )
    kinds = f"Priced in one dollar and paid in another, one to one: {', '.join(quantos)}. " if quantos else ""
    waited = plural(total(run.stopped_by(code, "peg") for code in CODES), "package")
    return Cited(
        "Every amount on this page is in USDC, the currency of the capital, also where it is called USD for short; bps "
        "are of the reference price in USDC. USDT is converted by the mid of spot {}; {}. {}What is settled in coin is "
        "converted at the venue's index. Packages in two dollars wait while USDC/USDT is more than {} bps from parity: "
        "{} within re-arming distance waited."
    ).format(pair, usd, kinds, table.get("peg_bps", PEG_BPS), waited)


def unverified(run: Run) -> list[Block]:
    """Return a note with the rows of conventions in force in history or window that nothing verifies, if any."""
    spans = run.registration["split"]["windows"]
    last = run.manifest["window"]["end"][:10]
    first = min((w["history_start"][:10] for w in spans if w["end"][:10] == last), default=last)
    lines = [
        sourced(
            f"{row.table}: {row.venue} {' '.join(filter(None, (row.kind.name.lower(), row.keys)))}, from {row.as_of}: "
            f"{row.value} ({row.source})",
            f"line({PLAN}: venues[{key_name(row.venue)}])",
        )
        for row in conventions_of(run.registration["venues"])
        if not row.verified and row.in_force(first, last)
    ]
    return [Note("warning", "Conventions of this plan that are not verified", Cited("\n").join(lines))] if lines else []


def _notional_usd(run: Run, code: str) -> float:
    trades = run.trades[(run.trades["constraint"] == code) & (run.trades["status"] == "traded")]
    return float(trades["notional_usd"].sum())


def _terms(run: Run, code: str) -> Mapping[str, int]:
    trades, returns = Rows(run.trades, TRADES).where(constraint=code, status="traded"), Rows(run.returns, RETURNS)
    sums = {term: trades.total(f"{term}_usd_micro") for term in TERMS}
    # From the returns: capital is charged on the sleeve every day, not on its trades.  [R1.6]
    before, charged_with = returns.total(f"pnl_{code}"), returns.total(f"x_{code}")
    charged = derived(int(before) - int(charged_with), "-", before, charged_with)
    after = derived(sums["net"] - charged, "-", sums["net"], charged)
    return {**sums, "capital": charged, "trades": trades.count(), "after_capital": after}


SECTION = Section("costs", "Costs by term", "S3, S4.6", build)
