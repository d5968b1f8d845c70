"""Blobs in any folder that `fsspec` reaches (`s3://…`, `gs://…`, `sftp://…`), with verified copies in a local folder.

A blob is written to the local folder, uploaded, and only then renamed to its digest in both, so a name always has a
whole blob behind it. A blob is read from its local copy, memory-mapped; if there is none it is downloaded. Downloads are
never trusted: their bytes must match the digest.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from flowbook._utils.locks import Rank, RankedLock, renew_in_child
from flowbook.exceptions import DamagedValueError, ResultGoneError, StoreError
from flowbook.results.blobs import BlobWriter, FolderBlobs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Place", "RemoteBlobs", "RemoteFolder", "redact_url"]

_NAME = re.compile(r"([0-9a-f]{2})/([0-9a-f]{62})")
_TEMPORARY = ".tmp-"
_CHUNK_BYTES = 1 << 22
#: How often a blob is downloaded before its copy stays long enough to be opened.
_TRIES = 3
#: After a failure, writers fail at once for this time: otherwise each would wait for the timeout.
_FAIL_FAST_S = 15.0
#: A file there appears whole or not at all, and renaming it would copy it.
_OBJECT_STORES = frozenset({"abfs", "abfss", "az", "gcs", "gs", "oci", "oss", "s3", "s3a", "tos"})
#: Names that filesystems use for the time of the last change.
_MTIME_KEYS = ("mtime", "LastModified", "last_modified", "updated", "modified", "modify", "last_write_time", "created")


class Place(Protocol):
    """Where blobs are: a `RemoteFolder`, or behind flowbook's API."""

    def put(self, file: Path, digest: str) -> None:
        """Send a file there under its digest. Raises StoreError."""
        ...

    def parts(self, digest: str, size_bytes: int) -> Iterator[bytes]:
        """Yield the bytes stored under a digest, unchecked. Raises ResultGoneError, StoreError."""
        ...

    def digests(self) -> Iterator[str]:
        """Yield the digests of all blobs there. Raises StoreError."""
        ...

    def remove(self, digest: str, before: float) -> int:
        """Remove a blob not written after `before`; return the bytes freed. Raises StoreError."""
        ...

    def remove_unfinished(self, before: float) -> list[int]:
        """Remove files that dead writers left before that time; return the bytes of each. Raises StoreError."""
        ...

    def location(self, digest: str) -> str:
        """Return where a blob is, for messages."""
        ...


class RemoteBlobs:
    """Blobs at another place; implements `Blobs`.

    Args:
        remote: where the blobs are.
        folder: holds the local copies; it may be deleted at any time.
        copies_bytes: limit on the copies; the least recently used are removed first.
    """

    def __init__(self, remote: Place, folder: Path, copies_bytes: int) -> None:
        self.remote = remote
        self._copies = FolderBlobs(folder)
        self._published = FolderBlobs(folder, self._publish)
        self._copies_bytes = copies_bytes
        #: Bytes added since the limit was last checked; the first writer checks it.
        self._added_bytes = copies_bytes

    def writer(self, *, inline_bytes: int, limit_bytes: int | None) -> BlobWriter:
        """See `Blobs`. Its `commit` raises StoreError if the remote folder can't be reached."""
        return self._published.writer(inline_bytes=inline_bytes, limit_bytes=limit_bytes)

    def read(self, digest: str, size_bytes: int) -> memoryview:
        """Return the blob, memory-mapped from its local copy, which is downloaded first if it is missing or damaged.

        Raises:
            ResultGoneError: if it isn't in the remote folder.
            DamagedValueError: if its bytes don't match the digest.
            StoreError: if the remote folder can't be reached.
        """
        for _ in range(_TRIES):  # another thread or process may make room just when the copy is there
            try:
                view = self._copies.read(digest, size_bytes)
                break
            except (ResultGoneError, DamagedValueError):
                self._fetch(digest, size_bytes)
        else:
            view = self._copies.read(digest, size_bytes)
        self._note_use(digest)
        return view

    def digests(self) -> Iterator[str]:
        """See `Blobs`. Raises StoreError."""
        return self.remote.digests()

    def remove(self, digest: str, before: float) -> int:
        """See `Blobs`. Raises StoreError."""
        self._copies.remove(digest, before)
        return self.remote.remove(digest, before)

    def remove_unfinished(self, before: float) -> list[int]:
        """See `Blobs`. Raises StoreError."""
        return self._copies.remove_unfinished(before) + self.remote.remove_unfinished(before)

    def _publish(self, file: Path, digest: str) -> None:
        self.remote.put(file, digest)
        self._make_room(file.stat().st_size)

    def _fetch(self, digest: str, size_bytes: int) -> None:
        self._make_room(size_bytes)
        where = self.remote.location(digest)
        try:
            with self._copies.writer(inline_bytes=0, limit_bytes=None) as writer:
                for part in self.remote.parts(digest, size_bytes):
                    writer.write(part)
                    if writer.size_bytes > size_bytes:
                        break
                if writer.size_bytes != size_bytes or writer.digest != digest:
                    how = "its bytes changed" if writer.size_bytes == size_bytes else "it has another length"
                    msg = (
                        f"The stored value {digest[:12]} is damaged: {how} ({where}). Delete it and run its task again."
                    )
                    raise DamagedValueError(msg, digest=digest, path=where)
                writer.commit()
        except OSError as exc:
            msg = (
                f"Value {digest[:12]} can't be copied to {self._copies.folder}: {exc.strerror or exc}. Free some room."
            )
            raise StoreError(msg, digest=digest, path=str(self._copies.folder)) from exc

    def _note_use(self, digest: str) -> None:
        """Mark the copy as just used. Its mtime stays, so that its hash needn't be checked again."""
        path = self._copies.path(digest)
        with contextlib.suppress(OSError):
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))

    def _make_room(self, more_bytes: int) -> None:
        """Remove the least recently used copies until the rest fit; only once in a while."""
        self._added_bytes += more_bytes
        if self._added_bytes < self._copies_bytes // 8:
            return
        self._added_bytes = 0
        room = self._copies_bytes
        for _, size_bytes, path in sorted(self._stamps(), reverse=True):
            room -= size_bytes
            if room < 0:
                with contextlib.suppress(OSError):
                    path.unlink()

    def _stamps(self) -> Iterator[tuple[float, int, Path]]:
        for digest in self._copies.digests():
            path = self._copies.path(digest)
            with contextlib.suppress(OSError):
                status = path.stat()
                yield status.st_atime, status.st_size, path


