"""Graphs for tests, made by hand."""

from __future__ import annotations

from datetime import timedelta

from flowbook.engine.graph import Binding, CachePolicy, Graph, RetryPolicy, TaskSpec, sort_keys


def _never(*_: object) -> bool:
    return False


def task(key: str, *upstream: str, **options: object) -> TaskSpec:
    return TaskSpec(key=key, name=key, task=None, run=_never, upstream=upstream, **options)  # type: ignore[arg-type]  # a test's shorthand


def mapped_below(key: str, upstream: str) -> TaskSpec:
    """Return a task mapped over the children of another, child by child."""
    return task(
        key, upstream, is_mapped=True, bindings=(Binding(upstream, "x", mapped=True, flattened=False, edge=None),)
    )


def build(*specs: TaskSpec, name: str = "delays") -> Graph:
    children: dict[str, list[str]] = {spec.key: [] for spec in specs}
    for spec in specs:
        for up in spec.upstream:
            children[up].append(spec.key)
    order = sort_keys(children, {spec.key: len(spec.upstream) for spec in specs})
    by_key = {spec.key: spec for spec in specs}
    terminal = tuple(key for key in order if not children[key])
    below = {key: tuple(found) for key, found in children.items()}
    return Graph(name, {key: by_key[key] for key in order}, below, terminal, terminal)


def delays_graph() -> Graph:
    return build(
        task("origin", is_parameter=True),
        task("load_flights", "origin"),
        task("load_weather"),
        task("drop_cancelled", "load_flights"),
        task("notify_on_failure", "load_flights", "load_weather", trigger=_never),
        task("join_weather", "drop_cancelled", "load_weather"),
        task("delays_by_carrier", "join_weather", is_mapped=True),
        task("summarise", "join_weather", cache=CachePolicy(timedelta(days=1), _never)),
        task("approve", "summarise", is_manual=True, trigger=_never),
        task("fetch_rates", retry=RetryPolicy(3, 1.0)),
        task("publish", "delays_by_carrier", "approve", "fetch_rates"),
        task("archive", "publish", "load_flights"),
    )
