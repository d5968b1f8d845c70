"""What a run's container is made with, decided from the flow runner's fields, the run, and where it is started. Pure."""

from __future__ import annotations

import re
import shlex
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from flowbook._utils.versions import versions_here
from flowbook.engine.masks import secret_variable
from flowbook.flow_runners.api_address import API_TOKEN, API_URL, is_loopback
from flowbook.flow_runners.fields import shown_env
from flowbook.flow_runners.image_name import ImageName, usual_image
from flowbook.flow_runners.keeping import ENGINE
from flowbook.store.process_identity import PLACE, place_of_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.flow_run.ports import RunToStart

__all__ = [
    "EPOCH_LABEL",
    "HANDED_ON",
    "REMOVE_LABEL",
    "RUN_LABEL",
    "VERSION_LABEL",
    "ContainerArguments",
    "ContainerFields",
    "Surroundings",
    "container_arguments",
    "is_joined",
]

RUN_LABEL, VERSION_LABEL = "flowbook.run-id", "flowbook.version"
#: At which epoch the run was claimed for the container, and whether it is to be removed once it has ended.
EPOCH_LABEL, REMOVE_LABEL = "flowbook.epoch", "flowbook.auto-remove"
#: What a container calls the machine that its engine runs on.
_HOST = "host.docker.internal"
#: Settings that mean the same in a container; others name files of this machine, or belong to this process alone.
HANDED_ON = (
    "FLOWBOOK_API_PATIENCE_S",
    "FLOWBOOK_LOGGING_LEVEL",
    "FLOWBOOK_MAX_GATHER_BYTES",
    "FLOWBOOK_MAX_VALUE_BYTES",
    "FLOWBOOK_TRACEBACK",
)
_SECRETS = secret_variable("")
_PULLS = {"ALWAYS": "always", "IF_NOT_PRESENT": "missing", "NEVER": "never"}


class ContainerFields(NamedTuple):
    """What a person asks for, as `DockerFlowRunner` has it."""

    env: Mapping[str, str] = {}
    image: str | None = None
    image_pull_policy: str | None = None
    networks: Sequence[str] = ()
    network_mode: str | None = None
    labels: Mapping[str, str] = {}
    auto_remove: bool = False
    volumes: Sequence[str] = ()


class Surroundings(NamedTuple):
    """Where a container is started.

    Attributes:
        api_url: the API's address, as `api_address` found it.
        api_token: lets a process use the API; None if it needs none.
        project: of the run.
        environ: of this process.
        is_linux: whether a container can share this machine's network.
    """

    api_url: str
    api_token: str | None = None
    project: str = ""
    environ: Mapping[str, str] = {}
    is_linux: bool = True


@dataclass(frozen=True, slots=True)
class ContainerArguments:
    """What a container is made with.

    Attributes:
        name: that it gets unless another container has it.
        image: by name.
        pull: when the image is pulled: "ALWAYS", "IF_NOT_PRESENT" or "NEVER".
        command: an argument list.
        env: its environment variables, secrets included.
        labels: flowbook's own among them.
        volumes: mounts, "SOURCE:TARGET[:MODE]".
        network: the network, or network mode, that it is made with; None: the engine's usual one.
        further_networks: that it joins before it starts.
        hosts: names that it knows besides others, with their address.
        removes: whether it is removed once it has ended.
    """

    name: str
    image: str
    pull: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    labels: Mapping[str, str]
    volumes: tuple[str, ...] = ()
    network: str | None = None
    further_networks: tuple[str, ...] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)
    removes: bool = False

    def secrets(self) -> list[str]:
        """Return the values of its environment that nobody may see."""
        return [value for name, value in self.env.items() if name == API_TOKEN or name.startswith(_SECRETS)]

    def as_command(self) -> str:
        """Return it as a command of Docker's command line, for people: an option a line, secrets masked."""
        options = [f"--name {shlex.quote(self.name)}", f"--pull {_PULLS[self.pull]}"]
        options += ["--rm"] if self.removes else []
        options += [f"--network {shlex.quote(self.network)}"] if self.network else []
        options += [f"--network {shlex.quote(name)}" for name in self.further_networks]
        options += [f"--add-host {name}:{address}" for name, address in self.hosts.items()]
        options += [f"--volume {shlex.quote(each)}" for each in self.volumes]
        options += [f"--label {shlex.quote(f'{name}={value}')}" for name, value in sorted(self.labels.items())]
        shown = shown_env(self.env)
        options += [f"--env {shlex.quote(f'{name}={value}')}" for name, value in sorted(shown.items())]
        return " \\\n    ".join(["docker run --detach", *options, shlex.join([self.image, *self.command])])


