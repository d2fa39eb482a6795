"""The constraints, in the order of the method: the one list of them.  [S2.0]

`engine.constraints.codes` has their codes and names; plans, reports and the verifier page follow this tuple.
"""

from __future__ import annotations

from engine.constraints import (
    c1_cash_carry,
    c2_triangle,
    c3_put_call,
    c4_butterfly,
    c5_calendar,
    c6_four_corner,
    c7_vertical,
)
from engine.constraints.base import Constraint

CONSTRAINTS: tuple[Constraint, ...] = (
    c1_cash_carry.CONSTRAINT,
    c2_triangle.CONSTRAINT,
    c3_put_call.CONSTRAINT,
    c4_butterfly.CONSTRAINT,
    c5_calendar.CONSTRAINT,
    c6_four_corner.CONSTRAINT,
    c7_vertical.CONSTRAINT,
)
