"""What tasks show: displays and figures of pyplot, taken where they are made and told to the tasks' run.

A task is told by its context, in whatever thread it runs; what other code shows goes its usual way. In a worker process, which
has no notebook, `display` and figures are taken for the runs whose driver is one. Changes matplotlib and IPython where they are
loaded, once a process; loads neither.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from flowbook._context import current_layer
from flowbook.engine.task_context import TaskLayer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from flowbook.engine.task_log import TaskLog

__all__ = ["TABLE_MARK", "Displays", "Figures", "preview_of_forms", "task_log", "watch_displays"]

_HELPERS, _PYPLOT = "matplotlib._pylab_helpers", "matplotlib.pyplot"
_DISPLAY, _DISPLAYS = "IPython.core.display_functions", "IPython.display"
#: Beside the forms of a table: what it is known again by.
TABLE_MARK = "application/vnd.flowbook.table"
_PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
#: As what a value's preview may hold.
_PICTURE_CHARACTERS, _HTML_CHARACTERS, _TEXT_CHARACTERS = 200_000, 60_000, 2000
_NAME_CHARACTERS = 80


class Displays:
    """Whether this process takes what tasks show, so that the workers of its runs do so too."""

    are_taken: ClassVar[bool] = False


def watch_displays() -> None:
    """In a worker process: from now on tell what tasks display to their runs, where those take it. Cheap when called again."""
    if _Worker.figures is None:
        _Worker.figures = Figures(task_log_that_takes, _described)
        _Worker.figures.install()
        _AfterImport({_DISPLAY: _watch_display, _DISPLAYS: _watch_display}).install()


class _Worker:
    """What a worker process watches."""

    figures: ClassVar[Figures | None] = None


def task_log_that_takes() -> TaskLog | None:
    """Return the log of the task that this code belongs to, if its run takes what it shows."""
    layer = _task_layer()
    return layer.own_log() if layer is not None and getattr(layer.run, "takes_displays", False) else None


def _watch_display(module: Any) -> None:  # noqa: ANN401  # a module of IPython's
    original = module.display

    def display(*shown: object, **options: Any) -> object:  # noqa: ANN401  # as IPython's
        log = task_log_that_takes()
        if log is None:
            return original(*shown, **options)
        for each in shown:
            preview = _preview_of(each, is_raw=bool(options.get("raw")))
            log.show(str(preview["text"]), preview)
        return None

    clear = module.clear_output

    def clear_output(*args: object, **options: object) -> object:
        return clear(*args, **options) if task_log_that_takes() is None else None

    if original.__module__ != __name__:
        module.display, module.clear_output = display, clear_output


def _preview_of(shown: Any, *, is_raw: bool) -> dict[str, Any]:  # noqa: ANN401  # whatever a task shows
    if is_raw:
        return preview_of_forms(shown)
    from IPython.core.formatters import DisplayFormatter  # noqa: PLC0415  # loaded: its `display` was called

    from flowbook.results.preview import table_mark  # noqa: PLC0415  # where a task shows something
    from flowbook.results.preview_picture import is_drawn_here  # noqa: PLC0415  # as above

    if is_drawn_here(shown):
        return _described(shown)
    return preview_of_forms({**DisplayFormatter().format(shown)[0], TABLE_MARK: table_mark(shown)})


def _described(shown: object) -> dict[str, Any]:
    from flowbook.results.preview import describe  # noqa: PLC0415  # where a task shows something

    return describe(shown)


def task_log() -> TaskLog | None:
    """Return the log of the task that this code belongs to; None outside of tasks."""
    layer = _task_layer()
    return None if layer is None else layer.own_log()


def _task_layer() -> TaskLayer | None:
    layer = current_layer()
    while layer is not None and not isinstance(layer, TaskLayer):
        layer = layer.parent
    return layer


def preview_of_forms(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is displayed as a preview; of pictures and HTML that are too large, the text.

    A table has its mark as `table`, beside what other previews have.
    """
    text = str(data.get("text/plain", ""))
    found: dict[str, Any] = {
        "kind": "text",
        "type": "display",
        "text": _short(text) or "something without a text",
        "shape": None,
        "size_bytes": None,
        "page": None,
        "repr": text[:_TEXT_CHARACTERS],
        "body": None,
    }
    if data.get(TABLE_MARK):
        found["table"] = data[TABLE_MARK]
    for mime in _PICTURES:
        content = data.get(mime)
        if isinstance(content, str) and len(content) <= _PICTURE_CHARACTERS:
            return {**found, "kind": "picture", "body": {"mime": mime, "data": content.replace("\n", "")}}
    html = data.get("text/html")
    if isinstance(html, str) and len(html) <= _HTML_CHARACTERS:
        return {**found, "kind": "html", "body": html}
    return found


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _NAME_CHARACTERS else f"{line[: _NAME_CHARACTERS - 1].rstrip()}…"


