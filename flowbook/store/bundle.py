"""A run with its values as one file, to take it to another store.

The file is a zip: `manifest.json` (the run, its events, and each value's digest, size and preview), `signature`, and one
member for each value. The signature is an HMAC of the manifest, whose digests vouch for the values. Nothing is unpickled
here. Names inside the file are never used as paths.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import StoreError
from flowbook.store.event_rows import DECISION, LOG, STATE, decode_event
from flowbook.store.queries import queries
from flowbook.store.runs import store_graph
from flowbook.store.state_codec import is_state_name

if TYPE_CHECKING:
    from pathlib import Path

    from flowbook.results.blobs import Blobs
    from flowbook.results.signing import Signer
    from flowbook.store.database import Database
    from flowbook.store.values import Values

__all__ = ["Bundles"]

_KINDS = (STATE, LOG, DECISION)
_FORMAT = "flowbook run 1"
_CHUNK_BYTES = 1 << 20
_INLINE_BYTES = 64_000
_ROW_ERRORS = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    UnicodeEncodeError,
)
_SIGNATURE_BYTES = 64
_SWELLS = "its values are larger than it is"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_RUN_COLUMNS = (
    "run_id", "project", "flow", "created", "graph", "parameters", "parameters_digest", "parameters_bytes", "flow_digest",
    "flow_bytes", "flow_unkept", "executor", "origin", "state", "message", "started", "ended", "counts",
)  # fmt: skip
#: The year 9999: `datetime` goes no further.
_LATEST = 253_402_300_800
_DIGESTS = ("parameters_digest", "flow_digest")
_TEXTS = ("run_id", "project", "flow", "graph", "parameters", "executor", "origin")


@dataclass(frozen=True, slots=True)
class Bundles:
    """Writes runs of a store into files, and imports them."""

    database: Database
    blobs: Blobs
    signer: Signer
    values: Values

    def write(self, row: int, run_id: str, path: Path) -> int:
        """Write the run of that row to `path`, which must not exist; return the number of values.

        Raises:
            StoreError: if the file exists or can't be written, or a value is damaged.
        """
        manifest = self._manifest(row)
        temporary = path.with_name(f".{path.name}-{os.urandom(4).hex()}")
        try:
            if path.exists():
                raise FileExistsError(17, "it exists already")  # one message for all of them
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    self._fill(manifest, file)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as exc:
            msg = f"Run {run_id} can't be written to {path}: {exc.strerror}. Give another file."
            raise StoreError(msg, path=str(path)) from exc
        return len(manifest["values"])

    def read(self, path: Path, *, trust: bool) -> str:
        """Import the run in the file at `path` into this store; return its id.

        Args:
            path: of the file.
            trust: import it although it wasn't signed with your key. Its flow and values are then signed as yours, and
                run as your code does: only for files from people you trust.

        Raises:
            StoreError: if it isn't such a file, is damaged, has another signature and isn't trusted, or its run is here already.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                manifest = self._read_manifest(archive, path, trust=trust)
                self._refuse_known(manifest["run"]["run_id"])
                values = [self._take(archive, value) for value in manifest["values"]]
                self.database.write(lambda connection: _insert(connection, manifest, values))
        except OSError as exc:
            msg = f"{path} can't be read: {exc.strerror or exc}. Give a file that `flowbook run export` made."
            raise StoreError(msg, path=str(path)) from exc
        except StoreError as exc:
            if isinstance(exc.__cause__, _ROW_ERRORS):  # the database can't take what is in the file
                raise _damaged(path, exc.__cause__) from exc
            raise
        except Exception as exc:  # the file may come from anybody, and hold anything
            raise _damaged(path, exc) from exc
        run_id: str = manifest["run"]["run_id"]
        return run_id

    # Writing ----------------------------------------------------------------------------------------------------------

    def _manifest(self, row: int) -> dict[str, Any]:
        columns = ", ".join("graph.content" if name == "graph" else name for name in _RUN_COLUMNS)
        query = f"SELECT {columns} FROM run JOIN graph ON graph.id = graph_id WHERE run.id = ?"  # noqa: S608  # constants
        with self.database.snapshot() as read:
            (found,) = read(query, (row,))
            events = read(queries()["events"], (row, 0))
            held = read("SELECT digest FROM held WHERE run = ?", (row,))
        run = {name: _plain(value) for name, value in zip(_RUN_COLUMNS, found, strict=True)}
        wanted = dict.fromkeys(
            [event[6] for event in events if event[6] is not None]
            + [digest for (digest,) in held]
            + [bytes.fromhex(run[name]) for name in _DIGESTS if run[name]]
        )
        values = [
            {"digest": digest.hex(), "size_bytes": size, "preview": preview}
            for digest in wanted
            for size, preview in self.database.read("SELECT size_bytes, preview FROM value WHERE digest = ?", (digest,))
        ]
        return {
            "format": _FORMAT,
            "run": run,
            "events": [[_plain(part) for part in event] for event in events],
            "held": [digest.hex() for (digest,) in held],
            "values": values,
        }

    def _fill(self, manifest: dict[str, Any], file: Any) -> None:  # noqa: ANN401  # an open binary file
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            written = json.dumps(manifest, separators=(",", ":")).encode()
            archive.writestr("manifest.json", written)
            archive.writestr("signature", self.signer.sign(hashlib.sha256(written).digest()))
            for value in manifest["values"]:
                with archive.open(f"values/{value['digest']}", "w", force_zip64=True) as member:
                    self._copy_out(value, member)

    def _copy_out(self, value: dict[str, Any], member: Any) -> None:  # noqa: ANN401  # an open binary file
        ((content,),) = self.database.read(
            "SELECT content FROM value WHERE digest = ?", (bytes.fromhex(value["digest"]),)
        )
        if content is not None:
            if hashlib.sha256(content).hexdigest() != value["digest"]:
                msg = f"The stored value {value['digest'][:12]} is damaged, so the run is not exported. Run its task again."
                raise StoreError(msg, digest=value["digest"])
            member.write(content)
            return
        view = self.blobs.read(value["digest"], value["size_bytes"])
        for start in range(0, len(view), _CHUNK_BYTES):
            member.write(view[start : start + _CHUNK_BYTES])

    # Reading ----------------------------------------------------------------------------------------------------------

    def _read_manifest(self, archive: zipfile.ZipFile, path: Path, *, trust: bool) -> dict[str, Any]:
        """Return the manifest, checked. Only a part of it is in memory before its signature is checked."""
        signature = _member(archive, "signature", _SIGNATURE_BYTES)
        file_bytes = path.stat().st_size
        _refuse_packed(archive, file_bytes)
        if not trust and not self.signer.is_signed(_hash_of(archive, "manifest.json"), signature):
            msg = (
                f"{path} was not signed with your key, so it is not read: what it holds could run code. "
                "If you trust whoever made it, import it with trust=True (on the command line: --trust)."
            )
            raise StoreError(msg, path=str(path))
        manifest = _checked(json.loads(_member(archive, "manifest.json", file_bytes)))
        for event in manifest["events"]:
            _refuse_undecodable(event, self.values)
        if sum(value["size_bytes"] for value in manifest["values"]) > file_bytes:
            raise ValueError(_SWELLS)
        return manifest

    def _refuse_known(self, run_id: str) -> None:
        if self.database.read(queries()["run_row"], (run_id,)):
            msg = f"Run {run_id} is in this store already. flowbook.run({run_id!r}) gives it."
            raise StoreError(msg, run_id=run_id)

    def _take(self, archive: zipfile.ZipFile, value: dict[str, Any]) -> tuple[object, ...]:
        """Copy a value into the store, checked; return its row."""
        digest, size_bytes = value["digest"], value["size_bytes"]
        writer = self.blobs.writer(inline_bytes=_INLINE_BYTES, limit_bytes=None)
        with writer, archive.open(f"values/{digest}") as member:
            while part := member.read(_CHUNK_BYTES):
                writer.write(part)
                if writer.size_bytes > size_bytes:
                    break
            if writer.digest != digest or writer.size_bytes != size_bytes:
                msg = f"value {digest[:12]} is not what was exported"
                raise ValueError(msg)
            writer.commit()
        raw = bytes.fromhex(digest)
        return raw, size_bytes, writer.inline, self.signer.sign(raw), value["preview"], time.time()


