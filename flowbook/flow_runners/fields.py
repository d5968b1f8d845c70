"""Checks of the fields of flow runners. Pure."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flowbook.engine.masks import secret_variable
from flowbook.exceptions import ArgumentError
from flowbook.flow_runners.api_address import API_TOKEN
from flowbook.flow_runners.image_name import is_image_name
from flowbook.report.secret_names import shown_value

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["env", "flag", "image", "one_of", "shown_env", "text", "texts", "unknown"]

_SECRETS = secret_variable("")


def unknown(owner: str, given: Iterable[str], known: Iterable[str]) -> ArgumentError:
    """Return the error for fields that a flow runner doesn't have."""
    names, first = tuple(known), next(iter(given))
    close = difflib.get_close_matches(first, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return ArgumentError(f"{owner} has no field {first!r}.{hint} Its fields: {', '.join(names)}.", field=first)


def env(owner: str, given: object, field: str = "env") -> dict[str, str]:
    """Return environment variables, or labels, as a dict; None as an empty one."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        msg = f"{owner}({field}={given!r}) isn't a dict. Give e.g. {field}={{'MY_VARIABLE': 'FOO'}}."
        raise ArgumentError(msg, field=field)
    for name, value in given.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            msg = f"{owner}: {field} has {name!r}, which can't be a name there. Give a text without '='."
            raise ArgumentError(msg, field=field)
        if name.startswith(_SECRETS) or name == API_TOKEN:
            msg = (
                f"{owner}: {field} has {name}, a secret, and a flow runner's settings are stored. Set the variable where the "
                "run is started: its process inherits it."
            )
            raise ArgumentError(msg, field=field)
        if isinstance(value, str) and not _can_be_handed_over(value):
            shown = _shown(name, value)
            msg = f"{owner}: {field} has {name}={shown!r}, which no process can be given. Leave out what isn't valid Unicode."
            raise ArgumentError(msg, field=field)
        if isinstance(value, str) and "\0" in value:
            shown = _shown(name, value)
            msg = f"{owner}: {field} has {name}={shown!r}, which no process can be given. Leave out the NUL."
            raise ArgumentError(msg, field=field)
        if not isinstance(value, str):
            shown = _shown(name, str(value))
            msg = f"{owner}: {field} has {name}={shown}, which isn't a text. Write {name!r}: {shown!r}."
            raise ArgumentError(msg, field=field)
    return dict(given)


def _can_be_handed_over(value: str) -> bool:
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        return False
    return True


def shown_env(given: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables for people: values of names that sound secret, and secrets within values, are masked."""
    return {name: _shown(name, value) for name, value in given.items()}


def _shown(name: str, value: str) -> str:
    return str(shown_value(name, value))


def text(owner: str, field: str, given: object, example: str) -> str | None:
    """Return a text that isn't empty, or None."""
    if given is not None and (not isinstance(given, str) or not given.strip()):
        msg = f"{owner}({field}={given!r}) isn't a text. Give e.g. {field}={example!r}, or leave it out."
        raise ArgumentError(msg, field=field)
    return given


def image(owner: str, given: object, example: str) -> str | None:
    """Return the name of an image, or None."""
    found = text(owner, "image", given, example)
    if found is not None and not is_image_name(found):
        msg = (
            f"{owner}(image={given!r}) can't be the name of an image, which is written in lower case but for its tag. "
            f"Give e.g. image={example!r}."
        )
        raise ArgumentError(msg, field="image")
    return found


def flag(owner: str, field: str, given: object) -> bool:
    """Return True or False."""
    if not isinstance(given, bool):
        msg = f"{owner}({field}={given!r}) isn't True or False."
        raise ArgumentError(msg, field=field)
    return given


def one_of(owner: str, field: str, given: object, known: tuple[str, ...]) -> str | None:
    """Return one of the known words, in whatever case it was written; None for None."""
    if given is None:
        return None
    found = str(getattr(given, "value", given)).upper()
    if found not in known:
        msg = f"{owner}({field}={given!r}) isn't known. Give one of {', '.join(map(repr, known))}."
        raise ArgumentError(msg, field=field)
    return found


def texts(owner: str, field: str, given: object, example: str) -> list[str]:
    """Return a list of texts, None as an empty one."""
    if given is None:
        return []
    if (
        isinstance(given, str)
        or not isinstance(given, list | tuple)
        or not all(isinstance(each, str) for each in given)
    ):
        msg = f"{owner}({field}={given!r}) isn't a list of texts. Give e.g. {field}=[{example!r}]."
        raise ArgumentError(msg, field=field)
    return list(given)
