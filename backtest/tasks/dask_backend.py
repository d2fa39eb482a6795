"""Runs joblib's tasks on an existing Dask scheduler.  [interface "cme run --scheduler"]

dask and distributed are an extra, imported here and only when a scheduler is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from engine.errors import MissingError, UsageError

SCHEMES = ("tcp://", "tls://")
CONNECT_S = 10


def check_address(address: str) -> None:
    """Check the address of a Dask scheduler, and that Dask is installed.

    Raises ``UsageError`` (2) for text that is no such address, ``MissingError`` (3) if the extra is not installed.
    """
    if not address.startswith(SCHEMES) or not address.partition("://")[2].rpartition(":")[2].isdigit():
        raise UsageError(
            f"--scheduler: expected the address of a Dask scheduler such as tcp://10.0.0.5:8786, was {address!r}"
        )
    if find_spec("distributed") is None:
        raise MissingError(
            f"--scheduler {address}: expected the packages dask and distributed, which are an extra, was an "
            "environment without them: pip install 'cme-perps[cluster]' here and on every worker (from a checkout: "
            "pip install -e '.[cluster]')"
        )


@contextmanager
def backend(address: str) -> Iterator[None]:
    """Make joblib use the cluster at ``address`` while the block runs.  Raises ``MissingError`` (3) without one."""
    check_address(address)
    from distributed import Client
    from joblib import parallel_config

    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError) as problem:
        raise MissingError(
            f"expected a Dask scheduler at {address} within {CONNECT_S} s, was: {problem}; start one with `dask "
            "scheduler` and workers with `dask worker ADDRESS --nthreads 1`"
        ) from problem
    with client:
        # Without workers the tasks would wait for ever.
        if not client.ncores():
            raise MissingError(
                f"expected workers at the Dask scheduler {address}, was none: start them with `dask worker {address} "
                "--nthreads 1`"
            )
        with parallel_config(backend="dask", client=client):
            yield


def lost_worker_errors() -> tuple[type[BaseException], ...]:
    """Return the errors that say that a worker of the cluster died, not that its task failed."""
    from distributed.client import FutureCancelledError
    from distributed.comm import CommClosedError
    from distributed.scheduler import KilledWorker

    return (KilledWorker, CommClosedError, FutureCancelledError)
