"""The trades' gains and costs, by term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backtest.registration.conventions import conventions_of
from reports.base import Block, Figure, Note, Section, Table, Text
from reports.figures import costs as figure
from reports.load import Run
from reports.words import CODES, NAMES, count, plural, usd_micro

DOLLARS = {"USD", "USDC", "USDT"}
PEG_BPS = "25"
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
            usd_micro(terms[code]["net"] - terms[code]["capital"]),
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
    waited = sum(int(run.funnel[code]["reasons"].get("peg", 0)) for code in CODES)
    return (
        "Every amount on this page is in USDC, the currency of the capital, also where it is called USD for short; bps "
        f"are of the reference price in USDC. USDT is converted by the mid of spot {pair}; {usd}. {kinds}What is "
        "settled in coin is converted at the venue's index. Packages in two dollars wait while USDC/USDT is more than "
        f"{table.get('peg_bps', PEG_BPS)} bps from 1: {plural(waited, 'package')} within re-arming distance waited."
    )


def unverified(run: Run) -> list[Block]:
    """Return a note with the rows of conventions in force in history or window that nothing verifies, if any."""
    spans = run.registration["split"]["windows"]
    last = run.manifest["window"]["end"][:10]
    first = min((w["history_start"][:10] for w in spans if w["end"][:10] == last), default=last)
    lines = [
        f"{row.table}: {row.venue} {' '.join(filter(None, (row.kind.name.lower(), row.keys)))}, from {row.as_of}: "
        f"{row.value} ({row.source})"
        for row in conventions_of(run.registration["venues"])
        if not row.verified and row.in_force(first, last)
    ]
    return [Note("warning", "Conventions of this plan that are not verified", "\n".join(lines))] if lines else []


def _notional_usd(run: Run, code: str) -> float:
    trades = run.trades[(run.trades["constraint"] == code) & (run.trades["status"] == "traded")]
    return float(trades["notional_usd"].sum())


def _terms(run: Run, code: str) -> Mapping[str, int]:
    trades = run.trades[(run.trades["constraint"] == code) & (run.trades["status"] == "traded")]
    sums = {term: int(trades[f"{term}_usd_micro"].sum()) for term in TERMS}
    # From the returns: capital is charged on the sleeve every day, not on its trades.  [R1.6]
    charged = int(run.returns[f"pnl_{code}"].sum() - run.returns[f"x_{code}"].sum())
    return {**sums, "capital": charged, "trades": len(trades)}


SECTION = Section("costs", "Costs by term", "S3, S4.6", build)
