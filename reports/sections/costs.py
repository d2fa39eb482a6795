"""The trades' gains and costs, by term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.base import Block, Figure, Note, Section, Table
from reports.figures import costs as figure
from reports.load import Run
from reports.words import CODES, NAMES, count, usd_micro

KEYS = ("kind", "symbol", "settle", "settlement_period")
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
            figure.draw(CODES, terms),
            "Upwards: earned. Downwards: paid. Capital is charged on the whole sleeve every day, traded or not.",
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
        *_unverified(run),
    ]


def _unverified(run: Run) -> list[Block]:
    """Return a note with the fee rows in force within history and window that are not verified; none is no note."""
    spans = run.registration["split"]["windows"]
    last = run.manifest["window"]["end"][:10]
    first = min((w["history_start"][:10] for w in spans if w["end"][:10] == last), default=last)
    lines = []
    for venue in run.registration["venues"]:
        rows: dict[tuple[str, ...], list[Mapping[str, str]]] = {}
        for fee in venue["fees"]:
            rows.setdefault(tuple(str(fee.get(key, "")) for key in KEYS), []).append(fee)
        for keys, fees in rows.items():
            fees.sort(key=_first_day)
            for fee, after in zip(fees, [*fees[1:], None], strict=True):
                begins = _first_day(fee) <= last or (fee is fees[0] and "as_of" in fee)
                if not fee.get("verified") and begins and (after is None or _first_day(after) > first):
                    named = " ".join(key for key in keys if key)
                    lines.append(
                        f"{venue['name']} {named}, from {_first_day(fee)}: taker {fee['taker_bps']} bps, delivery "
                        f"{fee['delivery_bps']} bps ({fee['source']})"
                    )
    return [Note("warning", "Fees of this plan that are not verified", "\n".join(lines))] if lines else []


def _first_day(fee: Mapping[str, str]) -> str:
    return fee.get("from") or fee["as_of"]


def _terms(run: Run, code: str) -> Mapping[str, int]:
    trades = run.trades[(run.trades["constraint"] == code) & (run.trades["status"] == "traded")]
    sums = {term: int(trades[f"{term}_usd_micro"].sum()) for term in TERMS}
    # From the returns: capital is charged on the sleeve every day, not on its trades.  [R1.6]
    charged = int(run.returns[f"pnl_{code}"].sum() - run.returns[f"x_{code}"].sum())
    return {**sums, "capital": charged, "trades": len(trades)}


SECTION = Section("costs", "Costs by term", "S3, S4.6", build)
