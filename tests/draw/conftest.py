from collections.abc import Callable

import pytest

from flowbook.engine.graph import Graph, TaskSpec
from tests.graphs import build, delays_graph, task


@pytest.fixture
def make_task() -> Callable[..., TaskSpec]:
    return task


@pytest.fixture
def make_graph() -> Callable[..., Graph]:
    return build


@pytest.fixture
def delays() -> Graph:
    return delays_graph()
