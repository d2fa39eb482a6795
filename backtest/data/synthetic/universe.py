"""Which contracts the market lists, and from which day.  [S1.2]

Names, kinds and rights are plain numbers and texts in the meaning of the data set: kinds spot 0, perp 1, future 2,
option 3; rights none 0, call 1, put 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from backtest.data.synthetic import limits
from backtest.data.synthetic.expiries import ACCRUAL_NS, NEVER_NS, NS_PER_DAY, NS_PER_HOUR, label, live
from backtest.data.synthetic.fields import SpecError
from backtest.data.synthetic.paths import Path
from backtest.data.synthetic.spec import CoinSpec, SynthSpec

SPOT: Final = 0
PERP: Final = 1
FUTURE: Final = 2
OPTION: Final = 3
CALL: Final = 1
PUT: Final = 2
FX_TICK: Final = 0.00001


@dataclass(frozen=True, slots=True)
class SyntheticListing:
    """One instrument, with the first day on which it is quoted (days since 1970-01-01)."""

    venue: str
    symbol: str
    underlying: str
    kind: int
    base: str
    quote: str  # of the price
    settle: str  # its money: where the two are dollars and differ, a unit of price is paid as one of money
    inverse: bool  # a contract of dollars, settled in coin: perp and future only
    tick: float
    first_day: int
    expiry_ns: int = NEVER_NS
    strike: float = float("nan")
    right: int = 0
    funding_interval_ns: int = 0

    @property
    def name(self) -> str:
        return f"{self.venue}:{self.symbol}"

    @property
    def in_coin(self) -> bool:
        """Whether the price is a number of coins: the premium of a coin-settled option."""
        return self.quote == self.underlying


@dataclass(frozen=True, slots=True)
class Chain:
    """The options of one expiry and one way of settlement: strikes ascending, each with the day it was listed."""

    underlying: str
    linear: bool  # USDC-settled; else coin-settled
    expiry_ns: int
    strikes: tuple[int, ...]
    first_day: tuple[int, ...]

    @property
    def future(self) -> str:
        """Name of the dated future of the same expiry and settlement."""
        return f"deribit:{self.family}-{label(self.expiry_ns)}"

    @property
    def family(self) -> str:
        return f"{self.underlying}_USDC" if self.linear else self.underlying

    def option(self, strike: int, right: int) -> str:
        """Name of one option of the chain."""
        return f"deribit:{self.family}-{label(self.expiry_ns)}-{strike}-{'C' if right == CALL else 'P'}"

    def listed(self, day: int) -> tuple[int, ...]:
        """Return the strikes quoted on ``day``."""
        return tuple(k for k, first in zip(self.strikes, self.first_day, strict=True) if first <= day)


@dataclass(frozen=True, slots=True)
class Universe:
    """All that one underlying lists over the whole market."""

    listings: tuple[SyntheticListing, ...]
    chains: tuple[Chain, ...]

    def on(self, day: int) -> tuple[SyntheticListing, ...]:
        """Return the listings quoted at some time of ``day``, in their fixed order."""
        return tuple(x for x in self.listings if x.first_day <= day and x.expiry_ns > day * NS_PER_DAY)


def dollar_listing(spec: SynthSpec) -> SyntheticListing:
    """Return the pair USDC/USDT, quoted in USDT per USDC."""
    return SyntheticListing("binance", "USDCUSDT", "FX", SPOT, "USDC", "USDT", "USDT", False, FX_TICK, spec.first_day)


def list_universe(spec: SynthSpec, underlying: str, path: Path) -> Universe:
    """Return what ``underlying`` lists: spot, perps, dated futures, and options around each day's forward.

    A strike, once listed, is quoted until its expiry; new ones are added at 00:00 where the forward has moved.
    """
    coin, chains = spec.underlyings[underlying], spec.chains
    days = range(spec.first_day, spec.first_day + spec.days)
    futures: dict[int, int] = {}
    for day in days:
        for expiry in live(day, chains.future_weekly, chains.future_monthly, chains.future_quarterly):
            futures.setdefault(expiry, day)
    option_chains = _chains(spec, underlying, path, False, chains.option_weekly, chains.option_monthly, chains.strikes)
    if chains.linear_monthly:
        option_chains += _chains(spec, underlying, path, True, 0, chains.linear_monthly, chains.linear_strikes)
    listings = _undated(spec, underlying, coin)
    # the first day on which an expiry is among the listed ones
    for expiry, day in futures.items():
        listings.append(_future(underlying, coin, expiry, day, False))
    for chain in option_chains:
        if chain.linear:
            listings.append(_future(underlying, coin, chain.expiry_ns, min(chain.first_day), True))
        listings += _options(coin, chain)
    # By name: the order must not depend on the day on which a contract was listed.
    return Universe(tuple(sorted(listings, key=lambda listing: listing.name)), tuple(option_chains))


def _undated(spec: SynthSpec, underlying: str, coin: CoinSpec) -> list[SyntheticListing]:
    hours, day, tick = 8 * NS_PER_HOUR, spec.first_day, coin.price_tick

    def perp(venue: str, symbol: str, quote: str, settle: str, inverse: bool, interval: int) -> SyntheticListing:
        return SyntheticListing(
            venue, symbol, underlying, PERP, underlying, quote, settle, inverse, tick, day, funding_interval_ns=interval
        )

    return [
        SyntheticListing(
            "binance", f"{underlying}USDC", underlying, SPOT, underlying, "USDC", "USDC", False, tick, day
        ),
        SyntheticListing(
            "binance", f"{underlying}USDT", underlying, SPOT, underlying, "USDT", "USDT", False, tick, day
        ),
        perp("binance", f"{underlying}USDT-PERP", "USDT", "USDT", False, hours),
        perp("binance", f"{underlying}USDC-PERP", "USDC", "USDC", False, hours),
        perp("hyperliquid", f"{underlying}-PERP", "USDT", "USDC", False, NS_PER_HOUR),
        perp("deribit", f"{underlying}-PERPETUAL", "USD", underlying, True, ACCRUAL_NS),
    ]


def _future(underlying: str, coin: CoinSpec, expiry: int, day: int, linear: bool) -> SyntheticListing:
    symbol = f"{underlying}{'_USDC' if linear else ''}-{label(expiry)}"
    settle = "USDC" if linear else underlying
    tick = coin.price_tick
    return SyntheticListing(
        "deribit", symbol, underlying, FUTURE, underlying, "USD", settle, not linear, tick, day, expiry_ns=expiry
    )


def _options(coin: CoinSpec, chain: Chain) -> list[SyntheticListing]:
    price, money = ("USD", "USDC") if chain.linear else (chain.underlying, chain.underlying)
    tick = coin.linear_tick if chain.linear else coin.option_tick
    options = []
    for strike, day in zip(chain.strikes, chain.first_day, strict=True):
        for right in (CALL, PUT):
            venue, _, symbol = chain.option(strike, right).partition(":")
            option = SyntheticListing(
                venue,
                symbol,
                chain.underlying,
                OPTION,
                chain.underlying,
                price,
                money,
                False,
                tick,
                day,
                chain.expiry_ns,
                float(strike),
                right,
            )
            options.append(option)
    return options


def _chains(
    spec: SynthSpec, underlying: str, path: Path, linear: bool, weekly: int, monthly: int, strikes: int
) -> list[Chain]:
    step = spec.underlyings[underlying].strike_step
    seen: dict[int, dict[int, int]] = {}
    for n in range(spec.days):
        day = spec.first_day + n
        row = np.array([n * spec.steps_a_day])
        for expiry in live(day, weekly, monthly, 0):
            forward = float(path.forward(row, expiry - path.times_ns[row])[0])
            if not 0.0 < forward < limits.NUMBER * step:
                raise SpecError(
                    f"{underlying}: expected forwards above 0 and below {limits.NUMBER} steps of a strike, was "
                    f"{forward:g} for {label(expiry)}: take smaller deviations"
                )
            middle = round(forward / step)
            listed = seen.setdefault(expiry, {})
            for k in range(middle - strikes // 2, middle + strikes // 2 + 1):
                # a strike of zero or less is no contract
                if k > 0:
                    listed.setdefault(round(k * step), day)
    result = []
    for expiry, listed in seen.items():
        if not listed:
            raise SpecError(
                f"{underlying}: expected strikes above 0 for {label(expiry)}, was none: take a smaller strike_step"
            )
        ascending = sorted(listed)
        result.append(Chain(underlying, linear, expiry, tuple(ascending), tuple(listed[k] for k in ascending)))
    return result
