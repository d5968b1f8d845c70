import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowbook.draw.layout import layout
from flowbook.draw.node_parts import NodeView, alt_text
from flowbook.draw.still import LARGEST_PICTURE, image
from flowbook.draw.svg import svg
from flowbook.engine.graph import Graph, TaskSpec
from tests.graphs import build, task

MakeTask = Callable[..., TaskSpec]
MakeGraph = Callable[..., Graph]
SVG = "{http://www.w3.org/2000/svg}"

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "\"quotes\" and 'quotes'",
    "]]> & &amp; <!-- -->",
    "two\nlines\r\nand\ta tab",
    "\u05e9\u05dc\u05d5\u05dd \u202e\u05e2\u05d5\u05dc\u05dd",
    "x" * 300,
    "</title></svg><script>alert(1)</script>",
]


def test_a_bare_picture_has_what_the_panels_view_keeps_and_no_more(delays: Graph) -> None:
    drawn = layout(delays)

    bare = ET.fromstring(svg(delays, drawn, {}, bare=True))
    whole = ET.fromstring(svg(delays, drawn, {}))

    kept = {"box", "under", "tile-bg", "name", "ring"}
    parts = {part.get("class") for node in bare.iterfind("*[@data-task]") for part in node} - {None}
    assert parts == kept
    for node in whole.iterfind("*[@data-task]"):
        for part in list(node):
            if part.get("class") not in {None, *kept}:
                node.remove(part)
    assert ET.tostring(bare) == ET.tostring(whole)


def _by_task(text: str, key: str) -> ET.Element:
    return next(node for node in ET.fromstring(text).iter(f"{SVG}g") if node.get("data-task") == key)


def _texts(node: ET.Element, kind: str) -> list[str]:
    return [text.text or "" for text in node.iter(f"{SVG}text") if kind in (text.get("class") or "").split()]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("standalone", [False, True])
def test_a_hostile_name_is_text_and_nothing_else(name: str, standalone: bool) -> None:
    graph = build(task(name, is_manual=True, is_mapped=True), name=name)
    views = {name: NodeView("Failed", end=name, note=name, counts={name: 2}, width=2, controls=True)}

    root = ET.fromstring(svg(graph, layout(graph), views, standalone=standalone, state="Failed", caption=name))

    shown = [part.text for part in root.iter() if part.tag in {f"{SVG}title", f"{SVG}text"}]
    assert {name, " ".join(name.split())} & {*shown}
    assert not {node.tag for node in root.iter()} & {f"{SVG}img", f"{SVG}script"}
    assert not [attribute for node in root.iter() for attribute in node.attrib if attribute.startswith("on")]
    if not standalone:
        assert name in [node.get("data-task") for node in root.iter(f"{SVG}g")]


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_any_name_makes_well_formed_xml(name: str) -> None:
    graph = build(task(name), name=name)

    root = ET.fromstring(svg(graph, layout(graph, programs=()), {name: NodeView(note=name)}, standalone=True))

    assert root.get("role") == "img"


def test_a_live_node_has_the_hooks_that_the_page_promises(delays: Graph) -> None:
    views = {"approve": NodeView("Paused", end="35 s", note="waits for a person", controls=True)}

    node = _by_task(svg(delays, layout(delays), views), "approve")

    assert (node.get("data-state"), node.get("data-action"), node.get("role")) == ("Paused", "inspect", "group")
    assert node.get("aria-label") == "approve, Paused, 35 s, waits for a person"
    buttons = node.findall(f".//{SVG}g[@role='button']")
    assert [(button.get("data-action"), button.get("data-task")) for button in buttons] == [
        ("resume", "approve"),
        ("inspect", "approve"),
    ]
    assert _texts(node, "word") == ["Paused"]
    assert _texts(node, "time") == ["35 s"]


def test_a_node_is_as_high_as_what_it_shows(delays: Graph) -> None:
    views = {"fetch_rates": NodeView("Success", note="on attempt 2 of 4"), "approve": NodeView("Paused", controls=True)}
    drawn = layout(delays)

    plain, told = svg(delays, drawn, {}), svg(delays, drawn, views)

    def heights(text: str) -> list[str | None]:
        boxes = [_by_task(text, key).find(f"{SVG}rect[@class='box']") for key in ("fetch_rates", "approve")]
        return [box.get("height") for box in boxes if box is not None]

    assert heights(plain) == ["43", "43"]
    assert heights(told) == ["63", "79"]


def test_controls_are_there_but_hidden_until_the_task_pauses(delays: Graph) -> None:
    node = _by_task(svg(delays, layout(delays), {}), "approve")

    controls = node.find(f"{SVG}g[@class='controls']")
    assert controls is not None
    assert controls.get("display") == "none"


def test_the_live_picture_holds_no_colour_of_its_own(delays: Graph) -> None:
    text = svg(delays, layout(delays), {})

    assert "#" not in text


def test_the_picture_that_stands_alone_needs_nothing_from_outside(delays: Graph) -> None:
    text = svg(delays, layout(delays), {}, standalone=True, state="Paused")

    for forbidden in ("var(", "class=", "style=", "url(", "<style", "<script", "currentColor"):
        assert forbidden not in text
    root = ET.fromstring(text)
    used = {f"#{shape.get('id')}" for shape in root.iter(f"{SVG}g") if shape.get("id")}
    assert {use.get("href") for use in root.iter(f"{SVG}use")} == used


