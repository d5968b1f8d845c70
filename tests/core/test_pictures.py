"""What is shown of flows, runs and states: pictures and a line, escaped, on light and on dark pages."""

import html
import re
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from flowbook import Flow, Parameter, task
from flowbook.draw.picture import LARGEST_SHOWN, Picture
from flowbook.engine.state import Failed, Success
from flowbook.exceptions import DefinitionError

NASTY = '<script>alert("x")</script>&'


@task
def inc(x):
    return x + 1


@task
def fails(x):
    raise ValueError(x)


def flow_of_three():
    with Flow("three") as flow:
        x = inc(Parameter("x", 1))
        fails(x)
        inc.map([1, 2])
    return flow


def names_drawn(picture):
    return {each.text for each in ET.fromstring(picture.svg).iter("{http://www.w3.org/2000/svg}text")}


def test_a_flow_that_has_not_run_is_drawn_with_its_tasks_pending():
    flow = flow_of_three()

    picture = flow.visualize()

    assert isinstance(picture, Picture)
    assert picture.words == "three: 3 Pending."
    assert {"x", "inc", "fails", "inc-2"} <= names_drawn(picture)


@pytest.mark.parametrize("given", ["nothing", "the state", "the run"])
def test_after_a_run_its_states_are_drawn(given):
    flow = flow_of_three()
    state = flow.run()
    of = {"nothing": None, "the state": state, "the run": flow.last_run}[given]

    picture = flow.visualize(of)

    assert picture.words.removesuffix(f" run {flow.last_run.number}") == "three: Failed. 3 Success, 1 Failed."


def test_a_flow_that_was_changed_since_its_run_is_drawn_plain():
    with Flow("f") as flow:
        fails(Parameter("x"))
    first = flow.run(x="a")
    flow.replace(flow.get_tasks("fails")[0], inc.copy())

    picture = flow.visualize()

    assert first.is_failed()
    assert picture.words == "f: 1 Pending."


def test_a_picture_is_written_as_svg_and_nothing_else(tmp_path):
    flow = flow_of_three()

    flow.visualize(filename=tmp_path / "flow")
    flow.visualize(filename=tmp_path / "dark.svg", theme="dark")

    texts = [(tmp_path / name).read_text(encoding="utf-8") for name in ("flow.svg", "dark.svg")]
    assert all(text.startswith("<svg") for text in texts)
    assert texts[0] != texts[1]
    with pytest.raises(DefinitionError) as refused:
        flow.visualize(filename=tmp_path / "flow.png")
    assert str(refused.value) == "Pictures are written as SVG, not as '.png'. Name it 'flow.svg'."


def test_notebooks_show_a_flow_and_a_run_as_an_image_with_words():
    flow = flow_of_three()
    flow.run()

    shown = [each._repr_mimebundle_() for each in (flow, flow.last_run)]

    for bundle in shown:
        source = re.fullmatch(r'<img alt="[^"]+" src="data:image/svg\+xml,([^"]+)">', bundle["text/html"])
        ET.fromstring(unquote(html.unescape(source[1])))
    assert [bundle["text/plain"] for bundle in shown] == [repr(flow), repr(flow.last_run)]
    assert all(len(bundle["text/html"]) < 10_000 for bundle in shown)


def test_a_flow_that_has_run_is_shown_as_its_newest_run_left_it():
    flow = flow_of_three()
    before = flow._repr_mimebundle_()["text/html"]
    flow.run()

    shown = flow._repr_mimebundle_()["text/html"]

    assert "Pending" in before
    assert "Pending" not in shown
    assert flow.visualize()._repr_mimebundle_()["text/html"] == shown


def test_a_flow_counts_no_parameters_and_gathered_lists_as_tasks():
    with Flow("one") as one:
        inc(Parameter("x", default=1))
    with Flow("two") as two:
        inc.map([inc(1), 2])

    assert [repr(flow) for flow in (one, two)] == ["<Flow: 'one', 1 task>", "<Flow: 'two', 2 tasks>"]


def test_a_large_flow_is_shown_as_text():
    with Flow("large") as flow:
        for _ in range(LARGEST_SHOWN + 1):
            inc(1)
    state = flow.run()

    assert flow._repr_mimebundle_() == {"text/plain": repr(flow)}
    assert flow.last_run._repr_mimebundle_()["text/html"] == state._repr_mimebundle_()["text/html"]


def test_a_flow_that_is_still_being_written_shows_as_text_where_it_can_not_be_drawn():
    with Flow("one file for all") as flow:
        inc.map([1, 2], task_args={"target": "out.bin"})
    with pytest.raises(DefinitionError):
        flow.compile()

    assert flow._repr_mimebundle_() == {"text/plain": repr(flow)}


def test_names_and_messages_are_escaped():
    with Flow(NASTY) as flow:
        inc.copy(name=NASTY).bind(1)
    flow.run()

    texts = [
        Failed(NASTY)._repr_mimebundle_()["text/html"],
        flow._repr_mimebundle_()["text/html"],
        flow.visualize().svg,
    ]

    assert [text.count("<script") for text in texts] == [0, 0, 0]


def test_a_state_shows_its_word_its_message_and_the_count_of_its_tasks():
    flow = flow_of_three()
    state = flow.run()

    shown = state._repr_mimebundle_()

    assert shown == {
        "text/html": '<div style="border-left:4px solid #b84000;padding-left:8px"><b>Failed</b> fails failed: ValueError: 2. '
        "(2 Success, 1 Mapped, 1 Failed)</div>",
        "text/plain": "<Failed: 'fails failed: ValueError: 2.'>",
    }


def test_a_long_message_is_cut_and_a_value_is_not_loaded():
    class Ref:
        """Fails on any look."""

        def __getattribute__(self, name):
            raise AssertionError(name)

    shown = Success("long " * 1000, Ref())._repr_mimebundle_()["text/html"]

    assert len(shown) < 700


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"flow_state": Success("done")},
            "visualize can't take states from <Success: 'done'>. Give a FlowRun, or the state that flow.run() returned.",
        ),
        ({"format": "png"}, "Pictures are written as SVG, not as 'png'. Leave the format out."),
        ({"theme": "blue"}, "There is no theme 'blue'. Use 'light', 'dark' or 'auto'."),
    ],
)
def test_what_can_not_be_drawn_is_refused(options, message):
    with pytest.raises(DefinitionError) as refused:
        flow_of_three().visualize(**options)

    assert str(refused.value) == message
