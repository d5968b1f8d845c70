"""The Python that a subprocess flow runner starts: of this process, of a virtual environment, or of a conda environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import NamedTuple

from flowbook import config
from flowbook.exceptions import FlowRunnerError

__all__ = ["Interpreter", "conda_python", "own_python", "venv_python"]

_PACKAGE = "jupyter-flowbook"
_ASK_S = 60.0
#: What a Python is asked before a run is given to it.
_PROBE = f"""
import json, sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
try:
    number = version({_PACKAGE!r})
except PackageNotFoundError:
    number = None
print(json.dumps([list(sys.version_info[:2]), find_spec("flowbook") is not None, number]))
"""


class Interpreter(NamedTuple):
    """How to start a Python.

    Attributes:
        command: the first words of a command that Python's arguments follow.
        env: what it needs in its environment.
        path: folders to put before all others in PATH.
        unset: environment variables that it must not have.
        prefix: the folder of its environment; None for this process's own.
    """

    command: tuple[str, ...]
    env: dict[str, str]
    path: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    prefix: str | None = None

    def check(self, env: dict[str, str]) -> None:
        """Check that a run recorded here can go on there.

        Args:
            env: the environment that it is to be started with.

        Raises:
            FlowRunnerError: if it doesn't start, lacks flowbook, or has another version of it or of Python.
        """
        if self.prefix is None:
            return
        name = " ".join(self.command)
        try:
            done = subprocess.run(  # noqa: S603  # an argument list, no shell
                [*self.command, "-c", _PROBE], env=env, capture_output=True, text=True, timeout=_ASK_S, check=True
            )
            python, has_flowbook, number = json.loads(done.stdout)
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip().splitlines()[-1:] or ["it says nothing"]
            msg = f"{name} doesn't start: {said[0]}. Repair the environment {self.prefix}, or make it anew."
            raise FlowRunnerError(msg, python=name) from error
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            msg = f"{name} doesn't start: {error}. Repair the environment {self.prefix}, or make it anew."
            raise FlowRunnerError(msg, python=name) from error
        self._compare(name, tuple(python), number, has_flowbook=has_flowbook)

    def _compare(self, name: str, python: tuple[int, ...], number: str | None, *, has_flowbook: bool) -> None:
        own_python, own = sys.version_info[:2], _own_version()
        if python != own_python:
            there, here = (".".join(map(str, each)) for each in (python, own_python))
            msg = (
                f"{name} is Python {there}, and this is Python {here}: a flow that is stored with its code runs only on the "
                f"same. Make the environment with Python {here}."
            )
            raise FlowRunnerError(msg, python=name, version=there)
        wanted = _PACKAGE if own is None else f"{_PACKAGE}=={own}"
        install = f"{name} -m pip install {wanted}"
        if not has_flowbook:
            msg = f"{name} has no flowbook, which runs the flow there. Install it: {install}"
            raise FlowRunnerError(msg, python=name)
        if number is not None and own is not None and number != own:
            msg = (
                f"{name} has flowbook {number}, and this is flowbook {own}: both must read the same store. "
                f"Install the same there: {install}"
            )
            raise FlowRunnerError(msg, python=name, version=number)


def own_python() -> Interpreter:
    """Return this process's own Python."""
    return Interpreter((sys.executable,), {})


def venv_python(folder: str) -> Interpreter:
    """Return the Python of a virtual environment. Raises FlowRunnerError: if there is none."""
    prefix = config.absolute(folder)
    if not prefix.is_dir():
        msg = f"There is no virtual environment {prefix}. Make it: {Path(sys.executable).name} -m venv {prefix}"
        raise FlowRunnerError(msg, virtualenv=str(prefix))
    python = prefix / _scripts() / _python()
    if not python.exists():
        msg = f"{prefix} isn't a virtual environment: it has no {python.relative_to(prefix)}. Make one: python -m venv {prefix}"
        raise FlowRunnerError(msg, virtualenv=str(prefix))
    unset = ("PYTHONHOME", "__PYVENV_LAUNCHER__")
    return Interpreter((str(python),), {"VIRTUAL_ENV": str(prefix)}, (str(python.parent),), unset, str(prefix))


def conda_python(name: str) -> Interpreter:
    """Return the Python of a conda environment.

    Its prefix is looked up, and its Python called with the variables that conda sets. If the prefix has no Python in the usual
    place, `conda run` starts it, with output that isn't captured.

    Args:
        name: of the environment, or its path if it begins with "/" or "~".

    Raises:
        FlowRunnerError: if there is no conda, or no such environment; names those that there are.
    """
    if name.startswith(("/", "~")):
        prefix = Path(name).expanduser()
        if not prefix.is_dir():
            msg = f"There is no conda environment at {prefix}. Make it: conda create --prefix {prefix} python"
            raise FlowRunnerError(msg, condaenv=str(prefix))
    else:
        prefix = _conda_prefix(name)
    python = prefix / ("python.exe" if os.name == "nt" else "bin/python")
    env = {"CONDA_PREFIX": str(prefix), "CONDA_DEFAULT_ENV": name, "CONDA_SHLVL": "1"}
    unset = ("PYTHONHOME", "VIRTUAL_ENV")
    if python.exists():
        return Interpreter((str(python),), env, (str(python.parent),), unset, str(prefix))
    run = (_conda(), "run", "--no-capture-output", "--prefix", str(prefix), "python")
    return Interpreter(run, {}, (), unset, str(prefix))


def _conda_prefix(name: str) -> Path:
    conda = _conda()
    try:
        done = subprocess.run(  # noqa: S603  # as above
            [conda, "info", "--json"], capture_output=True, text=True, timeout=_ASK_S, check=True
        )
        found = json.loads(done.stdout)
        root, prefixes = Path(found["root_prefix"]), [Path(each) for each in found["envs"]]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        msg = f"{conda} info --json fails: {error}. Give the environment's path: condaenv='/path/to/{name}'."
        raise FlowRunnerError(msg, condaenv=name) from error
    named = {"base": root, **{each.name: each for each in prefixes if each != root}}
    if name not in named:
        there = ", ".join(map(repr, named))
        msg = f"conda has no environment {name!r}, only {there}. Make it: conda create --name {name} python"
        raise FlowRunnerError(msg, condaenv=name)
    return named[name]


def _conda() -> str:
    found = os.environ.get("CONDA_EXE") or shutil.which("conda")
    if found is None:
        msg = (
            "There is no conda on the PATH, and CONDA_EXE isn't set. Install it, or give the environment's path: "
            "condaenv='/path/to/environment'."
        )
        raise FlowRunnerError(msg)
    return found


def _own_version() -> str | None:
    try:
        return installed(_PACKAGE)
    except PackageNotFoundError:
        return None


def _scripts() -> str:
    return "Scripts" if os.name == "nt" else "bin"


def _python() -> str:
    return "python.exe" if os.name == "nt" else "python"