class RemoteFolder:
    """A folder that `fsspec` reaches. All its errors are FlowbookErrors that name the folder.

    Args:
        url: of the folder; fsspec finds keys and regions in its configuration or the environment.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: _Opened | None = None
        self._renew_lock()
        renew_in_child(self, RemoteFolder._renew_lock)
        self._fails_until = 0.0
        self._last_error = ""

    def _renew_lock(self) -> None:
        self._lock = RankedLock(Rank.REMOTE_BLOBS)

    def put(self, file: Path, digest: str) -> None:
        """Upload a file under its digest. Readers see all of it or nothing.

        Raises:
            StoreError: if it can't be uploaded; for some seconds afterwards at once.
        """
        if time.monotonic() < self._fails_until:
            raise StoreError(self._last_error, path=redact_url(self.url))
        try:
            with self._translating_errors("written to", digest):
                self._put(file, digest)
        except StoreError as error:
            self._fails_until, self._last_error = time.monotonic() + _FAIL_FAST_S, str(error)
            raise

    def _put(self, file: Path, digest: str) -> None:
        opened = self._open()
        target = opened.path(digest)
        if opened.is_object_store:
            opened.system.put_file(str(file), target)
        else:
            opened.system.makedirs(target.rpartition("/")[0], exist_ok=True)
            beside = f"{opened.root}/{_TEMPORARY}{os.getpid()}-{os.urandom(8).hex()}"
            try:
                opened.system.put_file(str(file), beside)
                opened.system.mv(beside, target)
            except BaseException:
                with contextlib.suppress(Exception):
                    opened.system.rm_file(beside)
                raise
        opened.system.invalidate_cache()
        there, here = opened.system.info(target)["size"], file.stat().st_size
        if there != here:
            msg = f"{there:,} bytes arrived instead of {here:,}"
            raise OSError(msg)

    def parts(self, digest: str, size_bytes: int) -> Iterator[bytes]:  # noqa: ARG002  # the port's signature
        """Yield the bytes stored under a digest, unchecked.

        Raises:
            ResultGoneError: if there is no such blob.
            StoreError: if it can't be read.
        """
        with self._translating_errors("read", digest):
            opened = self._open()
            opened.system.invalidate_cache()
            with opened.system.open(opened.path(digest), "rb", cache_type="none") as file:
                while part := file.read(_CHUNK_BYTES):
                    yield part

    def digests(self) -> Iterator[str]:
        """Yield the digests of all blobs there; other files are ignored. Raises StoreError."""
        for path in self._files():
            if match := _NAME.fullmatch(path):
                yield match[1] + match[2]

    def remove(self, digest: str, before: float) -> int:
        """Remove a blob not written after `before` (seconds since the epoch); return the bytes freed. Raises StoreError."""
        with self._translating_errors("written to", digest):
            opened = self._open()
            return _remove(opened.system, opened.path(digest), before)

    def remove_unfinished(self, before: float) -> list[int]:
        """Remove files that dead writers left before that time; return the bytes of each. Raises StoreError."""
        with self._translating_errors("written to"):
            opened = self._open()
            found = [path for path in self._files() if path.startswith(_TEMPORARY)]
            return [size for path in found if (size := _remove(opened.system, f"{opened.root}/{path}", before))]

    def location(self, digest: str) -> str:
        """Return where a blob is, for messages."""
        return f"{redact_url(self.url)}/{digest[:2]}/{digest[2:]}"

    def _files(self) -> list[str]:
        with self._translating_errors("read"):
            opened = self._open()
            opened.system.invalidate_cache()
            try:
                found = opened.system.find(opened.root)
            except FileNotFoundError:
                return []
            return [path.rpartition(f"{opened.root.rstrip('/')}/")[2] for path in found]

    def _open(self) -> _Opened:
        """Return the filesystem; one per process, because connections don't survive a fork."""
        with self._lock:
            if self._opened is None or self._opened.process != os.getpid():
                self._opened = _open(self.url)
            return self._opened

    @contextlib.contextmanager
    def _translating_errors(self, what: str, digest: str = "") -> Iterator[None]:
        """Turn the filesystem's errors, which differ between filesystems, into flowbook's."""
        where = self.location(digest) if digest else redact_url(self.url)
        try:
            yield
        except (StoreError, GeneratorExit):
            raise
        except Exception as exc:
            if digest and what == "read" and isinstance(exc, FileNotFoundError):
                msg = (
                    f"Value {digest[:12]} is gone from the remote folder ({where}). Run its task again to get it back."
                )
                raise ResultGoneError(msg, digest=digest, path=where) from exc
            msg = (
                f"The remote folder of large values can't be {what}: {where} ({type(exc).__name__}: {str(exc)[:300]}). "
                "Check the network and your access to it, or unset FLOWBOOK_BLOBS to keep new values in the store's folder."
            )
            raise StoreError(msg, path=where) from exc


