"""A widget leaves nothing behind, and no page is left with half a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets
import pytest

from flowbook.notebook.routing import RoutedWidget
from tests.notebook.recorded import MADE

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clocked(RoutedWidget):
    """A widget whose time is told by its test."""

    now = 100.0

    def _clock(self) -> float:
        return self.now


@pytest.fixture
def widget() -> Iterator[Clocked]:
    """Return a widget that was opened just now."""
    widget = Clocked()
    yield widget
    widget.now += 60
    widget.close()


def _is_open(widget: RoutedWidget) -> bool:
    return widget.comm is not None


def test_a_widget_that_a_page_has_made_closes_at_once_with_its_layout(widget: Clocked) -> None:
    layout = widget.layout
    assert isinstance(layout, ipywidgets.Layout)
    widget._handle_custom_msg(MADE, [])

    widget.close()

    assert (_is_open(widget), layout.comm) == (False, None)


def test_a_widget_that_a_page_still_makes_closes_once_it_has_made_it(widget: Clocked) -> None:
    widget.close()
    meanwhile = _is_open(widget)

    widget._handle_custom_msg(MADE, [])

    assert (meanwhile, _is_open(widget)) == (True, False)


def test_a_widget_that_no_page_has_made_in_time_closes_at_once(widget: Clocked) -> None:
    widget.now += 5

    widget.close()

    assert not _is_open(widget)


def test_that_a_page_has_made_a_widget_is_no_message_of_a_view(widget: Clocked) -> None:
    heard: list[object] = []
    widget.on_msg(lambda _widget, content, _buffers: heard.append(content))

    widget._handle_custom_msg(MADE, [])
    widget._handle_custom_msg({"type": "hello"}, [])

    assert heard == [{"type": "hello"}]
    assert _is_open(widget)


def test_a_widget_that_is_closed_twice_closes_once_a_page_has_made_it(widget: Clocked) -> None:
    widget.close()
    widget.close()

    widget._handle_custom_msg(MADE, [])
    widget._handle_custom_msg(MADE, [])
    widget.close()

    assert not _is_open(widget)


def _say_hello(widget: Clocked, name: str, *, after_s: float) -> None:
    widget.now += after_s
    widget._handle_custom_msg({"type": "hello", "id": name}, [])


@pytest.fixture
def shown(widget: Clocked) -> list[str]:
    """Return the names of the models that are shown after the first."""
    found: list[str] = []

    def show_again() -> None:
        widget.open_again()
        found.append(widget._repr_mimebundle_()[0]["application/vnd.jupyter.widget-view+json"]["model_id"])

    widget.on_unheard = show_again
    return found


def test_a_widget_whose_answers_the_page_does_not_hear_is_made_again(widget: Clocked, shown: list[str]) -> None:
    heard: list[str] = []
    first = widget.model_id
    widget.on_msg(lambda _widget, content, _buffers: heard.append(content["id"]))

    for _ in range(5):
        _say_hello(widget, "a-1", after_s=0.7)
        _say_hello(widget, "b-1", after_s=0)
    soon = list(shown)
    _say_hello(widget, "a-1", after_s=0.7)
    _say_hello(widget, "b-1", after_s=0)

    assert heard == ["a-1", "b-1"] * 5 + ["b-1"]
    assert soon == []
    assert shown == [widget.model_id] != [first]
    assert _is_open(widget)


def test_a_view_that_says_another_hello_has_heard_the_one_before(widget: Clocked, shown: list[str]) -> None:
    for number in range(9):
        _say_hello(widget, f"a-{number}", after_s=20)

    assert shown == []


def test_a_page_that_never_hears_anything_is_given_three_more_models(widget: Clocked, shown: list[str]) -> None:
    for _ in range(20):
        _say_hello(widget, "a-1", after_s=4)

    assert len(set(shown)) == len(shown) == 3


def test_a_widget_that_was_made_again_closes_once_a_page_has_made_it(widget: Clocked) -> None:
    widget._handle_custom_msg(MADE, [])
    widget.open_again()

    widget.close()
    meanwhile = _is_open(widget)
    widget._handle_custom_msg(MADE, [])

    assert (meanwhile, _is_open(widget)) == (True, False)
