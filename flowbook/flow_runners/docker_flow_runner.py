"""`DockerFlowRunner`: a run in a container of its own."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, ClassVar

from flowbook import config
from flowbook.exceptions import ArgumentError, FlowRunnerError
from flowbook.flow_runners import fields
from flowbook.flow_runners.api_address import API_TOKEN, api_address, is_loopback
from flowbook.flow_runners.container_arguments import (
    ContainerFields,
    Surroundings,
    container_arguments,
    is_joined,
)
from flowbook.flow_runners.docker_engine import connected, is_local
from flowbook.flow_runners.host_mounts import refuse_host_mounts
from flowbook.flow_runners.kept_container import keep, put_into_output
from flowbook.flow_runners.universal_flow_runner import UniversalFlowRunner
from flowbook.store.process_identity import container_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from flowbook.flow_run.ports import Outcome, RunToStart
    from flowbook.flow_runners.container_arguments import ContainerArguments
    from flowbook.flow_runners.docker_engine import DockerEngine

__all__ = ["DockerFlowRunner"]

_NAMES = (
    "env",
    "image",
    "image_pull_policy",
    "networks",
    "network_mode",
    "labels",
    "auto_remove",
    "volumes",
    "stream_output",
)
_PULL_POLICIES = ("IF_NOT_PRESENT", "ALWAYS", "NEVER")


class DockerFlowRunner(UniversalFlowRunner):
    """A run's process lives in a Docker container. It reaches its run through flowbook's API (`FLOWBOOK_API_URL`).

    Needs the extra `docker`, and an image with this Python and this flowbook in it: see docs/docker.md.

    Args:
        env: environment variables in the container; they win over flowbook's own.
        image: e.g. "registry:5000/flows:2"; None: "flowbook:VERSION-pythonX.Y", which you make on the engine's machine.
        image_pull_policy: "IF_NOT_PRESENT", "ALWAYS" or "NEVER"; None: always if the image has no tag, or the tag `latest`,
            else if it isn't there.
        networks: names of Docker networks that the container joins before it starts.
        network_mode: e.g. "host" or "bridge"; None: the first of `networks`; without these, on Linux, this machine's network if
            that is where the API is.
        labels: of the container. `flowbook.run-id` and `flowbook.version` are always flowbook's own.
        auto_remove: whether the container is removed once it has ended, and its output and exit code are kept.
        volumes: mounts, "SOURCE:TARGET" or "SOURCE:TARGET:ro"; the source is a volume's name or an absolute path.
        stream_output: whether whoever starts it sees its output. In any case it is kept in a log file beside the store.

    Raises:
        ArgumentError: if there is no such field, or a value is not what it should be.
    """

    type: ClassVar[str] = "docker"
    is_of_this_machine: ClassVar[bool] = False

    def __init__(  # noqa: PLR0913  # the fields that it has
        self,
        *,
        env: Mapping[str, str] | None = None,
        image: str | None = None,
        image_pull_policy: str | None = None,
        networks: Sequence[str] | None = None,
        network_mode: str | None = None,
        labels: Mapping[str, str] | None = None,
        auto_remove: bool = False,
        volumes: Sequence[str] | None = None,
        stream_output: bool = True,
        **unknown: object,
    ) -> None:
        super().__init__(env=env, **unknown)
        owner = type(self).__name__
        self.image = fields.image(owner, image, "registry:5000/flows:2")
        self.image_pull_policy = fields.one_of(owner, "image_pull_policy", image_pull_policy, _PULL_POLICIES)
        self.networks = fields.texts(owner, "networks", networks, "backend")
        self.network_mode = fields.text(owner, "network_mode", network_mode, "host")
        self.labels = fields.env(owner, labels, "labels")
        self.auto_remove = fields.flag(owner, "auto_remove", auto_remove)
        self.volumes = fields.texts(owner, "volumes", volumes, "/data:/data")
        self.stream_output = fields.flag(owner, "stream_output", stream_output)
        self._check_fields(owner)

    def _check_fields(self, owner: str) -> None:
        for volume in self.volumes:
            source, _, target = volume.partition(":")
            if not source or not target.startswith("/") or source.startswith((".", "~")):
                msg = (
                    f"{owner}: volumes has {volume!r}, which isn't SOURCE:TARGET with absolute paths, or the name of a volume "
                    "as the source. Write e.g. '/data:/data' or '/data:/data:ro'."
                )
                raise ArgumentError(msg, field="volumes")
        if self.networks and is_joined(self.network_mode):
            msg = (
                f"{owner} was given networks={self.networks!r} and network_mode={self.network_mode!r}, and a container of that "
                "mode joins no network. Give one of them."
            )
            raise ArgumentError(msg, networks=self.networks, network_mode=self.network_mode)

    def check(self) -> None:
        """Check that a container could be started here: an API's address, a Docker engine. Raises FlowRunnerError."""
        with self._engine():
            pass

    def submit(self, run: RunToStart, started: Callable[[str], None]) -> Outcome:
        """Start the engine for a run in a container, and wait until that has ended.

        The container goes on if this process ends; a keeper of its own, which goes on too, keeps its output meanwhile.

        Args:
            run: a run that the caller has claimed.
            started: called with the name of the container and of its keeper once both exist.

        Raises:
            FlowRunnerError: if it can't be started; `started` hasn't been called then, and there is no container.
        """
        arguments = self._arguments(run)
        with self._engine() as engine:
            pulling = f"[pulling the image {arguments.image}]\n"
            engine.provide(arguments.image, arguments.pull, lambda: self._say(run, pulling))
            container = engine.start(arguments)
        return keep(run, container, started, is_streamed=self.stream_output)

    def end(self, identifier: str) -> None:
        """End the container of that name; does nothing if it is over.

        It is told to end (SIGTERM) and has 10 s to do so; then it is killed.

        Raises:
            FlowRunnerError: if no engine answers.
        """
        container = container_of(identifier).rpartition(":")[2]
        if container:
            with connected() as engine:
                engine.stop(container)

    def preview(self, run: RunToStart) -> str:
        """Return the container's arguments, as a command of Docker's command line. Secrets are masked.

        Raises:
            FlowRunnerError: if there is no address of the API.
        """
        return self._arguments(run).as_command()

    @contextlib.contextmanager
    def _engine(self) -> Iterator[DockerEngine]:
        """Connect to the engine, once it is clear that a container could reach the API and may have its mounts."""
        owner = type(self).__name__
        url = api_address(owner, self.env)
        if self.network_mode == "none":
            msg = (
                f"{owner}(network_mode='none') has no network, and a run needs flowbook's API, {url}. Give another one."
            )
            raise FlowRunnerError(msg, network_mode="none")
        if config.api_token() is None:
            msg = (
                f"{owner} needs the token of flowbook's API at {url}, and {API_TOKEN} isn't set here. Set it to the server's: "
                "what is in api.token in the folder of its store."
            )
            raise FlowRunnerError(msg, name=API_TOKEN)
        with connected() as engine:
            refuse_host_mounts(owner, self.volumes, engine.address)
            if is_loopback(url) and not is_local(engine.address):
                msg = (
                    f"The Docker engine at {engine.address} is on another machine, where FLOWBOOK_API_URL={url} isn't this one. "
                    "Set it to an address that this machine has on the network."
                )
                raise FlowRunnerError(msg, address=engine.address, value=url)
            yield engine

    def _say(self, run: RunToStart, text: str) -> None:
        put_into_output(run, text)
        if self.stream_output:
            with contextlib.suppress(OSError, ValueError):  # nobody sees this process's output any more
                sys.stdout.write(text)
                sys.stdout.flush()

    def _arguments(self, run: RunToStart) -> ContainerArguments:
        here = Surroundings(
            api_url=api_address(type(self).__name__, self.env),
            api_token=config.api_token(),
            project=config.project(),
            environ=os.environ,
            is_linux=sys.platform == "linux",
        )
        given = ContainerFields(
            self.env,
            self.image,
            self.image_pull_policy,
            self.networks,
            self.network_mode,
            self.labels,
            self.auto_remove,
            self.volumes,
        )
        return container_arguments(given, run, here)

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return _NAMES

    @classmethod
    def _usual(cls, name: str) -> object:
        usual = {"env": {}, "labels": {}, "networks": [], "volumes": [], "auto_remove": False, "stream_output": True}
        return usual.get(name)