@dataclass(frozen=True, slots=True)
class _Opened:
    system: Any
    root: str
    is_object_store: bool
    process: int

    def path(self, digest: str) -> str:
        return f"{self.root}/{digest[:2]}/{digest[2:]}"


def _open(url: str) -> _Opened:
    import fsspec  # type: ignore[import-untyped]  # no stubs  # noqa: PLC0415  # heavy

    scheme = urlsplit(url).scheme
    try:
        system, root = fsspec.core.url_to_fs(url)
    except ImportError as exc:
        advice = "Install what is missing, or set FLOWBOOK_BLOBS to another folder."
        msg = f"Values can't be stored at {redact_url(url)}: {exc}. {advice}"
        raise StoreError(msg, path=redact_url(url)) from exc
    except ValueError as exc:
        msg = f"FLOWBOOK_BLOBS={redact_url(url)!r} can't be used: {exc}. Give a folder that fsspec knows, e.g. s3://bucket/folder."
        raise StoreError(msg, path=redact_url(url)) from exc
    if scheme == "file":
        #: Made private, as the store's own folder is.
        Path(root).mkdir(mode=0o700, parents=True, exist_ok=True)
    return _Opened(system, root.rstrip("/"), scheme in _OBJECT_STORES, os.getpid())


def _remove(system: Any, path: str, before: float) -> int:  # noqa: ANN401  # an fsspec filesystem
    try:
        found = system.info(path)
        changed = _changed(system, path, found)
        if changed is None or changed > before:
            return 0
        system.rm_file(path)
    except FileNotFoundError:
        return 0
    return int(found["size"] or 0)


def _changed(system: Any, path: str, found: dict[str, Any]) -> float | None:  # noqa: ANN401  # as above
    """Return when a file was last changed, in seconds since the epoch; None if the filesystem doesn't say."""
    modified = next((found[name] for name in _MTIME_KEYS if found.get(name) is not None), None)
    if modified is None:
        try:
            modified = system.modified(path)
        except NotImplementedError:
            return None
    if isinstance(modified, int | float):
        return float(modified)
    try:
        return (dt.datetime.fromisoformat(modified) if isinstance(modified, str) else modified).timestamp()
    except ValueError:
        return None


def redact_url(url: str) -> str:
    """Return `url` without the user name and password that it may contain."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=f"…@{parts.netloc.rpartition('@')[2]}"))
