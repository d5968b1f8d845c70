"""Checks of the fields that only `KubernetesFlowRunner` has. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from flowbook.exceptions import ArgumentError
from flowbook.flow_runners.api_address import API_TOKEN

__all__ = ["OWN_LABELS", "base_manifest", "customizations", "dns_name", "labels", "refuse_plain_token", "seconds"]

#: By these a run's Job is found, so nobody else sets them.
OWN_LABELS = ("flowbook.run-id", "flowbook.version")
_OPERATIONS = {
    "add": ("value",),
    "remove": (),
    "replace": ("value",),
    "move": ("from",),
    "copy": ("from",),
    "test": ("value",),
}
_DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_PREFIX = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/")
_BATCH = "batch/v1"


def dns_name(owner: str, field: str, given: object, example: str) -> str | None:
    """Return the name of a namespace, a Secret or an account in a cluster; None for None."""
    if given is not None and not (isinstance(given, str) and _DNS_NAME.fullmatch(given)):
        msg = (
            f"{owner}({field}={given!r}) can't be a name in a cluster, which has lower-case letters, digits, '-' and '.'. "
            f"Give e.g. {field}={example!r}."
        )
        raise ArgumentError(msg, field=field)
    return given


def labels(owner: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return labels as Kubernetes takes them. Refuses flowbook's own."""
    for name, value in given.items():
        if name in OWN_LABELS:
            msg = f"{owner}: labels has {name}, by which flowbook finds the run's Job. Leave it out."
            raise ArgumentError(msg, field="labels")
        prefix = _PREFIX.match(name)
        if not name or not _LABEL.fullmatch(name[prefix.end() :] if prefix else name) or name.endswith("/"):
            msg = (
                f"{owner}: labels has {name!r}, which can't be a label's name. Give e.g. 'team' or 'example.com/team'."
            )
            raise ArgumentError(msg, field="labels")
        if not _LABEL.fullmatch(value):
            msg = (
                f"{owner}: labels has {name}={value!r}, which can't be a label's value: at most 63 letters, digits, '-', '_' and "
                "'.', with a letter or digit at both ends."
            )
            raise ArgumentError(msg, field="labels")
    return dict(given)


def seconds(owner: str, field: str, given: object) -> float:
    """Return a time in seconds, more than 0."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given) or given <= 0:
        msg = f"{owner}({field}={given!r}) isn't a time. Give seconds, e.g. {field}=600."
        raise ArgumentError(msg, field=field)
    return given


def base_manifest(owner: str, given: object) -> dict[str, Any]:
    """Return the Job that runs are made from, as plain JSON; None as an empty one."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        msg = f"{owner}(job={given!r}) isn't a manifest. Give a dict, e.g. job={{'spec': {{'activeDeadlineSeconds': 3600}}}}."
        raise ArgumentError(msg, field="job")
    found = _plain(owner, "job", given)
    assert isinstance(found, dict)  # noqa: S101  # as checked
    for name, wanted in (("apiVersion", _BATCH), ("kind", "Job")):
        if found.get(name, wanted) != wanted:
            msg = f"{owner}: job has {name}: {found[name]}. A run is a Job: {name}: {wanted}."
            raise ArgumentError(msg, field="job")
    _refuse_fixed_name(owner, found)
    refuse_plain_token(owner, found)
    return found


def _refuse_fixed_name(owner: str, job: Mapping[str, Any]) -> None:
    metadata = job.get("metadata")
    if isinstance(metadata, Mapping) and "name" in metadata:
        msg = f"{owner}: job has metadata.name: {metadata['name']}, and each run's Job has a name of its own. Leave it out."
        raise ArgumentError(msg, field="job")


def customizations(owner: str, given: object) -> list[dict[str, Any]]:
    """Return operations of RFC 6902 (JSON Patch), from a list or the text of one; None as none."""
    if given is None:
        return []
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError as error:
            msg = f"{owner}: customizations is a text that isn't JSON: {error}. Give a list of operations of RFC 6902."
            raise ArgumentError(msg, field="customizations") from error
    if not isinstance(given, list | tuple):
        msg = (
            f"{owner}(customizations={given!r}) isn't a list of operations of RFC 6902. "
            "Give e.g. [{'op': 'add', 'path': '/spec/activeDeadlineSeconds', 'value': 3600}]."
        )
        raise ArgumentError(msg, field="customizations")
    return [_operation(owner, number, each) for number, each in enumerate(given)]


def _operation(owner: str, number: int, given: object) -> dict[str, Any]:
    where = f"{owner}: customizations[{number}]"
    found = _plain(owner, f"customizations[{number}]", given)
    if not isinstance(found, dict) or not isinstance(found.get("op"), str) or found["op"] not in _OPERATIONS:
        msg = f"{where} is {given!r}. Give an operation: 'op' is one of {', '.join(_OPERATIONS)}."
        raise ArgumentError(msg, field="customizations")
    lacking = [name for name in ("path", *_OPERATIONS[found["op"]]) if name not in found]
    if lacking:
        msg = f"{where} is {given!r}, and lacks {lacking[0]!r}, which {found['op']!r} needs."
        raise ArgumentError(msg, field="customizations")
    for name in ("path", "from"):
        path = found.get(name, "")
        if not isinstance(path, str) or (path and not path.startswith("/")):
            msg = f"{where} has {name}={path!r}. Give a JSON pointer, e.g. '/spec/template/spec/nodeSelector'."
            raise ArgumentError(msg, field="customizations")
    return found


def refuse_plain_token(owner: str, part: object) -> None:
    """Raise ArgumentError if a part of a manifest holds the API's token, or a secret of flowbook's, in plain."""
    from flowbook.engine.masks import secret_variable  # noqa: PLC0415  # only where there is a manifest

    if isinstance(part, Mapping):
        name = part.get("name")
        is_secret = isinstance(name, str) and (name == API_TOKEN or name.startswith(secret_variable("")))
        if is_secret and part.get("value") is not None:
            msg = (
                f"{owner}: its Job has {name} in plain, and a Job is stored and shown. Put it into a Secret, which the run "
                "gets by secret='NAME' (by default 'flowbook')."
            )
            raise ArgumentError(msg, field="job")
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            refuse_plain_token(owner, each)


def _plain(owner: str, where: str, given: object) -> object:
    """Return a copy that is plain JSON: what is stored must be equal to what was given."""
    try:
        found: object = json.loads(json.dumps(given, allow_nan=False))
    except (TypeError, ValueError) as error:
        msg = f"{owner}: {where} isn't plain JSON: {error}. Use dicts with texts as names, lists, texts, numbers and None."
        raise ArgumentError(msg, field=where.partition("[")[0]) from error
    return found
