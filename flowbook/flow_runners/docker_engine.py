"""The Docker engine of this machine, or the one that `DOCKER_HOST` or Docker's context names: images and containers for runs.

The library `docker` is loaded when an engine is first connected to.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.engine.masks import Masks
from flowbook.exceptions import FlowRunnerError
from flowbook.flow_runners.api_address import is_loopback
from flowbook.flow_runners.container_arguments import EPOCH_LABEL, RUN_LABEL
from flowbook.flow_runners.image_name import ImageName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowbook.flow_runners.container_arguments import ContainerArguments

__all__ = ["DockerEngine", "FoundContainer", "connected", "is_local"]

_USUAL_ADDRESS = "unix:///var/run/docker.sock"
_UNIX = "unix://"
#: How long a socket of this machine may take to answer.
_REACH_S = 10.0
#: How long an engine may be silent while it pulls an image: it says nothing while it unpacks a large layer.
_PULL_S = 3600
#: How long a container that is told to end may take before it is killed.
_GRACE_S = 10
#: More containers of one name than anybody has.
_MOST_NAMES = 100_000
_CONFLICT = 409


class FoundContainer(NamedTuple):
    """A container that the engine has.

    Attributes:
        id: as the engine calls it.
        name: as people call it.
        labels: that it has.
        is_over: whether it has ended.
    """

    id: str
    name: str
    labels: dict[str, str]
    is_over: bool

    @property
    def short_id(self) -> str:
        """As much of its id as people see."""
        return self.id[:12]

    @property
    def run_id(self) -> str:
        """The run that lives in it."""
        return self.labels.get(RUN_LABEL, "")

    @property
    def epoch(self) -> int:
        """At which its run was claimed for it."""
        return int(self.labels.get(EPOCH_LABEL) or 0)


@contextlib.contextmanager
def connected() -> Iterator[DockerEngine]:
    """Connect to the engine while the block runs.

    Raises:
        FlowRunnerError: if the library is missing, or no engine answers; names the address.
    """
    docker = _library()
    address = _address(docker)
    try:
        _reach(address)
        client = docker.from_env(use_ssh_client=True)
    except (OSError, docker.errors.DockerException) as error:
        msg = (
            f"No Docker engine answers at {address}: {_root_cause(error)}. Start it (Docker Desktop, or systemctl start docker), "
            "or set DOCKER_HOST to the address of one that runs."
        )
        raise FlowRunnerError(msg, address=address) from error
    try:
        yield DockerEngine(client, address)
    finally:
        client.close()


def _library() -> Any:  # noqa: ANN401  # it has no types
    try:
        import docker  # noqa: PLC0415  # an extra, and large
    except ImportError as error:
        msg = "DockerFlowRunner needs the library docker. Install it: pip install 'jupyter-flowbook[docker]'"
        raise FlowRunnerError(msg, extra="docker") from error
    return docker


def _address(docker: Any) -> str:  # noqa: ANN401  # as above
    """Return the address that the library connects to."""
    if given := os.environ.get("DOCKER_HOST"):
        return given
    with contextlib.suppress(Exception):  # an older library, or a context that can't be read: the usual address then
        found = docker.context.ContextAPI.kwargs_from_context(environment=os.environ)
        return str(found.get("base_url") or _USUAL_ADDRESS).removeprefix("http+")
    return _USUAL_ADDRESS


def _reach(address: str) -> None:
    """Raise OSError if nobody listens at a socket of this machine: the library would leave its own end of it open."""
    if address.startswith(_UNIX):
        with socket.socket(socket.AF_UNIX) as found:
            found.settimeout(_REACH_S)
            found.connect(address.removeprefix(_UNIX))


def _root_cause(error: BaseException) -> str:
    """Return what the system said, below what the libraries made of it."""
    found: BaseException | None = error
    while found is not None:
        inner = next((each for each in found.args if isinstance(each, BaseException)), None)
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
        reason = getattr(found, "reason", None)
        found = inner or (reason if isinstance(reason, BaseException) else None) or found.__context__
    return str(error)


def is_local(address: str) -> bool:
    """Return whether an engine's address is on this machine."""
    return address.startswith(("unix:", "npipe:", "/", "http+unix:")) or is_loopback(address)


