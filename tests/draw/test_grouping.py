from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from flowbook.draw.grouping import LARGEST_UNGROUPED, grouped, members
from flowbook.draw.layout import layout
from tests.graphs import build, task
from tests.pace import slowness

if TYPE_CHECKING:
    from flowbook.engine.graph import Graph


def _wide(count: int, **options: object) -> Graph:
    """Return a source, `count` copies of one task below it, and a task that gathers them."""
    copies = [task(f"parse-{n}", "load", **options)._replace(name="parse") for n in range(count)]
    return build(task("load"), *copies, task("gather", *(copy.key for copy in copies)))


def test_a_graph_of_moderate_size_is_drawn_task_by_task() -> None:
    assert members(_wide(LARGEST_UNGROUPED - 2)) == {}


def test_copies_of_one_task_are_a_group_in_a_large_graph() -> None:
    graph = _wide(200)

    groups = members(graph)

    assert {name: len(keys) for name, keys in groups.items()} == {"parse": 200}
    assert {key: spec.upstream for key, spec in grouped(graph, groups).specs.items()} == {
        "load": (),
        "parse": ("load",),
        "gather": ("parse",),
    }


def test_a_tag_comes_before_a_name_and_a_mapped_task_stays_a_node() -> None:
    tagged = [task(f"t{n}", "load", tags=frozenset({"slow"})) for n in range(200)]
    graph = build(task("load"), *tagged, task("each", "load", is_mapped=True))

    groups = members(graph)

    assert {name: len(keys) for name, keys in groups.items()} == {"slow": 200}
    assert set(grouped(graph, groups).specs) == {"load", "slow", "each"}


def test_groups_that_would_wait_on_each_other_give_way_to_layers() -> None:
    # Tasks of two names in turn: as two groups they would form a ring.
    chain = [task(f"s{n}", *([f"s{n - 1}"] if n else []))._replace(name="ab"[n % 2]) for n in range(200)]
    graph = build(*chain)

    groups = members(graph)

    assert list(groups)[:2] == ["layers 1 to 13", "layers 14 to 26"]
    assert len(grouped(graph, groups).specs) == 16


def test_layers_are_groups_of_a_small_graph_too_if_that_is_asked_for() -> None:
    graph = _wide(5)

    assert members(graph, "layer") == {"layer 2": tuple(f"parse-{n}" for n in range(5))}
    assert members(_wide(500), "task") == {}


def test_a_group_has_a_name_that_no_task_has() -> None:
    graph = build(*(task(f"x{n}") for n in range(200)), task("layer 1"))

    assert list(members(graph)) == ["layer 1 (group)"]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.sampled_from("abc")), min_size=3, max_size=60))
def test_every_task_is_in_one_node_and_groups_have_no_ring(edges: list[tuple[int, int, str]]) -> None:
    ups: dict[int, set[int]] = {}
    for first, second, _ in edges:
        low, high = sorted((first, second))
        ups.setdefault(low, set())
        ups.setdefault(high, set()).update({low} - {high})
    names = {node: name for node, _, name in edges}
    specs = [
        task(f"n{n}", *(f"n{up}" for up in sorted(above)))._replace(name=names.get(n, f"n{n}"))
        for n, above in ups.items()
    ]
    graph = build(*specs)

    groups = members(graph, "layer")
    drawn = grouped(graph, groups)

    inside = [key for keys in groups.values() for key in keys]
    alone = [key for key in drawn.specs if key not in groups]
    assert sorted([*inside, *alone]) == sorted(graph.specs)


def test_a_thousand_tasks_are_grouped_and_laid_out_in_half_a_second_of_work() -> None:
    rows = [
        [task(f"r{r}c{c}", *([f"r{r - 1}c{c}", f"r{r - 1}c{(c + 1) % 20}"] if r else [])) for c in range(20)]
        for r in range(50)
    ]
    graph = build(*(spec for row in rows for spec in row))

    began = time.process_time()
    drawn = grouped(graph, members(graph))
    found = layout(drawn)
    took_s = time.process_time() - began

    assert len(found.boxes) <= 48
    assert took_s < 0.5 * slowness()
