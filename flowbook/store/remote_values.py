"""Values of a store behind the API: made and loaded here, kept there.

Small ones travel with their rows, large ones in requests of their own; of these a checked copy stays in the folder of this
machine. A pickle is loaded only if the server sent it under the signature that both ends make from the token (`api_keys`).
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from flowbook import config
from flowbook.exceptions import StoreError
from flowbook.results.reference import ResultRef
from flowbook.results.remote_blobs import RemoteBlobs
from flowbook.store.api_keys import token_signer
from flowbook.store.folder import prepare
from flowbook.store.values import Values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from flowbook.results.reference import Preview
    from flowbook.results.value_record import ValueRecord
    from flowbook.store.api_client import ApiClient

__all__ = ["RemoteValues"]

_CHUNK_BYTES = 1 << 20
_PAGE = 500


class RemoteValues(Values):
    """The values of a store behind the API.

    Args:
        client: talks to the server.
        token: of the API.
        reopen: opens the values of the store at a URL, in a process where a reference to one of them arrives.
    """

    insert_statement = ""

    def __init__(self, client: ApiClient, token: str, reopen: Callable[[str | None], Values]) -> None:
        self._reopen = reopen
        self.is_trusted = False
        self._client = client
        self._signer = token_signer(token)
        self._place = _ApiPlace(client, self)
        self._blobs = RemoteBlobs(self._place, _copies_folder(client.url), config.limits().copies_bytes)

    def put_rows(self, rows: Sequence[tuple[object, ...]]) -> None:
        """See the base class."""
        self._client.call("values.put_rows", self, rows)

    def adopt(self, written: ValueRecord) -> ResultRef:
        """See the base class."""
        self.put_rows([self._row_of(written)])
        return ResultRef(written.digest, written.size_bytes, self)

    def row(self, ref: ResultRef) -> tuple[bytes | None, bytes | None]:
        """See the base class. Raises DamagedValueError: if the server doesn't trust the value."""
        found: tuple[bytes | None, bytes | None] = self._client.call("values.row", self, ref)
        return found

    def previews(self, refs: Iterable[ResultRef]) -> dict[str, Preview]:
        """See the base class."""
        wanted = list({ref.digest: ref for ref in refs}.values())
        found: dict[str, Preview] = {}
        for start in range(0, len(wanted), _PAGE):
            found.update(self._client.call("values.previews", self, wanted[start : start + _PAGE]))
        return found

    def holds(self, ref: ResultRef) -> bool:
        """See the base class."""
        return bool(self._client.call("values.holds", self, ref))

    def _row_of(self, written: ValueRecord) -> tuple[object, ...]:
        digest, size_bytes, content, _, preview, created = super()._row_of(written)
        receipt = None if content is not None else self._place.receipt(written.digest, written.size_bytes)
        return digest, size_bytes, content, receipt, preview, created

    def __reduce__(self) -> tuple[object, ...]:
        return self._reopen, (self._client.url,)


class _ApiPlace:
    """Where the large values are: behind the API. The server alone lists and removes them."""

    def __init__(self, client: ApiClient, values: Values) -> None:
        self._client = client
        self._values = values
        #: Of what was sent and has no row yet.
        self._receipts: dict[str, bytes] = {}

    def put(self, file: Path, digest: str) -> None:
        """Send a blob, unless the server has it."""
        size_bytes = file.stat().st_size
        known: bytes | None = self._client.call("values.receipt", self._values, ResultRef(digest, size_bytes))
        self._receipts[digest] = known or self._client.upload(digest, size_bytes, lambda: _parts(file))

    def receipt(self, digest: str, size_bytes: int) -> bytes:
        """Return what shows that a blob was sent. Raises StoreError: if it is not there."""
        known = self._receipts.pop(digest, None)
        known = known or self._client.call("values.receipt", self._values, ResultRef(digest, size_bytes))
        if known is None:
            msg = f"Value {digest[:12]} isn't on the server. Run its task again."
            raise StoreError(msg, digest=digest)
        return known

    def parts(self, digest: str, size_bytes: int) -> Iterator[bytes]:
        """Yield its bytes."""
        return self._client.parts(digest, size_bytes)

    def location(self, digest: str) -> str:
        """Return where it is, for messages."""
        return f"{self._client.url}, {digest[:12]}"

    def digests(self) -> NoReturn:
        """Refuse."""
        raise self._refusal()

    def remove(self, digest: str, before: float) -> NoReturn:  # noqa: ARG002  # the port's signature
        """Refuse."""
        raise self._refusal()

    def remove_unfinished(self, before: float) -> NoReturn:  # noqa: ARG002  # as above
        """Refuse."""
        raise self._refusal()

    def _refusal(self) -> StoreError:
        msg = f"The values behind {self._client.url} are swept there: flowbook cache gc."
        return StoreError(msg, url=self._client.url)


def _parts(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while part := stream.read(_CHUNK_BYTES):
            yield part


def _copies_folder(url: str) -> Path:
    """Return a private folder for copies of large values; a temporary one where the store's folder can't be written to."""
    name = f"copies-api-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
    try:
        is_read_only = prepare(config.home())
    except StoreError:
        is_read_only = True
    return Path(tempfile.mkdtemp(prefix="flowbook-")) / name if is_read_only else config.home() / name
