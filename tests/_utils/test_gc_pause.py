"""The collector waits while a graph is made and while code is pickled, and is left as it was."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from flowbook import Flow, task
from flowbook._utils.gc_pause import gc_paused
from flowbook.results.serializer import dump

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    was_on = gc.isenabled()
    yield
    (gc.enable if was_on else gc.disable)()


@pytest.mark.parametrize("is_on", [True, False])
def test_the_collector_is_off_inside_and_afterwards_as_it_was(is_on: bool) -> None:  # a parameter
    (gc.enable if is_on else gc.disable)()

    with gc_paused():
        inside = gc.isenabled()

    assert (inside, gc.isenabled()) == (False, is_on)


def test_the_collector_is_on_again_after_an_error() -> None:
    gc.enable()

    with pytest.raises(ValueError, match="no graph"), gc_paused():
        raise ValueError("no graph")

    assert gc.isenabled()


def test_the_collector_is_on_again_although_another_thread_ended_its_pause_when_this_one_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gc.enable()
    of_another = gc_paused()
    of_another.__enter__()
    look, has_ended = gc.isenabled, []

    def looked() -> bool:
        found = look()
        if not has_ended:
            has_ended.append(True)
            of_another.__exit__(None, None, None)
        return found

    monkeypatch.setattr(gc, "isenabled", looked)
    with gc_paused():
        inside = look()
    if not has_ended:
        of_another.__exit__(None, None, None)

    assert (inside, look()) == (False, True)


def test_compiling_a_large_flow_collects_nothing_and_leaves_the_collector_on() -> None:
    gc.enable()
    with Flow("large") as flow:
        for number in range(1000):
            task(_same)(number)
    passes: list[str] = []
    gc.collect()

    gc.callbacks.append(_noting := lambda phase, _: passes.append(phase))
    try:
        graph = flow.compile()
        seen = list(passes)
    finally:
        gc.callbacks.remove(_noting)

    assert (len(graph.specs), gc.isenabled()) == (1000, True)
    #: The first object after it may set off one, of all that was made.
    assert len(seen) <= 2


def _same(x: int) -> int:
    return x


def test_the_collector_is_off_while_functions_are_pickled_by_value_and_on_again_afterwards() -> None:
    gc.enable()
    seen: list[bool] = []

    dump([_made(1), _Noting(seen), _made(2)], _Sink(), by_value=True)

    assert (seen, gc.isenabled()) == ([False], True)


class _Noting:
    """Notes when it is pickled whether the collector is on."""

    def __init__(self, seen: list[bool]) -> None:
        self._seen = seen

    def __reduce__(self) -> tuple[type[list[int]], tuple[()]]:
        self._seen.append(gc.isenabled())
        return list, ()


class _Sink:
    def write(self, part: bytes | memoryview) -> None: ...


def _made(number: int) -> Callable[[], int]:
    return lambda: number
