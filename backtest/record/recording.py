"""Writes a recording: frames of each feed, the control log, and the chain that commits to both.  [live L1]

    with open_recording(folder, now_ns) as recording:
        recording.write(feed, raw, wall_ns)  one frame of whole records, in the file and not yet safe
        recording.log(event)                 one line of the control log
        recording.sync()                     all of it survives a power loss from here on
        recording.close_hours(now_ns)        files of earlier hours are closed and committed to

A write that fails leaves a torn tail, which readers cut: nothing is appended after it, the next frame begins a new
part.  A file that was left open by a killed recorder is committed to when the recording is opened again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import file_digest, sha256
from itertools import count
from pathlib import Path
from typing import Final

from backtest.data.format.atomic_write import refusing_half
from backtest.data.raw.control_log import ControlEvent, control_files, control_path, event_line
from backtest.data.raw.segment_chain import CHAIN, CHAIN_FILE, CONTROL, head_of, read_segment_chain
from backtest.data.raw.segments import frame, hour_of, read_records, segment_path, segments_of
from backtest.file_lock import try_lock
from engine.errors import AppendError, WriteError
from engine.ledger.durable import make_folder, sync_folder
from engine.ledger.hash_chain import ChainHead, ChainWriter, whole_lines
from engine.units import NS_PER_HOUR

REST: Final = "-rest"
LOCK_FILE: Final = ".lock"
_LOCKED: Final = 42
_US: Final = 1_000


class GrowingFile:
    """A file that is only ever appended to, of one feed, one hour and one part."""

    def __init__(self, path: Path, hour: str, part: int) -> None:
        self.path, self.hour, self.part = path, hour, part
        self.bytes = 0
        self._sha256 = sha256()
        self._synced = True
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        try:
            sync_folder(path.parent)
        except OSError:
            os.close(self._handle)
            raise

    def append(self, data: bytes) -> None:
        """Append ``data``.  Raises ``OSError`` where the disk takes part of it or nothing; then the tail is torn."""
        written = 0
        self._synced = False
        while written < len(data):
            piece = data[written:] if written else data
            count = os.write(self._handle, piece)
            self._sha256.update(piece[:count])
            self.bytes += count
            written += count

    def sync(self) -> None:
        """Flush what was appended to the disk; again does nothing.  Raises ``OSError``."""
        if not self._synced:
            os.fdatasync(self._handle)
            self._synced = True

    def close(self) -> str:
        """Flush and close the file; return its SHA-256.  Raises ``OSError``."""
        try:
            self.sync()
        finally:
            os.close(self._handle)
        return self._sha256.hexdigest()


class Recording:
    """The one writer of a recording's folder; its methods are called from one thread at a time."""

    def __init__(self, folder: Path, chain: ChainWriter) -> None:
        self.folder = folder
        self.bytes = 0
        """Bytes appended by this recorder, the control log included."""
        self._chain = chain
        self._listed = {(line.connection, line.hour, line.part) for line in read_segment_chain(folder)}
        self._has_unlisted = True
        """Whether a file that is closed may lack its line: one of an earlier recorder, or of a disk that was full."""
        self._files: dict[str, GrowingFile] = {}

    def last_ns(self) -> int | None:
        """Return the wall time of the last record of the feed that ended first, None where nothing is recorded.

        Of feeds that ended within an hour of each other; answers by REST, whose feeds end in ``-rest``, do not count.
        Raises ``DataError`` (4) for a damaged segment.
        """
        newest = {each.feed: each for each in segments_of(self.folder) if not each.feed.endswith(REST)}
        last = [record.wall_ns for each in newest.values() for record in [*read_records(each.path)][-1:]]
        return min((ns for ns in last if ns > max(last) - NS_PER_HOUR), default=None)

    def write(self, feed: str, raw: bytes, wall_ns: int) -> None:
        """Append one frame of the raw bytes of whole records to the segment of ``feed``.

        ``wall_ns`` is the receipt of the first one: a frame lies in one hour.  Where the clock stepped back, the hour
        that is open goes on.  Raises ``OSError`` if the disk refuses: nothing of the frame counts, and it may be
        written again.
        """
        self._append(feed, frame(raw), wall_ns, lambda hour, part: segment_path(self.folder, feed, hour, part))

    def log(self, event: ControlEvent) -> None:
        """Append one event to the control log.  Raises ``OSError`` as `write`, ``DataError`` (4) for another form."""
        line = event_line(event)
        self._append(CONTROL, line, event.at_ns, lambda hour, part: control_path(self.folder, hour, part))

    def sync(self) -> None:
        """Flush every open file to the disk.  Raises ``OSError``."""
        for file in self._files.values():
            file.sync()

    def close_hours(self, now_ns: int) -> int:
        """Close the files of hours before that of ``now_ns`` and commit to them; return how many.

        Raises ``WriteError`` (5); called again, it commits to what the disk had refused as well.
        """
        if self._has_unlisted:
            self.adopt(now_ns)
        return self._close([name for name, file in self._files.items() if file.hour < hour_of(now_ns)], now_ns)

    @property
    def head(self) -> ChainHead:
        """The head of the chain: how many files are committed to, and the hash of its last line."""
        return self._chain.head

    def close_all(self, now_ns: int) -> None:
        """Close every file and commit to it; what comes later begins new parts.  Raises ``WriteError`` (5)."""
        self._close(list(self._files), now_ns)

    def close(self, now_ns: int) -> None:
        """Close every file and the chain.  Raises ``WriteError`` (5)."""
        self.close_all(now_ns)
        if self._has_unlisted:
            self.adopt(now_ns)
        self._chain.close()

    def adopt(self, now_ns: int) -> int:
        """Commit to the files that are closed and have no line yet; return how many.  Raises ``WriteError`` (5)."""
        known = self._listed | {(name, file.hour, file.part) for name, file in self._files.items()}
        found = [(each.feed, each.hour, each.part, each.path) for each in segments_of(self.folder)]
        found += [(CONTROL, each.hour, each.part, each.path) for each in control_files(self.folder)]
        left = [each for each in found if each[:3] not in known]
        for name, hour, part, path in sorted(left, key=lambda each: (each[1], each[0], each[2])):
            with path.open("rb") as stream:
                digest = file_digest(stream, "sha256").hexdigest()
            self._add_line(name, hour, part, digest, path.stat().st_size, now_ns)
        self._chain.sync()
        self._has_unlisted = False
        return len(left)

    def _append(self, name: str, data: bytes, wall_ns: int, path_of: Callable[[str, int], Path]) -> None:
        file = self._files.get(name)
        if file is not None and file.hour < hour_of(wall_ns):
            self._close([name], wall_ns)
            file = None
        if file is None:
            # a file that is made and refused stays, empty, and is committed to as such
            self._has_unlisted = True
            file = self._files[name] = _first_free(path_of, hour_of(wall_ns))
        before = file.bytes
        try:
            # A power loss may then spoil the last frame alone.
            file.sync()
            file.append(data)
        except OSError:
            # The next frame begins a new part: whole frames after a torn one would read as damage.
            if file.bytes > before:
                self._close([name], wall_ns)
            raise
        finally:
            self.bytes += file.bytes - before

    def _close(self, names: list[str], now_ns: int) -> int:
        try:
            for name in names:
                file = self._files.pop(name)
                try:
                    digest = file.close()
                except OSError as error:
                    raise WriteError(
                        f"expected to close {file.path}, was refused: {error.strerror or error}; make room"
                    ) from error
                self._add_line(name, file.hour, file.part, digest, file.bytes, now_ns)
            if names:
                self._chain.sync()
        except WriteError:
            self._has_unlisted = True
            raise
        return len(names)

    def _add_line(self, name: str, hour: str, part: int, digest: str, size: int, now_ns: int) -> None:
        self._chain.append(
            {"at_us": now_ns // _US, "bytes": size, "connection": name, "hour": hour, "part": part, "sha256": digest}
        )
        self._listed.add((name, hour, part))


@contextmanager
def open_recording(folder: Path, now_ns: Callable[[], int]) -> Iterator[Recording]:
    """Yield the recording in ``folder``, made where it is missing; on the way out every file is closed.

    Raises ``AppendError`` (42) while another recorder writes there, ``WriteError`` (5) if the disk refuses,
    ``DataError`` (4) for a damaged chain.
    """
    with _locked(folder):
        lines = read_segment_chain(folder)
        chain = folder / CHAIN_FILE
        with refusing_half(chain):
            _cut_torn_line(chain)
            stream = chain.open("ab")
        try:
            recording = Recording(folder, ChainWriter(CHAIN, stream, head_of(lines)))
            try:
                recording.adopt(now_ns())
                yield recording
            finally:
                recording.close(now_ns())
        finally:
            # it would flush once more what was refused, and hide the error that says so
            with suppress(OSError):
                stream.close()


def require_free(folder: Path) -> None:
    """Raise ``AppendError`` (42) while another recorder writes into ``folder``; it is made where it is missing."""
    with _locked(folder):
        pass


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    make_folder(folder)
    with refusing_half(folder / LOCK_FILE):
        lock = (folder / LOCK_FILE).open("wb")
    with lock:
        if not try_lock(lock.fileno()):
            raise AppendError(
                f"{folder}: expected no other recorder, was one: stop it, or record into another folder",
                exit_code=_LOCKED,
            )
        yield


def _cut_torn_line(path: Path) -> None:
    """Remove what a killed writer left of a line; the file it was about is committed to anew."""
    if path.exists():
        _, rest = whole_lines(path.read_bytes())
        if rest:
            os.truncate(path, path.stat().st_size - len(rest))


def _first_free(path_of: Callable[[str, int], Path], hour: str) -> GrowingFile:
    for part in count():
        path = path_of(hour, part)
        make_folder(path.parent)
        try:
            return GrowingFile(path, hour, part)
        except FileExistsError:
            continue
    raise AssertionError("there is always another part")
