"""Creates a deployment in a process of its own, since that runs the user's file: the server runs no code of users."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from flowbook import exceptions
from flowbook.exceptions import DefinitionError, DeploymentError, FlowbookError, InfrastructureError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.store import Store

__all__ = ["create_in_process"]

_TIMEOUT_S = 60.0


def create_in_process(store: Store, spec: Mapping[str, Any]) -> str:
    """Create the deployment that a spec describes, as `flowbook deployment create FILE` does; return its id.

    Args:
        store: that gets it.
        spec: plain JSON, the fields of a deployment in a YAML file; `flow_location` is an absolute path.

    Raises:
        DeploymentError: if the spec isn't one, or doesn't fit its flow.
        InfrastructureError: if the flow's file doesn't come to an end.
    """
    if store.path is None:
        msg = "A store in memory can't be reached by another process, so nothing is deployed there. Serve one in a folder."
        raise StoreError(msg)
    if not Path(spec["flow_location"].partition(":")[0]).is_absolute():
        msg = f"flow_location={spec['flow_location']!r} isn't absolute. Give the whole path of the file on the server's machine."
        raise DeploymentError(msg, deployment=spec["name"], field="flow_location")
    with tempfile.TemporaryDirectory(prefix="flowbook-deployment-") as folder:
        file = Path(folder) / "deployment.yaml"
        # Not as JSON, which YAML reads otherwise: "\\ud83c\\udf89" as two halves of a character. All in quotes: texts stay texts.
        file.write_text(yaml.safe_dump([spec], sort_keys=False, default_style='"'), encoding="utf-8")
        done = _run([sys.executable, "-m", "flowbook", "deployment", "create", "--json", str(file)], store.path)
        if done.returncode == 0:
            (made,) = json.loads(done.stdout)
            return str(made["id"])
        raise _error(done.stderr, str(file))


def _run(command: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    #: The store of this machine, never one behind another API.
    env = {name: value for name, value in os.environ.items() if name != "FLOWBOOK_API_URL"}
    try:
        return subprocess.run(  # noqa: S603  # a list, no shell
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            env={**env, "FLOWBOOK_HOME": str(home)},
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"The flow's file was still running after {_TIMEOUT_S:.0f} s. Leave only definitions at its top level."
        raise InfrastructureError(msg) from error


def _error(written: str, file: str) -> FlowbookError:
    """Return the error that the process wrote."""
    try:
        found = json.loads(written.strip().splitlines()[-1])
        kind = getattr(exceptions, found["error"], DefinitionError)
        message = str(found["message"])
    except (ValueError, LookupError, TypeError):
        return InfrastructureError(
            "The process that was to create the deployment has broken down. See the server's log."
        )
    message = re.sub(rf"{re.escape(file)}(, line \d+)?: ", "", message)
    details = {"field": found["field"]} if "field" in found else {}
    return kind(message, **details) if issubclass(kind, FlowbookError) else DefinitionError(message, **details)
