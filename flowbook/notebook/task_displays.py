"""What a task shows stays with the task: its displays and its figures go to its run, not below whichever cell is the last.

A notebook sends displays to the cell that ran last, and figures of pyplot when a cell ends. Both are taken from tasks here,
which are told apart by their context, in whatever thread they run; what cells themselves show goes its usual way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.engine.displays import TABLE_MARK, Displays, Figures, preview_of_forms, task_log
from flowbook.results.preview import describe, table_mark
from flowbook.results.preview_picture import is_drawn_here

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["TaskDisplays"]


class TaskDisplays:
    """Takes what tasks show from the shell.

    Args:
        shell: the IPython shell.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._figures = Figures(task_log, describe)

    def install(self) -> None:
        """Begin to take displays and figures."""
        own: dict[str, Any] = self._shell.display_pub.__dict__
        if "publish" not in own:
            own["publish"] = _in_tasks(self._shell.display_pub.publish)
            own["clear_output"] = _outside_of_tasks(self._shell.display_pub.clear_output)
        formatter = self._shell.display_formatter
        if formatter is not None and "format" not in formatter.__dict__:
            formatter.__dict__["format"] = _as_previews(formatter.format)
        self._figures.install()
        Displays.are_taken = True

    def remove(self) -> None:
        """Leave all displays to the shell again."""
        for name in ("publish", "clear_output"):
            self._shell.display_pub.__dict__.pop(name, None)
        self._shell.display_formatter.__dict__.pop("format", None)
        self._figures.remove()
        Displays.are_taken = False


def _in_tasks(publish: Callable[..., object]) -> Callable[..., object]:
    """Return `publish`, which in a task tells the task's run instead."""

    def publish_or_tell(data: Mapping[str, Any], *args: object, **options: object) -> object:
        log = task_log()
        if log is None:
            return publish(data, *args, **options)
        if not options.get("update"):
            preview = preview_of_forms(data)
            log.show(str(preview["text"]), preview)
        return None

    return publish_or_tell


def _as_previews(format_: Callable[..., Any]) -> Callable[..., Any]:
    """Return `format_`, which in a task draws figures as previews do and marks tables, so that an output is known again."""

    def format_or_draw(value: object, *args: object, **options: object) -> object:
        if task_log() is None:
            return format_(value, *args, **options)
        if mark := table_mark(value):
            forms, metadata = format_(value, *args, **options)
            return {**forms, TABLE_MARK: mark}, metadata
        if not is_drawn_here(value):
            return format_(value, *args, **options)
        preview = describe(value)
        if preview["kind"] != "picture":
            return format_(value, *args, **options)
        return {"text/plain": preview["text"], preview["body"]["mime"]: preview["body"]["data"]}, {}

    return format_or_draw


def _outside_of_tasks(clear: Callable[..., object]) -> Callable[..., object]:
    """Return `clear`, which in a task does nothing: the output is a cell's."""
    return lambda *args, **options: None if task_log() is not None else clear(*args, **options)