class DockerEngine:
    """A connection to an engine. For one thread.

    Args:
        client: of the library.
        address: of the engine, for people.
    """

    def __init__(self, client: Any, address: str) -> None:  # noqa: ANN401  # the library has no types
        self._client = client
        self.address = address

    # Images

    def provide(self, image: str, pull: str, pulling: Callable[[], object]) -> None:
        """See to it that an image is there.

        Args:
            image: its name.
            pull: "ALWAYS", "IF_NOT_PRESENT" or "NEVER".
            pulling: called before the image is pulled, which may take minutes.

        Raises:
            FlowRunnerError: if it isn't, and can't be pulled or isn't to be.
        """
        is_here = self._has(image)
        if pull == "NEVER" and not is_here:
            msg = (
                f"The image {image} isn't on the Docker engine's machine, and isn't to be pulled. Make it there "
                "(docs/docker.md), or name another one: DockerFlowRunner(image='flows:1')."
            )
            raise FlowRunnerError(msg, image=image)
        if pull == "ALWAYS" or (pull == "IF_NOT_PRESENT" and not is_here):
            pulling()
            self._pull(image, is_here=is_here)

    def _has(self, image: str) -> bool:
        from docker.errors import ImageNotFound  # noqa: PLC0415  # loaded by `connected`

        try:
            self._client.api.inspect_image(image)
        except ImageNotFound:
            return False
        except _troubles() as error:
            msg = f"The engine tells nothing of an image {image!r}: {_explained(error)}. Names are like registry:5000/flows:2."
            raise FlowRunnerError(msg, image=image) from error
        return True

    def _pull(self, image: str, *, is_here: bool) -> None:
        name, usual_s = ImageName.parse(image), self._client.api.timeout
        self._client.api.timeout = _PULL_S
        try:
            self._client.images.pull(name.repository, tag=name.version)
        except _troubles() as error:
            hint = (
                "It is on this machine: image_pull_policy='NEVER' or a tag of its own uses that one."
                if is_here
                else "Make it on this machine (docs/docker.md), or name one that its registry has and this machine may pull."
            )
            msg = f"The image {image} can't be pulled: {_explained(error)}. {hint}"
            raise FlowRunnerError(msg, image=image) from error
        finally:
            self._client.api.timeout = usual_s

    # Containers

    def start(self, arguments: ContainerArguments) -> FoundContainer:
        """Make a container and start it; return it.

        Raises:
            FlowRunnerError: if that can't be done; there is no such container then.
        """
        container = None
        try:
            container = self._create(arguments)
            for network in arguments.further_networks:
                self._client.networks.get(network).connect(container)
            container.start()
        except _troubles() as error:
            if container is not None:
                self.remove(container.id)
            why = Masks(arguments.secrets()).text(_explained(error))
            msg = f"The container {arguments.name} of image {arguments.image} can't be started: {why}."
            raise FlowRunnerError(msg, image=arguments.image) from error
        return FoundContainer(container.id, container.name, dict(arguments.labels), is_over=False)

    def _create(self, arguments: ContainerArguments) -> Any:  # noqa: ANN401  # as above
        """Make a container of that name, or with a number behind it if another container has the name."""
        from docker.errors import APIError  # noqa: PLC0415  # as above

        for number in range(1, _MOST_NAMES):
            name = arguments.name if number == 1 else f"{arguments.name}-{number}"
            try:
                return self._client.containers.create(
                    arguments.image,
                    list(arguments.command),
                    name=name,
                    environment=dict(arguments.env),
                    labels=dict(arguments.labels),
                    volumes=list(arguments.volumes),
                    network_mode=arguments.network,
                    extra_hosts=dict(arguments.hosts),
                )
            except APIError as error:
                if error.status_code != _CONFLICT or "already in use" not in (error.explanation or ""):
                    raise
        msg = f"No name is free for the container {arguments.name}. Remove old ones: docker container prune"
        raise FlowRunnerError(msg, name=arguments.name)

    def stop(self, container: str) -> None:
        """Tell a container to end (SIGTERM), and kill it if it hasn't after 10 s. Does nothing if it is over."""
        from docker.errors import NotFound  # noqa: PLC0415  # as above

        try:
            self._client.api.stop(container, timeout=_GRACE_S)
        except NotFound:
            return
        except _troubles() as error:
            msg = f"The container {container} can't be ended: {_explained(error)}. Try: docker kill {container}"
            raise FlowRunnerError(msg, container=container) from error

    def remove(self, container: str) -> None:
        """Remove a container with the volumes that are its own, whatever it does. Never raises."""
        with contextlib.suppress(Exception):
            self._client.api.remove_container(container, v=True, force=True)

    def with_label(self, label: str) -> list[FoundContainer]:
        """Return all containers that have a label, those that are over, too. Raises FlowRunnerError."""
        try:
            found = self._client.api.containers(all=True, filters={"label": label})
        except _troubles() as error:
            msg = (
                f"The Docker engine at {self.address} doesn't tell its containers: {_explained(error)}. Try: docker ps"
            )
            raise FlowRunnerError(msg, address=self.address) from error
        return [
            FoundContainer(
                each["Id"],
                (each["Names"] or ["?"])[0].lstrip("/"),
                each["Labels"],
                is_over=each["State"] in {"exited", "dead"},
            )
            for each in found
        ]


def _troubles() -> tuple[type[Exception], ...]:
    """Return what the library raises: errors of its own, and those of the connection, which are OSErrors."""
    from docker.errors import DockerException  # noqa: PLC0415  # as above

    return DockerException, OSError


def _explained(error: BaseException) -> str:
    """Return what the engine or the system says of an error, without the library's words around it."""
    said = getattr(error, "explanation", None) or _root_cause(error)
    return str(said).strip().rstrip(".")
