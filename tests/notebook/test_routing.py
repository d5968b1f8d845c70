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
