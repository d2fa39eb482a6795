"""Whether a plan can price what its data set holds.  [S3.4]"""

from __future__ import annotations

from backtest.data.format.dataset import Dataset
from backtest.data.format.schema import FX
from backtest.records import Registration
from engine.errors import UsageError
from engine.records import Kind


def check_fees(dataset: Dataset, registration: Registration) -> None:
    """Raise ``UsageError`` (2) where the plan registers no fee for a venue and kind of instrument in the data set.

    The engine refuses such a block too, with the first one it meets; here all are named, before any quote is read, and
    what the data set is still good for.
    """
    params, instruments = registration.params, dataset.instruments
    known = {(fee.venue, fee.kind) for fee in params.fees}
    read = zip(instruments.venue, instruments.kind.tolist(), instruments.underlying, strict=True)
    priced = {(venue, Kind(kind)) for venue, kind, of in read if of == FX or of in params.underlyings}
    lacking = sorted(f"{venue} {kind.name.lower()}" for venue, kind in priced - known)
    if lacking:
        says = "".join(f" The plan says of its data: {sentence}" for sentence in registration.data.cannot_say)
        raise UsageError(
            f"{dataset.path}: expected a registered fee for every kind of instrument in it, was none of "
            f"{', '.join(lacking)} in the plan {registration.study}: nothing can be priced or traded by it.{says} "
            f"Clocks, gaps and ages need no fee: run `cme data check {dataset.path}`. To trade these venues, name "
            f"files with their fees, dates and sources in venue_files and build the data set again"
        )
