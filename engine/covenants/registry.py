"""The covenants, in the order of the law.  A new mechanism is one file and one line here."""

from __future__ import annotations

from typing import Final

from engine.covenants import (
    alerts,
    drift_monitor,
    execution_lag,
    hedge,
    leverage_cap,
    liquidity_cliff,
    order_flow,
    reallocation,
    regime,
    revision,
    spread,
    spread_band,
    staleness,
    state_machine,
)
from engine.covenants.base import Covenant

COVENANTS: Final[tuple[Covenant, ...]] = (
    spread.COVENANT,
    hedge.COVENANT,
    regime.COVENANT,
    spread_band.COVENANT,
    revision.COVENANT,
    leverage_cap.COVENANT,
    reallocation.COVENANT,
    alerts.COVENANT,
    execution_lag.COVENANT,
    staleness.COVENANT,
    liquidity_cliff.COVENANT,
    order_flow.COVENANT,
    drift_monitor.COVENANT,
    state_machine.COVENANT,
)
