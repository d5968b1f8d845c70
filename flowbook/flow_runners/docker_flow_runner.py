"""`DockerFlowRunner`: a run in a container. It can be described, checked and stored; running it is not possible yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from flowbook.exceptions import FlowRunnerError
from flowbook.flow_runners import fields
from flowbook.flow_runners.universal_flow_runner import UniversalFlowRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.flow_run.ports import Outcome, RunToStart

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
    """A run's process lives in a Docker container. This version of flowbook keeps the settings and can't run it yet.

    Args:
        env: environment variables in the container.
        image: e.g. "registry:5000/flows:2"; None: flowbook's own.
        image_pull_policy: "IF_NOT_PRESENT", "ALWAYS" or "NEVER"; None: by the image's tag.
        networks: names of Docker networks to connect the container to.
        network_mode: e.g. "host".
        labels: of the container.
        auto_remove: whether the container is removed when it has ended.
        volumes: mounts, e.g. "/data:/data".
        stream_output: whether whoever starts it sees its output.

    Raises:
        ArgumentError: if there is no such field, or a value is not what it should be.
    """

    type: ClassVar[str] = "docker"

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
        self.image = fields.text(owner, "image", image, "python:3.13-slim")
        self.image_pull_policy = fields.one_of(owner, "image_pull_policy", image_pull_policy, _PULL_POLICIES)
        self.networks = fields.texts(owner, "networks", networks, "backend")
        self.network_mode = fields.text(owner, "network_mode", network_mode, "host")
        self.labels = fields.env(owner, labels, "labels")
        self.auto_remove = fields.flag(owner, "auto_remove", auto_remove)
        self.volumes = fields.texts(owner, "volumes", volumes, "/data:/data")
        self.stream_output = fields.flag(owner, "stream_output", stream_output)

    def check(self) -> None:
        """Raise FlowRunnerError: this version can't run containers."""
        self._refuse()

    def submit(self, run: RunToStart, started: Callable[[str], None]) -> Outcome:  # noqa: ARG002  # as the port has it
        """Raise FlowRunnerError: this version can't run containers."""
        self._refuse()

    def end(self, identifier: str) -> None:  # noqa: ARG002  # as the port has it
        """Raise FlowRunnerError: this version can't run containers."""
        self._refuse()

    def preview(self, run: RunToStart) -> str:  # noqa: ARG002  # as the port has it
        """Raise FlowRunnerError: this version can't run containers."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        msg = (
            "This version of flowbook stores DockerFlowRunner and can't run containers yet. "
            "Run the flow in a process of this machine: SubprocessFlowRunner()."
        )
        raise FlowRunnerError(msg, type=self.type)

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return _NAMES

    @classmethod
    def _usual(cls, name: str) -> object:
        usual = {"env": {}, "labels": {}, "networks": [], "volumes": [], "auto_remove": False, "stream_output": True}
        return usual.get(name)
