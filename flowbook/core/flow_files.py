"""Flows in Python files: the file is run once, and the flows in it are found by their names."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import sys
import types
from typing import TYPE_CHECKING, NamedTuple

from flowbook import config
from flowbook.core.flow import Flow
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["FlowFile", "flow_and_digest_at", "flow_at", "flow_in", "read_flow_file", "split_location"]


class FlowFile(NamedTuple):
    """A Python file that was run.

    Attributes:
        path: absolute.
        digest: SHA-256 of the file's bytes, as hex.
        variables: the flows at its top level, by the variables that hold them.
    """

    path: Path
    digest: str
    variables: Mapping[str, Flow]

    @property
    def flows(self) -> tuple[Flow, ...]:
        """The flows at its top level, in the order of their definition."""
        return tuple({id(flow): flow for flow in self.variables.values()}.values())

    def flow(self, name: str | None = None) -> Flow:
        """Return the flow of that name, or else in the variable of that name; without a name, the only one.

        Raises:
            DefinitionError: if there is none, or several; lists those that are there.
        """
        found = [flow for flow in self.flows if name in {None, flow.name}]
        if not found and name is not None and name in self.variables:
            return self.variables[name]
        if len(found) == 1:
            return found[0]
        there = ", ".join(dict.fromkeys(repr(flow.name) for flow in self.flows))
        if not self.flows:
            msg = f"{self.path} holds no flow. Give the file that makes it, at its top level: `with Flow(...)` or `@flow`."
        elif name is None:
            msg = f"{self.path} holds {len(found)} flows: {there}. Say which: give its name too."
        elif found:
            msg = f"{self.path} holds {len(found)} flows named {name!r}. Give each a name of its own."
        else:
            msg = f"{self.path} holds no flow named {name!r}. Those in it: {there}."
        raise DefinitionError(msg, file=str(self.path), flow=name)


def read_flow_file(path: str | Path) -> FlowFile:
    """Run a Python file, as `import` would, and return the flows in it.

    Its folder is first on `sys.path` while it runs, so that it finds the modules beside it; what stands under
    `if __name__ == "__main__":` is left out.

    Raises:
        DefinitionError: if there is no such file, or it fails; says on which line.
    """
    file = config.absolute(path)
    with _folder_on_path(file.parent):
        digest, names = _run(file)
    return FlowFile(file, digest, {name: each for name, each in names.items() if isinstance(each, Flow)})


def flow_in(file: str | Path, name: str | None = None) -> Flow:
    """Return the flow of that name, or in the variable of that name, in a Python file; without a name, the only one.

    Raises:
        DefinitionError: if the file can't be run, or holds no such flow, or several.
    """
    return read_flow_file(file).flow(name)


def flow_at(location: str, name: str | None = None) -> Flow:
    """Return the flow at a location, "/path/flows.py:nightly". Arguments and errors as for `flow_and_digest_at`."""
    return flow_and_digest_at(location, name)[0]


def flow_and_digest_at(location: str, name: str | None = None) -> tuple[Flow, str]:
    """Return the flow at a location, "/path/flows.py:nightly", and the SHA-256 of its file.

    For a process of its own: the file's folder stays on `sys.path`, since tasks may import what lies there.

    Args:
        location: the flow's name may be left out if the file makes one flow.
        name: the name to look for if the location has none.

    Raises:
        DefinitionError: if the file can't be run, or holds no such flow, or several.
    """
    file, wanted = split_location(location)
    folder = str(config.absolute(file).parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    found = read_flow_file(file)
    return found.flow(name if wanted is None else wanted), found.digest


def split_location(location: str) -> tuple[str, str | None]:
    """Return the file and the name of the flow in a location such as "flows.py:nightly"; None without a name."""
    file, colon, name = location.rpartition(":")
    if not name and file.endswith(".py"):
        return file, None
    return (file, name) if colon and file and name and not name.endswith((".py", "/")) else (location, None)


@contextlib.contextmanager
def _folder_on_path(folder: Path) -> Iterator[None]:
    entry = str(folder)
    if entry in sys.path:
        yield
        return
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the file has taken it off itself
            sys.path.remove(entry)


def _run(file: Path) -> tuple[str, Mapping[str, object]]:
    """Run the file as a module of its name; return its digest and its names."""
    try:
        content = file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        msg = f"{file} can't be read: {getattr(error, 'strerror', None) or error}. Give the Python file that makes the flow."
        raise DefinitionError(msg, file=str(file)) from error
    name = _module_name(file)
    module, before = types.ModuleType(name), sys.modules.get(name)
    module.__file__ = str(file)
    module.__spec__ = importlib.util.spec_from_loader(name, None, origin=str(file))
    #: It stays there: what pickles a class of the file looks for it under the module's name.
    sys.modules[name] = module
    try:
        exec(compile(content, str(file), "exec", dont_inherit=True), module.__dict__)  # noqa: S102  # the user's own file
    except BaseException as error:
        _put_back(name, before)
        if not isinstance(error, Exception | SystemExit):
            raise
        raise DefinitionError(_why_not(file, error), file=str(file)) from error
    return hashlib.sha256(content).hexdigest(), module.__dict__


def _module_name(file: Path) -> str:
    """Return the file's name, under which a script beside it imports it, or another one where something else has that name."""
    name = file.stem
    before = sys.modules.get(name)
    is_ours = getattr(getattr(before, "__spec__", None), "origin", None) == str(file)
    is_free = before is None or (is_ours and getattr(before, "__loader__", None) is None)
    if is_free and name.isidentifier() and name not in {*sys.stdlib_module_names, "flowbook"}:
        return name
    return f"flow_file_{name}"


def _put_back(name: str, before: types.ModuleType | None) -> None:
    if before is None:
        sys.modules.pop(name, None)
    else:
        sys.modules[name] = before


def _why_not(file: Path, error: Exception | SystemExit) -> str:
    line = None if isinstance(error, SyntaxError) else _line_in(file, error)  # a SyntaxError says it itself
    if isinstance(error, DefinitionError):
        return f"{file}{'' if line is None else f', line {line}'}: {error}"
    where = "" if line is None else f" (line {line})"
    return f"{file} can't be run: {type(error).__name__}: {error}{where}. Give a Python file that makes the flow."


def _line_in(file: Path, error: BaseException) -> int | None:
    """Return the last line of the file that the error came through."""
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == str(file):
            line = frame.tb_lineno
        frame = frame.tb_next
    return line
