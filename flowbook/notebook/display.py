"""Displays a flow as one output: a live panel, and what stays of it in the saved notebook."""

from __future__ import annotations

import builtins
import itertools
import keyword
import re
import shlex
import uuid
from typing import TYPE_CHECKING, Any, Protocol, cast

from IPython.display import display, update_display

from flowbook.core.flow import Flow
from flowbook.core.run_below import below_run
from flowbook.flow_run.recorded_run import load_run
from flowbook.flow_run.recording import Recording
from flowbook.flow_run.reuse import reuse_of
from flowbook.flow_run.run import FlowRun, new_run
from flowbook.notebook.arguments import parse_value
from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.comparison_view import comparison_view
from flowbook.notebook.debugging import prepare_debugger
from flowbook.notebook.edits import Edits
from flowbook.notebook.frontend import cell_name, person
from flowbook.notebook.panel import Panel
from flowbook.notebook.panel_actions import Debugging, PanelActions, Started
from flowbook.notebook.panel_records import PanelRecords, invalidate, run_that_made
from flowbook.notebook.panel_session import PanelSession
from flowbook.notebook.parts_asked import OF_FLOW, OF_TASK, menu_entries, options_of
from flowbook.notebook.run_output import kept_output, widget_output
from flowbook.notebook.run_text import cancelled, summary
from flowbook.report.phrases import listed
from flowbook.store import open_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from flowbook.executors.base import Executor
    from flowbook.flow_run.plan import RunPlan
    from flowbook.notebook.lab_pages import LabPages
    from flowbook.notebook.loop import Changed, GoneOn, Loop
    from flowbook.notebook.panel_actions import Decided
    from flowbook.notebook.parts_asked import Asked, MenuEntry, What
    from flowbook.notebook.ports import RunLike

__all__ = [
    "CellDisplays",
    "Closeable",
    "FlowView",
]
#: The origin of a run whose notebook has no name here: under nbclient, in a console.
_UNNAMED = "notebook"
_PART_WORDS: Mapping[What, str] = {
    "run-from": "from {} on",
    "only-this": "only {}",
    "up-to": "up to {}",
    "without-cache": "without the cache",
}


