"""The signing key: made once, private, and refused where it can't be trusted."""

from __future__ import annotations

import os
import threading

import pytest

from flowbook.exceptions import StoreError
from flowbook.results.signing import Signer, read_key


def mode(path):
    return path.stat().st_mode & 0o777


def test_a_key_is_made_once_and_is_private(tmp_path):
    path = tmp_path / "config" / "store.key"

    first, second = read_key(path), read_key(path)

    assert first == second
    assert len(first) == 32
    assert (mode(path.parent), mode(path)) == (0o700, 0o600)
    assert [each.name for each in path.parent.iterdir()] == ["store.key"]


def test_many_who_make_it_at_once_get_the_same(tmp_path):
    found, barrier = [], threading.Barrier(16)

    def read():
        barrier.wait()
        found.append(read_key(tmp_path / "store.key"))

    threads = [threading.Thread(target=read) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 16
    assert len(set(found)) == 1


@pytest.mark.parametrize("size", [0, 1, 31, 33, 5000])
def test_a_key_of_another_length_is_refused(size, tmp_path):
    path = tmp_path / "store.key"
    path.write_bytes(b"x" * size)
    path.chmod(0o600)

    with pytest.raises(StoreError, match=rf"has {min(size, 33)} bytes, not 32\. Restore it, or delete it"):
        read_key(path)


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_key_that_is_open_to_others_is_refused(bits, tmp_path):
    path = tmp_path / "store.key"
    read_key(path)
    path.chmod(bits)

    with pytest.raises(StoreError, match=r"is open to others\. Make it yours alone \(chmod 600\)"):
        read_key(path)


def test_somebody_elses_key_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "store.key"
    read_key(path)
    if os.getuid() == 0:
        os.chown(path, 65534, 65534)
    else:
        monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)

    with pytest.raises(StoreError, match="is open to others"):
        read_key(path)


@pytest.mark.parametrize("where", ["folder", "file/below", "dangling/store.key"])
def test_a_key_that_can_t_be_read_or_made_is_named(where, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")

    with pytest.raises(StoreError, match=r"The signing key .* can't be used: .*\. Set FLOWBOOK_KEY_FILE"):
        read_key(tmp_path / where)


def test_a_signature_holds_for_one_digest_one_key_and_one_kind():
    signer = Signer(lambda: b"k" * 32)
    signature = signer.sign(b"digest")

    answers = {
        "the digest": signer.is_signed(b"digest", signature),
        "another digest": signer.is_signed(b"other", signature),
        "no signature": signer.is_signed(b"digest", None),
        "an empty signature": signer.is_signed(b"digest", b""),
        "another key": Signer(lambda: b"l" * 32).is_signed(b"digest", signature),
        "another kind": Signer(lambda: b"k" * 32, "file").is_signed(b"digest", signature),
    }
    assert [name for name, is_signed in answers.items() if is_signed] == ["the digest"]
