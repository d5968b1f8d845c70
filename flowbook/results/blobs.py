"""Content-addressed files: each is named by the SHA-256 of its bytes and never changes.

A blob is written to a temporary name, synced, renamed, and its folder synced; so a name is either absent or has a
whole blob behind it. Never looks at what the bytes mean.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import re
from typing import TYPE_CHECKING, Protocol, Self

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock, renew_in_child
from flowbook.exceptions import DamagedValueError, ResultGoneError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = ["BlobWriter", "Blobs", "FolderBlobs", "MemoryBlobs", "TooLargeError"]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1 << 22
_HASHED_BESIDE_BYTES = 1 << 22
_TEMPORARY = ".tmp-"


class TooLargeError(Exception):
    """More was written than the writer's `limit_bytes`."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"larger than {limit_bytes:,} bytes")
        self.limit_bytes = limit_bytes


class Blobs(Protocol):
    """Where large values are stored: a folder, memory, or a bucket (`remote_blobs`)."""

    def writer(self, *, inline_bytes: int, limit_bytes: int | None) -> BlobWriter:
        """Return a writer that holds up to `inline_bytes` in memory and refuses more than `limit_bytes`."""
        ...

    def read(self, digest: str, size_bytes: int) -> memoryview:
        """Return the bytes, their hash checked, as a private writable view (copy-on-write)."""
        ...

    def digests(self) -> Iterator[str]:
        """Yield the digests of all blobs."""
        ...

    def remove(self, digest: str, before: float) -> int:
        """Remove a blob unless it was written after `before` (seconds since the epoch); return the bytes freed."""
        ...

    def remove_unfinished(self, before: float) -> list[int]:
        """Remove files that dead writers left before `before`; return the bytes of each."""
        ...


