"""What tasks show: with the task, in its record and in what the notebook keeps; never in a cell."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

import flowbook
from flowbook.notebook import extension
from flowbook.notebook.panel_session import PanelSession

CELL = """
from IPython.display import HTML, clear_output, display
import flowbook
from flowbook import task

class Odd:
    def __repr__(self):
        return "an odd one"

@task
def shows(x):
    display(Odd())
    display(HTML(f"<b>{x}</b>"))
    clear_output()
    return x
"""
FIGURES = """
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt

@task
def plots(x, ends):
    figure, axes = plt.subplots()
    axes.plot([1, 2, x])
    if ends == "show":
        plt.show()
    elif ends == "close":
        plt.close(figure)
    return x
"""


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("FLOWBOOK_PROJECT", "test")
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()  # `display` goes to this one
    extension.load(shell)
    assert shell.run_cell(CELL).success
    yield shell
    shell.history_manager.end_session()
    extension.unload(shell)
    InteractiveShell.clear_instance()


def _run(shell, line, body):
    shell.run_cell_magic("flow", line, body)
    return shell.user_ns[line.split()[0]].last_run


def _shown(run, key):
    return [line.shown for line in run.logs(key) if line.shown is not None]


def _details(run, key):
    session = PanelSession(run)
    told = session._shown.details(key)
    session.close()
    return told


@pytest.mark.parametrize("executor", ["local", "threads", "processes"])
def test_displays_go_to_the_run_and_not_into_the_cell(shell, capsys, executor):
    run = _run(shell, f"daily --executor {executor}", "shows.map([1, 2])")

    assert [each["text"] for each in _shown(run, "shows[0]")] == ["an odd one", "<IPython.core.display.HTML object>"]
    assert [(each["kind"], each["body"]) for each in _shown(run, "shows[1]")] == [("text", None), ("html", "<b>2</b>")]
    out = capsys.readouterr().out
    assert "an odd one" not in out
    assert "daily, run 1: Success" in out


def test_cells_show_as_before(shell, capsys):
    _run(shell, "daily --quiet", "shows(1)")
    shell.run_cell("display(Odd())")

    assert capsys.readouterr().out == "an odd one\n"


@pytest.mark.parametrize(("ends", "count"), [("nothing", 1), ("show", 1), ("close", 0)])
def test_figures_of_a_task_are_its_own_and_leave_pyplot(shell, ends, count):
    shell.run_cell(FIGURES)
    shell.run_cell("plt.close('all'); mine = plt.figure()")  # another test may have left some open

    run = _run(shell, "daily --executor threads --quiet", f"plots.map([3, 4], ends=flowbook.unmapped({ends!r}))")

    assert run.state.is_successful()
    for key in ("plots[0]", "plots[1]"):
        assert [(each["kind"], each["body"]["mime"]) for each in _shown(run, key)] == [("picture", "image/png")] * count
    assert shell.user_ns["plt"].get_fignums() == [shell.user_ns["mine"].number]
    shell.run_cell("plt.close('all')")


def test_figures_that_tasks_make_at_once_are_both_shown_although_pyplot_gives_them_one_number(shell):
    shell.run_cell(FIGURES)
    body = "plt.figure(); plt._pylab_helpers.Gcf._set_new_active_manager(plt.new_figure_manager(plt.gcf().number)); plt.plot([1])"
    shell.run_cell(f"@task\ndef collides():\n    {body}")

    run = _run(shell, "daily --executor threads --quiet", "collides()")

    assert [each["kind"] for each in _shown(run, "collides")] == ["picture", "picture"]


def test_figures_of_a_task_in_a_process_go_to_its_run(shell):
    shell.run_cell(FIGURES)
    shell.run_cell("@task\ndef both(x):\n    figure, _ = plt.subplots()\n    display(figure)\n    return x")

    run = _run(shell, "daily --executor processes --quiet", "both(plots(3, 'nothing'))")

    assert run.state.is_successful(), run.state
    assert [(each["kind"], each["body"]["mime"]) for each in _shown(run, "plots")] == [("picture", "image/png")]
    assert [each["kind"] for each in _shown(run, "both")] == ["picture"]  # as it is shown, so it is at the end


@pytest.mark.parametrize("executor", ["threads", "processes"])
@pytest.mark.parametrize("how", ["plt.show()", "display(figure)", "None"])
def test_a_figure_that_a_task_shows_and_returns_stands_in_its_inspector_once(shell, executor, how):
    shell.run_cell(FIGURES)
    shell.run_cell(f"@task\ndef both():\n    figure, _ = plt.subplots(dpi=120)\n    {how}\n    return figure")

    run = _run(shell, f"daily --executor {executor} --quiet", "both()")
    told = _details(run, "both")

    assert (told["output"]["kind"], told["output"]["text"]) == ("picture", "Figure, 768 × 576")
    assert told["shown"] == []
    assert [line["text"] for line in told["logs"]] == ["Figure, 768 × 576"]


def test_a_figure_that_was_changed_after_it_was_shown_stands_there_as_it_was_both_times(shell):
    shell.run_cell(FIGURES)
    body = "figure, axes = plt.subplots()\n    display(figure)\n    axes.plot([1, 2])\n    return figure"
    shell.run_cell(f"@task\ndef grows():\n    {body}")

    run = _run(shell, "daily --executor threads --quiet", "grows()")
    told = _details(run, "grows")

    assert [each["text"] for each in told["shown"]] == ["Figure, 640 × 480"]
    assert told["shown"][0]["body"] != told["output"]["body"]


@pytest.mark.parametrize("executor", ["threads", "processes"])
@pytest.mark.parametrize("kind", ["DataFrame({'a': range(300), 'b': 'x'})", "Series(range(3), name='a')"])
def test_a_table_that_a_task_shows_and_returns_stands_in_its_inspector_once(shell, executor, kind):
    shell.run_cell("import pandas as pd")
    shell.run_cell(f"@task\ndef both():\n    table = pd.{kind}\n    display(table)\n    return table")

    run = _run(shell, f"daily --executor {executor} --quiet", "both()")
    told = _details(run, "both")

    assert told["output"]["kind"] in {"frame", "series"}
    assert told["shown"] == []
    assert len(told["logs"]) == 1


def test_a_part_of_a_table_and_the_table_before_a_change_stand_there_beside_the_output(shell):
    shell.run_cell("import pandas as pd")
    body = "table = pd.DataFrame({'a': range(9)})\n    display(table.head(2), table)\n    table['a'] += 1\n    return table"
    shell.run_cell(f"@task\ndef grows():\n    {body}")

    run = _run(shell, "daily --executor threads --quiet", "grows()")
    told = _details(run, "grows")

    assert [(each["kind"], each["body"].count("<tr>")) for each in told["shown"]] == [("html", 2), ("html", 9)]
    assert set(told["shown"][0]) == set(told["output"])


def test_a_large_image_that_a_task_shows_is_a_smaller_picture_and_not_a_text(shell):
    shell.run_cell("from PIL import Image\nimport random\nnoise = random.Random(7).randbytes")
    shell.run_cell("@task\ndef looks():\n    display(Image.frombytes('L', (900, 900), noise(810_000)))\n    return 1")

    run = _run(shell, "daily --executor threads --quiet", "looks()")

    assert [(each["kind"], each["text"]) for each in _shown(run, "looks")] == [("picture", "Image, L, 900 × 900")]


def test_a_recorded_run_keeps_what_was_shown_and_a_panel_tells_it(shell):
    run = _run(shell, "daily --quiet", "shows(7)")
    again = flowbook.run(run.run_id)

    session = PanelSession(again)
    told = session._shown.details("shows")
    brief = session._shown.details("shows", is_brief=True)
    session.close()

    assert [each["text"] for each in told["shown"]] == ["an odd one", "<IPython.core.display.HTML object>"]
    assert [each["body"] for each in brief["shown"]] == [None, "<b>7</b>"]
    assert [line["text"] for line in told["logs"]] == ["an odd one", "<IPython.core.display.HTML object>"]


def test_of_very_many_displays_the_first_are_kept(shell):
    shell.run_cell("@task\ndef many():\n    for n in range(30):\n        display(n)")

    run = _run(shell, "daily --quiet", "many()")

    assert [each["text"] for each in _shown(run, "many")] == [str(n) for n in range(20)]
    assert run.logs("many")[-1].text == "More than 20 displays: the rest is dropped."


def test_after_unloading_all_goes_its_usual_way(shell):
    shell.run_cell(FIGURES)
    extension.unload(shell)

    assert "publish" not in shell.display_pub.__dict__
    assert "format" not in shell.display_formatter.__dict__
    assert shell.user_ns["plt"].show.__module__ == "matplotlib.pyplot"
