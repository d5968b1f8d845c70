import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from flowbook.draw import geometry
from flowbook.draw.layout import GAP_X, GAP_Y, NODE_WIDTH, PLAIN_HEIGHT, Layout, layout
from flowbook.engine.graph import Graph, TaskSpec
from tests.pace import slowness

MakeTask = Callable[..., TaskSpec]
MakeGraph = Callable[..., Graph]


def _points(path: str) -> list[tuple[float, float]]:
    """The path as many points on it."""
    points: list[tuple[float, float]] = []
    x = y = 0.0
    for letter, rest in re.findall(r"([MVC])([^MVC]*)", path):
        numbers = [float(number) for number in rest.split()]
        if letter == "M":
            x, y = numbers
        elif letter == "V":
            points += [(x, y + (numbers[0] - y) * step / 20) for step in range(21)]
            y = numbers[0]
        else:
            x1, y1, x2, y2, x3, y3 = numbers
            for t in (step / 20 for step in range(21)):
                a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                points.append((a * x + b * x1 + c * x2 + d * x3, a * y + b * y1 + c * y2 + d * y3))
            x, y = x3, y3
        points.append((x, y))
    return points


def _hits(drawn: Layout) -> list[tuple[str, str, str]]:
    """Edges that run through nodes other than the one they begin behind."""
    hits = []
    for edge in drawn.edges:
        for key, box in drawn.boxes.items():
            if key == edge.source:
                continue
            inside = [
                1 for x, y in _points(edge.path) if box.x < x < box.x + box.w and box.y + 0.1 < y < box.y + box.h - 0.1
            ]
            if inside:
                hits.append((edge.source, edge.target, key))
    return hits


def test_heights_are_reserved_for_all_that_a_task_may_come_to_show(delays: Graph) -> None:
    drawn = layout(delays)

    heights = {key: box.h for key, box in drawn.boxes.items()}
    assert heights == {
        "origin": 44,
        "load_flights": 44,
        "load_weather": 44,
        "drop_cancelled": 44,
        "notify_on_failure": 64,
        "join_weather": 44,
        "delays_by_carrier": 80,
        "summarise": 64,
        "approve": 80,
        "fetch_rates": 64,
        "publish": 44,
        "archive": 44,
    }
    assert {box.w for box in drawn.boxes.values()} == {NODE_WIDTH}


@pytest.mark.parametrize("programs", [None, ()], ids=["graphviz", "own"])
def test_nodes_keep_apart_and_lie_below_what_they_wait_for(delays: Graph, programs: tuple[str, ...] | None) -> None:
    drawn = layout(delays, programs=programs)

    for a, b in itertools.combinations(drawn.boxes.values(), 2):
        if a.row == b.row:
            assert abs(a.x - b.x) >= NODE_WIDTH + GAP_X - 1
    for edge in drawn.edges:
        above, below = drawn.boxes[edge.source], drawn.boxes[edge.target]
        assert below.y >= above.y + above.h + GAP_Y


@pytest.mark.parametrize("programs", [None, ()], ids=["graphviz", "own"])
def test_edges_go_from_behind_the_lowest_bottom_to_the_top_middle(
    delays: Graph, programs: tuple[str, ...] | None
) -> None:
    drawn = layout(delays, programs=programs)

    for edge in drawn.edges:
        above, below = drawn.boxes[edge.source], drawn.boxes[edge.target]
        points = _points(edge.path)
        assert points[0] == (above.x + NODE_WIDTH / 2, above.y + PLAIN_HEIGHT)
        assert points[-1] == (below.x + NODE_WIDTH / 2, below.y)


