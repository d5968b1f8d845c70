"""An output as a run finds it: what a validator asks for, made when it does, and a small value at hand."""

from __future__ import annotations

import datetime as dt
import json.scanner
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowbook.results.reference import ResultRef

if TYPE_CHECKING:
    from flowbook.store.values import Values

__all__ = ["FoundOutput", "NearRef"]

#: Without the guess at an encoding and the look for spaces that `json.loads` begins and ends with.
_scan = json.scanner.make_scanner(json.JSONDecoder())  # type: ignore[arg-type]  # the stubs ask for its C twin


@dataclass(frozen=True, slots=True, eq=False)
class NearRef(ResultRef):
    """A reference with what the value's row holds, as it was read along; loading checks it as it checks what it reads."""

    content: bytes = b""
    signature: bytes | None = None

    __eq__ = ResultRef.__eq__
    __hash__ = ResultRef.__hash__

    def load(self) -> Any:  # noqa: ANN401  # what a user's task returned
        """Return the value. Raises DamagedValueError."""
        values: Values = self.store  # type: ignore[assignment]  # made here only
        return values.restored(self, self.content, self.signature)

    def __reduce__(self) -> tuple[object, ...]:
        return ResultRef, (self.digest, self.size_bytes, self.store)


class FoundOutput:
    """A `CachedOutput`, made of a row of `newest_of_tasks` or `find_by_number`. Slots by hand: one a task.

    Attributes:
        id: of the entry.
        code_hash: of the task that made it.
    """

    __slots__ = ("_created", "_expires", "_hashes", "_texts", "_value", "_values", "code_hash", "id")

    def __init__(  # noqa: PLR0913  # a row
        self,
        values: Values,
        entry_id: str,
        created: float,
        expires: float,
        input_hashes: str,
        parameters: str,
        code_hash: str | None,
        *value: Any,  # noqa: ANN401  # digest, length, content and signature
    ) -> None:
        self._values = values
        self.id = entry_id
        self._created = created
        self._expires = expires
        self._texts = input_hashes, parameters
        self._hashes: dict[str, str] | None = None
        self.code_hash = code_hash
        self._value = value

    def is_valid(self, at: float) -> bool:
        """Return whether it serves at that moment, seconds since the epoch."""
        return self._created <= at < self._expires

    @property
    def created(self) -> dt.datetime:
        """Aware UTC."""
        return dt.datetime.fromtimestamp(self._created, dt.UTC)

    @property
    def expires(self) -> dt.datetime:
        """Aware UTC."""
        return dt.datetime.fromtimestamp(self._expires, dt.UTC)

    @property
    def input_hashes(self) -> dict[str, str]:
        """Content hashes by argument."""
        if self._hashes is None:
            self._hashes = _plain(self._texts[0])
        return self._hashes

    @property
    def parameters(self) -> dict[str, Any]:
        """The flow's, as plain data."""
        return _plain(self._texts[1])

    @property
    def ref(self) -> ResultRef:
        """The value."""
        digest, size_bytes, content, signature = self._value
        if content is None:
            return ResultRef(digest.hex(), size_bytes, self._values)
        return NearRef(digest.hex(), size_bytes, self._values, content, signature)


def _plain(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {} if text == "{}" else _scan(text, 0)[0]
    return found