class FlowView:
    """What a cell shows for one flow: one output with the panel and a static picture.

    Args:
        shell: the IPython shell.
        flow: the flow.
        executor: for runs started from the panel.
        notice: a sentence that the panel shows above the graph.
        run: the run to show; default: the flow's newest, if any.
        pages: the pages that show panels without a widget.
        loop: goes on with runs by the definitions of the moment.
        begin: what a view begins with; "replay": the replay, playing; "plan": the plan of a run.
    """

    def __init__(  # noqa: PLR0913  # its surroundings, by keyword
        self,
        shell: InteractiveShell,
        flow: Flow,
        *,
        executor: Executor | None = None,
        notice: str = "",
        run: FlowRun | None = None,
        pages: LabPages | None = None,
        loop: Loop | None = None,
        begin: str = "",
    ) -> None:
        self._begin = begin
        self._shell = shell
        self._loop = loop
        self._flow = flow
        self._executor = executor
        self._notice = notice
        self._run = run or flow.last_run
        self._pages = pages
        self._id = f"flowbook-{uuid.uuid4().hex}"
        self._options: dict[str, Any] = {}
        self._session: PanelSession | None = None
        self._panel: Panel | None = None

    def start(self, parameters: Mapping[str, object], *, record: bool, origin: str, **once: object) -> FlowRun:
        """Start a run in the background and show it from now on; `once` are options of this run alone.

        Raises what `Flow.start` raises.
        """
        # A run that has an origin isn't logged to stderr: the display shows it.
        self._options = {"record": record, "_origin": origin or _UNNAMED}
        self._run = self._flow.start(dict(parameters), executor=self._executor, **self._options, **once)
        return self._run

    def show(self, *, with_widget: bool, quiet: bool = False) -> None:
        """Display the panel if there is a front end (`with_widget`); `quiet` shows nothing. For text see `show_state`."""
        if quiet or not with_widget:
            self._run = self._run or new_run(self._flow, executor=self._executor)
            return
        session = self._session = self.session()
        session.start(self._pages.pacer if self._pages is not None else None)
        if self._pages is not None:
            self._pages.add(self._id, session)
        if self._pages is None or not self._pages.has_pages:
            self._panel = Panel(session, on_close=self._on_widget_closed)
            self._panel.on_unheard = lambda: session.call(lambda: self._make_widget_again(session))
        display(_Output(self._output(session)), display_id=self._id)

    def session(self) -> PanelSession:
        """Return a session, not yet started, that shows the run; one that was never started, if there is none."""
        run = self._run = self._run or new_run(self._flow, executor=self._executor)
        return PanelSession(run, self._commands(), notice=self._notice, begin=self._begin)

    def close(self) -> None:
        """Remove the panel and end its threads; the run goes on. Calling it again does nothing."""
        if self._pages is not None:
            self._pages.remove(self._id)
        if self._session is not None:
            self._session.close()
        self._close_widget()

    @property
    def executor(self) -> Executor | None:
        """The executor for runs started from the panel, if one was given."""
        return self._executor

    def wait(self, run: FlowRun, *, quiet: bool = False) -> None:
        """Wait until the run pauses or ends; if there is no panel, show its state as text then.

        Raises:
            KeyboardInterrupt: if the cell is interrupted; the run is cancelled then.
        """
        try:
            run.wait()
        except KeyboardInterrupt as interrupt:
            run.cancel(by=person(), note="The cell was interrupted.")
            line = cancelled(run)
            interrupt._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]  # IPython calls it
            raise
        if self._session is not None:
            self._session.drain()
        elif not quiet:
            self.show_state(run)

    def show_state(self, run: FlowRun) -> None:
        """Show the state of `run`, as text and as what a notebook keeps of it."""
        print(summary(run))  # noqa: T201  # the cell's own output
        session = self.session()
        # A host that runs notebooks for others keeps what a panel would, so that its reader can walk through it.
        display(_Output(kept_output(session, self._id)), display_id=self._id)
        session.close()

    def _commands(self) -> PanelActions:
        records = PanelRecords(self._flow.name, lambda: self._session.run if self._session is not None else self._run)
        return PanelActions(
            run=self._run_again,
            plan=lambda parameters, asked: self._plan_of(parameters, asked).plain(),
            menu=self._menu,
            retry=self._retry,
            answer=self._answer,
            assign=lambda wanted, value: assign_variable(self._shell, wanted, value),
            variable=lambda text: parse_value(text, self._shell.user_ns),
            cell_name=self._cell_name,
            history=records.history,
            output=records.output,
            decisions_before=records.decisions,
            why_ran=records.why_ran,
            maker=run_that_made,
            runs=records.runs,
            compare=self._compare,
            compared=self._compared,
            debug=self._debug,
            invalidate=invalidate,
            open_run=self._open_run,
            edits=self._edits,
            rows_before=records.rows,
            settled=self._settled,
            by=person(),
        )

    def _run_again(self, parameters: Mapping[str, object], asked: Asked) -> Started:
        """Start the flow as its cell writes it now, or what is asked for of it."""
        if asked.what == "only-changed":
            changed = self._changed(asked)
            parameters = asked.run.parameters if asked.run is not None else parameters
            started = self._start_again(parameters, start_tasks=changed.start, task_states=changed.states)
            return Started(started, changed.text)
        words = self._renew()
        run = self._start_again(parameters, **self._options_asked(asked))
        part = f", {_PART_WORDS[asked.what].format(asked.key)}" if asked.what in _PART_WORDS else ""
        return Started(run, f"{self._flow.name} runs{words}{part}." if words or part else "")

    def _changed(self, asked: Asked) -> Changed:
        """Return what to start to run only what was edited since the run that is shown."""
        if self._loop is None or asked.run is None:
            msg = "This panel can't tell what was edited. Run its cell again."
            raise RefusedError(msg)
        changed = self._loop.changed(asked.run)
        self._flow = changed.flow
        return changed

    def _plan_of(self, parameters: Mapping[str, object], asked: Asked) -> RunPlan:
        if asked.what == "only-changed":
            changed = self._changed(asked)
            return changed.flow.plan(dict(parameters), start=changed.start, executor=self._executor)
        self._renew()
        return self._flow.plan(dict(parameters), executor=self._executor, **self._options_asked(asked))

    def _options_asked(self, asked: Asked) -> dict[str, Any]:
        if asked.what == "below":
            return below_run(self._flow, asked.key or "", asked.version)
        return options_of(asked)

    def _menu(self, parameters: Mapping[str, object], asked: Asked) -> list[MenuEntry]:
        choices = OF_FLOW if asked.key is None else OF_TASK
        return menu_entries(choices, lambda what: self._plan_of(parameters, asked._replace(what=what)))

    def _retry(self, run: RunLike, by: str, note: str, keys: Sequence[str]) -> Started:
        if self._loop is None:
            return PanelActions().retry(run, by, note, keys)
        gone_on = self._loop.retry(cast("FlowRun", run), note, keys)
        return self._gone_on(gone_on)

    def _answer(self, run: RunLike, decided: Decided, by: str) -> Started:
        if self._loop is None:
            return PanelActions().answer(run, decided, by)
        return self._gone_on(self._loop.answer(cast("FlowRun", run), decided))

    def _gone_on(self, gone_on: GoneOn) -> Started:
        self._run, self._flow = gone_on.run, cast("Flow", gone_on.run.flow)
        return Started(gone_on.run, gone_on.text)

    def _renew(self) -> str:
        """Take the flow as its cell writes it now; return what to say of that, empty if nothing was edited."""
        if self._loop is None:
            return ""
        renewed = self._loop.renewed(self._flow)
        self._flow = renewed.flow
        return f" with the edited {listed(renewed.edits.edited)}" if renewed.edits else ""

    def _start_again(self, parameters: Mapping[str, object], **once: object) -> FlowRun:
        record, origin = self._options.get("record", True), self._options.get("_origin", "")
        return self.start(parameters, record=record, origin=origin, **once)

    def mark(self) -> None:
        """Show which tasks were edited since they ran in the run that is shown, and what lies below them."""
        session = self._session
        if session is not None:
            session.mark(*self._edits(session.run))

    def _edits(self, run: RunLike) -> Edits:
        return Edits() if self._loop is None else self._loop.edits(run)

    def follow(self, run: FlowRun) -> None:
        """Go on with `run`, if it is the run that is shown, as another object has it."""
        session = self._session
        if session is not None and session.run is not run and session.run.run_id == run.run_id:
            self._run, self._flow = run, cast("Flow", run.flow)
            session.call(lambda: session.show(run))

    def _cell_name(self, filename: str) -> str | None:
        return cell_name(self._shell, filename)

    def _open_run(self, run_id: str) -> FlowRun:
        """Return a run of the flow, to show it: the one of this process if it has it, else as it is recorded."""
        known = (self._run, self._flow.last_run)
        found = next((run for run in known if run is not None and run.run_id == run_id), None)
        return found if found is not None else load_run(Recording.of(open_store(), run_id))

    def _debug(self, run: RunLike, key: str) -> Debugging:
        place = prepare_debugger(self._shell, run, key, self._cell_name)
        named = self._shell.user_ns.get(run.flow_name)
        is_newest = isinstance(named, Flow) and named.last_run is run
        # By their names only the flows' newest runs are found as they are here, with their frames.
        return Debugging(f"%flow debug {run.flow_name} {_quoted(key)}" if is_newest else "%debug", place)

    def _compare(self, first: str, second: str) -> Mapping[str, Any]:
        return comparison_view(self._open_run(first).compare(self._open_run(second)))

    def _compared(self, first: str, second: str) -> object:
        return self._open_run(first).compare(self._open_run(second))

    def _settled(self, session: PanelSession) -> None:
        session.call(lambda: self._keep(session))

    def _keep(self, session: PanelSession) -> None:
        """Have the notebook, and pages that were opened after the cell ran, keep what the run came to."""
        run = session.run
        if run.graph.facts.caches and run.state.is_finished():
            session.tell_reuse(reuse_of(run.run_id, run.graph, run.states, getattr(run, "only", ())).sentence())
        output = self._output(session)
        session.tell({"type": "kept", "output": output})
        if session is self._session:
            update_display(_Output(output), display_id=self._id)

    def _make_widget_again(self, session: PanelSession) -> None:
        """Show another model of the widget; meanwhile the picture, as JupyterLab hides what has shown a model that went."""
        panel = self._panel
        if panel is not None and session is self._session:
            update_display(_Output(kept_output(session, self._id)), display_id=self._id)
            panel.open_again()
            update_display(_Output(self._output(session)), display_id=self._id)

    def _output(self, session: PanelSession) -> dict[str, Any]:
        """Return the panel's one output. A page that has the labextension needs no widget."""
        if self._pages is not None and self._pages.has_pages:
            self._close_widget()
        widget = widget_output(self._panel.model_id) if self._panel is not None else {}
        return {**kept_output(session, self._id), **widget}

    def _on_widget_closed(self) -> None:
        """End the threads, if nobody else shows the panel."""
        if self._session is not None and (self._pages is None or not self._pages.has_pages):
            self._session.close()

    def _close_widget(self) -> None:
        panel, self._panel = self._panel, None
        if panel is not None:
            panel.close()


