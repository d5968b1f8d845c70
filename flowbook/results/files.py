"""Outputs as files in a folder of the user's: `Result`.

A file is a value as the store keeps it; a pickle's bytes are followed by a signature under the user's key and a mark. So
somebody else who can write to the folder can't make the reader run code.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import Any, BinaryIO

from flowbook import config
from flowbook.exceptions import DamagedValueError, DefinitionError, ResultGoneError, RunError
from flowbook.results import serializer
from flowbook.results.signing import SIGNATURE_BYTES, Signer, read_key

__all__ = ["Result"]

_SIGNED = b"FLOWBOOK-SIGNED\x01"
_SHOWN_CHARS = 200
_END_BYTES = SIGNATURE_BYTES + len(_SIGNED)


class Result:
    """Writes outputs to files below `dir`, and reads them.

    Pickles are signed with your key (`FLOWBOOK_KEY_FILE`) and read only with that signature, because reading a pickle can run
    code. Processes on other machines need the same key, or `trust`.

    Args:
        dir: the folder; it is made when the first file is written. Relative to the working folder; `~` is your home folder.
        location: the file's name below it, for tasks without a `target`; placeholders are inputs and the context's names.
        trust: read files without your signature. Use it only if you would run the code of everybody who can write to the folder.
    """

    def __init__(
        self,
        dir: str | os.PathLike[str] = ".",  # noqa: A002  # the name promised to users
        location: str = "{flow_name}/{flow_run_id}/{task_run_key}.flowbook",
        *,
        trust: bool = False,
    ) -> None:
        if not isinstance(dir, (str, os.PathLike)):
            msg = f"Result(dir={dir!r}) isn't a folder's path. Give e.g. Result(dir='outputs')."
            raise DefinitionError(msg, dir=repr(dir))
        if not isinstance(location, str) or not location:
            msg = f"Result(location={location!r}) isn't a file name. Give a text, e.g. '{{today}}/{{task_name}}.bin'."
            raise DefinitionError(msg, location=repr(location))
        self.dir = os.fspath(dir)
        self.location = location
        self.trust = trust

    def path(self, location: str) -> Path:
        """Return the path of a file.

        Raises:
            RunError: if `location` leads out of the folder, e.g. by an input that holds `..`, or by a link in it, or can't
                be a file's name.
        """
        folder = Path(self.dir).expanduser().absolute()
        try:
            found = Path(os.path.normpath(folder / location))
            parent, top = found.parent.resolve(), folder.resolve()
            os.fsencode(found)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            msg = f"{_short(location)} can't be a file's name: {str(why)[:_SHOWN_CHARS]}. Use another."
            raise RunError(msg, location=location) from error
        if "\0" in location or found == folder or folder not in found.parents or not parent.is_relative_to(top):
            msg = f"{_short(location)} leads out of {folder}. Use a name below it, or a Result with another dir."
            raise RunError(msg, location=location)
        return found

    def exists(self, location: str) -> bool:
        """Return whether the file exists. Raises RunError as `path`."""
        path = self.path(location)
        try:
            return path.is_file()
        except OSError as error:
            msg = f"{_short(location)} can't be a file's name: {error.strerror}. Use another."
            raise RunError(msg, location=location) from error

    def read(self, location: str) -> Any:  # noqa: ANN401  # what a task returned
        """Return the value in the file.

        Raises:
            ResultGoneError: if it is not there.
            DamagedValueError: if it isn't a value that `write` wrote with your key.
        """
        path = self.path(location)
        try:
            stored = bytearray(path.read_bytes())
        except OSError as error:
            msg = f"{path} can't be read: {error.strerror}. Run its task again."
            raise ResultGoneError(msg, path=str(path)) from error
        end = len(stored) - _END_BYTES
        is_signed = stored.endswith(_SIGNED) and end > 0
        content = memoryview(stored)[:end] if is_signed else memoryview(stored)
        if serializer.is_pickle(content) and not self.trust:
            signature = bytes(stored[end : end + SIGNATURE_BYTES]) if is_signed else None
            if not _signer().is_signed(hashlib.sha256(content).digest(), signature):
                raise _foreign(path, is_signed=is_signed)
        return serializer.load(content)

    def write(self, location: str, value: object) -> None:
        """Write the value. Readers see the old file or the new one, never a part.

        Raises:
            UnpicklableError: naming the member at fault.
            RunError: if the file can't be written.
        """
        path = self.path(location)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with beside.open("xb") as file:
                    plain = serializer.dump_plain(value)
                    if plain is not None:
                        file.write(plain)
                    else:
                        _write_signed(value, file)
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
        except OSError as error:
            msg = f"{path} can't be written: {error.strerror}. Free space, or choose another folder."
            raise RunError(msg, path=str(path)) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and other._identity() == self._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        return self.dir, self.location, self.trust

    def __repr__(self) -> str:
        return f"Result({self.dir!r})"


def _short(location: str) -> str:
    return repr(location if len(location) <= _SHOWN_CHARS else f"{location[:_SHOWN_CHARS]}…")


def _write_signed(value: object, file: BinaryIO) -> None:
    out = _Hashed(file)
    serializer.dump(value, out)
    file.write(_signer().sign(out.hash.digest()) + _SIGNED)


class _Hashed:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def write(self, part: bytes | memoryview) -> None:
        self.hash.update(part)
        self._file.write(part)


def _signer() -> Signer:
    return Signer(lambda: read_key(config.key_file()), "file")


def _foreign(path: Path, *, is_signed: bool) -> DamagedValueError:
    how = "was signed with another key, or changed since" if is_signed else "is not signed"
    msg = (
        f"{path} {how}, so it is not read: it could run code. Delete it to run its task again, use the key that signed it "
        f"(FLOWBOOK_KEY_FILE), or, if you trust all who can write there, Result(…, trust=True)."
    )
    return DamagedValueError(msg, path=str(path))
