"""Targets and results: outputs as files of the user's choosing."""

from pathlib import Path

import pytest

from flowbook import Flow, Parameter, context, task
from flowbook.exceptions import DamagedValueError, ResultGoneError, RunError
from flowbook.results import Result
from flowbook.store import open_store
from tests.executors_of import everywhere
from tests.hostile import HOSTILE


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@everywhere
def test_a_target_that_exists_is_the_output_and_the_task_does_not_run(executor, folder):
    ran = []

    @task(target="out/{task_name}-{year}.bin")
    def load(year):
        ran.append(year)
        return {"year": year}

    with Flow("files") as flow:
        end = load(Parameter("year"))

    states = [flow.run(year=year, executor=executor).result[end] for year in (1, 1, 2)]

    assert [type(each).__name__ for each in states] == ["Success", "Cached", "Success"]
    assert [each.message for each in states[:2]] == ["Written to out/load-1.bin.", "Read from out/load-1.bin."]
    assert [each.result for each in states] == [{"year": 1}, {"year": 1}, {"year": 2}]
    assert ran == [1, 2]
    assert files(folder) == ["out/load-1.bin", "out/load-2.bin"]


def test_each_child_has_its_target(folder):
    @task(target="{map_index}.bin", result=Result("kept"))
    def double(x):
        return 2 * x

    with Flow("files") as flow:
        end = double.map([1, 2])

    results = [flow.run().result[end] for _ in range(2)]

    assert [each.result for each in results] == [[2, 4]] * 2
    assert all(child.is_cached() for child in results[1].map_states)
    assert files(folder) == ["kept/0.bin", "kept/1.bin"]


def test_a_function_may_name_the_target(folder):
    load = task(lambda year: year, name="load", target=lambda **known: f"{known['flow_name']}-{known['year']}")
    with Flow("files") as flow:
        load(3)

    flow.run()

    assert files(folder) == ["files-3"]


def test_a_flows_result_keeps_every_output_but_those_that_must_not_be_kept(folder):
    keep, drop = task(lambda x: x, name="keep"), task(lambda: 2, name="drop", keep=False)
    look = task(lambda: 3, name="look", checkpoint=False)
    with Flow("files", result=Result("kept", "{task_slug}")) as flow:
        keep(Parameter("x", 1))
        drop()
        look()

    state = flow.run()

    assert state.is_successful()
    assert files(folder) == ["kept/keep"]
    assert Result("kept").read("keep") == 1


def test_a_target_is_only_used_where_the_trigger_passes():
    Result().write("out.bin", 1)

    @task
    def fails():
        msg = "no"
        raise RuntimeError(msg)

    load = task(lambda x: x, name="load", target="out.bin")
    with Flow("files") as flow:
        end = load(fails())

    state = flow.run()

    assert type(state.result[end]).__name__ == "TriggerFailed"


def test_an_output_that_can_not_be_written_fails_the_task_and_leaves_no_file(folder):
    load = task(lambda: (x for x in ()), name="load", target="out.bin")
    with Flow("files") as flow:
        end = load()

    state = flow.run()

    assert state.result[end].is_failed()
    assert state.result[end].message.startswith("UnpicklableError: ")
    assert files(folder) == []


def test_a_damaged_target_fails_the_task_and_is_not_run_over(folder):
    (folder / "out.bin").write_bytes(b"something else")
    load = task(lambda: 1, name="load", target="out.bin")
    with Flow("files") as flow:
        end = load()

    state = flow.run()

    assert state.result[end].message == (
        "DamagedValueError: A stored value begins with b'something else': this version of flowbook can't read it. "
        "Use the flowbook that wrote it, or run its task again."
    )


def test_a_placeholder_that_is_nothing_fails_the_task_and_says_so():
    load = task(lambda year: year, name="load", target="{yaer}.bin")
    with Flow("files") as flow:
        end = load(1)

    state = flow.run()

    assert state.result[end].message == (
        "RunError: '{yaer}.bin' asks for 'yaer', which is neither an input nor in the context. Inputs: year."
    )


@pytest.mark.parametrize("location", ["../out.bin", "a/../../out.bin", ".", "/etc/out.bin"])
def test_a_location_that_leads_out_of_the_folder_is_refused(location, folder):
    result = Result(folder / "kept")

    with pytest.raises(RunError) as refused:
        result.write(location, 1)

    assert str(refused.value) == (
        f"{location!r} leads out of {folder / 'kept'}. Use a name below it, or a Result with another dir."
    )


def test_a_link_that_leads_out_of_the_folder_is_refused(folder, tmp_path):
    (folder / "kept").mkdir()
    (folder / "kept" / "link").symlink_to(tmp_path)

    with pytest.raises(RunError, match="leads out of"):
        Result(folder / "kept").write("link/out.bin", 1)

    assert not (tmp_path / "out.bin").exists()


def test_a_link_in_the_place_of_the_file_is_replaced_not_followed(folder, tmp_path):
    (tmp_path / "mine").write_text("mine")
    (folder / "out.bin").symlink_to(tmp_path / "mine")

    Result(folder).write("out.bin", 1)

    assert (tmp_path / "mine").read_text() == "mine"
    assert Result(folder).read("out.bin") == 1


class Planted:
    def __reduce__(self):
        return Path.touch, (Path("hurt"),)


def planted(result):
    """Return a pickle in the store's own format that runs code, unsigned."""
    result.write("model.bin", Planted())
    written = result.path("model.bin").read_bytes()
    result.path("model.bin").unlink()
    return written[:-48]


