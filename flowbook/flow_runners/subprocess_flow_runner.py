"""`SubprocessFlowRunner`: a run in a process of this machine, in this Python or in a virtual or conda environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from flowbook.exceptions import ArgumentError
from flowbook.flow_runners import fields
from flowbook.flow_runners.pythons import conda_python, own_python, venv_python
from flowbook.flow_runners.universal_flow_runner import UniversalFlowRunner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.flow_runners.pythons import Interpreter

__all__ = ["SubprocessFlowRunner"]


class SubprocessFlowRunner(UniversalFlowRunner):
    """A run's process lives on this machine, in a process group of its own; it outlives the process that starts it.

    Args:
        env: environment variables for the process; they win over all others.
        condaenv: a conda environment to run in: its name, or its path if it begins with "/" or "~".
        virtualenv: path of a virtual environment to run in.
        stream_output: whether whoever starts it sees its output. In any case it is kept in a log file beside the store.

    Raises:
        ArgumentError: if both environments are given, there is no such field, or a value is not what it should be.
    """

    type: ClassVar[str] = "subprocess"

    def __init__(
        self,
        *,
        env: Mapping[str, str] | None = None,
        condaenv: str | None = None,
        virtualenv: str | os.PathLike[str] | None = None,
        stream_output: bool = True,
        **unknown: object,
    ) -> None:
        super().__init__(env=env, **unknown)
        owner = type(self).__name__
        folder = os.fspath(virtualenv) if isinstance(virtualenv, os.PathLike) else virtualenv
        self.condaenv = fields.text(owner, "condaenv", condaenv, "test")
        self.virtualenv = fields.text(owner, "virtualenv", folder, "./venv")
        self.stream_output = fields.flag(owner, "stream_output", stream_output)
        if self.condaenv is not None and self.virtualenv is not None:
            msg = (
                f"{owner} was given condaenv={self.condaenv!r} and virtualenv={self.virtualenv!r}. "
                "A process has one Python: give one of them."
            )
            raise ArgumentError(msg, condaenv=self.condaenv, virtualenv=self.virtualenv)

    def _python(self) -> Interpreter:
        if self.condaenv is not None:
            return conda_python(self.condaenv)
        return own_python() if self.virtualenv is None else venv_python(self.virtualenv)

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return ("env", "condaenv", "virtualenv", "stream_output")

    @classmethod
    def _usual(cls, name: str) -> object:
        return {"env": {}, "stream_output": True}.get(name)
