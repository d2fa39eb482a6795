"""Builders of what the hypotheses read, valid and dull, so that a test shows only what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from backtest.records import Stats
from engine.constraints.codes import CODES
from engine.exact.sums import half_even
from engine.units import MICRO, NS_PER_DAY, NS_PER_HOUR
from hypotheses.base import RunData, Sleeve
from hypotheses.exposure import DISLOCATION_KEY, Exposure
from hypotheses.statistics.bootstrap import Bits

DAY0 = 20_454  # 2026-01-01
CAPITAL_USD = 1_000_000
DAILY_CHARGE = half_even(CAPITAL_USD * MICRO * 5, 36_500)  # 5% a year of the whole


def stats(**changed: Any) -> Stats:
    """Return the registered numbers of statistics.md, with fewer draws."""
    given: dict[str, Any] = {
        "sharpe_claim": Decimal("1.0"),
        "ev_claim_usd": 50_000,
        "alpha": Decimal("0.05"),
        "level": Decimal("0.95"),
        "n2_draws": 9_999,
        "n2_extended": 99_999,
        "n2_extend_level": Decimal("0.999"),
        "n2_statistic": "mean",
        "n2_missing_share": Decimal("0.05"),
        "n3_step_ns": 8 * NS_PER_HOUR,
        "n3_min_ns": 4 * NS_PER_DAY,
        "n3_max_ns": 86 * NS_PER_DAY,
        "bootstrap_draws": 499,
        "bootstrap_discard_share": Decimal("0.01"),
        "max_days_without_data": 9,
        "floor_days": 20,
        "floor_trades": 30,
        "floor_blocks": 6,
        "tied_relative": Decimal("1e-9"),
        "resolution_revision": 0,
        "refill_sensitivity_ns": (),
    }
    return Stats(**{**given, **changed})


def bits(seed: int = 1) -> Bits:
    """Return a stream of replicates that needs no lock file."""
    return partial(_replicate, seed)


def _replicate(seed: int, r: int) -> np.random.PCG64:
    return np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(r,)))


def streams(name: str) -> Bits:
    """Return a stream whose seed depends on its name only."""
    return bits(int.from_bytes(name.encode()[:12], "big"))


def signal(t_ns: int, ident: str, legs: Iterable[dict[str, Any]], **changed: Any) -> dict[str, Any]:
    """Return one row of signals.parquet."""
    row: dict[str, Any] = {
        "signal_id": ident,
        "fold": 0,
        "constraint": "C1",
        "underlying": "BTC",
        "venue": "binance",
        "expiry_ns": None,
        "side": 1,
        "short": ident,
        "t_ns": t_ns,
        "gross_bps": 40.0,
        "carry_bps": 0.0,
        "borrow_bps": 0.0,
        "capital_bps": 0.0,
        "cost_bps": 20.0,
        "net_bps": 20.0,
        "threshold_bps": 5.0,
        "size_usd": 25_000.0,
        "capture": 1.0,
        "legs": list(legs),
    }
    return {**row, **changed}


def leg(book: str, **changed: Any) -> dict[str, Any]:
    """Return one bought leg of a signal, at 100 USD: fee 2 bps a side, spread 4 bps, 50,000 USD at the touch."""
    row = {
        "book": book,
        "instrument": book,
        "expiry_ns": None,
        "quantity": 1.0,
        "weight": 1.0,
        "mid": 100.0,
        "bid": 99.98,
        "ask": 100.02,
        "bid_size": 500.0,
        "ask_size": 500.0,
        "usd": 1.0,
        "money": 1.0,
        "lots": None,
        "quote_ns": 0,
        "fee_bps": 2.0,
        "exit_fee_bps": 2.0,
        "spread_bps": 4.0,
        "slip_bps": 0.0,
        "depth_usd": 50_000.0,
    }
    return {**row, **changed}


def trades(per_sleeve: int, days: int) -> pd.DataFrame:
    """Return ``per_sleeve`` traded signals of each constraint, spread over the window."""
    rows = [
        {
            "signal_id": f"{code}-{i}",
            "constraint": code,
            "underlying": "BTC",
            "venue": "binance",
            "expiry_ns": None,
            "status": "traded",
            "t_ns": (DAY0 + i * days // per_sleeve) * NS_PER_DAY,
            "entry_ns": (DAY0 + i * days // per_sleeve) * NS_PER_DAY + NS_PER_HOUR,
            "exit_ns": (DAY0 + i * days // per_sleeve) * NS_PER_DAY + 5 * NS_PER_HOUR,
            "notional_usd": 25_000.0,
            "net_usd_micro": 80 * MICRO,
            "modelled_usd_micro": 100 * MICRO,
        }
        for code in CODES
        for i in range(per_sleeve)
    ]
    spans = ["t_ns", "entry_ns", "exit_ns", "notional_usd"]
    columns = ["signal_id", *DISLOCATION_KEY, "status", *spans, "net_usd_micro", "modelled_usd_micro"]
    return pd.DataFrame(rows, columns=columns)


def signals_of(traded: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the signals of trades: one perpetual leg each, on one book."""
    perp = leg("binance:BTC-PERP/ask", instrument="binance:BTC-PERP", expiry_ns=None)
    return [
        signal(row["t_ns"], row["signal_id"], [perp], constraint=row["constraint"]) for row in traded.to_dict("records")
    ]


def exposure(loss_usd: int = 675, *, count: int = 40, days: int = 90) -> Exposure:
    """Return an exposure whose joint loss and every constraint's own are ``loss_usd``, open on ``days`` days."""
    loss = loss_usd * MICRO
    return Exposure(loss, dict.fromkeys(CODES, loss), dict.fromkeys(("", *CODES), days), dict.fromkeys(CODES, count))


def run(
    profit_usd: np.ndarray,
    *,
    blocks: int = 10,
    per_sleeve: int = 40,
    signals: list[dict[str, Any]] | None = None,
    has_data: np.ndarray | None = None,
) -> RunData:
    """Return a window from the trading profit of each sleeve, shape (n, 7), USD; charges as registered."""
    profit = np.rint(profit_usd * MICRO).astype(np.int64)
    n = len(profit)
    charge = [DAILY_CHARGE // 7 + (k < DAILY_CHARGE % 7) for k in range(7)]
    capital = [CAPITAL_USD * MICRO // 7 + (k < CAPITAL_USD * MICRO % 7) for k in range(7)]
    sleeves = tuple(Sleeve(code, profit[:, k] - charge[k], profit[:, k], capital[k]) for k, code in enumerate(CODES))
    whole = profit.sum(axis=1)
    empty = pd.DataFrame([signal(0, "none", [])]).iloc[:0]
    return RunData(
        day=np.arange(DAY0, DAY0 + n),
        has_data=np.ones(n, dtype=np.bool_) if has_data is None else has_data,
        block=np.arange(n) * blocks // n,
        portfolio=Sleeve("", whole - DAILY_CHARGE, whole, CAPITAL_USD * MICRO),
        sleeves=sleeves,
        signals=empty if not signals else pd.DataFrame(signals),
        trades=trades(per_sleeve, n),
        missing={},
    )


def profits(mean: float, spread: float, *, n: int = 90, seed: int = 7) -> np.ndarray:
    """Return normal daily profits of seven sleeves, USD."""
    return np.random.default_rng(seed).normal(mean, spread, size=(n, 7))