def container_arguments(given: ContainerFields, run: RunToStart, here: Surroundings) -> ContainerArguments:
    """Return what the container of a run is made with.

    Args:
        given: what the person asks for, which wins over all but flowbook's own labels.
        run: that is to live in it.
        here: where it is started.
    """
    network = _network(given, here)
    url = here.api_url if _reaches_as_it_is(given, network, here) else _from_container(here.api_url)
    env = {**_environment(here, url), **given.env, PLACE: place_of_run(run.run_id, run.epoch)}
    image = given.image or usual_image()
    # A container that shares somebody's network knows the names that one does.
    hosts = {} if is_joined(network) or urlsplit(env[API_URL]).hostname != _HOST else {_HOST: "host-gateway"}
    return ContainerArguments(
        name=_name(run),
        image=image,
        pull=_pull(given, image),
        command=("python", *ENGINE, run.run_id),
        env=env,
        labels={**given.labels, **_labels(run, removes=given.auto_remove)},
        volumes=tuple(given.volumes),
        network=network,
        further_networks=tuple(given.networks[0 if given.network_mode else 1 :]),
        hosts=hosts,
        removes=given.auto_remove,
    )


def is_joined(network: str | None) -> bool:
    """Return whether a container of that network mode has no network of its own, and can't join another."""
    return network in {"host", "none"} or (network or "").startswith("container:")


def _pull(given: ContainerFields, image: str) -> str:
    """Return when the image is pulled: never the usual one, which people make themselves."""
    usually = "NEVER" if given.image is None else None
    return ImageName.parse(image).pull_policy(given.image_pull_policy or usually)


def _network(given: ContainerFields, here: Surroundings) -> str | None:
    """Return the network that the container is made with: on Linux this machine's, if that is where the API is."""
    if given.network_mode or given.networks:
        return given.network_mode or given.networks[0]
    return "host" if here.is_linux and is_loopback(here.api_url) else None


def _reaches_as_it_is(given: ContainerFields, network: str | None, here: Surroundings) -> bool:
    """Return whether the API's address means the same in the container, or is the person's own."""
    return API_URL in given.env or not is_loopback(here.api_url) or is_joined(network)


def _from_container(url: str) -> str:
    """Return an address of this machine as a container with a network of its own knows it."""
    parts = urlsplit(url)
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{user}{_HOST}{port}").geturl()


def _environment(here: Surroundings, url: str) -> dict[str, str]:
    handed_on = {name: value for name, value in here.environ.items() if name in HANDED_ON or name.startswith(_SECRETS)}
    own = {"FLOWBOOK_PROGRESS": "0", "PYTHONUNBUFFERED": "1", API_URL: url}
    own |= {"FLOWBOOK_PROJECT": here.project} if here.project else {}
    own |= {API_TOKEN: here.api_token} if here.api_token else {}
    return {**handed_on, **own}


def _labels(run: RunToStart, *, removes: bool) -> dict[str, str]:
    labels = {RUN_LABEL: run.run_id, VERSION_LABEL: versions_here()["flowbook"], EPOCH_LABEL: str(run.epoch)}
    return {**labels, REMOVE_LABEL: "true"} if removes else labels


def _name(run: RunToStart) -> str:
    """Return a name that engines accept: ASCII letters, digits, and a few marks that don't come first."""
    plain = unicodedata.normalize("NFKD", run.flow_name).encode("ascii", "ignore").decode()
    flow = re.sub(r"[^A-Za-z0-9_.-]+", "-", plain)[:100].strip("-_.")
    return f"{flow or 'flowbook'}-run-{run.number}"
