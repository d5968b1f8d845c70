"""What tasks print goes to their log, what others print stays theirs, and `sys.stdout` is what it was."""

import contextlib
import io
import os
import sys
import threading

from flowbook.engine.prints import capture_prints
from flowbook.engine.task_log import TaskLog
from tests.interpreters import restless

WAIT_S = 20


class Run:
    """Stands for a run: keeps what is logged."""

    def __init__(self):
        self.lines = []

    def logged(self, *line):
        self.lines.append(line[2])


def standard_output(monkeypatch):
    """Return a stream that is `sys.stdout` until the test ends."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    return stream


def text_of(stream):
    return stream.buffer.getvalue().decode()


def say(text):
    print(text)  # noqa: T201


def beside(call):
    """Call it in another thread, so in another context, and wait."""
    thread = threading.Thread(target=call)
    thread.start()
    thread.join(WAIT_S)


def test_prints_of_the_context_go_to_the_log_and_others_print_as_before(monkeypatch):
    stdout = standard_output(monkeypatch)
    run = Run()

    with capture_prints(TaskLog(run, "t")):
        say("mine")
        beside(lambda: say("theirs"))
        sys.stdout.write("half ")
        sys.stdout.writelines(["a line\n", "rest"])
    say("after")

    assert run.lines == ["mine", "half a line", "rest"]
    assert text_of(stdout) == "theirs\nafter\n"


def test_the_stream_stays_the_same_object_with_all_it_can_do(monkeypatch):
    stdout = standard_output(monkeypatch)
    before = vars(stdout).copy()

    with capture_prints(TaskLog(Run(), "t")):
        found = (sys.stdout is stdout, sys.stdout.buffer is stdout.buffer, sys.stdout.encoding)
        sys.stdout.reconfigure(line_buffering=True)

    assert found == (True, True, "utf-8")
    assert vars(stdout) == before


def test_a_redirection_that_outlasts_the_task_puts_the_stream_back(monkeypatch):
    """As `%%capture` around `run.wait()` does."""
    stdout = standard_output(monkeypatch)
    run, inner = Run(), io.StringIO()
    capture = capture_prints(TaskLog(run, "t"))

    capture.__enter__()
    with contextlib.redirect_stdout(inner):
        beside(lambda: say("captured"))
        capture.__exit__(None, None, None)
        say("captured too")
    say("shown")

    assert sys.stdout is stdout
    assert (inner.getvalue(), text_of(stdout), run.lines) == ("captured\ncaptured too\n", "shown\n", [])


def test_a_task_that_began_within_a_redirection_leaves_it_as_it_was(monkeypatch):
    standard_output(monkeypatch)
    run, inner = Run(), io.StringIO()

    with contextlib.redirect_stdout(inner):
        with capture_prints(TaskLog(run, "t")):
            say("mine")
        say("captured")

    assert (run.lines, inner.getvalue(), vars(inner)) == (["mine"], "captured\n", {})


def test_a_task_may_redirect_its_own_prints(monkeypatch):
    standard_output(monkeypatch)
    run, own = Run(), io.StringIO()

    with capture_prints(TaskLog(run, "t")):
        with contextlib.redirect_stdout(own):
            say("kept by the task")
        say("logged")

    assert (own.getvalue(), run.lines) == ("kept by the task\n", ["logged"])


def test_a_task_sees_no_terminal_where_others_do(monkeypatch):
    stdout = standard_output(monkeypatch)
    stdout.isatty = lambda: True
    seen = []

    with capture_prints(TaskLog(Run(), "t")):
        seen.append(sys.stdout.isatty())
        beside(lambda: seen.append(sys.stdout.isatty()))

    assert seen == [False, True]
    assert stdout.isatty() is True


class Slotted:
    """A stream that takes no attributes."""

    __slots__ = ("text",)

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return False

    def set_parent(self, parent):
        self.text += f"<{parent}>"


def test_a_stream_that_cannot_be_hooked_is_stood_for_meanwhile(monkeypatch):
    run, slotted = Run(), Slotted()
    monkeypatch.setattr(sys, "stdout", slotted)

    with capture_prints(TaskLog(run, "t")):
        say("mine")
        sys.stdout.set_parent("cell 2")
        beside(lambda: say("theirs"))

    assert (run.lines, slotted.text, sys.stdout) == (["mine"], "<cell 2>theirs\n", slotted)


def test_a_program_without_a_console_logs_prints_all_the_same(monkeypatch):
    run = Run()
    monkeypatch.setattr(sys, "stdout", None)

    with capture_prints(TaskLog(run, "t")):
        say("mine")
        beside(lambda: say("to nobody"))

    assert (run.lines, sys.stdout) == (["mine"], None)


def test_who_wrapped_the_stream_meanwhile_keeps_what_they_made(monkeypatch):
    stdout = standard_output(monkeypatch)
    run, seen = Run(), []

    with capture_prints(TaskLog(run, "t")):
        inner = stdout.write
        stdout.write = lambda text: seen.append(text) or inner(text)
    say("x")

    assert (seen, text_of(stdout)) == (["x", "\n"], "x\n")


def test_a_forked_child_prints_for_itself(monkeypatch, capfd):
    stdout = standard_output(monkeypatch)
    run = Run()

    with capture_prints(TaskLog(run, "t")):
        sys.stdout.write("half a line, ")
        pid = os.fork()
        if pid == 0:
            os.write(1, b"child: ")
            say("of the child")
            os.write(1, stdout.buffer.getvalue())
            os._exit(len(run.lines))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        say("of the parent")

    assert (code, run.lines, text_of(stdout)) == (0, ["half a line, of the parent"], "")
    assert capfd.readouterr().out == "child: of the child\n"


def test_tasks_side_by_side_each_get_their_own_lines_however_often_threads_switch(monkeypatch):
    stdout = standard_output(monkeypatch)
    runs = [Run() for _ in range(8)]

    def work(number):
        for _ in range(30):
            with capture_prints(TaskLog(runs[number], "t")):
                say(f"line of {number}")
            sys.stdout.write(f"aside-of-{number}\n")

    with restless():
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)

    assert [run.lines for run in runs] == [[f"line of {number}"] * 30 for number in range(8)]
    assert sorted(text_of(stdout).split()) == sorted([f"aside-of-{number}" for number in range(8)] * 30)
    assert "write" not in vars(stdout)