def test_a_mapped_node_shows_its_children_as_bar_and_counts(delays: Graph) -> None:
    counts = {"Pending": 2, "Failed": 1, "Success": 7, "Running": 2}
    views = {"delays_by_carrier": NodeView("Running", end="34.8 s", counts=counts, width=12)}

    node = _by_task(svg(delays, layout(delays), views), "delays_by_carrier")

    segments = [part for part in node.iter(f"{SVG}rect") if part.get("class") == "seg"]
    assert [part.get("data-state") for part in segments] == ["Success", "Running", "Failed", "Pending"]
    assert _texts(node, "tally") == ["7", "2", "1", "2"]
    assert _texts(node, "width") == ["\u00d712"]


@pytest.mark.parametrize("standalone", [False, True])
def test_a_note_on_a_mapped_node_takes_the_place_of_one_count_only(delays: Graph, *, standalone: bool) -> None:
    drawn, note = layout(delays), "11 ran before the edit"

    all_well, one_failed = (
        svg(delays, drawn, {"delays_by_carrier": NodeView("Success", note=note, counts=counts)}, standalone=standalone)
        for counts in ({"Success": 12}, {"Success": 11, "Failed": 1})
    )

    assert (f">{note}<" in all_well, f">{note}<" in one_failed) == (True, False)
    assert (">12<" in all_well, ">11<" in one_failed) == (False, True)


def test_the_alternative_text_says_the_state_and_the_counts_with_children(delays: Graph) -> None:
    views = {key: NodeView("Success") for key in delays.specs}
    views["approve"] = NodeView("Paused")
    views["delays_by_carrier"] = NodeView("Success", counts={"Success": 12}, width=12)

    told = alt_text(delays, views, state="Paused", caption="approve waits for you")

    assert told == "flowbook: delays: Paused. 21 Success, 1 Paused. approve waits for you"
    text = svg(delays, layout(delays), views, standalone=True, state="Paused", caption="approve waits for you")
    root = ET.fromstring(text)
    assert root.get("aria-label") == told
    assert root.findtext(f"{SVG}title") == told


def test_themes_differ_and_auto_is_light_on_its_own_ground(delays: Graph) -> None:
    drawn = layout(delays)

    light, dark, auto = (svg(delays, drawn, {}, standalone=True, theme=theme) for theme in ("light", "dark", "auto"))

    assert auto == light != dark
    assert "fill='#ffffff'/>" in light.split("<g", 1)[0]
    assert "fill='#111111'/>" in dark.split("<g", 1)[0]


def test_a_picture_of_very_many_tasks_is_capped_and_says_so(make_graph: MakeGraph, make_task: MakeTask) -> None:
    graph = make_graph(*(make_task(f"t{i}") for i in range(LARGEST_PICTURE + 1)))

    text = svg(graph, layout(graph), {}, standalone=True, state="Success")

    assert len(text) < 3000
    assert "151 tasks: too many for a saved picture." in text
    assert "151 Pending" in text


def test_a_picture_of_twelve_tasks_fits_five_times_into_a_saved_notebook(delays: Graph) -> None:
    text = svg(delays, layout(delays), {}, standalone=True, state="Success")

    assert len(text.encode()) < 10_000


def test_a_picture_of_a_hundred_tasks_fits_five_times_into_a_saved_notebook() -> None:
    layers = [[f"step_{layer}_{n}" for n in range(10)] for layer in range(10)]
    above = {key: [layers[at - 1][n], layers[at - 1][n - 1]] for at in range(1, 10) for n, key in enumerate(layers[at])}
    graph = build(*(task(key, *above.get(key, [])) for layer in layers for key in layer))
    views = {key: NodeView("Success", end=f"{n / 7:.1f} s") for n, key in enumerate(graph.specs)}

    shown = image(svg(graph, layout(graph), views, standalone=True, state="Success"), "words")

    assert len(shown.encode()) < 30_000


def test_what_nodes_have_alike_is_written_once_and_means_the_same_in_each_picture(delays: Graph) -> None:
    drawn = layout(delays)
    some, all_ = ({key: NodeView("Success") for key in keys} for keys in (["archive"], delays.specs))

    shapes = [
        {shape.get("id"): ET.tostring(shape) for shape in ET.fromstring(text).iter(f"{SVG}g") if shape.get("id")}
        for text in (svg(delays, drawn, views, standalone=True) for views in (some, all_))
    ]

    assert len(shapes[1]) == 2  # a task, and a mapped one
    assert {*shapes[1].items()} & {*shapes[0].items()}
    assert all(shapes[0][name] == shapes[1][name] for name in {*shapes[0]} & {*shapes[1]})


@pytest.mark.parametrize("name", HOSTILE)
def test_an_image_holds_a_picture_that_can_be_read_back(name: str) -> None:
    graph = build(task(name), name=name)
    text = svg(graph, layout(graph), {}, standalone=True)

    found: list[tuple[str, dict[str, str | None]]] = []
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))  # type: ignore[method-assign]
    reader.feed(image(text, name, 'data-flow="x"'))

    ((tag, attributes),) = found
    assert (tag, attributes["alt"], attributes["data-flow"]) == ("img", name, "x")
    assert unquote(attributes["src"] or "") == f"data:image/svg+xml,{text}"
