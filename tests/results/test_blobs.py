from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from flowbook.exceptions import DamagedValueError, ResultGoneError, StoreError
from flowbook.results.blobs import Blobs, FolderBlobs, MemoryBlobs, TooLargeError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return FolderBlobs(tmp_path / "blobs") if request.param == "folder" else MemoryBlobs()


def keep(blobs: Blobs, content: bytes) -> str:
    with blobs.writer(inline_bytes=10, limit_bytes=None) as writer:
        for start in range(0, len(content), 7):
            writer.write(content[start : start + 7])
        writer.commit()
    return writer.digest


def test_a_blob_is_named_by_its_content(blobs: Blobs) -> None:
    content = bytes(range(100))

    digest = keep(blobs, content)

    assert digest == hashlib.sha256(content).hexdigest()
    assert bytes(blobs.read(digest, 100)) == content


def test_small_content_stays_with_the_caller(blobs: Blobs) -> None:
    with blobs.writer(inline_bytes=10, limit_bytes=None) as writer:
        writer.write(b"12345")
        writer.write(b"67890")
        writer.commit()

    assert writer.inline == b"1234567890"
    with pytest.raises(ResultGoneError):
        blobs.read(writer.digest, 10)


def test_a_reader_may_change_what_it_got(blobs: Blobs) -> None:
    digest = keep(blobs, b"x" * 50)

    blobs.read(digest, 50)[0] = 1

    assert bytes(blobs.read(digest, 50)) == b"x" * 50


def test_more_than_the_limit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)

    with blobs.writer(inline_bytes=10, limit_bytes=30) as writer:
        writer.write(b"x" * 20)
        with pytest.raises(TooLargeError, match="larger than 30 bytes"):
            writer.write(b"x" * 20)

    assert list(tmp_path.rglob("*")) == []


def test_an_unfinished_blob_leaves_nothing(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)

    with pytest.raises(RuntimeError), blobs.writer(inline_bytes=10, limit_bytes=None) as writer:  # noqa: PT012
        writer.write(b"x" * 20)
        raise RuntimeError

    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "é" * 64])
def test_a_name_that_is_no_digest_reaches_no_file(tmp_path: Path, digest: str) -> None:
    with pytest.raises(StoreError, match="is not a digest"):
        FolderBlobs(tmp_path).read(digest, 1)


def test_a_blob_that_changes_after_it_was_checked_is_found_out(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    digest = keep(blobs, b"x" * 50)
    blobs.read(digest, 50)

    blobs.path(digest).write_bytes(b"y" * 50)

    with pytest.raises(DamagedValueError, match=f"{digest[:12]} is damaged: its bytes changed"):
        blobs.read(digest, 50)
