"""The types in the views name the same fields as the dataclasses that the messages are made of."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from flowbook.notebook import changes_view, children_view, log_view, runs_view, view_model

STATIC = Path(view_model.__file__).parent / "static"
#: By dataclass: the module and the name of its type there, and fields that the views have of their own or take from the message.
PAIRS: list[tuple[type, str, str, set[str]]] = [
    (view_model.TaskView, "wire.js", "Task", {"told"}),
    (view_model.RunView, "wire.js", "Run", set()),
    (view_model.ProgressView, "wire.js", "Progress", set()),
    (view_model.InputView, "inspector.js", "Input", set()),
    (view_model.Details, "inspector.js", "Details", set()),
    (view_model.GraphNode, "graph.js", "GraphNode", set()),
    (view_model.GraphView, "graph.js", "Graph", set()),
    (children_view.ChildView, "children.js", "Child", {"told"}),
    (children_view.ChildrenView, "children.js", "Children", {"keys", "kept"}),
    (changes_view.ChangesView, "changes.js", "Sent", set()),
    (log_view.LogLine, "logs.js", "Line", set()),
    (log_view.LogsView, "logs.js", "Sent", set()),
    (runs_view.RunRow, "runs.js", "Row", set()),
    (runs_view.RunsView, "runs.js", "Sent", set()),
]


def _typedef(module: str, name: str) -> str:
    """Return what stands between the outer braces of a typedef."""
    text = (STATIC / module).read_text("utf-8")
    found = re.search(rf"@typedef \{{(.*)\}} {name} \*/", text)
    assert found is not None, f"{module} has no typedef {name}"
    return found.group(1)


def _names(typedef: str) -> set[str]:
    """Return the names of the outermost fields of an object type such as `{a: string, b?: {c: number}}`."""
    depth, outer = 0, ""
    for character in typedef:
        depth += (character in "{[<(") - (character in "}]>)")
        if depth == 1 and character not in "{[<(}]>)":
            outer += character
    return set(re.findall(r"(\w+)\??:", outer))


@pytest.mark.parametrize(
    ("made_of", "module", "name", "own"), PAIRS, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_type_of_the_views_has_the_fields_of_its_dataclass(
    made_of: type, module: str, name: str, own: set[str]
) -> None:
    fields = {field.name.rstrip("_") for field in dataclasses.fields(made_of)}

    assert _names(_typedef(module, name)) - own == fields


def test_names_inside_nested_types_are_not_taken_for_fields() -> None:
    assert _names("{a: string, b?: {c: number}[], d: Record<string, {e: 1}>}") == {"a", "b", "d"}
