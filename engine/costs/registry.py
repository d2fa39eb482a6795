"""The cost terms, in the order of the method.  [S3]"""

from __future__ import annotations

from engine.costs.base import CostTerm
from engine.costs.borrow import BORROW
from engine.costs.capital import CAPITAL
from engine.costs.trading import FEE, IMPACT, SPREAD

TERMS: tuple[CostTerm, ...] = (FEE, SPREAD, IMPACT, BORROW, CAPITAL)