class CellDisplays:
    """The displays of a notebook's cells. A cell that runs again closes its earlier displays, so that no thread is left."""

    def __init__(self) -> None:
        #: By cell: the last request that ran it, and the displays of that request.
        self._views: dict[str, tuple[str, list[Closeable]]] = {}

    def add(self, view: Closeable, cell: str, request: str) -> None:
        """Record that `cell`, run by `request`, shows `view`; close what an earlier request showed there.

        If the front end doesn't say which cell it is, nothing is closed: it may still be on screen.
        """
        if not cell:
            return
        before, views = self._views.get(cell, ("", []))
        if before != request:
            for old in views:
                old.close()
            views = []
        self._views[cell] = (request, [*views, view])

    def views(self) -> list[Closeable]:
        """Return what is shown, as far as it is known."""
        return [view for _, views in self._views.values() for view in views]


class Closeable(Protocol):
    """A display that can be closed."""

    def close(self) -> None:
        """Remove it and end its threads. Calling it again does nothing."""
        ...


class _Output:
    """One output in several forms; in a terminal its words."""

    def __init__(self, forms: Mapping[str, Any]) -> None:
        self._forms = forms

    def __repr__(self) -> str:
        return str(self._forms["text/plain"])

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return dict(self._forms)


def _quoted(key: str) -> str:
    """Return the key of a task as a line takes it: a space would end it."""
    return shlex.quote(key) if re.search(r"[\s'\"\\]", key) else key


def assign_variable(shell: InteractiveShell, wanted: str, value: object) -> str:
    """Write `value` into the user's namespace under the wanted name, or one like it; return the chosen name.

    No variable of the user's is overwritten, and no name of Python's own is hidden: `list` becomes `list_value`.
    """
    namespace = shell.user_ns
    name = stem = f"{wanted}_value" if keyword.iskeyword(wanted) or hasattr(builtins, wanted) else wanted
    numbers = itertools.count(2)
    while name in namespace and namespace[name] is not value:
        name = f"{stem}_{next(numbers)}"
    namespace[name] = value
    return name
