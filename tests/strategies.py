"""Hypothesis strategies: graphs and outcomes."""

from __future__ import annotations

from hypothesis import strategies as st

from flowbook.engine.graph import Binding, Graph, TaskSpec
from tests.graphs import build

__all__ = ["graphs", "plain_graphs"]

_TASKS_AT_MOST = 7


def _never(*_: object) -> bool:
    return False


def _spec(key: str, bindings: tuple[Binding, ...], *, is_mapped: bool, mapped_above: set[str]) -> TaskSpec:
    return TaskSpec(
        key=key,
        name=key,
        task=None,
        run=_never,
        bindings=bindings,
        upstream=tuple(dict.fromkeys(b.upstream for b in bindings)),
        is_mapped=is_mapped,
        reads_mapped=any(b.upstream in mapped_above and not b.mapped for b in bindings),
    )


@st.composite
def graphs(draw, *, maps: bool = True) -> Graph:
    """Graphs of up to seven tasks in which each may need some of those before, mapped over them or whole."""
    specs: list[TaskSpec] = []
    mapped: set[str] = set()
    for number in range(draw(st.integers(1, _TASKS_AT_MOST))):
        key = f"t{number}"
        ups = draw(st.lists(st.sampled_from([s.key for s in specs]), unique=True, max_size=3)) if specs else []
        modes = [draw(st.sampled_from(["whole", "mapped", "both", "flat"])) if maps else "whole" for _ in ups]
        bindings: list[Binding] = []
        for up, mode in zip(ups, modes, strict=True):
            if mode in {"whole", "both"}:
                bindings.append(Binding(up, f"{up}_whole", mapped=False, flattened=False, edge=None))
            if mode in {"mapped", "both", "flat"}:
                bindings.append(Binding(up, f"{up}_each", mapped=True, flattened=mode == "flat", edge=None))
        is_mapped = any(b.mapped for b in bindings)
        specs.append(_spec(key, tuple(bindings), is_mapped=is_mapped, mapped_above=mapped))
        if is_mapped:
            mapped.add(key)
    return build(*specs)


def plain_graphs() -> st.SearchStrategy[Graph]:
    """Graphs without mapped tasks."""
    return graphs(maps=False)
