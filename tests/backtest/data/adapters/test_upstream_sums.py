"""A file of Binance's archive is held against the CHECKSUM beside it and the list of replaced files."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.files import matching
from backtest.data.adapters.upstream_sums import REPLACED, check_upstream
from engine.errors import DataError

NAME = "BTCUSDT-1m-2026-01.zip"
HEAD = "name\tbefore\tafter\tday\twhat\n"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(b"PK")
    (tmp_path / f"{NAME}.CHECKSUM").write_text(f"{sha256(b'PK').hexdigest()}  {NAME}\n")
    return path


def files(root: Path) -> list[str]:
    return [path.name for path in matching(root, SourceSpec("a", "*", {}, "", ""))]


def test_a_file_as_published_is_read_and_its_sum_is_no_source(archive: Path) -> None:
    (archive.parent / REPLACED).write_text(HEAD)
    assert files(archive.parent) == [NAME]


def test_another_file_than_published_is_refused(archive: Path) -> None:
    archive.write_bytes(b"PL")
    with pytest.raises(DataError, match=f"{NAME}: expected SHA-256 .* of {NAME}.CHECKSUM, was") as raised:
        files(archive.parent)
    assert raised.value.exit_code == 21


def test_a_file_that_was_replaced_is_refused_though_its_old_sum_holds(archive: Path) -> None:
    before, after = sha256(b"PK").hexdigest(), sha256(b"PL").hexdigest()
    (archive.parent / REPLACED).write_text(f"{HEAD}{NAME}\t{before}\t{after}\t2026-12-01\tvolumes\n")
    with pytest.raises(DataError, match="replaced \\(2026-12-01: volumes\\); fetch it again") as raised:
        files(archive.parent)
    assert raised.value.exit_code == 21
    archive.write_bytes(b"PL")
    (archive.parent / f"{NAME}.CHECKSUM").unlink()
    assert files(archive.parent) == [NAME]


@pytest.mark.parametrize("text", ["", "abc  " + NAME, "0" * 64 + "  other.zip", "0" * 64 + NAME])
def test_a_sum_of_another_form_is_named(text: str, archive: Path) -> None:
    (archive.parent / f"{NAME}.CHECKSUM").write_text(text)
    with pytest.raises(DataError, match="expected '<SHA-256>  ") as raised:
        check_upstream(archive, NAME)
    assert raised.value.exit_code == 4


@pytest.mark.parametrize("text", ["", "name\n", HEAD + "a\tb\n", HEAD + f"{NAME}\t{'0' * 63}\t{'0' * 64}\td\tw\n"])
def test_a_list_of_another_form_is_named(text: str, archive: Path) -> None:
    (archive.parent / REPLACED).write_text(text)
    with pytest.raises(DataError, match=r"replaced\.tsv, line"):
        check_upstream(archive, NAME)
