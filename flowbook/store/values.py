"""Values of runs and of the cache: small ones in SQLite, large ones as blobs, each with its preview.

A pickle is loaded only if its signature is valid: whoever can write to the store but doesn't have the key can't run code.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from flowbook.exceptions import DamagedValueError, PickledValueError, ResultGoneError, StoreError
from flowbook.results import serializer
from flowbook.results.preview import describe, format_size
from flowbook.results.reference import Preview, ResultRef
from flowbook.results.value_record import INLINE_BYTES, ValueRecord, write_value
from flowbook.store.queries import queries
from flowbook.store.records import from_stamp
from flowbook.store.store_errors import in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from flowbook.results.blobs import Blobs
    from flowbook.results.signing import Signer
    from flowbook.store.database import Database

__all__ = ["PreparedValue", "Unstored", "Values"]

#: How many rows one query reads.
_PAGE_ROWS = 500
_PICKLED = (
    "This value is stored as a pickle, which this process never loads, as that runs code. "
    "Its stored preview is all that is shown; open it in a notebook for more."
)


class PreparedValue(NamedTuple):
    """A value of which only the row is missing in the store; it goes into the caller's transaction."""

    ref: ResultRef
    row: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Unstored:
    """Stands in for the store of a value that isn't stored, and says why when somebody loads the value."""

    why: str

    def put(self, value: object) -> ResultRef:
        """Refuse: this store takes no values."""
        msg = f"A {type(value).__name__} can't be stored here. Put it into the store that is open."
        raise StoreError(msg)

    def load(self, ref: ResultRef) -> Any:  # noqa: ANN401  # never returns
        """Raise ResultGoneError, saying why it isn't stored."""
        msg = f"This value was not kept: {self.why.removesuffix('.')}. Run its task again to get it back."
        raise ResultGoneError(msg, digest=ref.digest, why=self.why)

    def preview(self, ref: ResultRef) -> Preview | None:  # noqa: ARG002  # the port's signature
        """Return None: there is no preview."""
        return None


