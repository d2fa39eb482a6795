"""What a refused request says: its status, and when it may be asked again."""

from __future__ import annotations

from typing import Final

import aiohttp

_MOST_S: Final = 86_400


def status_of(error: BaseException) -> int:
    """Return the HTTP status of a refusal, 0 where no answer came."""
    return error.status if isinstance(error, aiohttp.ClientResponseError) else 0


def retry_after_ms(error: BaseException) -> int:
    """Return what a refusal's ``Retry-After`` asks for, in ms, a day at most; 0 without a whole number of seconds."""
    if not isinstance(error, aiohttp.ClientResponseError) or error.headers is None:
        return 0
    seconds = error.headers.get("Retry-After", "")
    return min(int(seconds[:9]), _MOST_S) * 1_000 if seconds.isdecimal() else 0