@pytest.mark.parametrize("programs", [None, ()], ids=["graphviz", "own"])
def test_no_edge_runs_through_a_node(
    make_graph: MakeGraph, make_task: MakeTask, programs: tuple[str, ...] | None
) -> None:
    specs = [
        make_task(
            f"t{i}", *(f"t{up}" for up in sorted({i - 1, max(0, i - 3), i // 2} if i else ())), is_mapped=i % 3 == 0
        )
        for i in range(60)
    ]

    drawn = layout(make_graph(*specs), programs=programs)

    assert _hits(drawn) == []


def test_everything_lies_within_the_size(delays: Graph) -> None:
    drawn = layout(delays)

    points = [point for edge in drawn.edges for point in _points(edge.path)]
    assert min(x for x, _ in points) >= 0
    assert max(x for x, _ in points) <= drawn.width - 8
    assert max(box.y + box.h for box in drawn.boxes.values()) == drawn.height - 8


def test_without_graphviz_the_layout_says_so_and_what_to_do(delays: Graph) -> None:
    drawn = layout(delays, programs=["/nowhere/dot"])

    assert drawn.note.startswith("Laid out without graphviz (dot: FileNotFoundError")
    assert drawn.note.endswith("Install graphviz-pure for a calmer graph.")
    assert set(drawn.boxes) == set(delays.specs)


def test_a_program_that_talks_nonsense_is_passed_over(delays: Graph, tmp_path: Path) -> None:
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho node what\n")
    program.chmod(0o755)

    drawn = layout(delays, programs=[str(program), *geometry.find_programs()])

    assert drawn == layout(delays)


def test_names_never_enter_dot() -> None:
    structure = geometry.Structure(192, 16, 28, (44, 44), ((0, 1),))

    source = geometry._dot_source(structure)

    assert re.findall(r"^\t(?!graph|node|edge)(.*)$", source, re.MULTILINE) == ["n0;", "n1;", "n0 -> n1;"]


def test_tasks_without_edges_are_laid_in_a_grid(make_graph: MakeGraph, make_task: MakeTask) -> None:
    drawn = layout(make_graph(*(make_task(f"t{i}") for i in range(14))))

    assert [(box.x, box.row) for box in drawn.boxes.values()][5:8] == [(1040, 0), (0, 1), (208, 1)]
    assert drawn.width == 6 * 208 - 16 + 8


def test_a_flow_without_tasks_has_an_empty_layout(make_graph: MakeGraph) -> None:
    assert layout(make_graph()).boxes == {}


@pytest.mark.parametrize("count", [30, 300, 1000])
def test_many_siblings_are_wrapped_into_lines_of_a_sensible_shape(
    make_graph: MakeGraph, make_task: MakeTask, count: int
) -> None:
    names = [f"t{i}" for i in range(count)]
    graph = make_graph(make_task("first"), *(make_task(name, "first") for name in names), make_task("last", *names))

    took_s = []
    for _ in range(3):
        began = os.times()
        drawn = layout(graph)
        took_s.append(sum(os.times()[:4]) - sum(began[:4]))

    assert min(took_s) < 0.5 * slowness()
    assert 0.5 < drawn.width / drawn.height < 8
    assert drawn.width < 6000
    assert drawn.boxes["first"].row == 0
    assert drawn.boxes["last"].y > max(drawn.boxes[name].y for name in names)
    places = {(box.x, box.y) for box in drawn.boxes.values()}
    assert len(places) == count + 2


@pytest.mark.parametrize("programs", [None, ()], ids=["graphviz", "own"])
def test_no_edge_runs_through_a_node_of_a_wrapped_row(
    make_graph: MakeGraph, make_task: MakeTask, programs: tuple[str, ...] | None
) -> None:
    names = [f"t{i}" for i in range(30)]
    below = [make_task(f"u{i}", f"t{3 * i}", "first") for i in range(10)]
    graph = make_graph(make_task("first"), *(make_task(name, "first") for name in names), *below)

    drawn = layout(graph, programs=programs)

    assert _hits(drawn) == []


def test_a_thousand_tasks_are_laid_out_in_half_a_second(make_graph: MakeGraph, make_task: MakeTask) -> None:
    wide = 20
    specs = [make_task(f"t{i}", *(f"t{i - back}" for back in (wide, wide + 1) if i > wide)) for i in range(1000)]
    graph = make_graph(*specs)

    rounds = [_timed(lambda: layout(graph)) for _ in range(3)]

    #: The least: the rest of it is what others did on this machine meanwhile.
    assert {len(drawn.boxes) for drawn, _ in rounds} == {1000}
    assert min(took_s for _, took_s in rounds) < 0.5 * slowness()


def _timed(act):
    """Return what `act` returns, and the processor time that it took here and in the programs it started."""
    began = os.times()
    found = act()
    return found, sum(os.times()[:4]) - sum(began[:4])
