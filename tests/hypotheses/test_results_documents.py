"""The digest of the results document is that of the shared vectors.  [audit 10.4]"""

from __future__ import annotations

import pytest

from engine.ledger.format.canonical_json import canonical
from hypotheses.results_documents import results_digest
from tests.helpers.ledgers import cases


@pytest.mark.parametrize("case", cases("results_digest"), ids=lambda case: case["results_digest"][:8])
def test_the_digest_of_a_results_document(case: dict) -> None:
    """Canonical bytes and digest, whatever the order of the keys."""
    document = case["results"]
    backwards = dict(reversed(document.items()))

    assert canonical(document).decode() == case["canonical"]
    assert results_digest(document) == results_digest(backwards) == case["results_digest"]
    assert results_digest({**document, "study": "other"}) != case["results_digest"]
