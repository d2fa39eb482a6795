"""Forms of single values of a scenario: exact decimal texts, names, files of the data folder, dates.  [risk.md 14.3]"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backtest import limits

Amount = Annotated[str, Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,9})?$")]
DecimalShare = Annotated[str, Field(pattern=r"^(0(\.[0-9]{1,9})?|1(\.0{1,9})?)$")]
Folder = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$")]
ShortName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$")]
Seconds = Annotated[int, Field(ge=0, le=limits.PLAN_SPAN_D * 86_400)]
ModuleName = Literal["liquidation_monitor", "funding_spike", "staleness", "concentration"]
DataFile = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}/[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$")]
UtcDay = Annotated[str, Field(pattern=r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]$")]
UtcMinute = Annotated[str, Field(pattern=r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]Z$")]
PositiveCount = Annotated[int, Field(ge=1, le=1_000_000)]