@pytest.mark.parametrize("tail", [b"", b"x" * 48, b"\0" * 32 + b"FLOWBOOK-SIGNED\x01"], ids=["none", "junk", "forged"])
def test_a_pickle_that_somebody_planted_is_not_run(tail, folder):
    (folder / "out.bin").write_bytes(planted(Result(folder)) + tail)
    load = task(lambda: 1, name="load", target="out.bin")
    with Flow("files") as flow:
        end = load()

    state = flow.run()

    assert state.result[end].is_failed()
    assert "so it is not read: it could run code. Delete it to run its task again" in state.result[end].message
    assert not (folder / "hurt").exists()


def test_a_file_signed_with_another_key_is_read_only_if_it_is_trusted(folder, tmp_path, monkeypatch):
    Result(folder).write("out.bin", (1, 2))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "other.key"))

    with pytest.raises(DamagedValueError, match="was signed with another key, or changed since"):
        Result(folder).read("out.bin")

    assert Result(folder, trust=True).read("out.bin") == (1, 2)


def test_a_file_that_changed_by_one_bit_is_not_read(folder):
    Result(folder).write("out.bin", (1, "a" * 100))
    content = bytearray((folder / "out.bin").read_bytes())
    for position in range(0, len(content), 7):
        content[position] ^= 1
        (folder / "out.bin").write_bytes(content)

        with pytest.raises(DamagedValueError):
            Result(folder).read("out.bin")

        content[position] ^= 1


def test_a_value_of_the_store_is_no_file_though_it_is_signed(folder):
    ref = open_store().values.put((1, "a" * 100))
    ((content, signature),) = open_store()._database.read("SELECT content, signature FROM value")
    (folder / "out.bin").write_bytes(content + signature + b"FLOWBOOK-SIGNED\x01")

    with pytest.raises(DamagedValueError, match="another key"):
        Result(folder).read("out.bin")

    assert ref.load() == (1, "a" * 100)


def test_plain_values_need_no_key(folder, tmp_path, monkeypatch):
    Result(folder).write("out.bin", {"a": [1, None]})
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "none" / "other.key"))

    assert Result(folder).read("out.bin") == {"a": [1, None]}
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_input_stays_in_the_folder_or_is_refused_clearly(text, folder, tmp_path):
    load = task(lambda name: (name,), name="load", target="{name}")
    with Flow("files", result=Result(folder / "kept" / "deep")) as flow:
        end = load(text)

    state = flow.run(record=False)

    found = state.result[end]
    outside = [path for path in tmp_path.rglob("*") if not path.is_relative_to(folder) and path.is_file()]
    assert [path.name for path in outside] in ([], ["store.key"])
    assert [path.name for path in folder.rglob("*") if path.is_file() and "deep" not in path.parts] == []
    if found.is_failed():
        assert found.message.startswith("RunError: ")
        assert "can't be a file's name" in found.message or "leads out of" in found.message
    else:
        assert found.result == (text,)
        assert flow.run().result[end].is_cached()


def test_reading_what_is_not_there_says_so(folder):
    with pytest.raises(ResultGoneError) as refused:
        Result(folder).read("gone")

    assert str(refused.value) == f"{folder / 'gone'} can't be read: No such file or directory. Run its task again."


def test_a_task_run_name_is_made_of_inputs_and_context_and_seen_by_the_task():
    @task(task_run_name="{task_name} of {year}, child {map_index}")
    def load(year):
        del year
        return context.task_run_name

    with Flow("named") as flow:
        end = load.map([2023, 2024])

    state = flow.run()

    assert state.result[end].result == ["load of 2023, child 0", "load of 2024, child 1"]
    running = [e.state.context for e in flow.last_run.events() if e.key == "load[0]" and e.state.is_running()]
    assert running == [{"task_run_name": "load of 2023, child 0"}]


def test_a_task_run_name_may_be_a_function_and_is_the_key_otherwise():
    named = task(lambda x: context.task_run_name, name="named", task_run_name=lambda x, **_: f"x is {x}")  # noqa: ARG005
    plain = task(lambda: context.task_run_name, name="plain")
    with Flow("named") as flow:
        ends = [named(3), plain()]

    state = flow.run()

    assert [state.result[end].result for end in ends] == ["x is 3", "plain"]


def test_a_task_run_name_that_can_not_be_made_is_logged_and_the_task_runs():
    load = task(lambda: context.task_run_name, name="load", task_run_name="{nothing}")
    with Flow("named") as flow:
        end = load()

    state = flow.run()

    assert state.result[end].result == "load"
    (line,) = flow.last_run.logs()
    assert line.text == (
        "task_run_name: RunError: '{nothing}' asks for 'nothing', which is neither an input nor in the context. "
        "Inputs: none."
    )


@everywhere
def test_raise_on_exception_stops_the_run_and_raises_what_the_task_raised(executor):
    ran = []

    @task(max_retries=3, retry_delay=0)
    def breaks():
        ran.append(1)
        msg = "mine"
        raise ZeroDivisionError(msg)

    after = task(lambda x: x, name="after")
    with Flow("debug") as flow:
        after(breaks())

    with pytest.raises(ZeroDivisionError, match="mine") as raised:
        flow.run(executor=executor, raise_on_exception=True)

    assert ran == [1]
    assert raised.traceback[-1].name == "breaks"
    assert flow.last_run.state.is_cancelled()
