"""What `%load_ext flowbook` and `%unload_ext flowbook` do."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from flowbook.notebook.lab_pages import TARGET, LabPages
from flowbook.notebook.lab_runs import LabRuns
from flowbook.notebook.magics import FlowMagics
from flowbook.notebook.overlooked_requests import look_for_requests
from flowbook.notebook.tracebacks import show_writers_line, unshow_writers_line

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load", "unload"]


def load(shell: InteractiveShell) -> None:
    """Add `%%flow`, `%flow`, `%%task` and `%cache`, and answer the pages that show panels."""
    magics = FlowMagics(shell)
    shell.register_magics(magics)
    magics.completion.install(shell)
    shell.events.register("post_run_cell", magics.mark_edits)
    magics.displays.install()
    comms = _comms(shell)
    if comms is not None:
        magics.pages = LabPages(LabRuns(magics.flows, magics.loop, magics.session))
        comms.register_target(TARGET, magics.pages.open)
        magics.stop_looking = look_for_requests(shell.kernel)  # type: ignore[attr-defined]  # it has comms
    show_writers_line(shell)


def unload(shell: InteractiveShell) -> None:
    """Take them away again."""
    magics = shell.magics_manager.registry.get("FlowMagics")
    if isinstance(magics, FlowMagics):
        magics.completion.remove(shell)
        magics.displays.remove()
        with contextlib.suppress(ValueError):  # it isn't registered
            shell.events.unregister("post_run_cell", magics.mark_edits)
        comms = _comms(shell)
        if comms is not None and magics.pages is not None:
            comms.unregister_target(TARGET, magics.pages.open)
            magics.pages.close()
            magics.pages = None
        magics.stop_looking()
    for kind, names in (("line", ("flow", "cache")), ("cell", ("flow", "task"))):
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    unshow_writers_line(shell)


def _comms(shell: InteractiveShell) -> Any:  # noqa: ANN401  # ipykernel's manager, or None outside of a kernel
    return getattr(getattr(shell, "kernel", None), "comm_manager", None)
