"""A pod's output is in the run's log file once, line by line, however often its reader is killed and its connection cut."""

import contextlib
import os
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowbook.flow_run.ports import RunToStart
from flowbook.flow_runners import job_mark, keeper, kept_lines, pod_output
from flowbook.flow_runners.job_mark import JobMark, WatchedJob
from flowbook.flow_runners.keeper import LogFile
from flowbook.flow_runners.pod_output import PodOutput
from flowbook.flow_runners.run_output import RunOutput
from flowbook.store.process_output import output_file, remove_output
from tests.flow_runners.test_pod_log import logs, texts_of

RUN = RunToStart("7c1f09e2a1b44d0f8e6f5a3b2c1d0e9f", "flow", 3, 1)
JOB = WatchedJob(*RUN, "flows", "flow-3", "uid", {})


class Killed(BaseException):
    """This process is killed at this point."""


class Cluster:
    """Has one pod's log; cuts each connection after some bytes, but for the last."""

    def __init__(self, lines, cuts=()):
        self.content = b"".join(lines)
        self.cuts = list(cuts)

    def log(self, namespace, pod, since_s):
        del namespace, pod, since_s
        cut = self.cuts.pop(0) if self.cuts else None
        return Lines(self.content if cut is None else self.content[:cut], is_cut=cut is not None)


class Lines:
    def __init__(self, content, *, is_cut):
        self.whole = content.splitlines(keepends=True)
        self.is_cut = is_cut

    def __iter__(self):
        yield from (each for each in self.whole if each.endswith(b"\n"))
        if self.is_cut:
            raise ConnectionError("cut")

    def close(self):
        pass


def read(lines, cuts=(), *, dies_after=0):
    """Read the log as a process does that has just started to watch the Job; it may be killed."""
    with pytest.MonkeyPatch.context() as patch, _process(patch, dies_after), contextlib.suppress(Killed):
        pod = PodOutput(Cluster(lines, cuts), "flows", "pod-1", RunOutput(RUN, is_shown=False), JobMark(JOB))
        pod.note_stopped()
        pod._read()


@contextlib.contextmanager
def _process(patch, dies_after):
    """Stand for a process: it dies before or after its n-th write to a file, or in the middle; its files are closed then."""
    left, files = [dies_after], set()

    def step():
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    def writes(act):
        def write(file, part, *place):
            step()
            if left[0] == 1:
                act(file, part[: len(part) // 2], *place)
            step()
            done = act(file, part, *place)
            step()
            return done

        return write

    def opened(*given):
        files.add(file := os.open(*given))
        return file

    def closed(file):
        files.discard(file)
        os.close(file)

    system = types.SimpleNamespace(**vars(os))
    system.write, system.pwrite, system.open, system.close = writes(os.write), writes(os.pwrite), opened, closed
    for module in (job_mark, keeper, kept_lines):
        patch.setattr(module, "os", system)
    patch.setattr(pod_output, "_AGAIN_S", 0)
    try:
        yield
    finally:
        for file in files:
            os.close(file)


def kept():
    """Return what is in the log file and its predecessor."""
    file = output_file(RUN.run_id)
    found = [file.with_name(f"{file.name}.1"), file]
    return b"".join(each.read_bytes() for each in found if each.exists())


@pytest.fixture
def _folder(home):
    output_file(RUN.run_id).parent.mkdir(parents=True)
    assert home.exists()


@pytest.mark.usefixtures("_folder")
@settings(max_examples=150, deadline=None)
@given(logs(), st.lists(st.integers(1, 300), max_size=5), st.lists(st.integers(0, 1500), max_size=2))
def test_however_often_its_reader_is_killed_nothing_is_lost_or_doubled(lines, kills, cuts):
    remove_output(RUN.run_id)
    for steps in kills:
        read(lines, cuts, dies_after=steps)

    read(lines, cuts)

    assert kept().splitlines(keepends=True) == texts_of(lines)


@pytest.mark.usefixtures("_folder")
@settings(max_examples=60, deadline=None)
@given(logs(), st.lists(st.integers(1, 300), max_size=3))
def test_a_log_file_that_is_rotated_meanwhile_has_each_line_once(lines, kills):
    remove_output(RUN.run_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowbook.flow_runners.run_output.config.output_bytes", lambda: 90)
        patch.setattr(kept_lines, "_MOST_BYTES", 200)
        for steps in [*kills, 0]:
            read(lines, dies_after=steps)

    assert b"".join(texts_of(lines)).endswith(kept())


@pytest.mark.usefixtures("_folder")
def test_notes_between_its_lines_are_left_alone():
    lines = [f"2026-11-30T09:00:0{n}.5Z line {n}\n".encode() for n in range(6)]
    read(lines, dies_after=40)
    before = kept()
    LogFile(str(output_file(RUN.run_id)), 10_000).write(b"[flowbook] a note\n")

    read(lines)

    found = kept().splitlines(keepends=True)
    assert before
    assert [each for each in found if each != b"[flowbook] a note\n"] == texts_of(lines)
    assert found.count(b"[flowbook] a note\n") == 1


@pytest.mark.usefixtures("_folder")
def test_two_pods_of_a_job_are_told_apart():
    lines = [b"2026-11-30T09:00:01Z same\n"]
    with pytest.MonkeyPatch.context() as patch, _process(patch, 0):
        mark, output = JobMark(JOB), RunOutput(RUN, is_shown=False)
        for name in ("pod-1", "pod-2"):
            pod = PodOutput(Cluster(lines), "flows", name, output, mark)
            pod.note_stopped()
            pod._read()

    assert kept() == b"same\nsame\n"


@pytest.mark.usefixtures("_folder")
def test_with_the_mark_the_notes_are_removed():
    mark = JobMark(JOB)
    mark.remove()

    mark.kept_lines.note("pod", kept_lines.KeptLine(1, 1), (1, 1), 1)
    mark.note_read(1)

    assert list(output_file(RUN.run_id).parent.iterdir()) == []