class BlobWriter:
    """Takes bytes and hashes them. A small value stays in `inline`; a larger one becomes a blob on `commit()`."""

    def __init__(self, sink: _Sink, *, inline_bytes: int, limit_bytes: int | None) -> None:
        self._sink = sink
        self._hash = hashlib.sha256()
        self._parts: list[bytes] = []
        self._inline_bytes = inline_bytes
        self._limit_bytes = limit_bytes
        self._spilled = False
        self._hashing: threads.OwnedThread | None = None
        self.size_bytes = 0

    def write(self, part: bytes | memoryview) -> None:
        """Take the next bytes. Raises TooLargeError, OSError."""
        view = part if isinstance(part, bytes) else memoryview(part).cast("B")
        self.size_bytes += len(view)
        if self._limit_bytes is not None and self.size_bytes > self._limit_bytes:
            raise TooLargeError(self._limit_bytes)
        self._add_to_hash(view)
        if self._spilled:
            self._sink.append(view)
        elif self.size_bytes <= self._inline_bytes:
            self._parts.append(bytes(view))
        else:
            self._spill(view)

    def _add_to_hash(self, view: bytes | memoryview) -> None:
        """Hash a large part in a thread, while it is written: both take about as long, and neither holds the GIL."""
        self._end_hashing()
        if len(view) < _HASHED_BESIDE_BYTES:
            self._hash.update(view)
            return
        try:
            self._hashing = threads.spawn(self._hash.update, view, name="hash", owner=self)
        except RuntimeError:  # the machine gives no more threads
            self._hash.update(view)

    def _end_hashing(self) -> None:
        hashing, self._hashing = self._hashing, None
        if hashing is not None:
            hashing.join()

    def _spill(self, view: bytes | memoryview) -> None:
        self._spilled = True
        self._sink.begin()
        for part in self._parts:
            self._sink.append(part)
        self._parts.clear()
        self._sink.append(view)

    @property
    def digest(self) -> str:
        """SHA-256 of what was written so far, hex."""
        self._end_hashing()
        return self._hash.hexdigest()

    @property
    def inline(self) -> bytes | None:
        """All bytes of a small value; None if it becomes a blob."""
        return None if self._spilled else b"".join(self._parts)

    def commit(self) -> None:
        """Give the blob its name, if the value is large. Raises OSError."""
        if self._spilled:
            self._sink.sync()
            self._sink.commit(self.digest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_hashing()
        self._sink.discard()


class _Sink(Protocol):
    """Where the bytes of one blob go."""

    def begin(self) -> None: ...
    def append(self, part: bytes | memoryview) -> None: ...
    def sync(self) -> None: ...
    def commit(self, digest: str) -> None: ...
    def discard(self) -> None: ...


class FolderBlobs:
    """Blobs in `folder`, in 256 folders by the first two digits of their digest.

    Args:
        folder: made when the first blob is written.
        publish: called with the finished file and its digest before the rename; if it raises, the blob isn't made.
    """

    def __init__(self, folder: Path, publish: Callable[[Path, str], None] | None = None) -> None:
        self.folder = folder
        self._publish = publish
        #: Blobs whose hash was checked: digest to (inode, size, mtime). A file that changes later has another stamp.
        self._checked: dict[str, tuple[int, int, int]] = {}
        self._renew_lock()
        renew_in_child(self, FolderBlobs._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = RankedLock(Rank.BLOBS)

    def writer(self, *, inline_bytes: int, limit_bytes: int | None) -> BlobWriter:
        """See `Blobs`."""
        return BlobWriter(
            _TemporaryFile(self.folder, self._publish), inline_bytes=inline_bytes, limit_bytes=limit_bytes
        )

    def path(self, digest: str) -> Path:
        """Return the path of the blob, whether it exists or not."""
        if not _DIGEST.fullmatch(digest):
            msg = f"{digest!r} is not a digest. Digests are 64 hexadecimal digits."
            raise StoreError(msg, path=str(self.folder))
        return self.folder / digest[:2] / digest[2:]

    def read(self, digest: str, size_bytes: int) -> memoryview:
        """Return the blob memory-mapped, private copy-on-write.

        Its hash is checked once per process and file, and again if the file was touched.

        Raises:
            ResultGoneError: if there is no such file.
            DamagedValueError: if its bytes don't match the digest.
        """
        path = self.path(digest)
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_size != size_bytes:
                    raise _damaged(digest, path, f"it has {status.st_size:,} bytes instead of {size_bytes:,}")
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except FileNotFoundError as exc:
            msg = f"The file of value {digest[:12]} is gone from the store ({path}). Run its task again to get it back."
            raise ResultGoneError(msg, digest=digest, path=str(path)) from exc
        except OSError as exc:
            msg = f"The file of value {digest[:12]} can't be read: {exc}. Check {path}."
            raise StoreError(msg, digest=digest, path=str(path)) from exc
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        view = memoryview(mapped)
        with self._lock:
            is_checked = self._checked.get(digest) == stamp
        if not is_checked:
            if hashlib.sha256(view).hexdigest() != digest:
                raise _damaged(digest, path, "its bytes changed")
            with self._lock:
                self._checked[digest] = stamp
        return view

    def digests(self) -> Iterator[str]:
        """See `Blobs`. Other files are ignored."""
        if self.folder.is_dir():
            for path in self.folder.glob("[0-9a-f][0-9a-f]/*"):
                if _DIGEST.fullmatch(digest := path.parent.name + path.name):
                    yield digest

    def remove(self, digest: str, before: float) -> int:
        """See `Blobs`. Moved aside first: if a writer makes the same blob meanwhile, that one stays."""
        path = self.path(digest)
        aside = self.folder / f"{_TEMPORARY}{os.getpid()}-{os.urandom(8).hex()}"
        try:
            if path.stat().st_mtime > before:
                return 0
            path.rename(aside)
            status = aside.stat()
            if status.st_mtime > before:
                with contextlib.suppress(FileExistsError):
                    os.link(aside, path)
            aside.unlink()
        except FileNotFoundError:
            return 0
        return status.st_size if status.st_mtime <= before else 0

    def remove_unfinished(self, before: float) -> list[int]:
        """See `Blobs`."""
        removed = []
        for path in self.folder.glob(f"{_TEMPORARY}*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                if status.st_mtime <= before:
                    path.unlink()
                    removed.append(status.st_size)
        return removed


class MemoryBlobs:
    """Blobs in a dict, for the store in memory."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def writer(self, *, inline_bytes: int, limit_bytes: int | None) -> BlobWriter:
        """See `Blobs`."""
        return BlobWriter(_MemoryBuffer(self._blobs), inline_bytes=inline_bytes, limit_bytes=limit_bytes)

    def read(self, digest: str, size_bytes: int) -> memoryview:
        """See `Blobs`. Raises ResultGoneError."""
        held = self._blobs.get(digest)
        if held is None or len(held) != size_bytes:
            msg = f"Value {digest[:12]} is gone from memory. Run its task again to get it back."
            raise ResultGoneError(msg, digest=digest)
        return memoryview(bytearray(held))

    def digests(self) -> Iterator[str]:
        """See `Blobs`."""
        return iter(tuple(self._blobs))

    def remove(self, digest: str, before: float) -> int:  # noqa: ARG002  # there are no other writers
        """See `Blobs`."""
        return len(self._blobs.pop(digest, b""))

    def remove_unfinished(self, before: float) -> list[int]:  # noqa: ARG002  # as above
        """See `Blobs`."""
        return []


class _TemporaryFile:
    def __init__(self, folder: Path, publish: Callable[[Path, str], None] | None) -> None:
        self._folder = folder
        self._publish = publish
        self._path: Path | None = None
        self._descriptor = -1

    def begin(self) -> None:
        _make_folder(self._folder)
        path = self._folder / f"{_TEMPORARY}{os.getpid()}-{os.urandom(8).hex()}"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
        self._path = path

    def append(self, part: bytes | memoryview) -> None:
        view = memoryview(part)
        while view:
            view = view[os.write(self._descriptor, view[:_CHUNK_BYTES]) :]

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def commit(self, digest: str) -> None:
        assert self._path is not None  # noqa: S101  # begin() came first
        target = self._folder / digest[:2] / digest[2:]
        #: A file of that name is replaced too: it may be damaged, and its new age keeps a sweep of unused files away.
        if self._publish is not None:
            self._publish(self._path, digest)
        _make_folder(target.parent)
        self._path.replace(target)
        self._path = None
        _sync_folder(target.parent)

    def discard(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None


class _MemoryBuffer:
    def __init__(self, held: dict[str, bytes]) -> None:
        self._blobs = held
        self._grown = bytearray()

    def begin(self) -> None:
        self._grown.clear()

    def append(self, part: bytes | memoryview) -> None:
        self._grown += part

    def sync(self) -> None:
        """Nothing to do in memory."""

    def commit(self, digest: str) -> None:
        self._blobs[digest] = bytes(self._grown)

    def discard(self) -> None:
        self._grown = bytearray()


def _make_folder(path: Path) -> None:
    """Make a folder, but not its parents: a store that was removed must not come back in parts."""
    if not path.is_dir():
        path.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(digest: str, path: Path, how: str) -> DamagedValueError:
    msg = f"The stored value {digest[:12]} is damaged: {how} ({path}). Delete that file and run its task again."
    return DamagedValueError(msg, digest=digest, path=str(path))
