"""What a task shows stays with the task: its displays and its figures go to its run, not below whichever cell is the last.

A notebook sends displays to the cell that ran last, and figures of pyplot when a cell ends. Both are taken from tasks here,
which are told apart by their context, in whatever thread they run; what cells themselves show goes its usual way.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from flowbook._context import current_layer
from flowbook.engine.task_context import TaskLayer
from flowbook.report.phrases import shorten
from flowbook.results.preview import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from IPython.core.interactiveshell import InteractiveShell

    from flowbook.engine.task_log import TaskLog

__all__ = ["TaskDisplays"]

_HELPERS, _PYPLOT = "matplotlib._pylab_helpers", "matplotlib.pyplot"
_PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
#: As what a value's preview may hold.
_PICTURE_CHARACTERS, _HTML_CHARACTERS, _TEXT_CHARACTERS = 200_000, 60_000, 2000
_NAME_CHARACTERS = 80


class TaskDisplays:
    """Takes what tasks show from the shell.

    Args:
        shell: the IPython shell.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._figures = _Figures()

    def install(self) -> None:
        """Begin to take displays and figures."""
        own: dict[str, Any] = self._shell.display_pub.__dict__
        if "publish" not in own:
            own["publish"] = _in_tasks(self._shell.display_pub.publish)
            own["clear_output"] = _outside_of_tasks(self._shell.display_pub.clear_output)
        self._figures.install()

    def remove(self) -> None:
        """Leave all displays to the shell again."""
        for name in ("publish", "clear_output"):
            self._shell.display_pub.__dict__.pop(name, None)
        self._figures.remove()


def _in_tasks(publish: Callable[..., object]) -> Callable[..., object]:
    """Return `publish`, which in a task tells the task's run instead."""

    def publish_or_tell(data: Mapping[str, Any], *args: object, **options: object) -> object:
        log = _task_log()
        if log is None:
            return publish(data, *args, **options)
        if not options.get("update"):
            preview = _preview_of(data)
            log.show(str(preview["text"]), preview)
        return None

    return publish_or_tell


def _outside_of_tasks(clear: Callable[..., object]) -> Callable[..., object]:
    """Return `clear`, which in a task does nothing: the output is a cell's."""
    return lambda *args, **options: None if _task_log() is not None else clear(*args, **options)


def _task_log() -> TaskLog | None:
    """Return the log of the task that this code belongs to; None outside of tasks."""
    layer = current_layer()
    while layer is not None and not isinstance(layer, TaskLayer):
        layer = layer.parent
    return None if layer is None else layer.own_log()


def _preview_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is displayed as a preview; of pictures and HTML that are too large, the text."""
    text = str(data.get("text/plain", ""))
    found: dict[str, Any] = {
        "kind": "text",
        "type": "display",
        "text": shorten(text, _NAME_CHARACTERS) or "something without a text",
        "shape": None,
        "size_bytes": None,
        "page": None,
        "repr": text[:_TEXT_CHARACTERS],
        "body": None,
    }
    for mime in _PICTURES:
        content = data.get(mime)
        if isinstance(content, str) and len(content) <= _PICTURE_CHARACTERS:
            return {**found, "kind": "picture", "body": {"mime": mime, "data": content.replace("\n", "")}}
    html = data.get("text/html")
    if isinstance(html, str) and len(html) <= _HTML_CHARACTERS:
        return {**found, "kind": "html", "body": html}
    return found


# Figures ---------------------------------------------------------------------------------------------------------------


class _Figures:
    """Takes the figures of pyplot that tasks make; it is told of each once matplotlib is loaded."""

    def __init__(self) -> None:
        self._finder = _AfterImport({_HELPERS: self._watch_managers, _PYPLOT: self._watch_show})
        self._undo: list[Callable[[], object]] = []
        #: Pyplot's list of figures, once it is loaded.
        self._list: Any = None
        #: The figures of each task that runs, by the id of its log.
        self._made: dict[int, list[Any]] = {}

    def install(self) -> None:
        self._finder.install()

    def remove(self) -> None:
        self._finder.remove()
        while self._undo:
            self._undo.pop()()

    def _watch_managers(self, helpers: Any) -> None:  # noqa: ANN401  # a module of matplotlib's
        self._list = helpers.Gcf
        original = self._list._set_new_active_manager  # noqa: SLF001  # the one place that every new figure passes

        def set_new_active_manager(manager: object) -> None:
            original(manager)
            log = _task_log()
            if log is None:
                return
            if id(log) not in self._made:
                log.at_end(lambda: self._end(log))
            self._made.setdefault(id(log), []).append(manager)

        self._list._set_new_active_manager = set_new_active_manager  # noqa: SLF001  # as above
        self._undo.append(lambda: setattr(self._list, "_set_new_active_manager", original))

    def _watch_show(self, pyplot: Any) -> None:  # noqa: ANN401  # a module of matplotlib's
        original = pyplot.show

        def show(*args: object, **options: object) -> object:
            log = _task_log()
            if log is None:
                return original(*args, **options)
            self._take(log)
            return None

        pyplot.show = show
        self._undo.append(lambda: setattr(pyplot, "show", original))

    def _end(self, log: TaskLog) -> None:
        self._take(log)
        self._made.pop(id(log), None)

    def _take(self, log: TaskLog) -> None:
        """Tell the figures that a task has open to its run, and take them from pyplot."""
        for manager in self._made.get(id(log), ()):
            with contextlib.suppress(Exception):  # a figure that can't be drawn costs the picture, never the task
                if self._list.figs.get(manager.num) is manager:
                    self._list.destroy(manager)
                    preview = describe(manager.canvas.figure)
                    log.show(str(preview["text"]), preview)


class _AfterImport(importlib.abc.MetaPathFinder):
    """Calls a function with a module once it is loaded, now or later.

    Args:
        calls: functions by the modules' names.
    """

    def __init__(self, calls: Mapping[str, Callable[[Any], None]]) -> None:
        self._calls = dict(calls)

    def install(self) -> None:
        for name in list(self._calls):
            if name in sys.modules:
                self._calls.pop(name)(sys.modules[name])
        if self._calls and self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def remove(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that others find, with a loader that calls afterwards."""
        del path, target
        call = self._calls.pop(fullname, None)
        if call is None:
            return None
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_call(module: ModuleType) -> None:
                load(module)
                with contextlib.suppress(Exception):  # another version of matplotlib: its figures stay where they were
                    call(module)

            spec.loader.exec_module = load_and_call  # type: ignore[method-assign]  # of this one module
        return spec
