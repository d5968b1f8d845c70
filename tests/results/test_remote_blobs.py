"""Blobs where fsspec puts them: in its memory, in a folder, and where nobody answers."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import fsspec
import pytest

from flowbook.exceptions import DamagedValueError, ResultGoneError, StoreError
from flowbook.results.blobs import TooLargeError
from flowbook.results.remote_blobs import RemoteBlobs, RemoteFolder, redact_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 4


@pytest.fixture(params=["memory", "file"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RemoteFolder]:
    found = RemoteFolder(
        f"memory://{tmp_path.name}/there" if request.param == "memory" else (tmp_path / "there").as_uri()
    )
    yield found
    if request.param == "memory":
        fsspec.filesystem("memory").store.clear()


@pytest.fixture
def blobs(remote: RemoteFolder, tmp_path: Path) -> RemoteBlobs:
    return RemoteBlobs(remote, tmp_path / "copies", 1_000_000)


def keep(blobs: RemoteBlobs, content: bytes = CONTENT) -> str:
    with blobs.writer(inline_bytes=10, limit_bytes=None) as writer:
        for start in range(0, len(content), 300):
            writer.write(content[start : start + 300])
        writer.commit()
    return writer.digest


def at(remote: RemoteFolder) -> tuple[fsspec.AbstractFileSystem, str]:
    return fsspec.core.url_to_fs(remote.url)


def forget_copies(tmp_path: Path) -> None:
    for path in (tmp_path / "copies").glob("??/*"):
        path.unlink()


def test_a_blob_lies_in_the_remote_folder_and_comes_back(blobs, remote, tmp_path):
    digest = keep(blobs)
    system, root = at(remote)

    assert system.cat_file(f"{root}/{digest[:2]}/{digest[2:]}") == CONTENT
    assert bytes(blobs.read(digest, len(CONTENT))) == CONTENT
    assert list(blobs.digests()) == [digest]
    assert [path for path in system.find(root) if ".tmp-" in path] == []
    assert not list((tmp_path / "copies").glob(".tmp-*"))


def test_another_machine_reads_it_and_keeps_a_verified_copy(blobs, remote, tmp_path):
    digest = keep(blobs)
    other = RemoteBlobs(RemoteFolder(remote.url), tmp_path / "other", 1_000_000)

    view = other.read(digest, len(CONTENT))
    view[0] = 99
    system, root = at(remote)
    system.rm_file(f"{root}/{digest[:2]}/{digest[2:]}")

    assert bytes(other.read(digest, len(CONTENT))) == CONTENT
    assert (tmp_path / "other" / digest[:2] / digest[2:]).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (lambda content: content[:-1], DamagedValueError),
        (lambda content: content + b"x", DamagedValueError),
        (lambda _: b"", DamagedValueError),
        (lambda content: b"\xff" + content[1:], DamagedValueError),
        (None, ResultGoneError),
    ],
    ids=["cut", "grown", "empty", "changed", "gone"],
)
def test_what_was_harmed_in_the_remote_folder_is_never_wrong_data(harm, error, blobs, remote, tmp_path):
    digest = keep(blobs)
    forget_copies(tmp_path)
    system, root = at(remote)
    path = f"{root}/{digest[:2]}/{digest[2:]}"
    if harm is None:
        system.rm_file(path)
    else:
        system.pipe_file(path, harm(CONTENT))

    for _ in range(2):
        with pytest.raises(error, match=rf"{digest[:12]} is (damaged|gone).*un its task again"):
            blobs.read(digest, len(CONTENT))

    assert not list((tmp_path / "copies").rglob(".tmp-*"))


@pytest.mark.parametrize("harm", [b"short", b"y" * len(CONTENT)], ids=["cut", "changed"])
def test_a_copy_that_was_harmed_is_fetched_anew(harm, blobs, tmp_path):
    digest = keep(blobs)
    (tmp_path / "copies" / digest[:2] / digest[2:]).write_bytes(harm)

    assert bytes(blobs.read(digest, len(CONTENT))) == CONTENT


def test_copies_make_room_for_those_that_are_used(remote, tmp_path):
    blobs = RemoteBlobs(remote, tmp_path / "copies", 5000)
    digests = [keep(blobs, bytes([n]) * 1000) for n in range(4)]
    blobs.read(digests[0], 1000)
    digests += [keep(blobs, bytes([n]) * 1000) for n in range(4, 8)]

    copies = {path.parent.name + path.name for path in (tmp_path / "copies").glob("??/*")}
    found = [bytes(blobs.read(digest, 1000)) for digest in digests]

    assert len(copies) <= 6
    assert digests[0] in copies
    assert digests[1] not in copies
    assert found == [bytes([n]) * 1000 for n in range(8)]


def test_a_blob_is_read_although_another_thread_makes_room_when_its_copy_has_just_come(blobs, tmp_path, monkeypatch):
    digest, fetch, fetched = keep(blobs), blobs._fetch, []
    forget_copies(tmp_path)

    def fetch_and_lose(*what):
        fetch(*what)
        fetched.append(what)
        if len(fetched) == 1:
            forget_copies(tmp_path)

    monkeypatch.setattr(blobs, "_fetch", fetch_and_lose)

    assert blobs.read(digest, len(CONTENT)) == CONTENT
    assert len(fetched) == 2


def test_what_is_refused_leaves_nothing_anywhere(blobs, tmp_path):
    with blobs.writer(inline_bytes=10, limit_bytes=30) as writer:
        writer.write(b"x" * 20)
        with pytest.raises(TooLargeError):
            writer.write(b"x" * 20)

    assert list(blobs.digests()) == []
    assert list((tmp_path / "copies").rglob("*")) == []


def test_only_what_is_old_enough_is_removed(blobs):
    digest = keep(blobs)
    now = time.time()

    assert blobs.remove(digest, now - 100) == 0
    assert list(blobs.digests()) == [digest]
    assert blobs.remove(digest, now + 100) == len(CONTENT)
    assert blobs.remove(digest, now + 100) == 0
    assert list(blobs.digests()) == []


def test_what_a_writer_that_died_left_behind_is_removed(blobs, remote):
    digest = keep(blobs)
    system, root = at(remote)
    system.pipe_file(f"{root}/.tmp-1-ab", b"half")
    system.pipe_file(f"{root}/notes.txt", b"none of ours")

    assert blobs.remove_unfinished(time.time() - 100) == []
    assert blobs.remove_unfinished(time.time() + 100) == [4]
    assert list(blobs.digests()) == [digest]
    assert system.exists(f"{root}/notes.txt")


@pytest.fixture
def closed_port() -> int:
    """Return a port at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def test_a_place_that_does_not_answer_is_named_and_asked_no_more_for_a_while(closed_port, tmp_path):
    blobs = RemoteBlobs(
        RemoteFolder(f"ftp://ada:secret@127.0.0.1:{closed_port}/values"), tmp_path / "copies", 1_000_000
    )

    with pytest.raises(StoreError, match=r"can't be written to: ftp://…@127.0.0.1") as first:
        keep(blobs)
    with pytest.raises(StoreError, match=r"can't be written to: ftp://…@127.0.0.1") as second:
        keep(blobs)
    with pytest.raises(StoreError, match=r"can't be read: ftp://…@127.0.0.1.*Check the network"):
        blobs.read("a" * 64, 5)
    with pytest.raises(StoreError, match="can't be read"):
        list(blobs.digests())

    assert "secret" not in str(first.value)
    assert first.value.__cause__ is not None
    assert second.value.__cause__ is None  # it was not tried again
    assert list((tmp_path / "copies").rglob("*")) == []


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://bucket/folder", "Install s3fs to access S3. Install what is missing"),
        ("nowhere://x", "Protocol not known: nowhere. Give a folder that fsspec knows"),
    ],
)
def test_a_place_that_can_t_be_had_says_what_to_do(url, said, tmp_path):
    blobs = RemoteBlobs(RemoteFolder(url), tmp_path / "copies", 1_000_000)

    with pytest.raises(StoreError, match=said):
        keep(blobs)


