"""An output as a run finds it in the cache: its fields are decoded only when a validator reads them."""

from __future__ import annotations

import datetime as dt
import json.scanner
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from flowbook.results.reference import ResultRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.store.values import Values

__all__ = [
    "InlineRef",
    "Inputs",
    "OutputRow",
    "Parameters",
    "StoredOutput",
    "read_inputs",
    "read_parameters",
    "write_inputs",
    "write_parameters",
]

#: No argument and no parameter has this name.
_TEXTS = ""
#: `json.loads` without its detection of the encoding and its search for spaces.
_scan = json.scanner.make_scanner(json.JSONDecoder())  # type: ignore[arg-type]  # the stubs ask for its C twin


@dataclass(frozen=True, slots=True, eq=False)
class InlineRef(ResultRef):
    """A reference that has the content of its value's row; loading checks it as if it were read from the store."""

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


#: A row of `newest_of_tasks` or `find_by_number`: a number; id, created, expires, input hashes, parameters, code hash; of the
#: value the digest, its length, its content if that is small, and the signature.
OutputRow = tuple[Any, ...]


class StoredOutput:
    """A `CachedOutput` made of a row. Slots by hand: there is one for each task."""

    __slots__ = ("_inputs", "_row", "_values")

    def __init__(self, values: Values, row: OutputRow) -> None:
        self._values = values
        self._row = row
        self._inputs: Inputs | None = None

    def is_valid(self, at: float) -> bool:
        """Return whether the output is valid at that moment, seconds since the epoch."""
        return bool(self._row[2] <= at < self._row[3])

    @property
    def id(self) -> str:
        """Id of the entry."""
        return str(self._row[1])

    @property
    def created(self) -> dt.datetime:
        """Aware UTC."""
        return dt.datetime.fromtimestamp(self._row[2], dt.UTC)

    @property
    def expires(self) -> dt.datetime:
        """Aware UTC."""
        return dt.datetime.fromtimestamp(self._row[3], dt.UTC)

    @property
    def input_hashes(self) -> dict[str, str]:
        """Content hash by argument."""
        return self._read_inputs().hashes

    @property
    def input_texts(self) -> dict[str, str]:
        """Short inputs as text, by argument."""
        return self._read_inputs().texts

    def _read_inputs(self) -> Inputs:
        if self._inputs is None:
            self._inputs = read_inputs(self._row[4])
        return self._inputs

    @property
    def parameters(self) -> dict[str, Any]:
        """The flow's parameters, as plain data."""
        return read_parameters(self._row[5]).plain

    @property
    def code_hash(self) -> str | None:
        """Code hash of the task that made it."""
        found: str | None = self._row[6]
        return found

    @property
    def ref(self) -> ResultRef:
        """The reference to its value."""
        digest, size_bytes, content, signature = self._row[7:]
        if content is None:
            return ResultRef(digest.hex(), size_bytes, self._values)
        return InlineRef(digest.hex(), size_bytes, self._values, content, signature)


class Inputs(NamedTuple):
    """The inputs that an entry was made from: content hashes by argument, and short inputs as text."""

    hashes: dict[str, str]
    texts: dict[str, str]


class Parameters(NamedTuple):
    """The parameters of the run that made an entry, by name: plain data, and texts of those of which that holds only a hash."""

    plain: dict[str, Any]
    texts: dict[str, str]


def read_inputs(text: str) -> Inputs:
    """Return what `write_inputs` wrote."""
    hashes = _plain(text)
    texts = hashes.pop(_TEXTS, None) or {}
    return Inputs(hashes, texts)


def write_inputs(hashes: Mapping[str, str], texts: Mapping[str, str]) -> str:
    """Return both as the JSON of one column."""
    return _written(hashes, texts)


def read_parameters(text: str) -> Parameters:
    """Return what `write_parameters` wrote."""
    plain = _plain(text)
    return Parameters(plain, plain.pop(_TEXTS, None) or {})


def write_parameters(plain: Mapping[str, object], texts: Mapping[str, str]) -> str:
    """Return both as the JSON of one column."""
    return _written(plain, texts)


def _written(plain: Mapping[str, object], texts: Mapping[str, str]) -> str:
    found: dict[str, object] = dict(plain)
    if texts:
        found[_TEXTS] = dict(texts)
    return json.dumps(found, separators=(",", ":"))


def _plain(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {} if text == "{}" else _scan(text, 0)[0]
    return found
