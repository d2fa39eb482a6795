"""The words that readers see for an answer: one place maps the ids of the hashed documents to them.  [spec README]

Hypotheses are ``supported``, ``refuted`` or ``cannot tell``; constraints are ``retained``, ``dropped`` or ``not enough
data``.  The results document keeps ``supported``, ``not_supported``, ``inconclusive``: what is hashed does not change
with a word.  `verdicts.json`, `retained.json`, the terminal, the page, `cme reproduce` and MLflow say the words below;
the two files of earlier versions have ``retain``, ``drop``, ``insufficient``, which are read as well.

>>> WORD_OF_DECISION["inconclusive"], WORD_OF_STATUS["insufficient"]
('cannot tell', 'not enough data')
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

WORD_OF_DECISION: Final[Mapping[str, str]] = MappingProxyType(
    {"supported": "supported", "not_supported": "refuted", "inconclusive": "cannot tell"}
)
"""Decision of the results document -> answer on a hypothesis."""

WORD_OF_STATUS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "retained": "retained", "dropped": "dropped", "not enough data": "not enough data",
        "retain": "retained", "drop": "dropped", "insufficient": "not enough data",
    }
)  # fmt: skip
"""Status of a row of H3, of this version or an earlier one -> what became of the constraint."""


def claim_words(claim: str, decision: str, statuses: Mapping[str, str]) -> str:
    """Return the answer on one id of the results document, in the words for readers.

    Parameters
    ----------
    claim : str
        An id such as ``h1``, ``h1/n2`` or ``h3/C4``.
    decision : str
        The decision of that row in the results document.
    statuses : Mapping[str, str]
        Status of each constraint by code, as `verdicts.json` has it: the document's decision of a constraint does not
        tell a dropped one from one without enough data.

    Returns
    -------
    str
        One of the six words; of a constraint whose status is not known, the word for the decision.

    Examples
    --------
    >>> claim_words("h2", "not_supported", {}), claim_words("h3/C4", "inconclusive", {"C4": "drop"})
    ('refuted', 'dropped')
    """
    status = statuses.get(claim.removeprefix("h3/")) if claim.startswith("h3/") else None
    return WORD_OF_DECISION[decision] if status is None else WORD_OF_STATUS[status]
