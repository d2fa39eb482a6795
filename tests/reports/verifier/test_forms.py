"""Rows that the page takes by their text alone, against parsing them, and against Python.  [audit 2, 4, 8.6.5]"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest

from engine.ledger.chain import append, open_ledger, row_hash
from engine.ledger.format import schemas
from engine.ledger.format.canonical_json import canonical, tagged_hash
from engine.ledger.verification.verify import verify_ledger
from tests.engine.ledger.format.test_match_text import OTHER, of_each_kind, rows
from tests.helpers.ledgers import genesis, resolution, signal
from tests.reports.verifier.chromium import Page
from tests.reports.verifier.inpage import report, verify

KINDS = ("emit", "emit", "resolution", "resolution")
"""The ledgers of `rows`."""
JUDGE = """
((kind, row, others) => {
  const before = '{"row":', after = ',"row_hash":"'; // what stands around a row must not be read as part of it
  const same = (one, other) => Object.entries(one).every(([key, value]) => key === "content" || value === other[key]);
  // The parts of one row, each as bytes and as the page reads it, a letter a byte.
  const judged = (start, middle, end) => {
    const text = start.text + middle.text + end.text;
    const found = knownRow(kind, before + text + after, before.length, before.length + text.length);
    if (found === undefined) return 0;
    const expected = parsedRow(joined(joined(start.bytes, middle.bytes), end.bytes), 0, text.length);
    if (!same(found, expected) || !same(found.content, expected.content)) throw new Error(text);
    return 1;
  };
  const read = (bytes) => ({bytes, text: byteText(bytes)});
  const all = read(fromHex(row)), none = read(fromHex("")), put = others.map((digits) => read(fromHex(digits)));
  const part = (from, to) => ({bytes: all.bytes.subarray(from, to), text: all.text.slice(from, to)});
  let taken = 0;
  for (let at = 0; at < all.text.length; at++) {
    const start = part(0, at), replaced = part(at + 1), kept = part(at);
    for (const other of put) taken += judged(start, other, replaced) + judged(start, other, kept);
  }
  return [judged(all, none, none), taken];
})(%s)
"""


def judge(page: Page, kind: str, row: bytes, others: list[bytes]) -> tuple[int, int]:
    """Whether the row is taken by its text, and how many of the changed ones; parsing agreed on each."""
    given = ", ".join(json.dumps(one) for one in (kind, row.hex(), [other.hex() for other in others]))
    taken, changed = page.run(JUDGE % given, 120)
    return taken, changed


@pytest.mark.parametrize("at", range(4))
def test_whatever_is_changed_at_any_byte_is_judged_as_by_parsing(open_page: Page, at: int) -> None:
    """Signals with every kind of input, outcomes and corrections are taken; changed ones only if parsing takes them."""
    row = rows()[at]
    taken, changed = judge(open_page, KINDS[at], row, OTHER[::2])
    assert taken == 1
    assert changed > len(row) / 4  # changed digits and letters often hold: the comparison was made


def _for_the_page(form: str) -> str:
    """Return a pattern of Python in the page's dialect, which knows no possessive repetition: the same texts match.

    One to n digits of which the last is no 0 are up to n - 1 digits and one that is no 0.
    """
    digits = re.sub(r"\[0-9\]\{1,(\d+)\}\+\(\?<!0\)", lambda n: f"[0-9]{{0,{int(n[1]) - 1}}}[1-9]", form)
    return re.sub(r"([*+?}])\+", r"\1", digits)


def test_patterns_of_single_values_are_those_of_python(open_page: Page) -> None:
    for name in ("ROW", "SIGNAL", "RESULT", "PROVENANCE", "ENGINE", "RESOLUTION"):
        shape = getattr(schemas, name)
        found = dict(zip(sorted(shape), open_page.run(f"{name}.grammars.map((one) => one.form ?? '')"), strict=True))
        assert found == {key: _for_the_page(one.form) for key, one in shape.items()}
    for kind, shape in schemas.INPUTS.items():
        assert open_page.run(f"INPUT_KINDS.get('{kind}').grammars.map((one) => one.form)") == [
            _for_the_page(shape[key].form) for key in sorted(shape)
        ]


def test_short_amounts_are_exact_millionths_and_long_ones_are_left_to_the_exact_path(open_page: Page) -> None:
    """Compared with decimal arithmetic; six of the largest still add up exactly in a double."""
    texts = [
        "0",
        "-1",
        "9",
        "0.5",
        "-0.000001",
        "12345678.654321",
        "-1234567.000001",
        "999999999",
        "-99999999",
        "10.25",
    ]
    long = ["1000000000", "-100000000", "123456789.5", "1" + "0" * 19]
    found = open_page.run(f"{json.dumps(texts + long)}.map(smallMicro).map((one) => isNaN(one) ? null : one)")
    assert found == [int(Decimal(text) * 1_000_000) for text in texts] + [None] * len(long)
    assert 6 * max(map(abs, found[: len(texts)])) < 2**53


def test_amounts_of_any_length_add_up_or_fail_as_in_python(open_page: Page) -> None:
    """Both sides of the length at which the page turns to whole numbers of any size."""
    pairs = [
        ("10.5", "9"),
        ("10.5", "9.000001"),
        ("1000000001.5", "1000000000"),
        ("9" * 20, "9" * 20),
        ("9007199254740.992", "9007199254739.492"),
        ("9007199254740.993", "9007199254739.492"),
    ]
    content = {**resolution(signal(1), "a" * 64), "gross_pnl_usd": "0", "net_pnl_usd": "-1.5"}
    head, first = open_ledger(genesis(ledger_kind="resolution"))
    row = append(head, "resolution", [content]).entries[0].row
    files = [first + framed(rehashed(row, {"gross_pnl_usd": gross, "net_pnl_usd": net})) for gross, net in pairs]
    assert codes(open_page, "resolution", files) == [0, 10, 0, 10, 0, 10]


def test_changed_rows_that_are_hashed_anew_get_the_code_and_the_row_of_python(open_page: Page) -> None:
    """Both hashes fit, so that the walk comes to the form of the row and to the ids.  [audit 8.1]"""
    head, first = open_ledger(genesis())
    row = append(head, "signal", [of_each_kind()]).entries[0].row
    others = (b"0", b"b", b'"', b"", b"\xc3\xa9")
    changed = [row[:at] + other + row[at + 1 :] for at in range(0, len(row), 9) for other in others]
    changed.append(row.replace(b'"kind":"quote"', b'"kind":"series"', 1))
    assert set(codes(open_page, "emit", [first + framed(one) for one in changed])) >= {10, 12, 13}


def rehashed(row: bytes, fields: dict[str, str]) -> bytes:
    """CJ(row) with other amounts and the hash of that content."""
    value: dict[str, Any] = json.loads(row)
    value["content"].update(fields)
    value["content_hash"] = tagged_hash(value["kind"], canonical(value["content"]))
    return canonical(value)


def framed(row: bytes) -> bytes:
    return b'{"row":%b,"row_hash":"%b"}\n' % (row, row_hash(row).encode())


def codes(page: Page, role: str, files: list[bytes]) -> list[int]:
    """The codes of the files, after the page and Python agreed on code, row, head and root of each."""
    found = []
    for data, result in zip(files, verify(page, [{role: [data]} for data in files]), strict=True):
        python = verify_ledger(BytesIO(data)).report
        one = report(result, role)
        for name in ("exit", "first_bad_row", "rows", "head", "root"):
            assert one[name] == getattr(python, name), (name, one["reason"], python.reason)
        found.append(python.exit)
    return found
