"""Finds a deployment by what people call it: "delays/nightly", "nightly", or the beginning of its id."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from flowbook.exceptions import UnknownDeploymentError

if TYPE_CHECKING:
    from flowbook.store import Store
    from flowbook.store.deployments import DeploymentRecord

__all__ = ["find_deployment"]

_SHORTEST_ID = 4
_LISTED = 6
_LIKENESS = 0.75


def find_deployment(store: Store, name: object) -> DeploymentRecord:
    """Return the deployment that `name` means.

    Args:
        store: the store to look in.
        name: "FLOW/NAME"; a name that only one flow's deployment has; or an id, or 4 characters or more of its beginning.

    Raises:
        UnknownDeploymentError: if none matches, or several do; lists those.
    """
    text = name.strip() if isinstance(name, str) else ""
    if not text:
        msg = f"{name!r} doesn't name a deployment. Name it by flow and name, 'delays/nightly'."
        raise UnknownDeploymentError(msg, deployment=repr(name))
    found = _called(store, str(name)) or _called(store, text)
    if not found and len(text) >= _SHORTEST_ID:
        found = store.deployments.that_begin(text)
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"{each.title!r} ({each.id[:8]})" for each in found[:_LISTED])
        msg = f"{len(found)} deployments are called {text!r}: {listed}. Name one of them so, or by its id."
        raise UnknownDeploymentError(msg, deployment=text)
    raise UnknownDeploymentError(_none_of(store, text), deployment=text)


def _called(store: Store, text: str) -> list[DeploymentRecord]:
    flow, slash, last = text.rpartition("/")
    return store.deployments.named(last, flow) if slash else store.deployments.named(text)


def _none_of(store: Store, text: str) -> str:
    there = store.deployments.list()
    if not there:
        return f"There is no deployment {text!r}: none is made here yet. `flowbook deployment create FILE` makes one."
    names = {name: each.title for each in there for name in (each.name, each.title)}
    near = list(dict.fromkeys(names[name] for name in difflib.get_close_matches(text, names, cutoff=_LIKENESS)))
    hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else "`flowbook deployment ls` lists them."
    return f"There is no deployment {text!r} in this store. {hint}"
