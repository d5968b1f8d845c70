"""The magics `%%flow`, `%flow`, `%%task` and `%cache`. A mistake on their line gives one line of text, not a traceback."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar, cast

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from flowbook.config import project
from flowbook.core.typed_parameters import read_as_defaults
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import FlowbookError, UnknownRunError
from flowbook.flow_run.failure import failure_of
from flowbook.flow_run.run import new_run
from flowbook.flow_run.run_description import RunLabel
from flowbook.flow_run.run_part import kept_states
from flowbook.notebook.arguments import parse_executor, parse_flow_runner, parse_parameters
from flowbook.notebook.cache_display import cache_entries, open_cache
from flowbook.notebook.completion import Completion
from flowbook.notebook.display import CellDisplays, FlowView
from flowbook.notebook.flow_cell import FlowCell
from flowbook.notebook.frontend import cell_and_request, has_front_end, notebook_name, person
from flowbook.notebook.line_actions import LineActions, lists_actions
from flowbook.notebook.loop import Loop
from flowbook.notebook.magic_line import options_of, read_line
from flowbook.notebook.notebook_flows import NotebookFlows
from flowbook.notebook.task_cell import task_of_cell
from flowbook.notebook.task_displays import TaskDisplays
from flowbook.notebook.tracebacks import skip_showing
from flowbook.report.phrases import listed
from flowbook.store import open_store

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from flowbook.core.cache_policy import FlowCache
    from flowbook.core.flow import Flow
    from flowbook.executors import Executor
    from flowbook.flow_run.run import FlowRun
    from flowbook.notebook.display import Closeable
    from flowbook.notebook.lab_pages import LabPages
    from flowbook.notebook.panel_session import PanelSession

__all__ = ["FlowMagics"]

_V = TypeVar("_V", bound="Closeable")

#: The second word of a moment that is written without quotes.
_CLOCK = re.compile(r"\d{1,2}:\d\d\S*")


@magics_class
class FlowMagics(Magics):
    """What `%load_ext flowbook` adds."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.flows = NotebookFlows(shell)
        self.loop = Loop(self.flows, self.follow)
        #: The display of the newest flow of each name.
        self.views: dict[str, FlowView] = {}
        self._displays = CellDisplays()
        self._actions = LineActions(self)
        #: The pages that show panels; None where there is no kernel.
        self.pages: LabPages | None = None
        #: Ends the look for requests that the kernel overlooked.
        self.stop_looking: Callable[[], None] = lambda: None
        self.displays = TaskDisplays(shell)
        self.completion = Completion(
            self.flows, {name: options_of(magic) for name, magic in (("%%flow", self.flow), ("%cache", self.cache))}
        )

    @no_var_expand
    @magic_arguments("%flow")
    @argument("name", help="name of the flow, and of the variable that holds it")
    @argument("--no-run", action="store_true", help="define it and show its graph, but don't run it")
    @argument("--plan", action="store_true", help="define it and show what a run would do, but don't run it")
    @argument("--wait", action="store_true", help="keep the cell busy until the run ends or waits for a person")
    @argument(
        "--raise", dest="raises", action="store_true", help="wait, and if the run fails, end the cell with its error"
    )
    @argument(
        "--executor",
        metavar="WHERE",
        help="local, threads, processes, dask, dask:ADDRESS, synchronous, or an expression",
    )
    @argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter, may be repeated; $name takes a variable; with spaces: 'NAME=New York'",
    )
    @argument(
        "--start-at", metavar="TASK", help="run only this task and what lies below it, over the newest run's states"
    )
    @argument("--cache", action="store_true", help="cache every task's output by its code and inputs")
    @argument(
        "--incremental",
        action="store_true",
        help="run only what has changed and what lies below it: as --cache, also for tasks with cache_for",
    )
    @argument("--detach", action="store_true", help="run it in a process of its own, which outlives this kernel")
    @argument(
        "--on",
        metavar="WHERE",
        help="with --detach: subprocess (the default), docker:IMAGE, kubernetes:IMAGE, or an expression that gives a flow runner",
    )
    @argument("--no-record", action="store_true", help="don't keep the run in the store")
    @argument("--quiet", action="store_true", help="show nothing but errors")
    @cell_magic
    def flow(self, line: str, cell: str) -> None:
        """Write a flow: the cell's body runs inside `Flow(NAME)`, then the flow runs in the background.

        Running the cell again replaces the flow of that name; if the body fails, everything stays as it was.
        """
        args = read_line(self.flow, line)
        name = args.name
        if not name.isidentifier():
            msg = f"{name!r} can't name a flow here, since a variable of that name will hold it. Use letters, digits and _."
            raise UsageError(msg)
        self.flows.check_name(name)
        if args.on is not None and not args.detach:
            msg = f"--on says where a run of its own process lives, so it needs --detach: --detach --on {args.on}."
            raise UsageError(msg)
        executor = parse_executor(args.executor, self.shell.user_ns)
        parameters = parse_parameters(args.param, self.shell.user_ns)
        is_incremental = args.incremental or (self.flows.is_incremental and not args.cache)
        cache: FlowCache = "incremental" if is_incremental else args.cache
        flow, before = self.flows.write(FlowCell(name, cell, cache, args.executor))
        run = None
        try:
            parameters = read_as_defaults(flow.parameters(), parameters)
            if args.plan:
                self._show_plan(flow, args, executor, parameters)
            else:
                run = self._open(
                    flow, args, _left_behind(before), executor, self._start_options(flow, before, args, parameters)
                )
        except FlowbookError as error:
            raise UsageError(str(error)) from error
        if args.raises and run is not None and run.state.is_failed():
            raise failure_of(RunLabel(run.run_id, run.number, run.flow_name), run.state, run.states, flow)

    @no_var_expand
    @line_magic("flow")
    @magic_arguments("flow")
    @argument("action", nargs="?", default="list", help="one of those above; default: list")
    @argument("names", nargs="*", help="a flow, or a run; then tasks")
    @argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for run, plan, deploy and schedule: a parameter",
    )
    @argument(
        "--input", action="append", default=[], metavar="NAME=VALUE", help="for resume: what one task gets instead"
    )
    @argument(
        "--from",
        dest="start_at",
        action="append",
        default=[],
        metavar="TASK",
        help="for run and plan: this task anew, and what lies below it; the rest keeps its results; may be repeated",
    )
    @argument(
        "--only", action="append", default=[], metavar="TASK", help="for run and plan: this task alone; may be repeated"
    )
    @argument(
        "--up-to",
        action="append",
        default=[],
        metavar="TASK",
        help="for run and plan: this task and what it needs; may be repeated",
    )
    @argument(
        "--below",
        metavar="TASK",
        help="for run and plan: what lies below this task, with its newest output, or an earlier one (--at, --of)",
    )
    @argument(
        "--at", metavar="TIME", help="with --below: the output of this moment, e.g. '2026-11-20 09:00' or '2 hours ago'"
    )
    @argument(
        "--of", metavar="RUN", help="with --below: the output of this run, by its number, its id, or 'last failed'"
    )
    @argument("--no-cache", action="store_true", help="for run and plan: every task, though its output is cached")
    @argument("--timezone", metavar="ZONE", help="for schedule: whose clock, e.g. Europe/Berlin; default: UTC")
    @argument(
        "--on",
        metavar="WHERE",
        help="for deploy, schedule and hand-over: docker:IMAGE, kubernetes:IMAGE, or an expression that gives a flow runner",
    )
    @argument("--name", metavar="NAME", help="for deploy and schedule: of the deployment; default: the notebook's")
    @argument("--note", default="", metavar="TEXT", help="for decisions: the reason, which is recorded")
    @argument("--as-recorded", action="store_true", help="for decisions: go on with the code as it was")
    @argument("--now", action="store_true", help="for cancel: also stop what runs")
    @lists_actions
    def flow_line(self, line: str) -> Any:  # noqa: ANN401  # what the action shows
        """List flows and runs, or act on one: `%flow ACTION [FLOW or RUN] [TASK …] [options]`.

        A run is named by its flow (the newest one), its id or the beginning of that, its number (with its flow:
        `delays 3`), `last` or `last failed`. Actions:
        """
        args = read_line(self.flow_line, line, options_of(self.flow))
        try:
            return self._actions.act(args)
        except FlowbookError as error:
            raise UsageError(str(error)) from error

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @argument("task", nargs="?", help="only this task's outputs: its key, or a variable that holds it")
    @argument("--at", metavar="TIME", help="as of this moment, e.g. '2026-11-20 09:00'; default: now")
    @line_magic
    def cache(self, line: str, local_ns: dict[str, object] | None = None) -> Any:  # noqa: ANN401
        """Open the cache browser: the stored outputs as of a moment, and the values themselves."""
        del local_ns
        args = read_line(self.cache, line)
        if args.at and args.task and _CLOCK.fullmatch(args.task):
            msg = f"What has spaces needs quotes: --at '{args.at} {args.task}'."
            raise UsageError(msg)
        key = self.flows.task_key(args.task) if args.task else None
        if key is not None:
            self._refuse_unknown_output(args.task, key)
        if not has_front_end(self.shell):
            entries = cache_entries(open_store(), task=key, at=args.at)
            if not entries.empty:
                return entries
            print(_no_outputs(key, args.at))  # noqa: T201  # the cell's own output
            return None
        shown = open_cache(self.shell, open_store(), task=key, at=args.at, new_view=self._new_view)
        self.displayed(shown)
        return None

    def _refuse_unknown_output(self, name: str, key: str) -> None:
        """Refuse a name that no cache entry is of; say which tasks have some, and where outputs of runs are."""
        store = open_store()
        known = sorted({task for _, task in store.browse().names()})
        if key in known:
            return
        have = f"Tasks with stored outputs: {listed(known, 10)}." if known else "No task has an output there yet."
        flow = self.flows.find(name)
        if flow is not None or name in store.runs.flows(project()):
            runs = f"{self.flows.variable(flow)}.history() lists what its runs stored, " if flow is not None else ""
            msg = f"{name} is a flow, and %cache takes a task. {have} {runs}%flow show {name} shows its newest run."
            raise UsageError(msg)
        known_runs = [
            each for each in self.flows.with_task(key) if store.history.newest_result(each.name, key, project())
        ]
        runs = "".join(
            f" {self.flows.variable(each)}.history({key!r}) lists what runs of {each.name} stored, %flow show {each.name} "
            "shows the newest run."
            for each in known_runs[:1]
        )
        msg = f"The cache has no output of a task {key!r}. {have} @task(cache=True) stores outputs there.{runs}"
        raise UsageError(msg)

    def _new_view(self, flow: Flow) -> FlowView:
        return FlowView(self.shell, flow, pages=self.pages, loop=self.loop)

    @no_var_expand
    @cell_magic
    def task(self, line: str, cell: str) -> None:
        """Make a task of a cell: `%%task NAME(a, b=1)`, and after it options as for `@task`: `, cache=True`.

        The cell becomes the body of a function with these arguments. Names that it sets are its own; what its last
        expression gives, or what it returns, is the task's result. Nothing runs yet: call NAME in a %%flow cell.
        """
        try:
            task_of_cell(self.shell, line, cell)
        except SyntaxError as error:
            self.shell.showsyntaxerror()  # the person's own line, without the frames that parsed it
            skip_showing(self.shell, error)
            raise

    # Showing

    def _start_options(
        self, flow: Flow, before: Flow | None, args: Namespace, parameters: dict[str, object]
    ) -> dict[str, Any]:
        """Return the options of the run that the cell starts."""
        options: dict[str, Any] = {"parameters": parameters, "record": not args.no_record}
        if args.detach:
            options["flow_runner"] = parse_flow_runner(args.on, self.shell.user_ns)
        if args.start_at is not None:
            known = flow.compile().specs
            flow.compile().key_of(args.start_at)  # before a run is looked for: a typing error in a first run is one
            run = self._run_before(flow, before)
            states = run.states()
            ended = [key for key, state in states.items() if parent_key(key) in known and state.is_finished()]
            kept = kept_states(flow.compile(), run.number, states, ended)
            options.update(start_tasks=[args.start_at], task_states=kept)
        return options

    def _run_before(self, flow: Flow, before: Flow | None) -> FlowRun:
        """Return the newest run of the flow that had the name before. Raises UsageError if none was recorded."""
        if before is not None and before.last_run is not None:
            return before.last_run
        try:
            return self.flows.any_run(flow.name)
        except UnknownRunError as error:
            msg = (
                f"{flow.name} hasn't run yet, so there are no results that --start-at could keep. Run it once without."
            )
            raise UsageError(msg) from error

    def _show_plan(self, flow: Flow, args: Namespace, executor: Executor | None, parameters: dict[str, object]) -> None:
        """Show what a run would do: in a panel, from which it can be run, or as text."""
        plan = flow.plan(parameters, executor=executor, start=args.start_at)
        if args.quiet or args.start_at is not None or not has_front_end(self.shell):
            display(plan)
            return
        run = new_run(flow, parameters)
        self._new_view_of(flow, executor=executor, run=run, begin="plan").show(with_widget=True)

    def _new_view_of(self, flow: Flow, **options: Any) -> FlowView:  # noqa: ANN401  # those of FlowView
        """Return what the running cell shows of a flow that it wrote; what was shown of it before goes."""
        old = self.views.pop(flow.name, None)
        if old is not None:
            old.close()
        view = self.views[flow.name] = self.view(flow, **options)
        return view

    def _open(
        self, flow: Flow, args: Namespace, notice: str, executor: Executor | None, options: dict[str, Any]
    ) -> FlowRun | None:
        """Show a flow that was just written, and run it unless that isn't wanted."""
        name = flow.name
        view = self._new_view_of(flow, executor=executor, notice=notice)
        is_watched = has_front_end(self.shell) and not args.quiet
        if args.no_run:
            view.show(with_widget=is_watched, quiet=args.quiet)
            return None
        run = view.start(options.pop("parameters"), origin=notebook_name(self.shell), **options)
        view.show(with_widget=is_watched, quiet=args.quiet)
        if args.wait or args.raises or not (args.detach or has_front_end(self.shell)):
            view.wait(run, quiet=args.quiet)
        elif args.detach and not is_watched and not args.quiet:
            print(f"{name}, run {run.number}, runs in a process of its own. %flow watch {name} waits for it.")  # noqa: T201  # the cell's own output
        return run

    def view(self, flow: Flow, **options: Any) -> FlowView:  # noqa: ANN401  # those of FlowView
        """Return what the running cell shows of a flow; it is closed when that cell runs again."""
        return self.displayed(FlowView(self.shell, flow, pages=self.pages, loop=self.loop, **options))

    def session(self, run: FlowRun) -> PanelSession:
        """Return a session, not yet started, that shows a run in a place that no cell has."""
        session = FlowView(self.shell, cast("Flow", run.flow), run=run, pages=self.pages, loop=self.loop).session()
        session.mark(*self.loop.edits(run))
        return session

    def follow(self, run: FlowRun) -> None:
        """Let the panels of this notebook that show a run go on with this object of it: it is the one that goes on."""
        for view in {id(each): each for each in [*self._displays.views(), *self.views.values()]}.values():
            if isinstance(view, FlowView):
                view.follow(run)

    def mark_edits(self, *_: object) -> None:
        """Show in the panels of this notebook what was edited; called after each cell."""
        self.flows.cell_ended()
        for view in self._displays.views():
            if isinstance(view, FlowView):
                view.mark()

    def displayed(self, view: _V) -> _V:
        """Record what the running cell shows, so that it is closed when that cell runs again."""
        self._displays.add(view, *cell_and_request(self.shell))
        return view


def _left_behind(before: Flow | None) -> str:
    """Cancel what the flow of that name still runs, now that another has its name; return what to say of it."""
    run = before.last_run if before is not None else None
    if run is None:
        return ""
    if run.is_live:
        run.cancel(by=person(), note="The cell was run again.")
        return f"Run {run.number} of the flow as it was before was cancelled."
    if run.state.is_paused():
        return f"Run {run.number} still waits: %flow resume lists it."
    return ""


def _no_outputs(key: str | None, at: str | None) -> str:
    """Return what stands in place of an empty table."""
    of, then = f" of {key}" if key else "", f" at {at}" if at else ""
    return (
        f"The cache has no output{of}{then}. @task(cache=True) stores outputs; flow.history(TASK) lists those of runs."
    )
