"""Which mounts would give a container the whole machine: its root folder, and the Docker socket."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from flowbook import config
from flowbook.exceptions import FlowRunnerError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["host_source", "refuse_host_mounts"]

_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock")
_UNIX = "unix://"


def host_source(volume: str) -> str | None:
    """Return the folder or file of the machine that is mounted; None if it is a volume that the engine keeps."""
    source = volume.partition(":")[0]
    return source if source.startswith("/") else None


def refuse_host_mounts(owner: str, volumes: Iterable[str], engine: str) -> None:
    """Raise FlowRunnerError if one of the mounts gives a container the whole machine, and nobody has allowed that here.

    Args:
        owner: the flow runner's name, for the message.
        volumes: "SOURCE:TARGET[:MODE]".
        engine: the address of the engine, whose socket counts too.
    """
    if config.allows_host_mounts():
        return
    sockets = [*_SOCKETS, *([engine.removeprefix(_UNIX)] if engine.startswith(_UNIX) else [])]
    for volume in volumes:
        source = host_source(volume)
        if source is not None and (found := _gives(source, sockets)):
            msg = (
                f"{owner} mounts {volume!r}, and {found}, which gives the container the whole machine. Mount less of it; or "
                "allow it where runs are started: flowbook agent start --allow-host-mounts, or FLOWBOOK_ALLOW_HOST_MOUNTS=1."
            )
            raise FlowRunnerError(msg, volume=volume)


def _gives(source: str, sockets: Iterable[str]) -> str | None:
    """Return in words what a mount of `source` gives that it may not; None if it gives nothing of it."""
    folder = Path("/", os.path.realpath(source).lstrip("/"))  # "//" is another root to pathlib, and none to the system
    if folder == Path("/"):
        return "that is the root folder" if source == "/" else f"{source} is the root folder"
    for socket in sockets:
        if Path(os.path.realpath(socket)).is_relative_to(folder):
            return (
                f"{source} is the Docker socket" if folder.name == Path(socket).name else f"{source} has {socket} in it"
            )
    return None
