from __future__ import annotations

import pickle
import re
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest

from flowbook.exceptions import DamagedValueError, ResultGoneError, StoreError, UnpicklableError
from flowbook.results.reference import ResultRef
from flowbook.store import MemoryStore, Store, open_store

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = [None, True, 0, -1, 1 << 80, 1.5, float("inf"), "", "ü\ud800", [], [1, [2]], {}, {"a": {"b": None}}]
OTHER = [(), (1,), {1: 2}, {1, 2}, b"x", 1 << 300, 1 + 2j, range(3), {"a": (1,)}, [b"x"], "x" * 70_000, b"y" * 70_000]


def blob_path(store: Store, ref: ResultRef) -> Path:
    assert store.path is not None
    return store.path / "blobs" / ref.digest[:2] / ref.digest[2:]


@pytest.mark.parametrize("value", PLAIN + OTHER, ids=lambda value: repr(value)[:20])
def test_a_value_comes_back_equal_in_type_and_value(store: Store, value: Any) -> None:
    back = store.values.put(value).load()

    assert (type(back), back) == (type(value), value)


def test_equal_values_are_kept_once(store: Store) -> None:
    first, second = store.values.put(["a", 1]), store.values.put(["a", 1])

    assert first == second
    assert store._database.read("SELECT count(*) FROM value") == [(1,)]


@pytest.mark.parametrize("rows", [10, 100_000])
def test_frames_come_back_writable_and_changing_them_changes_nothing(store: Store, rows: int) -> None:
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": np.arange(rows), "b": np.linspace(0, 1, rows), "c": ["x", None] * (rows // 2)})
    ref = store.values.put(frame)

    back = ref.load()
    back.loc[0, "a"] = 99
    array = store.values.put(np.arange(rows)).load()
    array[0] = 7

    pd.testing.assert_frame_equal(ref.load(), frame)
    assert array.tolist() == [7, *range(1, rows)]


def test_a_large_array_is_memory_mapped_and_aligned(disk_store: Store) -> None:
    np = pytest.importorskip("numpy")
    array = np.random.default_rng(1).random((300, 400))

    back = disk_store.values.put(array).load()

    base = back
    while not isinstance(base, memoryview):
        base = base.base if hasattr(base, "base") else memoryview(base)
    assert type(base.obj).__name__ == "mmap"
    assert back.ctypes.data % 64 == 0
    assert (back == array).all()


def test_a_preview_is_there_without_unpickling(store: Store) -> None:
    pd = pytest.importorskip("pandas")

    previews = [store.values.preview(store.values.put(value)) for value in (5, pd.DataFrame({"a": [1.5]}), (1, 2))]

    assert [preview and preview["text"] for preview in previews] == ["5", "DataFrame, 1 \u00d7 1", "(1, 2)"]
    assert store.values.preview(ResultRef("0" * 64, 1)) is None


def test_an_unpicklable_value_is_named_with_the_member_at_fault(store: Store) -> None:
    class Model:
        def __init__(self) -> None:
            self.parts = [1, {"x": threading.Lock()}]

    with pytest.raises(UnpicklableError, match=r"its \.parts\[1\]\['x'\] is a _thread\.lock") as caught:
        store.values.put(Model())

    assert caught.value.member == ".parts[1]['x']"
    assert pickle.loads(pickle.dumps(caught.value)).member == ".parts[1]['x']"


def test_a_dropped_value_is_said_to_be_gone(store: Store) -> None:
    with pytest.raises(ResultGoneError, match="000000000000 is not in the store: it was dropped"):
        store.values.load(ResultRef("0" * 64, 5))


