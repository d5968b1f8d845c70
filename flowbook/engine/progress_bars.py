"""Makes any `tqdm` that a task uses the progress of that task.

`tqdm` is changed where it is loaded, once a process; flowbook never loads it. A bar that is made outside of tasks stays as it
is. A bar within a task draws nothing: its display is the node's bar. tqdm itself decides how often a bar is displayed, so an
iteration costs what it costs without flowbook.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from flowbook.engine.task_progress import current_reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from flowbook.engine.task_progress import ProgressReporter

__all__ = ["watch_progress_bars"]

_REPORTER = "_flowbook_reporter"
#: Modules of tqdm whose bars are changed, each with what changes them.
_STD, _NOTEBOOK = "tqdm.std", "tqdm.notebook"


def watch_progress_bars() -> None:
    """From now on, bars of tqdm within tasks are the tasks' progress. Cheap when called again."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    for name in _CHANGES:
        module = sys.modules.get(name)
        if module is not None:
            _change(module, name)


class _Finder:
    """Changes tqdm when it is imported later: finds its modules as usual, and runs the change after they were loaded."""

    def __init__(self) -> None:
        self._is_finding = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if self._is_finding or name not in _CHANGES:
            return None
        self._is_finding = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._is_finding = False
        if spec is not None and spec.loader is not None:
            _change_after(spec.loader, name)
        return spec


def _change_after(loader: Any, name: str) -> None:  # noqa: ANN401  # a loader of any kind
    load = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        load(module)
        _change(module, name)

    loader.exec_module = exec_module


def _change(module: ModuleType, name: str) -> None:
    """Change a module's bars, once. While another thread loads it, they may not be there yet: the next run changes them."""
    kind, change = _CHANGES[name]
    bar = getattr(module, kind, None)
    if bar is not None and _MARK not in vars(bar):
        setattr(bar, _MARK, True)
        change(module)


def _change_std(module: Any) -> None:  # noqa: ANN401  # tqdm.std
    bar = module.tqdm
    begin, display, close = bar.__init__, bar.display, bar.close

    def __init__(self: Any, *args: Any, **options: Any) -> None:  # noqa: ANN401, N807
        reporter = current_reporter()
        if reporter is not None:
            setattr(self, _REPORTER, reporter)
            if reporter.bar is None:
                reporter.begin(self)
            if len(args) <= _FILE_POSITION and options.get("file") in (None, sys.stderr, sys.stdout):
                options["file"] = _NOWHERE
        begin(self, *args, **options)

    def own_display(self: Any, *args: Any, **options: Any) -> object:  # noqa: ANN401
        reporter = getattr(self, _REPORTER, None)
        if reporter is None:
            return display(self, *args, **options)
        _report(self, reporter)
        return True

    def own_close(self: Any) -> None:  # noqa: ANN401
        reporter = getattr(self, _REPORTER, None)
        if reporter is not None and reporter.bar is self:
            if not self.disable:
                _report(self, reporter, is_early=True)
            reporter.bar = None
        close(self)

    bar.__init__, bar.display, bar.close = __init__, own_display, own_close


def _change_notebook(module: Any) -> None:  # noqa: ANN401  # tqdm.notebook
    """In a task, a bar for notebooks makes no widget: it is a plain bar, which reports."""
    bar = module.tqdm_notebook
    plain = module.std_tqdm
    begin, reset, close, display = bar.__init__, bar.reset, bar.close, bar.display

    def __init__(self: Any, *args: Any, **options: Any) -> None:  # noqa: ANN401, N807
        if current_reporter() is None:
            begin(self, *args, **options)
            return
        options.pop("display", None)
        self.disp = lambda *_, **__: None
        plain.__init__(self, *args, **{**options, "gui": False})

    def method(name: str, own: Callable[..., object]) -> Callable[..., object]:
        def call(self: Any, *args: Any, **options: Any) -> object:  # noqa: ANN401
            is_plain = getattr(self, _REPORTER, None) is not None
            return getattr(plain, name)(self, *args, **options) if is_plain else own(self, *args, **options)

        return call

    bar.__init__ = __init__
    bar.reset, bar.close, bar.display = method("reset", reset), method("close", close), method("display", display)


def _report(bar: Any, reporter: ProgressReporter, *, is_early: bool = False) -> None:  # noqa: ANN401  # tqdm's
    if reporter.bar is not bar:
        return
    facts: dict[str, Any] = getattr(bar, "format_dict")  # noqa: B009  # mypy takes the bar for the plain object it was compared with
    text = (facts.get("prefix") or "").removesuffix(": ")
    if facts.get("postfix"):
        text = f"{text} {facts['postfix']}".strip()
    done, total = facts["n"], facts["total"]
    is_early = is_early or done == 0 or (total is not None and done >= total)
    reporter.report(done, total, text, str(facts.get("unit") or "it"), facts.get("rate"), is_early=is_early)


class _Nowhere:
    """A file for bars that draw nothing."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


_NOWHERE = _Nowhere()
_MARK = "_flowbook_watches"
#: Where `file` stands among the arguments of `tqdm(iterable, desc, total, leave, file, ...)`.
_FILE_POSITION = 4
#: By module: the class of its bars, and what changes that.
_CHANGES: dict[str, tuple[str, Callable[[Any], None]]] = {
    _STD: ("tqdm", _change_std),
    _NOTEBOOK: ("tqdm_notebook", _change_notebook),
}
_FINDER = _Finder()
