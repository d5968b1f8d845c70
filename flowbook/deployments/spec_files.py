"""Reads the deployment specs in a Python or YAML file. A Python file is run once; nothing is recorded."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook import config
from flowbook.core.flow_files import FlowFile, read_flow_file
from flowbook.deployments.deployment_spec import SPEC_FIELDS, DeploymentSpec, collecting
from flowbook.exceptions import DefinitionError, DeploymentError, FlowbookError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from yaml.nodes import MappingNode, Node

    from flowbook.flow_run.ports import FlowRunner

__all__ = ["SpecFile", "read_spec_file"]

_YAML = (".yaml", ".yml")
#: A file holds no flow object, only the location of one.
_YAML_FIELDS = tuple(field for field in SPEC_FIELDS if field != "flow")
_EXAMPLE = "Write e.g. `- {name: nightly, flow_location: flows.py, schedule: {cron: '0 6 * * *'}}`."
#: What is a number, by YAML's tag.
_NUMBERS = {
    "tag:yaml.org,2002:int": r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$",
    "tag:yaml.org,2002:float": (
        r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
    ),
}


class SpecFile(NamedTuple):
    """The specs in a file.

    Attributes:
        specs: in their order; at least one.
        flow_file: the file itself, if it is a Python file.
    """

    path: Path
    specs: tuple[DeploymentSpec, ...]
    flow_file: FlowFile | None


def read_spec_file(path: str | Path) -> SpecFile:
    """Return the specs in a `.py` or `.yaml` file.

    Raises:
        DeploymentError: if the file holds none, or two of one flow and name, or a spec isn't one; names file and line.
        DefinitionError: if the file can't be read or run.
    """
    file = config.absolute(path)
    if file.suffix == ".py":
        with collecting(file.parent) as specs:
            flow_file = read_flow_file(file)
    elif file.suffix in _YAML:
        flow_file = None
        with collecting(file.parent) as specs:
            _read_yaml(file)
    else:
        msg = f"{file} is neither a .py nor a .yaml file. Give one that has DeploymentSpecs."
        raise DeploymentError(msg, file=str(file))
    if not specs:
        msg = (
            f"{file} holds no DeploymentSpec. Make one at its top level, e.g. DeploymentSpec(name='nightly', flow=...)."
        )
        raise DeploymentError(msg, file=str(file))
    return SpecFile(file, tuple(specs), flow_file)


def _read_yaml(file: Path) -> None:
    """Make the specs that a YAML file describes."""
    root = _compose(file)
    items = root.value if _kind(root) == "sequence" else [root]
    for number, item in enumerate(items, start=1):
        where = f"{file}, line {item.start_mark.line + 1}"
        if _kind(item) != "mapping":
            msg = f"{where}: item {number} isn't a deployment. {_EXAMPLE}"
            raise DeploymentError(msg, file=str(file))
        _make_spec(item, where, file)


def _compose(file: Path) -> Node:
    import yaml  # noqa: PLC0415  # only for those who have such a file

    try:
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=_loader())
    except OSError as error:
        msg = f"{file} can't be read: {error.strerror or error}. Give a file of deployments."
        raise DefinitionError(msg, file=str(file)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{file} isn't YAML: {' '.join(str(error).split())}. {_EXAMPLE}"
        raise DeploymentError(msg, file=str(file)) from error
    except RecursionError as error:
        msg = f"{file} isn't YAML: it is nested too deep. {_EXAMPLE}"
        raise DeploymentError(msg, file=str(file)) from error
    if root is None:
        msg = f"{file} is empty. {_EXAMPLE}"
        raise DeploymentError(msg, file=str(file))
    found: Node = root
    return found


@functools.cache
def _loader() -> Any:  # noqa: ANN401  # a class of YAML's
    """Return the loader that reads numbers as version 1.2 of YAML does: `1e-5` is one, `12:30` is a text and not 750."""
    import yaml  # noqa: PLC0415  # as above

    class Loader(yaml.SafeLoader):
        pass

    own = {tag: re.compile(pattern) for tag, pattern in _NUMBERS.items()}
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag not in own]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for tag, pattern in own.items():
        Loader.add_implicit_resolver(tag, pattern, [*"-+.0123456789"])
    return Loader


def _make_spec(node: MappingNode, where: str, file: Path) -> None:
    lines = dict(_keys(node, file))
    for field, number in lines.items():
        if field not in _YAML_FIELDS:
            hint = "A file can't hold a flow itself; give flow_location." if field == "flow" else _fields_of_a_spec()
            msg = f"{file}, line {number}: a deployment has no field {field!r}. {hint}"
            raise DeploymentError(msg, file=str(file), field=field)
    for key, value in node.value:
        if key.value == "notify":
            _keep_words(value)
    fields = _plain(node, file)
    try:
        if "flow_runner" in fields:
            fields["flow_runner"] = _flow_runner(fields["flow_runner"])
        DeploymentSpec(**fields)
    except FlowbookError as error:
        line = lines.get(str(error.details.get("field")))
        at = where if line is None else f"{file}, line {line}"
        raise type(error)(f"{at}: {error}", **error.details) from error


def _keep_words(notify: Node) -> None:
    """Let the keys of `notify: {to: ..., on: [...]}` be words: to YAML, `on` is a truth value."""
    for each in notify.value if _kind(notify) == "sequence" else [notify]:
        for key, _ in each.value if _kind(each) == "mapping" else ():
            if key.tag.endswith(":bool"):
                key.tag = "tag:yaml.org,2002:str"


def _fields_of_a_spec() -> str:
    return f"Its fields: {', '.join(_YAML_FIELDS)}."


def _keys(node: MappingNode, file: Path) -> Iterator[tuple[str, int]]:
    """Yield the keys of a mapping with their lines. Raises DeploymentError if one is there twice."""
    seen: dict[str, int] = {}
    for key, _ in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in seen:
            msg = f"{file}, line {line}: {name!r} is there twice, first in line {seen[name]}. Give it once."
            raise DeploymentError(msg, file=str(file), field=name)
        seen[name] = line
        yield name, line


def _plain(node: Node, file: Path) -> Any:  # noqa: ANN401  # what YAML holds
    """Return what a node holds. Raises DeploymentError if a value isn't plain data, such as `!!python/object`."""
    import yaml  # noqa: PLC0415  # as above

    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:
        msg = f"{file}, line {node.start_mark.line + 1}: {' '.join(str(error).split())}. {_EXAMPLE}"
        raise DeploymentError(msg, file=str(file)) from error
    finally:
        loader.dispose()


def _kind(node: Node) -> str:
    """Return "mapping", "sequence" or "scalar"."""
    return type(node).__name__.removesuffix("Node").lower()


def _flow_runner(given: object) -> FlowRunner | None:
    """Return the flow runner that a file describes: `{type: subprocess, condaenv: test}`, or as its settings are stored."""
    from flowbook.flow_run.flow_runner_of import flow_runner_of  # noqa: PLC0415  # only where one is named

    if given is None:
        return None
    if not isinstance(given, dict) or not isinstance(given.get("type"), str):
        msg = f"flow_runner={given!r} has no type. Write e.g. `flow_runner: {{type: subprocess, condaenv: test}}`."
        raise DeploymentError(msg, field="flow_runner")
    config = given.get("config", {})
    others = {name: value for name, value in given.items() if name not in {"type", "config"}}
    settings = {"type": given["type"], "config": {**(config if isinstance(config, dict) else {}), **others}}
    try:
        return flow_runner_of(settings)
    except FlowbookError as error:
        raise type(error)(str(error), **{**error.details, "field": "flow_runner"}) from error
