"""Whether a plan begins before the first day that its venues' conventions are known.  [S3.4, venues V5]

The engine refuses a trade without a fee in force, with the first one that it meets; by then hours of work are done.  A
plan names the venue and kind of everything that it can trade, so this is known before any file is opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from backtest.records import Registration
from backtest.registration.named import contracts_of
from engine.convention_rows import ConventionRow
from engine.errors import UsageError
from engine.params import Params
from engine.records import Kind


def require_known_from(registration: Registration, from_ns: int) -> None:
    """Raise ``UsageError`` (2) where the plan can trade at a venue before the first row of a convention there.

    ``from_ns`` is the first time at which it trades.  Every such table, venue and kind is named, with its first day.
    """
    day = str(np.datetime64(from_ns, "ns").astype("datetime64[D]"))
    faults = [*_unknown(registration.params, day)]
    if faults:
        raise UsageError(
            f"{registration.path}: expected conventions that are in force when the plan {registration.study} begins to "
            f"trade, on {day}, was {'; '.join(faults)}: begin later, or add a row with its first day and source to the "
            "file of the venue"
        )


def require_known(registration: Registration) -> None:
    """Raise ``UsageError`` (2) as `require_known_from` does, from the start of the plan's first history on.

    A plan whose windows have no dates begins nothing and passes.
    """
    if registration.dated:
        require_known_from(registration, min(window.history_ns for window in registration.windows))


def traded_kinds(params: Params) -> tuple[tuple[str, Kind], ...]:
    """Return each (venue, kind) of which an enabled constraint of the plan can trade an instrument, sorted.

    The pair that converts dollars is none by itself: it is converted at its mid.
    """
    return tuple(sorted(set(_traded(params))))


def _traded(params: Params) -> Iterator[tuple[str, Kind]]:
    enabled = {code for code, rule in params.rules.items() if rule.enabled}

    def of(code: str, kind: Kind, *names: str) -> Iterator[tuple[str, Kind]]:
        yield from ((name.partition(":")[0], kind) for name in names if code in enabled)

    for market in params.underlyings.values():
        for pair in market.cash_carry:
            yield from of("C1", Kind.PERP, pair.perp)
            yield from of("C1", Kind.SPOT, pair.spot)
        for three in market.triangle:
            yield from of("C2", Kind.PERP, three.perp_usdc, three.perp_usdt)
            yield from of("C2", Kind.SPOT, three.fx)
        for venue, kinds in contracts_of(market, enabled):
            yield from ((venue, kind) for kind in kinds)
        if market.curve:
            yield from of("C5", Kind.PERP, market.curve.perp)
        if market.four_corner:
            corners = market.four_corner
            yield from of("C6", Kind.PERP, corners.dex_perp, corners.cex_perp)
            yield from of("C6", Kind.SPOT, corners.spot)


def _tables(params: Params) -> Mapping[str, Sequence[ConventionRow]]:
    return {
        "fees": params.fees,
        "money": params.money,
        "funding": params.funding,
        "delivery": params.delivery,
        "lots": params.lots,
        "ticks": params.ticks,
    }


def _unknown(params: Params, day: str) -> Iterator[str]:
    for name, rows in _tables(params).items():
        first: dict[tuple[str, Kind], str] = {}
        for row in rows:
            key = row.venue, row.kind
            first[key] = min(row.as_of[:10], first.get(key, row.as_of[:10]))
        for venue, kind in traded_kinds(params):
            known = first.get((venue, kind))
            # a kind without any row is refused where the data show that it is traded
            if known is not None and known > day:
                yield f"venues.{name} of {venue} {kind.name.lower()} known from {known}"
