"""Which inputs of a flow's tasks are likely secrets: by their own names, or by that of the parameter that they come from. Pure.

Whatever shows inputs asks here: `Parameter("api_token")` is a secret too where a task takes it as `t`, or in a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook._utils.secret_words import sounds_secret
from flowbook.engine.task_keys import parent_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.graph import Graph

__all__ = ["all_secret_inputs", "judged_by", "secret_inputs", "secret_parameter"]


def judged_by(graph: Graph, key: str, argument: str) -> str:
    """Return the name that tells whether an input is a secret: that of its parameter, if it sounds secret, else its own.

    Args:
        graph: of the flow, or of a run's record.
        key: of the task or child that takes the input.
        argument: as the task calls it.
    """
    spec = graph.specs.get(parent_key(key))
    sources = () if spec is None else (each.upstream for each in spec.bindings if each.argument == argument)
    return next(filter(None, (secret_parameter(graph, each) for each in sources)), argument)


def secret_parameter(graph: Graph, key: str) -> str:
    """Return the parameter whose name sounds secret that a task is, or that it gathers; "" if there is none."""
    spec = graph.specs.get(parent_key(key))
    if spec is None:
        return ""
    if spec.is_parameter:
        return spec.key if sounds_secret(spec.key) else ""
    gathered = spec.bindings if spec.gathers else ()
    return next(filter(None, (secret_parameter(graph, each.upstream) for each in gathered)), "")


def secret_inputs(graph: Graph, key: str) -> frozenset[str]:
    """Return the arguments of a task or child that come from parameters whose names sound secret."""
    spec = graph.specs.get(parent_key(key))
    bindings = () if spec is None else spec.bindings
    return frozenset(each.argument for each in bindings if each.argument and secret_parameter(graph, each.upstream))


def all_secret_inputs(graph: Graph) -> Mapping[str, frozenset[str]]:
    """Return the same for all tasks that have such arguments, by key. Looks at few tasks: those below such parameters."""
    stack = [key for key, spec in graph.specs.items() if spec.is_parameter and sounds_secret(key)]
    below: dict[str, None] = {}
    while stack:
        for key in graph.children[stack.pop()]:
            if graph.specs[key].gathers and key not in below:
                stack.append(key)
            below[key] = None
    return {key: secret_inputs(graph, key) for key in below}
