"""Hides secrets in a run's log lines, prints and messages, and in exceptions and their causes.

Secrets are the values in `context.secrets`, and those of the environment variables that `flowbook.Secret` reads. Values that
tasks return aren't searched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from flowbook._context import MISSING
from flowbook.engine.remote_error import RemoteError, safe_str
from flowbook.engine.traceback_text import related

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flowbook._context import ContextLayer
    from flowbook.engine.state import State

__all__ = ["Masks", "secret_variable"]

#: How the name of an environment variable with a secret begins.
_VARIABLES = "FLOWBOOK_SECRET_"  # a name, no secret
#: As the system has it: bytes, or text on Windows.
_PREFIX = os.environ.encodekey(_VARIABLES)
_NOTHING = type(_PREFIX)()
_HIDDEN = "*****"
#: Shorter texts aren't hidden: they occur in ordinary words.
_SHORTEST_CHARS = 3
#: Lines this long of a secret of several lines are hidden one by one, as prints arrive line by line.
_SHORTEST_LINE_CHARS = 8


def secret_variable(name: str) -> str:
    """Return the name of the environment variable that may hold the secret `name`."""
    return f"{_VARIABLES}{re.sub('[^A-Za-z0-9]', '_', name).upper()}"


class Masks:
    """The texts to hide; false if there are none."""

    def __init__(self, secrets: Iterable[object] = ()) -> None:
        found = {text for secret in secrets for text in _texts(secret)}
        #: The longest first: one may be part of another.
        self._texts = sorted(found, key=len, reverse=True)

    @classmethod
    def around(cls, layer: ContextLayer | None, contexts: Iterable[Mapping[str, object]] = ()) -> Masks:
        """Return masks for the secrets in `layer`, in the layers around it, and in this process's environment.

        Args:
            layer: the innermost.
            contexts: further ones, of single tasks.
        """
        secrets: list[object] = _secrets_of_environment()
        known: list[object] = [own.get("secrets") for own in contexts] if contexts else []
        while layer is not None:
            if (found := layer.find("secrets")) is not MISSING:
                known.append(found)
            layer = layer.parent
        for values in known:
            if isinstance(values, Mapping):
                secrets += values.values()
        return cls(secrets)

    def __bool__(self) -> bool:
        return bool(self._texts)

    def text(self, text: str) -> str:
        """Return `text` with its secrets hidden."""
        for secret in self._texts:
            if secret in text:
                text = text.replace(secret, _HIDDEN)
        return text

    def within(self, data: object) -> object:
        """Return plain data with the secrets in its texts hidden."""
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, dict):
            return {name: self.within(part) for name, part in data.items()}
        return [self.within(part) for part in data] if isinstance(data, list) else data

    def needles(self) -> tuple[bytes, ...]:
        """Return the texts as pickles and JSON contain them."""
        import json  # noqa: PLC0415  # only where something is stored: it is a twentieth of `import flowbook`

        texts = {form for text in self._texts for form in (text, json.dumps(text)[1:-1])}
        return tuple(text.encode("utf-8", "surrogatepass") for text in sorted(texts))

    def hide_in(self, state: State) -> None:
        """Hide secrets in the message and the exception of a state that wasn't emitted yet."""
        if state.message:
            state.message = self.text(state.message)
        result = state.raw_result  # reading `result` would load a value
        if issubclass(type(result), BaseException):  # `isinstance` would ask a lazy proxy, which may raise
            state.result = self.error(result)  # type: ignore[arg-type]  # an exception, as just seen

    def error(self, error: BaseException) -> BaseException:
        """Return the exception with its secrets and its causes' hidden, or a stand-in where they can't be."""
        shows = False
        for each in related(error):
            self._hide_in_error(each)
            shows = shows or self._shows(each)
        if not shows and not self._is_stored_with(error):
            return error
        twin = RemoteError.of(error)
        stand_in = RemoteError(twin.type_name, self.text(twin.message), self.text(twin.formatted))
        stand_in.kind = twin.kind if twin is error else type(error)
        return stand_in

    def _is_stored_with(self, error: BaseException) -> bool:
        from flowbook.results.text_search import pickle_holds  # noqa: PLC0415  # only where a task with secrets fails

        return pickle_holds(error, self.needles())

    def _hide_in_error(self, error: BaseException) -> None:
        error.args = tuple(self._hidden(each) for each in error.args)
        for name, value in vars(error).items():
            vars(error)[name] = self._hidden(value)

    def _hidden(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if type(value) in {list, tuple}:
            return type(value)(map(self._hidden, value))  # type: ignore[call-arg,call-overload]  # a list or a tuple
        if type(value) is dict:
            return {self._hidden(key): self._hidden(each) for key, each in value.items()}
        return value

    def _shows(self, error: BaseException) -> bool:
        try:
            said = f"{safe_str(error)} {error!r}"
        except Exception:  # noqa: BLE001  # a user's __repr__
            return True
        return self.text(said) != said


def _secrets_of_environment() -> list[object]:
    # Names as the system has them: to iterate over `os.environ` decodes each one, and every run looks through them.
    names = os.environ._data  # type: ignore[attr-defined]  # noqa: SLF001  # there is no public way to them
    if _PREFIX not in _NOTHING.join(names):
        return []
    return [os.environ[os.environ.decodekey(name)] for name in names if name.startswith(_PREFIX)]


def _texts(secret: object) -> Iterator[str]:
    """Yield the forms in which a secret may appear."""
    if isinstance(secret, Mapping):
        secret = list(secret.values())
    if isinstance(secret, (Sequence, AbstractSet)) and not isinstance(secret, (str, bytes, bytearray)):
        for part in secret:
            yield from _texts(part)
        return
    if isinstance(secret, bytes):
        secret = secret.decode(errors="replace")
    if secret is None or isinstance(secret, bool):
        return
    text = str(secret).strip()
    if len(text) >= _SHORTEST_CHARS:
        from urllib.parse import quote  # noqa: PLC0415  # only where there are secrets

        yield from (text, repr(text)[1:-1], quote(text, safe=""))
    lines = text.splitlines()
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE_CHARS)