def test_a_place_whose_folder_is_in_the_way_is_named(tmp_path):
    (tmp_path / "there").write_text("a file")
    blobs = RemoteBlobs(RemoteFolder((tmp_path / "there" / "x").as_uri()), tmp_path / "copies", 1_000_000)

    with pytest.raises(StoreError, match=r"can't be written to: file://.*NotADirectory"):
        keep(blobs)


def test_a_place_that_can_t_be_made_is_no_missing_value(tmp_path):
    blobs = RemoteBlobs(RemoteFolder("file:///proc/nowhere"), tmp_path / "copies", 1_000_000)

    with pytest.raises(StoreError, match=r"can't be written to: file:///proc/nowhere.*FileNotFoundError"):
        keep(blobs)
    with pytest.raises(StoreError, match=r"can't be"):
        list(RemoteFolder("file:///proc/nowhere").digests())


def test_a_local_folder_is_made_private(tmp_path):
    keep(RemoteBlobs(RemoteFolder((tmp_path / "there").as_uri()), tmp_path / "copies", 1_000_000))

    assert (tmp_path / "there").stat().st_mode & 0o777 == 0o700


def test_a_forked_child_opens_its_own(blobs, remote):
    digest = keep(blobs)
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")

    child = os.fork()
    if child == 0:
        os._exit(int(bytes(RemoteBlobs(remote, blobs._copies.folder, 1).read(digest, len(CONTENT))) != CONTENT))

    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/x", "s3://bucket/x"),
        ("sftp://ada:pass@host:22/x", "sftp://…@host:22/x"),
        ("ftp://ada@host/x", "ftp://…@host/x"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
    ],
)
def test_a_password_in_a_url_is_not_shown(url, shown):
    assert redact_url(url) == shown
