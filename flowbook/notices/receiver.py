"""Who is told of runs: what `notify=` takes, checked, and in the form in which the store keeps it.

Loads apprise only for URLs.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from flowbook.exceptions import ArgumentError, DefinitionError, FlowbookError, InfrastructureError
from flowbook.store.notices import ENDED, FAILED, WAITS
from flowbook.store.records import ReceiverRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from flowbook.notices.notice import Notice
    from flowbook.results.reference import ResultRef
    from flowbook.store.values import Values


__all__ = [
    "CAUSES",
    "Receiver",
    "StoredReceivers",
    "To",
    "read_receivers",
    "receiver_of",
    "shown_url",
    "store_receivers",
]

#: A URL of apprise, a command, or a function.
To: TypeAlias = "str | tuple[str, ...] | Callable[[Notice], object]"
CAUSES: tuple[str, ...] = (WAITS, FAILED, ENDED)
_USUAL = (WAITS, FAILED)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_EXAMPLES = (
    "Give a URL of apprise, e.g. 'mailto://ana:password@example.com', a command as a list, e.g. "
    "['notify-send', 'flowbook'], or a function that takes the notice"
)
_SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True, repr=False)
class Receiver:
    """Somebody who is told of runs.

    Attributes:
        to: a URL of apprise, a command, or a function that takes a `Notice`.
        shown: the same for people, without secrets.
        causes: of what it is told.
    """

    to: To
    shown: str
    causes: tuple[str, ...] = _USUAL

    def __repr__(self) -> str:
        return f"<Receiver {self.shown}: {', '.join(self.causes)}>"


def read_receivers(owner: str, given: object) -> tuple[Receiver, ...]:
    """Return the receivers that `notify=` names; None names none.

    Args:
        owner: begins the messages of errors, e.g. "Flow 'delays'".
        given: one, or a list of several: a URL, a command (a list of texts that doesn't begin with a URL), a function, or a
            dict of one of these and its causes, {"to": ..., "on": ["ended"]}. Receivers are returned as they are.

    Raises:
        DefinitionError: if it is something else.
        InfrastructureError: if it is a URL, and apprise isn't installed.
    """
    if given is None:
        return ()
    several = given if _is_several(given) else [given]
    if isinstance(given, (list, tuple)) and not given:
        msg = f"{owner}: notify={given!r} tells nobody. Leave it out. Or {_EXAMPLES[0].lower()}{_EXAMPLES[1:]}."
        raise DefinitionError(msg, owner=owner)
    return tuple(_receiver(owner, each) for each in several)  # type: ignore[attr-defined]  # a list or tuple, as just seen


class StoredReceivers(NamedTuple):
    """Receivers as the store keeps them.

    Attributes:
        rows: one for each.
        refs: the functions among them, as stored values.
        functions: those functions by their `spec`: this process calls them and not a copy.
        unkept: why functions can't be stored, by their names.
    """

    rows: tuple[ReceiverRow, ...] = ()
    refs: tuple[ResultRef, ...] = ()
    functions: Mapping[str, Callable[..., object]] = MappingProxyType({})
    unkept: Mapping[str, str] = MappingProxyType({})


def store_receivers(receivers: Iterable[Receiver], values: Values) -> StoredReceivers:
    """Store the functions among the receivers. One that can't be pickled is known by its name; only this process can call it."""
    rows: list[ReceiverRow] = []
    refs: list[ResultRef] = []
    functions: dict[str, Callable[..., object]] = {}
    unkept: dict[str, str] = {}
    for receiver in receivers:
        spec, ref = _spec(receiver.to, values)
        rows.append(ReceiverRow(spec, receiver.shown, receiver.causes))
        if ref is not None:
            refs.append(ref)
        if callable(receiver.to):
            functions[spec] = receiver.to
            if (why := json.loads(spec).get("unkept")) is not None:
                unkept[receiver.shown] = why
    return StoredReceivers(tuple(rows), tuple(refs), functions, unkept)


def _is_several(given: object) -> bool:
    """Return whether a list holds receivers, and isn't one command."""
    if not isinstance(given, (list, tuple)):
        return False
    is_command = all(isinstance(each, str) for each in given) and not (given and _SCHEME.match(given[0]))
    return not is_command


def _receiver(owner: str, given: object) -> Receiver:
    if isinstance(given, Receiver):
        return given
    if isinstance(given, Mapping):
        return _with_causes(owner, given)
    if isinstance(given, str):
        return Receiver(given, _checked_url(owner, given))
    if isinstance(given, (list, tuple)):
        return Receiver(_command(owner, given), _shown_command(given))
    if callable(given):
        return Receiver(_function(owner, given), _name(given))
    msg = f"{owner}: notify={given!r} names nobody. {_EXAMPLES}."
    raise ArgumentError(msg, owner=owner)


def _with_causes(owner: str, given: Mapping[Any, Any]) -> Receiver:
    unknown = [name for name in given if name not in {"to", "on"}]
    if unknown or "to" not in given:
        what = f"has {unknown[0]!r}, which means nothing here" if unknown else "doesn't say whom to tell"
        msg = f"{owner}: a dict in notify= {what}. Write {{'to': 'mailto://...', 'on': ['ended']}}."
        raise DefinitionError(msg, owner=owner)
    found = read_receivers(owner, given["to"])
    if len(found) != 1:
        msg = (
            f"{owner}: a dict in notify= has {len(found)} receivers in 'to'. Give one, and a dict for each further one."
        )
        raise DefinitionError(msg, owner=owner)
    return Receiver(found[0].to, found[0].shown, _causes(owner, given.get("on", _USUAL)))


def _causes(owner: str, given: object) -> tuple[str, ...]:
    several = [given] if isinstance(given, str) else given
    found = list(several) if isinstance(several, (list, tuple, set, frozenset)) else []
    if not found or any(each not in CAUSES for each in found):
        msg = f"{owner}: notify= is told on={given!r}. Give one or several of {', '.join(map(repr, CAUSES))}."
        raise DefinitionError(msg, owner=owner)
    return tuple(cause for cause in CAUSES if cause in found)


def _command(owner: str, given: Sequence[object]) -> tuple[str, ...]:
    if not given or not given[0]:
        msg = (
            f"{owner}: notify={given!r} is an empty command. Give the program first, e.g. ['notify-send', 'flowbook']."
        )
        raise DefinitionError(msg, owner=owner)
    for each in given:
        if not isinstance(each, str) or "\0" in each:
            msg = f"{owner}: the command in notify= has {each!r}, which can't be an argument. Give texts."
            raise ArgumentError(msg, owner=owner)
    return tuple(map(str, given))


def _shown_command(given: Sequence[object]) -> str:
    """Return the program's name; its arguments may hold secrets."""
    program = str(given[0])
    more = len(given) - 1
    return f"{program} (with {more} {'argument' if more == 1 else 'arguments'})" if more else program


def _function(owner: str, given: Callable[..., object]) -> Callable[[Notice], object]:
    try:
        inspect.signature(given).bind(None)
    except TypeError as error:
        msg = f"{owner}: notify={_name(given)} can't take a notice: {error}. Give a function of one argument."
        raise ArgumentError(msg, owner=owner) from error
    except ValueError:
        return given  # a built-in that doesn't say what it takes
    return given


def _name(function: object) -> str:
    return f"{getattr(function, '__qualname__', type(function).__qualname__)}()"


# URLs


def _checked_url(owner: str, url: str) -> str:
    """Return a URL for people; refuse one that apprise doesn't take."""
    scheme = _SCHEME.match(url)
    if scheme is None:
        shown = repr(url if len(url) <= _SHOWN_CHARS else f"{url[:_SHOWN_CHARS]}…")
        msg = f"{owner}: notify={shown} isn't a URL. To run a command, give a list: notify=[{shown}]."
        raise DefinitionError(msg, owner=owner)
    name = scheme[1].lower()
    try:
        import apprise  # noqa: PLC0415  # an extra, and only for URLs
    except ImportError as error:
        msg = (
            f"{owner}: notify='{name}://…' needs the package apprise, which isn't installed. "
            "Install it with: pip install 'jupyter-flowbook[notify]'"
        )
        raise InfrastructureError(msg, package="apprise") from error
    with _quiet():
        service = apprise.Apprise.instantiate(url)
    if service is not None:
        return shown_url(service)
    if name in apprise.plugins.N_MGR.schemas():  # type: ignore[no-untyped-call]  # as they say, typed
        why = f"isn't a URL that the service {name}:// understands: something is missing in it, or too much"
    else:
        why = f"names the service {name}://, which apprise doesn't have"
    msg = f"{owner}: notify='{name}://…' {why}. See https://github.com/caronc/apprise/wiki for its services and their URLs."
    raise DefinitionError(msg, owner=owner, scheme=name)


def shown_url(service: Any) -> str:  # noqa: ANN401  # a plugin of apprise, which has no types
    """Return a service's URL up to its host, without secrets: the rest may be one, as paths of webhooks are."""
    scheme, _, rest = str(service.url(privacy=True)).partition("://")
    return f"{scheme}://{re.split('[/?]', rest, maxsplit=1)[0].replace('****', '***')}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep apprise from logging what is wrong with a URL: the error says so, without its secrets."""
    logger = logging.getLogger("apprise")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


# In the store


def receiver_of(spec: str) -> str | tuple[str, ...]:
    """Return the URL or the command that the store holds."""
    found = json.loads(spec)
    return str(found["url"]) if "url" in found else tuple(map(str, found["command"]))


def _spec(to: To, values: Values) -> tuple[str, ResultRef | None]:
    if isinstance(to, str):
        return json.dumps({"url": to}), None
    if isinstance(to, tuple):
        return json.dumps({"command": list(to)}), None
    name = f"{getattr(to, '__module__', '')}.{_name(to)}"
    try:
        ref = values.put(to, by_value=True)
    except FlowbookError as error:
        return json.dumps({"function": name, "unkept": str(error), "key": os.urandom(8).hex()}), None
    return json.dumps({"function": name, "digest": ref.digest, "bytes": ref.size_bytes}), ref