class Values:
    """Implements `ResultStore`.

    Args:
        database: has the rows and small values.
        blobs: has large values.
        signer: signs pickles.
        reopen: opens the values of the store at a path, in a process where a reference to one of them arrives.
    """

    #: Whether only values are loaded that are stored as JSON.
    is_plain_only = False

    def __init__(
        self, database: Database, blobs: Blobs, signer: Signer, reopen: Callable[[str | None], Values]
    ) -> None:
        self._reopen = reopen
        #: Whether pickles are loaded regardless of who signed them.
        self.is_trusted = False
        self._database = database
        self._blobs = blobs
        self._signer = signer
        statements = queries()
        self.insert_statement = statements["keep_value"]
        self._refresh = statements["refresh_value"]
        self._content = statements["value_content"]
        self._preview = statements["value_preview"]
        self._dropped = statements["value_dropped"]

    def without_pickles(self) -> Self:
        """Return these values for a process that must not run what is in them: it has previews of pickles, and loads none."""
        found = object.__new__(type(self))  # a copy would be what `__reduce__` finds: this very object
        found.__dict__.update(self.__dict__)
        found.is_plain_only = True
        return found

    def put(self, value: object, *, limit_bytes: int | None = None, by_value: bool = False) -> ResultRef:
        """Store `value`, once per content, with its preview.

        Args:
            value: anything that pickles.
            limit_bytes: refuse a larger value.
            by_value: store the user's functions and classes with it, see `serializer.dump`.

        Raises:
            UnpicklableError: naming the member at fault.
            TooLargeError: if it is larger than the limit.
            StoreError: if it can't be written.
        """
        prepared = self.prepare(value, limit_bytes=limit_bytes, by_value=by_value)
        self.put_rows([prepared.row])
        return prepared.ref

    def put_rows(self, rows: Sequence[tuple[object, ...]]) -> None:
        """Store prepared values in one transaction. Raises StoreError."""
        self._database.write(lambda connection: connection.executemany(self._refresh, rows))

    def prepare(self, value: object, *, limit_bytes: int | None = None, by_value: bool = False) -> PreparedValue:
        """Do as `put`, but leave the row to the caller, who writes it with `insert_statement`."""
        row = self.plain_row(value, INLINE_BYTES)
        if row is not None:
            return PreparedValue(ResultRef(row[0].hex(), row[1], self), row)
        record = write_value(value, self._blobs, limit_bytes=limit_bytes, by_value=by_value)
        return PreparedValue(ResultRef(record.digest, record.size_bytes, self), self._row_of(record))

    def plain_row(self, value: object, most_bytes: int) -> tuple[bytes, int, bytes, None, None, float] | None:
        """Return the row of a value that is stored as JSON in at most `most_bytes`; None for any other value."""
        plain = serializer.dump_plain(value)
        if plain is None or len(plain) > most_bytes:
            return None
        return hashlib.sha256(plain).digest(), len(plain), plain, None, None, time.time()

    def adopt(self, written: ValueRecord) -> ResultRef:
        """Store a value whose bytes a worker wrote into this store's folder. Raises StoreError."""
        row = self._row_of(written)
        self._database.write(lambda connection: connection.execute(self._refresh, row))
        return ResultRef(written.digest, written.size_bytes, self)

    def content(self, ref: ResultRef) -> bytes | None:
        """Return the bytes of a value in the database; None if it is a blob. Raises ResultGoneError."""
        return self.row(ref)[0]

    def _row_of(self, written: ValueRecord) -> tuple[object, ...]:
        digest = bytes.fromhex(written.digest)
        signature = None if written.is_plain else self._signer.sign(digest)
        return digest, written.size_bytes, written.content, signature, written.preview, time.time()

    def load(self, ref: ResultRef) -> Any:  # noqa: ANN401  # what a user's task returned
        """Return the value. Arrays and frames in large ones are memory-mapped, private and writable.

        Raises:
            ResultGoneError: if it was dropped.
            DamagedValueError: if its bytes changed, or it is a pickle without this user's signature.
        """
        return self.restored(ref, *self.row(ref))

    def restored(self, ref: ResultRef, content: bytes | None, signature: bytes | None) -> Any:  # noqa: ANN401
        """Do as `load`, with the content of the value's row."""
        if content is None:
            stored = self._blobs.read(ref.digest, ref.size_bytes)
        else:
            _check_hash(ref, content)
            if not serializer.is_pickle(content):
                return serializer.load_plain(content)
            stored = memoryview(bytearray(content))
        if self.is_plain_only:
            if serializer.is_pickle(stored):
                raise PickledValueError(_PICKLED, digest=ref.digest)
            return serializer.load_plain(stored)
        is_safe = self.is_trusted or not serializer.is_pickle(stored)
        if not is_safe and not self._signer.is_signed(bytes.fromhex(ref.digest), signature):
            msg = (
                f"The stored value {ref.digest[:12]} does not carry your signature, so it is not loaded: "
                "it could run code. Run its task again; if the store came from somebody whose code you would run, open it with "
                "flowbook.store.open_store(trust=True) first."
            )
            raise DamagedValueError(msg, digest=ref.digest)
        return serializer.load(stored)

    def stored(self, ref: ResultRef) -> tuple[memoryview, bool]:
        """Return the bytes of a value, their hash checked, and whether this user has signed them; nothing is unpickled.

        Raises:
            ResultGoneError: if it was dropped.
            DamagedValueError: if its bytes changed.
        """
        content, signature = self.row(ref)
        if content is None:
            found = self._blobs.read(ref.digest, ref.size_bytes)
        else:
            _check_hash(ref, content)
            found = memoryview(bytearray(content))
        return found, self._signer.is_signed(bytes.fromhex(ref.digest), signature)

    def preview(self, ref: ResultRef) -> Preview | None:
        """Return the value's preview, without unpickling; None if there is none."""
        return self.previews((ref,)).get(ref.digest)

    @in_words
    def previews(self, refs: Iterable[ResultRef]) -> dict[str, Preview]:
        """Return the previews of many values, by digest; values without one are left out."""
        digests = [bytes.fromhex(digest) for digest in {ref.digest: None for ref in refs}]
        found: dict[str, Preview] = {}
        for start in range(0, len(digests), _PAGE_ROWS):
            wanted = digests[start : start + _PAGE_ROWS]
            query = self._preview.format(marks=", ".join("?" * len(wanted)))
            for digest, noted, content in self._database.read(query, wanted):
                if noted is not None:
                    found[digest.hex()] = json.loads(noted)
                elif content is not None and not serializer.is_pickle(content):
                    found[digest.hex()] = describe(serializer.load(content))
        return found

    def holds(self, ref: ResultRef) -> bool:
        """Return whether this store has the value."""
        return bool(self._database.read(self._content, (bytes.fromhex(ref.digest),)))

    def row(self, ref: ResultRef) -> tuple[bytes | None, bytes | None]:
        """Return the content of a value's row, None if it is a blob, and its signature, unchecked. Raises ResultGoneError."""
        digest = bytes.fromhex(ref.digest)
        rows = self._database.read(self._content, (digest,))
        if not rows:
            raise self._gone(ref, digest)
        return rows[0][1], rows[0][2]

    def _gone(self, ref: ResultRef, digest: bytes) -> ResultGoneError:
        rows = self._database.read(self._dropped, (digest,))
        if not rows:
            msg = f"Value {ref.digest[:12]} is not in the store: it was dropped. Run its task again to get it back."
            return ResultGoneError(msg, digest=ref.digest)
        size_bytes, name, at = rows[0]
        when = from_stamp(at)
        msg = (
            f"{name} ({format_size(size_bytes)}) was dropped on {when:%Y-%m-%d %H:%M} UTC to make room. "
            "Run its task again to get it back; flowbook.cache.pin() keeps what must stay."
        )
        return ResultGoneError(msg, digest=ref.digest, name=name, size_bytes=size_bytes, dropped=when)

    def __reduce__(self) -> tuple[object, ...]:
        return self._reopen, (str(self._database.path.parent) if self._database.path else None,)


def _check_hash(ref: ResultRef, content: bytes) -> None:
    if hashlib.sha256(content).hexdigest() != ref.digest:
        msg = f"The stored value {ref.digest[:12]} is damaged: its bytes changed. Run its task again."
        raise DamagedValueError(msg, digest=ref.digest)
