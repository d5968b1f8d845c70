"""Runs as files: whole, signed, and never run unasked."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import random
import tracemalloc
import warnings
import zipfile
from functools import partial
from pathlib import Path

import pytest

from flowbook.engine.events import FLOW, Decided, Logged, StateChanged
from flowbook.engine.state import Paused, Running, Success
from flowbook.exceptions import DamagedValueError, StoreError, UnknownRunError
from flowbook.store import MemoryStore, RunRecord, Store, open_store
from tests.hostile import HOSTILE, UNSAYABLE


class Planted:
    """Unpickling it leaves a mark."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def _record(store: Store) -> None:
    store.runs.create(
        RunRecord("r1", "f", "p", {"name": "f", "tasks": [{"key": "a"}]}, parameters_ref=store.values.put({"n": 1}))
    )
    recorder = store.runs.recorder("r1", 1)
    events = [
        StateChanged(1, FLOW, Running()),
        StateChanged(2, "a", Success(result=(1, "small"))),
        StateChanged(3, "b", Success(result=list(range(30_000)))),
        StateChanged(4, "c", Paused("Look.", cached_inputs={"x": {1, 2}})),
        Logged(5, "a", 1.0, 20, "said"),
        Decided(6, "c", 2.0, "resume", "ada", "fine"),
        StateChanged(7, FLOW, Paused("c waits.")),
    ]
    for event in events:
        recorder.emit(event)
    recorder.close()
    store.ownership.finish("r1", 1, Paused())


@pytest.fixture
def file(disk_store, tmp_path):
    _record(disk_store)
    path = tmp_path / "run.flowbook"
    assert disk_store.export_run("r1", path) == 4
    return path


@pytest.fixture
def other(tmp_path):
    """Return a store of the same user elsewhere."""
    with open_store(tmp_path / "other") as store:
        yield store


@pytest.fixture
def stranger():
    """Return a store with another key."""
    with MemoryStore() as store:
        yield store


def test_a_run_comes_back_as_it_was(disk_store, file, other):
    run_id = other.import_run(file)

    before, after = disk_store.history.states("r1"), other.history.states(run_id)
    assert {key: (type(state), state.at, state.message) for key, state in after.items()} == {
        key: (type(state), state.at, state.message) for key, state in before.items()
    }
    assert after["a"].result == (1, "small")
    assert after["b"].result == list(range(30_000))
    assert after["c"].cached_inputs["x"].load() == {1, 2}
    assert other.runs.get("r1").parameters_ref.load() == {"n": 1}
    assert list(map(repr, other.history.events("r1"))) == list(map(repr, disk_store.history.events("r1")))
    assert (other.runs.summary("r1").owner, other.runs.summary("r1").state) == (None, "Paused")
    assert other.ownership.claim("r1", 1, "ada") == 2
    assert other.values.preview(after["b"].reference or other.values.put(list(range(30_000)))) is not None


def test_a_file_that_is_private_is_not_overwritten(disk_store, file):
    content = file.read_bytes()

    with pytest.raises(StoreError, match=r"can't be written to .*it exists already\. Give another file"):
        disk_store.export_run("r1", file)

    assert file.read_bytes() == content
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.glob(".run*")) == []


def test_a_run_that_is_here_already_is_refused(disk_store, file):
    with pytest.raises(StoreError, match=r"Run r1 is in this store already\. flowbook\.run\('r1'\) gives it"):
        disk_store.import_run(file)


def test_a_run_that_is_not_there_or_a_folder_that_is_not_is_said(disk_store, file):
    with pytest.raises(UnknownRunError):
        disk_store.export_run("r2", file.parent / "x")
    with pytest.raises(StoreError, match="No such file"):
        disk_store.export_run("r1", file.parent / "nowhere" / "x")


def test_a_foreign_file_is_refused_unless_it_is_trusted(file, stranger):
    with pytest.raises(
        StoreError, match=r"was not signed with your key, .* trust=True \(on the command line: --trust\)"
    ):
        stranger.import_run(file)
    assert stranger.runs.list() == []
    assert stranger._database.read("SELECT count(*) FROM value") == [(0,)]

    stranger.import_run(file, trust=True)

    assert stranger.history.states("r1")["a"].result == (1, "small")