@pytest.mark.parametrize("harm", ["flip", "truncate", "grow", "delete", "empty"])
def test_a_harmed_blob_is_never_wrong_data(disk_store: Store, harm: str) -> None:
    value = bytes(range(256)) * 1000
    ref = disk_store.values.put(value)
    path = blob_path(disk_store, ref)
    assert ref.load() == value
    content = bytearray(path.read_bytes())

    if harm == "flip":
        content[5000] ^= 1
        path.write_bytes(content)
    elif harm == "truncate":
        path.write_bytes(content[:-1])
    elif harm == "grow":
        path.write_bytes(content + b"x")
    elif harm == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()

    with pytest.raises(ResultGoneError if harm == "delete" else DamagedValueError, match=ref.digest[:12]):
        ref.load()
    assert disk_store.values.put(value) == ref
    assert ref.load() == value


@pytest.mark.parametrize("value", ["plain", ("pickled",)])
def test_a_value_that_was_changed_in_the_database_is_never_wrong_data(store: Store, value: object) -> None:
    ref = store.values.put(value)
    content = store._database.read("SELECT content FROM value")[0][0]
    changed = content.replace(b"p", b"q")
    store._database.write(lambda connection: connection.execute("UPDATE value SET content = ?", (changed,)))

    with pytest.raises(DamagedValueError, match="its bytes changed"):
        ref.load()

    assert store.values.put(value).load() == value


@pytest.mark.parametrize("signature", [None, b"", b"x" * 32])
@pytest.mark.parametrize("size", [10, 100_000])
def test_a_planted_pickle_is_not_loaded(disk_store: Store, signature: bytes | None, size: int) -> None:
    ref = disk_store.values.put((b"x" * size, "the attacker's"))
    disk_store._database.write(lambda connection: connection.execute("UPDATE value SET signature = ?", (signature,)))

    with pytest.raises(DamagedValueError, match="does not carry your signature"):
        ref.load()


def test_a_store_signed_with_another_key_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store() as store:
        ref = store.values.put((1, 2))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "keys" / "other.key"))

    with open_store() as store, pytest.raises(DamagedValueError, match="does not carry your signature"):
        store.values.load(ref)


def test_a_store_that_came_from_somebody_else_is_loaded_where_it_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store() as store:
        ref = store.values.put((1, 2))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "another.key"))

    with open_store() as store:
        with pytest.raises(DamagedValueError, match=r"does not carry your signature.*open_store\(trust=True\)"):
            store.values.load(ref)
        assert open_store(trust=True).values.load(ref) == (1, 2)
    with open_store() as store, pytest.raises(DamagedValueError, match="does not carry your signature"):
        store.values.load(ref)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "keys" / "store.key"
    with open_store() as store:
        store.values.put((1,))
    key.chmod(0o644)

    with open_store() as store, pytest.raises(StoreError, match="is open to others"):
        store.values.put((1,))


def test_a_reference_finds_its_store_after_a_trip_by_pickle(disk_store: Store) -> None:
    ref = disk_store.values.put([1, 2, 3])

    back = pickle.loads(pickle.dumps(ref))

    assert (back, back.load()) == (ref, [1, 2, 3])
    with pytest.raises(LookupError, match="can't be reached from another process"):
        pickle.loads(pickle.dumps(MemoryStore().values.put(1)))


def test_no_temporary_file_stays_behind(disk_store: Store) -> None:
    disk_store.values.put(b"x" * 100_000)
    with pytest.raises(UnpicklableError):
        disk_store.values.put([b"x" * 100_000, threading.Lock()])

    assert disk_store.path is not None
    assert list((disk_store.path / "blobs").glob(".tmp*")) == []


def test_a_blob_that_cannot_be_written_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    script = textwrap.dedent("""
        import resource
        from flowbook.exceptions import StoreError
        from flowbook.store import open_store

        store = open_store()
        store.values.put((b"x" * 70_000, "small enough"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        try:
            store.values.put((b"x" * 1_000_000,))
        except StoreError as exc:
            print(exc)
    """)

    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout

    assert re.match(
        r"A tuple of [\d,]+ bytes or more can't be written to the store: File too large\. Free some room", said
    )
    assert len([path for path in (tmp_path / "home" / "blobs").rglob("*") if path.is_file()]) == 1