# Figures ---------------------------------------------------------------------------------------------------------------


class Figures:
    """Takes the figures of pyplot that tasks make; it is told of each once matplotlib is loaded.

    Args:
        log_of: returns the log of the task that the calling code belongs to; None: its figures are left alone.
        describe: makes a preview of a figure.
    """

    def __init__(self, log_of: Callable[[], TaskLog | None], describe: Callable[[object], dict[str, Any]]) -> None:
        self._log_of = log_of
        self._describe = describe
        self._finder = _AfterImport({_HELPERS: self._watch_managers, _PYPLOT: self._watch_show})
        self._undo: list[Callable[[], object]] = []
        #: Pyplot's list of figures, once it is loaded.
        self._list: Any = None
        #: The figures of each task that runs, by the id of its log.
        self._made: dict[int, list[Any]] = {}

    def install(self) -> None:
        """Begin to take figures."""
        self._finder.install()

    def remove(self) -> None:
        """Leave figures to pyplot again."""
        self._finder.remove()
        while self._undo:
            self._undo.pop()()

    def _watch_managers(self, helpers: Any) -> None:  # noqa: ANN401  # a module of matplotlib's
        self._list = helpers.Gcf
        original = self._list._set_new_active_manager  # noqa: SLF001  # the one place that every new figure passes

        def set_new_active_manager(manager: Any) -> None:  # noqa: ANN401  # a class of matplotlib's
            log = self._log_of()
            if log is None:
                original(manager)
                return
            # Pyplot gives two figures that are made at once the same number, and would forget the first one.
            while self._list.figs.setdefault(manager.num, manager) is not manager:
                manager.num += 1
            original(manager)
            if id(log) not in self._made:
                log.at_end(lambda: self._end(log))
            self._made.setdefault(id(log), []).append(manager)

        self._list._set_new_active_manager = set_new_active_manager  # noqa: SLF001  # as above
        self._undo.append(lambda: setattr(self._list, "_set_new_active_manager", original))

    def _watch_show(self, pyplot: Any) -> None:  # noqa: ANN401  # a module of matplotlib's
        original = pyplot.show

        def show(*args: object, **options: object) -> object:
            log = self._log_of()
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
        """Tell the figures that a task has open to its run, and take them from pyplot; not those displayed as they are now."""
        for manager in self._made.get(id(log), ()):
            with contextlib.suppress(Exception):  # a figure that can't be drawn costs the picture, never the task
                if self._list.figs.get(manager.num) is manager:
                    self._list.destroy(manager)
                    preview = self._describe(manager.canvas.figure)
                    if not log.has_shown(preview):
                        log.show(str(preview["text"]), preview)


class _AfterImport(importlib.abc.MetaPathFinder):
    """Calls a function with a module once it is loaded, now or later.

    Args:
        calls: functions by the modules' names.
    """

    def __init__(self, calls: Mapping[str, Callable[[Any], None]]) -> None:
        self._calls = dict(calls)

    def install(self) -> None:
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        for name in list(self._calls):
            if name in sys.modules and (call := self._calls.pop(name, None)) is not None:
                with contextlib.suppress(Exception):  # as below
                    call(importlib.import_module(name))  # if another thread is loading it, once that is done
        if not self._calls:
            self.remove()

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
