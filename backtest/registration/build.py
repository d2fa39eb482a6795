"""From the validated document to what engine and harness are given.  Decimal text becomes a number here, once."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from backtest.data.adapters.base import SourceSpec
from backtest.records import BookCovenants, Choice, DataSpec, Plan, Stats
from backtest.registration import market, schema
from backtest.registration.convention_rows import KINDS, convention_rows, fee_rates
from backtest.registration.fields import days, hours, milliseconds, seconds, time_ns
from engine.constraints.base import Constraint
from engine.constraints.codes import CODES
from engine.constraints.registry import CONSTRAINTS
from engine.covenants.parameters import Parameters
from engine.market.dollars import OWN
from engine.params import (
    CashCarryPair,
    ConstraintRule,
    Curve,
    Dollars,
    FourCorners,
    Params,
    TrianglePair,
    UnderlyingParams,
)

PEG_BPS: Final = 25.0
"""The peg guard of plans that were written before it was a key: the registered distance, p99 of 2021-2025 is 26 bps."""


MAX_LAG_S: Final = "2"
"""The greatest lag of a recorded quote in plans that were written before it was a key.  [live L0.4]"""

N2_STATISTIC: Final = "sharpe"
"""The statistic of N2 in plans that were written before it was a key: the ratio was the only one."""


def params_of(document: schema.Document) -> Params:
    """Return everything registered that emission, resolution or settlement reads."""
    grid, costs, capital, exits = document.grid, document.costs, document.capital, document.exits
    return Params(
        engine_version=document.engine_version,
        grid_ns=seconds(grid.step_s),
        underlyings={table.name: _underlying(table) for table in document.underlyings},
        rules={
            constraint.code: _rule(constraint, getattr(document.constraints, constraint.code.lower()))
            for constraint in CONSTRAINTS
        },
        fees=fee_rates(document.venues),
        **convention_rows(document.venues),
        dollars=_dollars(document),
        max_age_ns={kind: seconds(getattr(grid.max_age_s, name)) for name, kind in KINDS.items()},
        max_skew_ns=seconds(grid.max_skew_s),
        max_lag_ns=seconds(MAX_LAG_S if grid.max_lag_s is None else grid.max_lag_s),
        refreshed=tuple(grid.refreshed or ()),
        quarantine_mid=float(grid.quarantine_mid_share),
        quarantine_gross_bps=float(grid.quarantine_gross_bps),
        persistence=grid.persistence,
        rearm_share=float(exits.rearm_share),
        latency_ns=milliseconds(grid.latency_ms),
        exit_latency_ns=milliseconds(grid.latency_ms),
        forced_exits=(),
        target_notional_usd=float(capital.target_notional_usd),
        depth_share=float(capital.depth_share),
        exit_share=float(exits.converged_share),
        stop_multiple=float(exits.stop_multiple),
        refill_window_ns=hours(costs.refill_window_h),
        data_gap_haircut_bps=float(costs.data_gap_haircut_bps),
        mark_max_age_ns=seconds(grid.mark_max_age_s),
        fallback_bps={kind: float(getattr(costs.fallback_bps, name)) for name, kind in KINDS.items()},
        borrow_rate=_borrow_rates(costs.borrow_rate_annual),
        capital_rate=float(costs.capital_rate_annual),
        margin_share={name: float(share) for name, share in capital.margin_share.model_dump().items()},
        funding_on={v.name: v.funding_paid_on for v in document.venues if v.funding_paid_on != "none"},
        capital_usd=capital.committed_usd,
        sleeve_shares={code: getattr(capital.sleeve_parts, code.lower()) for code in CODES},
        default_z=float(document.fitting.default_z),
        z_grid=tuple(float(z) for z in document.fitting.z_grid),
        z_min_trades=document.fitting.z_min_trades,
        capture_prior=document.fitting.capture_prior,
    )


def _dollars(document: schema.Document) -> Dollars:
    """Return the table fx; of a plan of the older form its one pair, with USD counting as USDC."""
    table = document.fx
    if table is None:
        return Dollars(document.data.fx, "", "", OWN, PEG_BPS)
    return Dollars(
        usdc_usdt=table.usdc_usdt,
        usdc_usd=table.usdc_usd or "",
        usdt_usd=table.usdt_usd or "",
        usd_is=table.usd_is or "",
        peg_bps=float(table.peg_bps),
    )


def _borrow_rates(table: Mapping[str, str]) -> dict[str, float]:
    """Return the annual rate of each currency; a plan that names ``usdc`` and no ``usdt`` lends USDT at that rate.

    Plans written before USDC was known to be own registered it as the dollar that is lent.  [venues V6, decision 0480]
    """
    rates = {currency.upper(): float(rate) for currency, rate in table.items()}
    dollars = rates.pop("USDC", None)
    return rates if dollars is None else {"USDT": dollars, **rates}


def _rule(constraint: Constraint, table: schema.Rule) -> ConstraintRule:
    return ConstraintRule(
        code=constraint.code,
        enabled=table.enabled,
        threshold_bps=float(table.threshold_bps),
        lookback_ns=days(table.lookback_d),
        life_ns=hours(table.life_h),
        option_legs=constraint.option_legs,
        stress_loss_bps=float(table.stress_loss_bps),
    )


def _underlying(table: market.Underlying) -> UnderlyingParams:
    return UnderlyingParams(
        underlying=table.name,
        reference=table.reference,
        reference_is_index=table.reference_is_index,
        cash_carry=tuple(CashCarryPair(pair.perp, pair.spot) for pair in table.cash_carry),
        triangle=tuple(TrianglePair(three.perp_usdc, three.perp_usdt, three.fx) for three in table.triangle),
        put_call_venues=tuple(table.put_call_venues),
        butterfly_venues=tuple(table.butterfly_venues),
        vertical_venues=tuple(table.vertical_venues),
        forward_from_marks=table.forward_from_marks,
        # An array of at most one each: TOML has no null for a coin without it.
        four_corner=_corners(table.four_corner[0]) if table.four_corner else None,
        curve=_curve(table.curve[0]) if table.curve else None,
    )


def _corners(table: market.Corners) -> FourCorners:
    return FourCorners(
        dex_perp=table.dex_perp,
        cex_perp=table.cex_perp,
        spot=table.spot,
        option_venue=table.option_venue,
        min_expiry_ns=days(table.min_expiry_d),
        mids_only=table.mids_only,
    )


def _curve(table: market.CurveTable) -> Curve:
    near, far = (float(wing) for wing in table.wing_d)
    return Curve(
        perp=table.perp,
        futures_venue=table.futures_venue,
        perp_average_ns=hours(table.perp_average_h),
        tenor_days=tuple(float(tenor) for tenor in table.tenor_d),
        belly_days=float(table.belly_d),
        wing_days=(near, far),
        z_window_days=table.z_window_d,
        min_curves=table.min_curves,
    )


def plans_of(split: schema.SplitSpec) -> tuple[Plan, ...]:
    """Return the windows of a study as plans, in the order written."""
    return tuple(
        Plan(
            t0_ns=time_ns(window.start),
            t1_ns=time_ns(window.end),
            history_ns=time_ns(window.history_start),
            folds=split.folds,
            fold_ns=days(split.fold_d),
            gap_ns=hours(split.gap_h),
            embargo_ns=hours(split.embargo_h),
        )
        for window in split.windows
    )


def stats_of(document: schema.Document) -> Stats:
    """Return the registered numbers of the verdicts."""
    table = document.statistics
    return Stats(
        sharpe_claim=Decimal(table.sharpe_claim),
        ev_claim_usd=table.ev_claim_usd,
        alpha=Decimal(table.alpha),
        level=Decimal(table.level),
        n2_draws=table.n2_draws,
        n2_extended=table.n2_extended,
        n2_extend_level=Decimal(table.n2_extend_level),
        n2_statistic=table.n2_statistic or N2_STATISTIC,
        n2_missing_share=Decimal(table.n2_missing_share),
        n3_step_ns=hours(table.n3_step_h),
        n3_min_ns=days(table.n3_min_d),
        n3_max_ns=days(table.n3_max_d),
        bootstrap_draws=table.bootstrap_draws,
        bootstrap_discard_share=Decimal(table.bootstrap_discard_share),
        max_days_without_data=table.max_days_without_data,
        floor_days=table.floor_days,
        floor_trades=table.floor_trades,
        floor_blocks=table.floor_blocks,
        tied_relative=Decimal(table.tied_relative),
        resolution_revision=table.resolution_revision,
        refill_sensitivity_ns=tuple(hours(window) for window in document.costs.refill_sensitivity_h),
    )


def data_of(data: schema.Data) -> DataSpec:
    """Return where the market comes from."""
    return DataSpec(
        kind=data.kind,
        name=data.name,
        path=data.path,
        sources=tuple(SourceSpec(s.adapter, s.path, s.options, s.reason, s.licence) for s in data.sources),
        synthetic=data.synthetic,
        grid_from=data.grid_from,
        cannot_say=tuple(data.cannot_say),
        known_missing={entry.instrument: entry.reason for entry in data.known_missing},
    )


def covenants_of(document: schema.Document) -> BookCovenants | None:
    """Return the covenants over the book, None where the plan has none.  Raises ``UsageError`` (2) as `Parameters`."""
    table = document.covenants
    if table is None:
        return None
    parameters = Parameters(
        bar_min=table.bar_min, reading=table.reading, alpha=float(table.alpha), beta=float(table.beta)
    )
    return BookCovenants(table.a, table.b, parameters, table.closes_on)


def choices_of(document: schema.Document) -> tuple[Choice, ...]:
    """Return our choices with their reasons, in the order written."""
    return tuple(Choice(choice.item, choice.value, choice.reason) for choice in document.choices)
