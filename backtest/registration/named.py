"""Which instruments a plan names, and which of them a data set lacks.  [spec README, decisions of 2026-11-30]

A package of an instrument that no file holds is never judged.  A plan may say so beforehand, under
``data.known_missing`` with a reason; what it does not say is a fault of the data or of the plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol

from backtest.records import Registration
from engine.params import Params, UnderlyingParams
from engine.records import Instruments, Kind


class MarketNames(Protocol):
    """The tables of one coin in a plan that name instruments."""

    @property
    def reference(self) -> str: ...
    @property
    def cash_carry(self) -> Sequence[Any]: ...
    @property
    def triangle(self) -> Sequence[Any]: ...
    @property
    def curve(self) -> Any: ...
    @property
    def four_corner(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Lacking:
    """One instrument that the plan names and the data set lacks; ``known`` is the plan's reason, "" where it has none.

    ``used_by`` are the codes of the enabled constraints that need it; for the pair of dollars, of all of them.
    ``near`` is the instrument of that venue in the data set whose name is most like it, which the plan does not name;
    "" where none is.
    """

    instrument: str
    used_by: tuple[str, ...]
    known: str = ""
    near: str = ""

    @property
    def sentence(self) -> str:
        """What a reader needs to know of it."""
        packages = f"no package of it ({', '.join(self.used_by)}) can be judged"
        if self.known:
            return f"{self.instrument} is not in the data set, as the plan says ({self.known}): {packages}"
        meant = f" (did you mean {self.near}?)" if self.near else ""
        return (
            f"{self.instrument}, which the plan names, is not in the data set: {packages}; check its name{meant} and "
            "the sources, or list it under data.known_missing with the reason"
        )


def used_by(pairs: Iterable[str], underlyings: Iterable[MarketNames]) -> Iterator[tuple[str, str]]:
    """Yield each instrument that the tables of a plan name with the code of the constraint that uses it.

    The code of the pairs of dollars, without which a price in another one has no value in USDC, and of a coin's
    reference, in bps of which packages are measured, is "": every constraint uses them.  The tables are those of the
    text of a plan or of its parameters; a curve or a set of four corners is one, none, or a list of them.
    """
    yield from ((pair, "") for pair in pairs)
    for market in underlyings:
        yield market.reference, ""
        for pair in market.cash_carry:
            yield from ((name, "C1") for name in (pair.perp, pair.spot))
        for three in market.triangle:
            yield from ((name, "C2") for name in (three.perp_usdc, three.perp_usdt, three.fx))
        for curve in _listed(market.curve):
            yield curve.perp, "C5"
        for corner in _listed(market.four_corner):
            yield from ((name, "C6") for name in (corner.dex_perp, corner.cex_perp, corner.spot))


def named(params: Params) -> dict[str, tuple[str, ...]]:
    """Return every instrument that an enabled constraint of the plan names -> the codes of those constraints.

    Groups, such as the options of a venue, name no instrument and are not among them.
    """
    enabled = [code for code, rule in params.rules.items() if rule.enabled]
    codes_of: dict[str, set[str]] = {}
    for name, code in used_by(params.dollars.pairs, params.underlyings.values()):
        codes_of.setdefault(name, set()).update(enabled if not code else {code} & set(enabled))
    return {name: tuple(sorted(codes)) for name, codes in sorted(codes_of.items()) if codes}


def lacking(registration: Registration, listed: Collection[str]) -> tuple[Lacking, ...]:
    """Return what the plan names and is not among the names ``listed`` in a data set, by name; empty where all are."""
    known, present, names = registration.data.known_missing, set(listed), named(registration.params)
    unnamed = sorted(present - set(names))
    return tuple(
        Lacking(name, codes, known.get(name, ""), _near(name, unnamed))
        for name, codes in names.items()
        if name not in present
    )


def _near(name: str, others: Sequence[str]) -> str:
    """Return which of ``others``, of the same venue, is most like ``name``; "" where none is like it."""
    venue = name.partition(":")[0] + ":"
    return next(iter(get_close_matches(name, [other for other in others if other.startswith(venue)], n=1)), "")


def faults(registration: Registration, listed: Collection[str]) -> Iterator[str]:
    """Yield why a data set of the names ``listed`` is not the plan's: each instrument that is missing without being
    known to be, or that is there although the plan says that it is missing.
    """
    for entry in lacking(registration, listed):
        if not entry.known:
            yield (
                f"expected {entry.instrument}, which the plan names for {', '.join(entry.used_by)}, in the data set, "
                "was in no file: an amendment before the look lists it under data.known_missing with the reason"
            )
    for name in registration.data.known_missing:
        if name in listed:
            yield f"expected no {name} in the data set, as data.known_missing says, was there: take it off the list"


def _listed(value: object) -> Sequence[Any]:
    """Return a table, none, or a list of tables as a list."""
    return value if isinstance(value, list | tuple) else [value] if value else []


def tradable(params: Params, instruments: Instruments) -> tuple[int, ...]:
    """Return the codes of the instruments that a package of an enabled constraint can have as legs, ascending.

    Those that the plan names for a constraint, and the options and dated futures of the venues that it names.
    """
    enabled = {code for code, rule in params.rules.items() if rule.enabled}
    names = {name for name, code in used_by((), params.underlyings.values()) if code in enabled}
    groups: set[tuple[str, str, Kind]] = set()
    for coin, market in params.underlyings.items():
        for venue, kinds in contracts_of(market, enabled):
            groups |= {(coin, venue, kind) for kind in kinds}
    listed = zip(instruments.underlying, instruments.venue, instruments.kind.tolist(), strict=True)
    return tuple(
        code
        for code, (coin, venue, kind) in enumerate(listed)
        if instruments.name[code] in names or (coin, venue, Kind(kind)) in groups
    )


def contract_venues(params: Params, codes: Collection[str]) -> set[str]:
    """Return the venues whose options or dated futures the constraints ``codes`` may trade."""
    return {venue for market in params.underlyings.values() for venue, _ in contracts_of(market, codes)}


def contracts_of(market: UnderlyingParams, codes: Collection[str]) -> Iterator[tuple[str, tuple[Kind, ...]]]:
    """Yield the venues whose contracts the constraints ``codes`` use, with their kinds."""
    hedged = (Kind.OPTION, Kind.FUTURE)
    uses = (("C3", market.put_call_venues, hedged), ("C4", market.butterfly_venues, hedged[:1]))
    for code, venues, kinds in (*uses, ("C7", market.vertical_venues, hedged)):
        if code in codes:
            yield from ((venue, kinds) for venue in venues)
    if market.curve and "C5" in codes:
        yield market.curve.futures_venue, hedged[1:]
    if market.four_corner and "C6" in codes:
        yield market.four_corner.option_venue, hedged[:1]
