"""Whether a plan says by which conventions its data set's instruments are settled.  [venues]"""

from __future__ import annotations

from collections.abc import Iterable

from backtest.data.format.dataset import Dataset
from backtest.records import Registration
from engine.errors import UsageError
from engine.market.delivery import averaging_windows
from engine.params import Params
from engine.records import Kind
from engine.units import NEVER_NS


def check_conventions(dataset: Dataset, registration: Registration) -> None:
    """Raise ``UsageError`` (2) where the plan has no ``[[venues.delivery]]`` row for what a constraint can trade.

    Instruments that expire at a venue whose options or futures a constraint of the plan uses, with the row of the day
    of expiry.  A plan whose venue has fees of the older form (``as_of``) is from before these rows and needs none.
    """
    params, table = registration.params, dataset.instruments
    older = venues_of_older_form(registration)
    venues = venues_of_dated_legs(params) - older
    windows = averaging_windows(params.delivery, table)
    lacking = sorted(
        {
            f"{table.venue[code]} {Kind(kind).name.lower()}"
            for code, kind in enumerate(table.kind.tolist())
            if table.venue[code] in venues
            and table.underlying[code] in params.underlyings
            and table.expiry_ns[code] != NEVER_NS
            and windows[code] == 0
        }
    )
    if lacking:
        raise UsageError(
            f"{dataset.path}: expected a row of venues.delivery in force on the day of each expiry that the plan "
            f"{registration.study} can trade, was none for {', '.join(lacking)} (known: {_known(params)}): add "
            "[[venues.delivery]] rows with kind, from, average_s, source and verified to the files of these venues"
        )


def venues_of_dated_legs(params: Params) -> set[str]:
    """Return the venues whose options or dated futures a constraint of the plan may trade."""
    venues: set[str] = set()
    for market in params.underlyings.values():
        venues.update(market.put_call_venues, market.butterfly_venues, market.vertical_venues)
        venues.update({market.four_corner.option_venue} if market.four_corner else ())
        venues.update({market.curve.futures_venue} if market.curve else ())
    return venues


def venues_of_older_form(registration: Registration) -> set[str]:
    """Return the venues of a plan whose fees have the form ``as_of``: no conventions were registered with them."""
    return {venue["name"] for venue in registration.content["venues"] if any("as_of" in fee for fee in venue["fees"])}


def _known(params: Params) -> str:
    rows: Iterable[str] = {f"{rule.venue} {rule.kind.name.lower()} from {rule.as_of}" for rule in params.delivery}
    return ", ".join(sorted(rows)) or "none"
