"""A bundle from a stranger: refused whole, with code 3, and nothing outside its folder.  [audit 12, 14]"""

from __future__ import annotations

import io
import os
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.audit.bundle.layout import check_name, in_bundle, in_run
from backtest.audit.bundle.pack import archive
from backtest.audit.bundle.unpack import unpack
from engine.errors import CmeError, MissingError

GOOD = {"manifest.json": b"{}", "ledgers/emit.jsonl": b"x\n", "folds/00/trades.parquet": b"PAR1"}


def made(change: Callable[[zipfile.ZipFile], None]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as target:
        warnings.simplefilter("ignore")  # the library warns of names twice; this is what is tested
        target.writestr("manifest.json", b"{}")
        change(target)
    return buffer.getvalue()


def entry(name: str, data: bytes = b"x", mode: int = 0o100644, kind: int = zipfile.ZIP_STORED) -> bytes:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.compress_type, info.create_system = mode << 16, kind, 3
    return made(lambda target: target.writestr(info, data))


def refused(data: bytes, folder: Path) -> str:
    """``data`` is refused with code 3 and leaves nothing but itself; the message is returned."""
    (folder / "in").mkdir()
    source = folder / "in" / "b.zip"
    source.write_bytes(data)
    with pytest.raises(MissingError) as caught:
        unpack(source, folder / "in" / "out")
    assert [path.name for path in folder.rglob("*")] == ["in", "b.zip"]
    return str(caught.value)


def test_what_was_packed_comes_out(tmp_path: Path) -> None:
    """Zip and folder alike give every file and no other."""
    (tmp_path / "b.zip").write_bytes(archive(GOOD))
    unpack(tmp_path / "b.zip", tmp_path / "a")
    unpack(tmp_path / "a", tmp_path / "b")

    for folder in (tmp_path / "a", tmp_path / "b"):
        assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == GOOD


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd", "../manifest.json", "folds/../../x", "folds/00/../trades.parquet", "C:/manifest.json",
        "folds\\00\\trades.parquet", "./manifest.json", "Manifest.json", "extra.txt", "folds/100/trades.parquet",
        "runs/x/journal.jsonl", "checkpoints/../1.ckpt", "manifest.json/", "ledger/emit.jsonl", "data.json",
        "manifest.json\n", "ma\u0301nifest.json", "",
    ],
)  # fmt: skip
def test_a_name_that_no_bundle_holds_is_refused(name: str, tmp_path: Path) -> None:
    """Absolute, climbing, other separators, unknown: one rule, a list of what may be there."""
    with pytest.raises(MissingError):
        check_name(name)
    if name:
        refused(entry(name), tmp_path)


def test_links_devices_and_folders_are_refused(tmp_path: Path) -> None:
    """An entry is a regular file."""
    for at, mode in enumerate((stat.S_IFLNK | 0o777, stat.S_IFDIR | 0o755, stat.S_IFIFO | 0o644, stat.S_IFCHR | 0o644)):
        (tmp_path / str(at)).mkdir()
        assert "regular file" in refused(entry("digest.txt", b"/etc/passwd", mode), tmp_path / str(at))


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    """Two readers could see two files."""
    assert "once" in refused(made(lambda target: target.writestr("manifest.json", b"[]")), tmp_path)


def test_a_bomb_is_refused_before_a_byte_comes_out(tmp_path: Path) -> None:
    """What is compressed is refused, whatever it says its size is."""
    assert "stored" in refused(entry("digest.txt", bytes(10**7), kind=zipfile.ZIP_DEFLATED), tmp_path)


def test_entries_that_overlap_are_refused(tmp_path: Path) -> None:
    """Many entries over the same bytes promise more than the archive holds."""
    names = [f"folds/{n:02d}/trades.parquet" for n in range(40)]
    data = bytearray(archive({names[0]: bytes(5000)}))
    at = data.index(b"PK\x01\x02")
    first, end = bytes(data[at:-22]), data[-22:]
    directory = b"".join(first.replace(names[0].encode(), name.encode()) for name in names)
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 40, 40, len(directory), at, 0)

    assert end[:4] == b"PK\x05\x06"
    refused(bytes(data[:at]) + directory + tail, tmp_path)


def test_what_stands_around_an_archive_is_refused(tmp_path: Path) -> None:
    """A prefix, a suffix or a comment could be another file to another reader."""
    good = archive(GOOD)
    for at, data in enumerate(
        (b"#!/bin/sh\n" + good, good + b"x", good[:-2] + b"\x01\x00x", good[: len(good) // 2], b"")
    ):
        (tmp_path / str(at)).mkdir()
        refused(data, tmp_path / str(at))


def test_a_directory_larger_than_its_entries_is_refused(tmp_path: Path) -> None:
    """The directory's length is checked before the library reads it into memory."""
    good = bytearray(archive(GOOD))
    good[-10:-6] = struct.pack("<L", 2**31)
    refused(bytes(good), tmp_path)


def test_a_folder_with_a_link_is_refused(tmp_path: Path) -> None:
    """A link could lead to any file of the reader's; a pipe could hold the reader up."""
    for at, make in enumerate((lambda p: p.symlink_to("/etc/passwd"), os.mkfifo)):
        folder = tmp_path / str(at)
        folder.mkdir()
        (folder / "manifest.json").write_bytes(b"{}")
        make(folder / "digest.txt")
        with pytest.raises(MissingError, match="link"):
            unpack(folder, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_names_go_to_a_run_and_back(tiny: object) -> None:
    """Every file of a finished run has a name in a bundle, and that name leads back."""
    folder: Path = tiny.folder  # type: ignore[attr-defined]
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith("folds/history"):
            assert in_run(in_bundle(name)) == name
            check_name(in_bundle(name))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_damaged_archive_is_refused_or_whole(data: st.DataObject) -> None:
    """Any few bytes changed, cut or put in: what comes out is a name we know below the folder, or an error of ours."""
    import tempfile

    body = bytearray(archive(GOOD))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        how = data.draw(st.sampled_from("scd"))
        if how == "s":
            body[at] = data.draw(st.integers(0, 255))
        elif how == "c":
            del body[at : at + data.draw(st.integers(1, 8))]
        else:
            body[at:at] = data.draw(st.binary(min_size=1, max_size=8))
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "b.zip").write_bytes(body)
        code = 0
        try:
            unpack(Path(place) / "b.zip", Path(place) / "out")
        except CmeError as error:
            code = error.exit_code
        assert code == (0 if (Path(place) / "out").exists() else 3)
        names = {p.relative_to(place).as_posix() for p in Path(place).rglob("*") if p.is_file()} - {"b.zip"}
        assert names <= {f"out/{name}" for name in GOOD}
