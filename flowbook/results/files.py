"""Outputs as files in a folder of the user's: `Result`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from flowbook.exceptions import DefinitionError, ResultGoneError, RunError
from flowbook.results import serializer

__all__ = ["Result"]


class Result:
    """Writes outputs to files below `dir`, and reads them.

    Reading a file may run code that is in it, as with any pickle: point it only at folders that you trust like your own code.

    Args:
        dir: the folder; it is made when the first file is written. Relative to the working folder; `~` is yours.
        location: the file's name below it, for tasks without a `target`; placeholders are inputs and the context's names.
    """

    def __init__(
        self,
        dir: str | os.PathLike[str] = ".",  # noqa: A002  # the name promised to users
        location: str = "{flow_name}/{flow_run_id}/{task_run_key}.flowbook",
    ) -> None:
        if not isinstance(dir, (str, os.PathLike)):
            msg = f"Result(dir={dir!r}) is no folder. Give its path."
            raise DefinitionError(msg, dir=repr(dir))
        if not isinstance(location, str) or not location:
            msg = (
                f"Result(location={location!r}) is no name for a file. Give a text, e.g. '{{today}}/{{task_name}}.bin'."
            )
            raise DefinitionError(msg, location=repr(location))
        self.dir = os.fspath(dir)
        self.location = location

    def path(self, location: str) -> Path:
        """Return where a file lies.

        Raises:
            RunError: if `location` leads out of the folder, e.g. by an input that holds `..`.
        """
        folder = Path(self.dir).expanduser().absolute()
        found = Path(os.path.normpath(folder / location))
        if found == folder or folder not in found.parents:
            msg = f"{location!r} leads out of {folder}. Use a name below it, or a Result with another dir."
            raise RunError(msg, location=location)
        return found

    def exists(self, location: str) -> bool:
        """Return whether the file is there."""
        return self.path(location).is_file()

    def read(self, location: str) -> Any:  # noqa: ANN401  # what a task returned
        """Return the value in the file.

        Raises:
            ResultGoneError: if it is not there.
            DamagedValueError: if it holds no value that `write` wrote.
        """
        path = self.path(location)
        try:
            stored = bytearray(path.read_bytes())
        except OSError as error:
            msg = f"{path} can't be read: {error.strerror}. Run its task again."
            raise ResultGoneError(msg, path=str(path)) from error
        return serializer.load(stored)

    def write(self, location: str, value: object) -> None:
        """Write the value; readers see the old file or the new one, nothing between.

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
                        serializer.dump(value, file)
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
        except OSError as error:
            msg = f"{path} can't be written: {error.strerror}. Free space, or choose another folder."
            raise RunError(msg, path=str(path)) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and (other.dir, other.location) == (self.dir, self.location)

    def __hash__(self) -> int:
        return hash((self.dir, self.location))

    def __repr__(self) -> str:
        return f"Result({self.dir!r})"