def _insert(connection: sqlite3.Connection, manifest: dict[str, Any], values: list[tuple[object, ...]]) -> None:
    run = dict(manifest["run"])
    for name in _DIGESTS:
        run[name] = bytes.fromhex(run[name]) if run[name] else None
    number = connection.execute(
        "SELECT coalesce(max(number), 0) + 1 FROM run WHERE project = ? AND flow = ?", (run["project"], run["flow"])
    ).fetchone()[0]
    columns = (*(name for name in _RUN_COLUMNS if name != "graph"), "graph_id", "number", "epoch")
    marks = ", ".join(f":{name}" for name in columns)
    (row,) = connection.execute(
        f"INSERT INTO run ({', '.join(columns)}) VALUES ({marks}) RETURNING id",  # noqa: S608  # constants
        {**run, "graph_id": store_graph(connection, run["graph"]), "number": number, "epoch": 1},
    ).fetchone()
    statements = queries()
    connection.executemany(
        "INSERT INTO value (digest, size_bytes, content, signature, preview, created) "
        "VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (digest) DO UPDATE SET content = excluded.content, signature = excluded.signature",
        values,
    )
    connection.executemany(
        statements["add_event"],
        [(row, *_event_row(event)) for event in manifest["events"]],
    )
    connection.execute(statements["note_answer_due"], {"run": row})
    connection.executemany(statements["hold_value"], [(row, bytes.fromhex(digest)) for digest in manifest["held"]])


