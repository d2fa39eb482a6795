"""Files given to the page's own worker, as the page gives them: (role, bytes) in, reports out."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.reports.verifier.chromium import Page

ASK = """
(async (batch) => {
  const address = URL.createObjectURL(new Blob([document.scripts[0].textContent], {type: "text/javascript"}));
  const one = new Worker(address);
  const next = (type) => new Promise((resolve) => {
    one.onmessage = (event) => { if (event.data.type === type || event.data.type === "broken") resolve(event.data); };
  });
  await next("ready");
  const file = (part) => part && new File([Uint8Array.from(atob(part[1]), (c) => c.charCodeAt(0))], part[0]);
  const out = [];
  for (const given of batch) {
    const files = {emit: null, resolution: null, looks: null, anchors: null, key: null, copy: null, checkpoints: []};
    for (const [role, parts] of Object.entries(given)) {
      files[role] = role === "checkpoints" ? parts.map(file) : file(parts[0]);
    }
    const answer = next("result");
    one.postMessage(files);
    out.push(await answer);
  }
  one.terminate();
  return out;
})(%s)
"""

Given = Mapping[str, Sequence[bytes]]


def verify(page: Page, batch: Sequence[Given]) -> list[dict[str, Any]]:
    """The result of each set of files; names are ``role.n``."""
    sent = [
        {
            role: [[f"{role}.{n}", base64.b64encode(data).decode()] for n, data in enumerate(files)]
            for role, files in given.items()
        }
        for given in batch
    ]
    answers = page.run(ASK % json.dumps(sent), 120)
    assert all(answer["type"] == "result" for answer in answers), answers
    return [answer["result"] for answer in answers]


def report(result: Mapping[str, Any], role: str) -> dict[str, Any]:
    """The report of one ledger."""
    found: dict[str, Any] = next(one for one in result["reports"] if one["role"] == role)
    return found
