"""Compares a manifest with what the client library knows of Kubernetes: unknown fields, and values of another type."""

from __future__ import annotations

import difflib
import re
from typing import Any

from flowbook.exceptions import FlowRunnerError

__all__ = ["check_manifest"]

_LIST = re.compile(r"[Ll]ist\[(.+)\]")
_DICT = re.compile(r"[Dd]ict[\[(]str, (.+)[\])]")
_PLAIN: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}


def check_manifest(models: Any, manifest: object, model: str = "V1Job") -> None:  # noqa: ANN401  # a module of models
    """Check that a manifest has only fields that there are, with values of their types.

    A cluster ignores a field that stands in the wrong place, such as `parallelism` in the pod's spec, unless asked not to.

    Args:
        models: `kubernetes.client.models`.
        manifest: plain JSON.
        model: name of its class there.

    Raises:
        FlowRunnerError: if it hasn't; names the path.
    """
    _check(models, manifest, model, "")


def _check(models: Any, part: object, kind: str, path: str) -> None:  # noqa: ANN401  # as above
    if part is None:
        return
    if match := _LIST.fullmatch(kind):
        for number, each in enumerate(_of_type(part, list, "a list", path)):
            _check(models, each, match[1], f"{path}[{number}]")
    elif match := _DICT.fullmatch(kind):
        for name, each in _of_type(part, dict, "a mapping", path).items():
            _check(models, each, match[1], f"{path}.{name}")
    elif (known := getattr(getattr(models, kind, None), "openapi_types", None)) is not None:
        _check_fields(models, _of_type(part, dict, "a mapping", path), kind, known, path)
    elif kind in _PLAIN and (not isinstance(part, _PLAIN[kind]) or (isinstance(part, bool) and kind != "bool")):
        raise _wrong(path, part, {"str": "a text", "bool": "true or false"}.get(kind, "a number"))


def _check_fields(models: Any, part: Any, kind: str, known: dict[str, str], path: str) -> None:  # noqa: ANN401  # as above
    names = {json_name: known[name] for name, json_name in getattr(models, kind).attribute_map.items()}
    for name, each in part.items():
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            msg = (
                f"The Job has {_joined(path, name)}, and {kind.removeprefix('V1')} has no field {name!r}.{hint} Move or remove "
                "it; if your cluster is newer than that, update the package: pip install --upgrade kubernetes"
            )
            raise FlowRunnerError(msg, path=_joined(path, name))
        _check(models, each, names[name], _joined(path, name))


def _of_type(part: object, kind: type, words: str, path: str) -> Any:  # noqa: ANN401  # as checked
    if not isinstance(part, kind):
        raise _wrong(path, part, words)
    return part


def _wrong(path: str, part: object, words: str) -> FlowRunnerError:
    return FlowRunnerError(
        f"The Job has {path or 'a manifest'}: {part!r}, which isn't {words}. Write one there.", path=path
    )


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
