"""The types of flow runners by name, and the flow runner that settings, or a word of a command line, describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.exceptions import ArgumentError, DefinitionError
from flowbook.flow_runners.docker_flow_runner import DockerFlowRunner
from flowbook.flow_runners.kubernetes_flow_runner import KubernetesFlowRunner
from flowbook.flow_runners.subprocess_flow_runner import SubprocessFlowRunner
from flowbook.flow_runners.universal_flow_runner import UniversalFlowRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.flow_run.ports import FlowRunnerSettings

__all__ = ["PLACES", "from_settings", "from_word"]

_TYPES: dict[str, type[UniversalFlowRunner]] = {
    kind.type: kind for kind in (UniversalFlowRunner, SubprocessFlowRunner, DockerFlowRunner, KubernetesFlowRunner)
}

#: What a word of a command line stands for; what follows its colon is handed on.
_WORDS: dict[str, Callable[[str], UniversalFlowRunner]] = {
    "subprocess": lambda _: SubprocessFlowRunner(stream_output=False),
    "docker": lambda image: DockerFlowRunner(image=image or None, stream_output=False),
    "kubernetes": lambda image: KubernetesFlowRunner(image=image or None, stream_output=False),
}
#: The words, for help and completion.
PLACES = ("subprocess", "docker:IMAGE", "kubernetes:IMAGE")


def from_word(word: str) -> UniversalFlowRunner:
    """Return the flow runner that a word such as "subprocess" or "docker:flows:2" names; it shows no output.

    Raises:
        ArgumentError: if it names none; names the words that there are.
    """
    name, _, rest = word.partition(":")
    make = _WORDS.get(name)
    if make is None or (rest and name == "subprocess"):
        msg = f"{word!r} is no place for a run. Write one of {', '.join(PLACES)}."
        raise ArgumentError(msg, word=word)
    return make(rest)


def from_settings(settings: FlowRunnerSettings) -> UniversalFlowRunner:
    """Return the flow runner that `to_settings` made these of.

    Raises:
        DefinitionError: if there is no such type, or it has no such field; names those that there are.
    """
    kind = _TYPES.get(settings.type)
    if kind is None:
        known = ", ".join(map(repr, _TYPES))
        msg = f"There is no flow runner of type {settings.type!r}. The types are {known}."
        raise DefinitionError(msg, type=settings.type)
    return kind(**settings.config)