def _event_row(event: list[Any]) -> tuple[Any, ...]:
    """Return the event as the database has it."""
    return *event[:6], bytes.fromhex(event[6]) if event[6] else None, event[7]


def _refuse_undecodable(event: list[Any], values: Values) -> None:
    """Refuse an event that couldn't be shown later."""
    try:
        decode_event(_event_row(event), values)
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError) as exc:
        msg = f"event {event[0]!r} can't be shown ({type(exc).__name__}: {exc})"
        raise ValueError(msg) from exc


def _member(archive: zipfile.ZipFile, name: str, most_bytes: int) -> bytes:
    """Return a member's bytes; one of more than `most_bytes` is refused before it is read."""
    if archive.getinfo(name).file_size > most_bytes:
        msg = f"its {name} is too large"
        raise ValueError(msg)
    return archive.read(name)


def _refuse_packed(archive: zipfile.ZipFile, file_bytes: int) -> None:
    """Refuse a file that could grow when read: flowbook's members are uncompressed, and each occurs once."""
    members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED or member.file_size > file_bytes for member in members):
        raise ValueError(_SWELLS)


def _hash_of(archive: zipfile.ZipFile, name: str) -> bytes:
    found = hashlib.sha256()
    with archive.open(name) as member:
        while part := member.read(_CHUNK_BYTES):
            found.update(part)
    return found.digest()


def _damaged(path: Path, error: Exception) -> StoreError:
    msg = f"{path} is damaged, or no exported run: {error}. Export the run again."
    return StoreError(msg, path=str(path))


def _checked(manifest: Any) -> dict[str, Any]:  # noqa: ANN401  # what was in the file
    """Return the manifest if it is well-formed; it may come from anybody."""
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        msg = f"its format is not {_FORMAT!r}"
        raise ValueError(msg)
    run = manifest["run"]
    digests = [value["digest"] for value in manifest["values"]] + manifest["held"]
    digests += [event[6] for event in manifest["events"] if event[6]] + [run[name] for name in _DIGESTS if run[name]]
    if set(run) != set(_RUN_COLUMNS) or not all(isinstance(run[name], str) for name in _TEXTS):
        msg = "what it says of the run is not complete"
        raise ValueError(msg)
    if not _RUN_ID.fullmatch(run["run_id"]):
        msg = f"{run['run_id']!r} can't be a run's id"
        raise ValueError(msg)
    odd = [digest for digest in digests if not (isinstance(digest, str) and _DIGEST.fullmatch(digest))]
    if odd:
        msg = f"{odd[0]!r} is not a digest"
        raise ValueError(msg)
    if not isinstance(json.loads(run["graph"]), dict) or not isinstance(json.loads(run["parameters"]), dict):
        msg = "its graph or its parameters are not what they should be"
        raise ValueError(msg)  # noqa: TRY004  # damaged, not misused
    for seq, kind, key, at, name, body, _, size in manifest["events"]:
        types = (
            (seq, int),
            (kind, int),
            (key, str),
            (at, int | float),
            (name, str),
            (body, str | None),
            (size, int | None),
        )
        is_known = kind in _KINDS and (kind != STATE or is_state_name(name))
        if not is_known or not all(isinstance(part, kind_of) for part, kind_of in types) or not _is_moment(at):
            msg = f"event {seq!r} is not what it should be"
            raise ValueError(msg)
    _check_details(run, manifest["values"])
    return manifest


def _check_details(run: dict[str, Any], values: list[dict[str, Any]]) -> None:
    """Refuse what couldn't be displayed later."""
    moments = [run[name] for name in ("created", "started", "ended") if run[name] is not None or name == "created"]
    texts = [run[name] for name in ("message", "flow_unkept") if run[name] is not None]
    sizes = [run[name] for name in ("parameters_bytes", "flow_bytes") if run[name] is not None]
    tables = [each for each in (run["counts"], *(value["preview"] for value in values)) if each is not None]
    if (
        not all(map(_is_moment, moments))
        or not all(isinstance(text, str) for text in texts)
        or not all(isinstance(size, int) for size in sizes)
        or not (run["state"] is None or is_state_name(run["state"]))
        or not all(isinstance(table, str) and isinstance(json.loads(table), dict) for table in tables)
    ):
        msg = "its times, sizes, previews or texts are not what they should be"
        raise ValueError(msg)


def _is_moment(stamp: object) -> bool:
    return isinstance(stamp, int | float) and 0 <= stamp < _LATEST


def _plain(value: object) -> Any:  # noqa: ANN401  # JSON
    return value.hex() if isinstance(value, bytes) else value
