"""Makes the kernel answer a view's messages on the shell that they are addressed to.

JupyterLab sends what a view says over a subshell, so that it is answered while a cell runs. ipykernel 7.4 does not take
it there: it routes the messages of a comm to whichever shell last *sent* on it (`ipykernel.comm.comm._reply_subshell_for`), and
what a cell sends, the comm's opening included, comes from the main one. The messages of a panel that opens while more cells
are queued would wait for all of them. So this class makes ipykernel forget the route after each send; then the address on
the message decides. Other versions of ipykernel keep no route.

It also waits for the page before it closes a widget. anywidget gives a model 2 s to begin, and one that is closed before never
does: the page's console then says "Failed to initialize model". So the loader says `made` once the model has begun.

And it makes another model where the page can't hear one. A model that took longer than 2 s to begin speaks, but anywidget passes
on nothing that it is told. Its view then says the same `hello` long after the first was answered.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import anywidget

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["RoutedWidget"]

_MADE = {"type": "made"}
#: A page that hasn't made a model by then has no use for it: it has no anywidget, or none that works.
_MAKING_S = 5.0
#: A view that says the same `hello` so long after the first was answered has not heard the answer.
_ANSWER_S = 3.0
#: Of how many the time is kept: views of a long run say another each time that it was silent for a while.
_MOST_HELLOS = 100
#: How often a widget is made again. Should that not help, it is the page that hears nothing.
_MOST_AGAIN = 3


class RoutedWidget(anywidget.AnyWidget):
    """An anywidget whose messages are handled while a cell runs, and that leaves nothing behind."""

    #: Called where the page can't hear this model: shows something else in its place, calls `open_again`, and shows it again.
    on_unheard: Callable[[], object] | None = None
    _opened = float("-inf")
    _is_made = False
    _is_unwanted = False
    _times_again = 0

    def open(self) -> None:
        """Open the comm."""
        self._opened = self._clock()
        #: When each `hello` of this model was heard first, by its id.
        self._hellos: dict[object, float] = {}
        super().open()
        _forget_route(self.comm)

    def close(self) -> None:
        """Close the comm, and that of the widget's layout, which ipywidgets leaves open. Calling it again does nothing.

        A widget that is new is closed once a page has made it.
        """
        self._is_unwanted = True  # before the other is read: a page's answer may come meanwhile, in another thread
        if not self._is_made and self._clock() < self._opened + _MAKING_S:
            return
        layout = self.layout
        super().close()
        if layout is not None:
            layout.close()

    def open_again(self) -> None:
        """Close the page's model and open another one, whose module the page has loaded by now; `model_id` is another then."""
        self._is_made = False
        super().close()
        self.__dict__.pop("_repr_mimebundle_", None)  # a widget that is closed has none
        self._model_id = None  # another name, so that hosts take it for another widget
        self.open()

    def _clock(self) -> float:
        return time.monotonic()

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:  # noqa: ANN401  # ipywidgets' own
        if content == _MADE:
            self._is_made = True
            if self._is_unwanted:
                self.close()
        elif self._is_in_vain(content) and self.on_unheard is not None:
            self._times_again += 1
            self._hellos.clear()
            self.on_unheard()
        else:
            super()._handle_custom_msg(content, buffers)

    def _is_in_vain(self, content: Any) -> bool:  # noqa: ANN401  # a page's
        """Return whether this is a `hello` whose answers the page can't hear, as far as another model may help."""
        if not isinstance(content, dict) or content.get("type") != "hello":
            return False
        heard = self._hellos.setdefault(str(content.get("id")), self._clock())
        if len(self._hellos) > _MOST_HELLOS:
            del self._hellos[next(iter(self._hellos))]
        return self._clock() > heard + _ANSWER_S and self._times_again < _MOST_AGAIN

    def _send(self, msg: Any, buffers: Sequence[bytes] | None = None) -> None:  # noqa: ANN401  # ipywidgets' own
        super()._send(msg, buffers)
        _forget_route(self.comm)


def _forget_route(comm: object) -> None:
    known = getattr(comm, "__dict__", {})
    known.pop("_reply_subshell_id", None)
    known.get("_reply_subshell_ids", {}).clear()