def _rewritten(file: Path, change, *, target: Path | None = None) -> Path:
    """Return a copy of the file with its parts changed by `change(parts)`."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    target = target or file.with_name("changed.flowbook")
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target


def _in_manifest(change):
    def rewrite(parts):
        manifest = json.loads(parts["manifest.json"])
        change(manifest)
        parts["manifest.json"] = json.dumps(manifest).encode()

    return rewrite


def test_a_planted_pickle_is_not_run_by_importing_nor_after(file, other, tmp_path):
    mark = tmp_path / "mark"
    planted = pickle.dumps(Planted(mark), protocol=5)
    digest = hashlib.sha256(planted).hexdigest()

    def plant(parts):
        manifest = json.loads(parts["manifest.json"])
        event = next(event for event in manifest["events"] if event[2] == "a")
        event[6], event[7] = digest, len(planted)
        manifest["values"].append({"digest": digest, "size_bytes": len(planted), "preview": None})
        parts["manifest.json"] = json.dumps(manifest).encode()
        parts[f"values/{digest}"] = planted

    changed = _rewritten(file, plant)

    with pytest.raises(StoreError, match="was not signed with your key"):
        other.import_run(changed)
    other.import_run(changed, trust=True)

    assert not mark.exists()
    assert other.runs.list()[0].run_id == "r1"


def test_a_value_that_was_tampered_with_is_refused_even_when_trusted(file, other):
    def tamper(parts):
        name = next(name for name in parts if name.startswith("values/"))
        parts[name] = parts[name][:-1] + bytes([parts[name][-1] ^ 1])

    with pytest.raises(StoreError, match=r"is damaged, or no exported run: value .* is not what was exported"):
        other.import_run(_rewritten(file, tamper), trust=True)
    assert other.runs.list() == []


WRONG_MANIFESTS = {
    "another format": lambda m: m.update(format="flowbook run 99"),
    "no run": lambda m: m.pop("run"),
    "a column too many": lambda m: m["run"].update(evil=1),
    "an id that is a path": lambda m: m["run"].update(run_id="../../etc"),
    "an id that is a number": lambda m: m["run"].update(run_id=5),
    "a digest that is a path": lambda m: m["values"][0].update(digest="../../../../etc/passwd"),
    "a digest in an event": lambda m: m["events"][1].__setitem__(6, "zz"),
    "a held path": lambda m: m["held"].append("/etc/passwd"),
    "a state that there is not": lambda m: m["events"][1].__setitem__(4, "Evil"),
    "a kind that there is not": lambda m: m["events"][1].__setitem__(1, 9),
    "an event that is short": lambda m: m["events"][1].pop(),
    "a time that is text": lambda m: m["events"][1].__setitem__(3, "now"),
    "a size that is text": lambda m: m["values"][0].update(size_bytes="big"),
    "a size that is wrong": lambda m: m["values"][0].update(size_bytes=1),
    "a value that is missing": lambda m: m["values"].append({"digest": "0" * 64, "size_bytes": 1, "preview": None}),
    "an event twice": lambda m: m["events"].append(m["events"][0]),
    "a graph that is a list": lambda m: m["run"].update(graph="[]"),
    "a list": lambda m: m.clear(),
    "a time that never comes": lambda m: m["run"].update(created=float("inf")),
    "a time that is none": lambda m: m["run"].update(created=None),
    "an end that is text": lambda m: m["run"].update(ended="soon"),
    "an event at no time": lambda m: m["events"][1].__setitem__(3, float("nan")),
    "an event in the year 30000": lambda m: m["events"][1].__setitem__(3, 1e12),
    "a preview that is no JSON": lambda m: m["values"][0].update(preview="{"),
    "a preview that is a list": lambda m: m["values"][0].update(preview="[]"),
    "counts that are none": lambda m: m["run"].update(counts="3"),
    "a state of the run that there is not": lambda m: m["run"].update(state="Evil"),
    "a message that is a list": lambda m: m["run"].update(message=["x"]),
    "more than the file can hold": lambda m: m["values"][0].update(size_bytes=10**12),
}


@pytest.mark.parametrize("name", WRONG_MANIFESTS)
def test_a_file_that_is_not_in_order_is_refused_whole(name, file, other):
    changed = _rewritten(file, _in_manifest(WRONG_MANIFESTS[name]))

    with pytest.raises(StoreError, match="is damaged, or no exported run"):
        other.import_run(changed, trust=True)

    assert other.runs.list() == []


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip" * 100, os.urandom(1000)])
def test_a_file_that_is_none_of_ours_is_refused(content, other, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content)

    with pytest.raises(StoreError, match="is damaged, or no exported run"):
        other.import_run(path)


def test_a_file_cut_anywhere_is_refused(file, other):
    content = file.read_bytes()
    for length in range(0, len(content), max(1, len(content) // 40)):
        file.write_bytes(content[:length])

        with pytest.raises(StoreError):
            other.import_run(file, trust=True)

    assert other.runs.list() == []


def test_a_file_that_swells_is_refused_before_it_does(other, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b"{}")
        archive.writestr("signature", b"0" * 10_000_000)
    path = tmp_path / "bomb"
    path.write_bytes(buffer.getvalue())

    with pytest.raises(StoreError, match="its signature is too large"):
        other.import_run(path)


def _zip(path, members, how=zipfile.ZIP_STORED):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", how) as archive:
        warnings.simplefilter("ignore")  # of two members of one name
        for name, content in members:
            archive.writestr(name, content)


def test_members_with_hostile_names_reach_no_file(file, other, tmp_path):
    with zipfile.ZipFile(file) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    names = [text for text in HOSTILE if text.strip("\0") and text not in UNSAYABLE and len(text) < 1000]
    _zip(tmp_path / "hostile", [*members, *((name, b"hurt") for name in names), (link, b"/etc/passwd")])
    before = sorted(path for path in tmp_path.rglob("*") if "other" not in path.parts)

    assert other.import_run(tmp_path / "hostile") == "r1"

    assert sorted(path for path in tmp_path.rglob("*") if "other" not in path.parts) == before
    assert len(list((tmp_path / "other" / "blobs").glob("??/*"))) == 1
    assert other.history.states("r1")["b"].result == list(range(30_000))


def test_of_two_members_of_one_name_none_is_taken_for_the_other(file, other, tmp_path):
    with zipfile.ZipFile(file) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    manifest = json.loads(dict(members)["manifest.json"])
    manifest["run"]["flow"] = "another"
    _zip(tmp_path / "after", [*members, ("manifest.json", json.dumps(manifest))])
    _zip(tmp_path / "before", [("manifest.json", json.dumps(manifest)), *members])

    with pytest.raises(StoreError, match="was not signed with your key"):
        other.import_run(tmp_path / "after")
    other.import_run(tmp_path / "before")

    assert other.runs.get("r1").flow == "f"


def test_a_file_that_is_packed_is_refused_because_it_could_swell(file, other, tmp_path):
    with zipfile.ZipFile(file) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    _zip(tmp_path / "packed", members, zipfile.ZIP_DEFLATED)

    with pytest.raises(StoreError, match="its values are larger than it is"):
        other.import_run(tmp_path / "packed")


def test_hostile_texts_come_back_from_a_file_as_they_are(disk_store, other, tmp_path):
    texts = [text for text in HOSTILE if text not in UNSAYABLE and len(text) < 10_000]
    for number, text in enumerate(texts):
        graph = {"name": text, "tasks": [{"key": text}]}
        disk_store.runs.create(
            RunRecord(f"r{number}", text, text, graph, parameters={text: text}, origin=text, executor=text)
        )
        disk_store.export_run(f"r{number}", tmp_path / str(number))
        other.import_run(tmp_path / str(number))

    found = {run.run_id: run for run in other.runs.list()}
    assert [found[f"r{number}"].flow for number in range(len(texts))] == texts
    assert [dict(found[f"r{number}"].parameters) for number in range(len(texts))] == [{text: text} for text in texts]


def test_a_damaged_value_is_not_exported(disk_store, tmp_path):
    _record(disk_store)
    for path in (disk_store.path / "blobs").glob("??/*"):
        path.write_bytes(b"x" * path.stat().st_size)

    with pytest.raises(DamagedValueError):
        disk_store.export_run("r1", tmp_path / "file")

    assert not (tmp_path / "file").exists()
    assert list(tmp_path.glob(".file*")) == []


def _places(part, path=()):
    """Yield the path to everything that a manifest holds."""
    yield path
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, each in inner:
        yield from _places(each, (*path, key))


def _replace(manifest, path, value):
    *way, last = path
    for key in way:
        manifest = manifest[key]
    manifest[last] = value


ODD_PARTS = [None, [], {}, "x", "", -1, 2**70, 1e300, True, [[]], {"a": {}}, "\ud800", [None] * 3]


def test_a_signed_file_with_anything_in_any_place_is_refused_in_words_or_read(file, other):
    with zipfile.ZipFile(file) as archive:
        places = [path for path in _places(json.loads(archive.read("manifest.json"))) if path]
    choose = random.Random(1)

    wrong = []
    for _ in range(150):
        path, value = choose.choice(places), choose.choice(ODD_PARTS)
        changed = _rewritten(file, _in_manifest(partial(_replace, path=path, value=value)))
        try:
            run_id = other.import_run(changed, trust=True)
            other.history.snapshot(run_id).states()
            other.history.states(run_id)
            other.runs.summary(run_id)
            other._database.write(lambda connection: connection.execute("DELETE FROM run"))
        except StoreError as error:
            if "is damaged, or no exported run" not in str(error):
                wrong.append((path, value, str(error)))

    assert wrong == []


def test_an_unsigned_file_that_is_packed_is_refused_before_it_is_unpacked(other, tmp_path):
    path = tmp_path / "bomb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b" " * 300_000_000)
        archive.writestr("signature", b"x" * 32)
    tracemalloc.start()

    with pytest.raises(StoreError, match="its values are larger than it is"):
        other.import_run(path)

    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
