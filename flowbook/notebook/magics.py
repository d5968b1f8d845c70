"""The magics `%%flow`, `%flow` and `%cache`. A mistake on their line gives one line of text, not a traceback."""

from __future__ import annotations

import ast
import sys
import tokenize
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from IPython.core.displayhook import DisplayHook
from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring
from IPython.display import display

from flowbook.core.flow import Flow
from flowbook.core.history import run as recorded_run
from flowbook.core.history import runs as recorded_runs
from flowbook.core.operators import name_after_variables
from flowbook.core.task import Task
from flowbook.exceptions import FlowbookError
from flowbook.flow_run.failure import failure_of
from flowbook.flow_run.run_description import RunLabel
from flowbook.flow_run.run_names import find_run_id
from flowbook.notebook.arguments import parse_executor, parse_parameters, unquoted
from flowbook.notebook.display import CellDisplays, FlowView, cache_entries, cancelled, open_cache
from flowbook.notebook.frontend import cell_and_request, has_front_end, notebook_name, person
from flowbook.notebook.tracebacks import skip_showing
from flowbook.report.phrases import listed
from flowbook.store import open_store

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell

    from flowbook.executors import Executor
    from flowbook.flow_run.plan import RunPlan
    from flowbook.flow_run.run import FlowRun
    from flowbook.notebook.display import Closeable

__all__ = ["FlowMagics"]

_V = TypeVar("_V", bound="Closeable")
_R = TypeVar("_R")
_ACTIONS = ("cancel", "incremental", "list", "plan", "resume", "retry", "run", "show")
_PANELS_AT_MOST = 5
_RUNS_AT_MOST = 20


@magics_class
class FlowMagics(Magics):
    """What `%load_ext flowbook` adds."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        #: The newest flow of each name written in this notebook, and its display.
        self.flows: dict[str, Flow] = {}
        self.views: dict[str, FlowView] = {}
        #: Whether flows of this notebook run only what has changed, unless their cell says otherwise.
        self.is_incremental = False
        self._displays = CellDisplays()

    @no_var_expand
    @magic_arguments()
    @argument("name", help="name of the flow, and of the variable that holds it")
    @argument("--no-run", action="store_true", help="define it and show its graph, but don't run it")
    @argument("--wait", action="store_true", help="keep the cell busy until the run ends or waits for a person")
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
        help="a parameter; $name takes a variable; with spaces: 'NAME=New York'",
    )
    @argument(
        "--raise", dest="raises", action="store_true", help="wait, and if the run fails, end the cell with its error"
    )
    @argument("--plan", action="store_true", help="define it and show what a run would do, but don't run it")
    @argument("--cache", action="store_true", help="cache every task's output by its code and inputs")
    @argument(
        "--incremental",
        action="store_true",
        help="run only what has changed and what lies below it: as --cache, also for tasks with cache_for",
    )
    @argument("--no-record", action="store_true", help="don't keep the run in the store")
    @argument("--quiet", action="store_true", help="show nothing but errors")
    @cell_magic
    def flow(self, line: str, cell: str) -> None:
        """Write a flow: the cell's body runs inside `Flow(NAME)`, then the flow runs in the background.

        Running the cell again replaces the flow of that name; if the body fails, everything stays as it was.
        """
        args = _parse(self.flow, line)
        name = args.name
        if not name.isidentifier():
            msg = f"{name!r} can't name a flow here, since a variable of that name will hold it. Use letters, digits and _."
            raise UsageError(msg)
        executor = parse_executor(args.executor, self.shell.user_ns)
        parameters = parse_parameters(args.param, self.shell.user_ns)
        is_incremental = args.incremental or (self.is_incremental and not args.cache)
        flow = self._write(Flow(name, cache="incremental" if is_incremental else args.cache), cell)
        notice = self._replace(name, flow)
        if args.plan:
            display(_refused_plainly(lambda: flow.plan(parameters, executor=executor)))
        else:
            self._open(flow, args, notice, executor, parameters)

    @no_var_expand
    @line_magic("flow")  # type: ignore[arg-type]  # IPython types it for functions without an owner
    def flow_line(self, line: str) -> Any:  # noqa: ANN401  # a DataFrame, or nothing
        """List flows and runs, or act on one: `%flow list|run|plan|show|resume|retry|cancel [FLOW or RUN] [TASK] [--param N=V]`.

        `%flow resume` without a name lists what waits for a person, with the graph and its buttons.
        """
        args = _parse(_line_arguments, line)
        if args.action not in _ACTIONS:
            msg = f"%flow {args.action}: no such action. Use one of {', '.join(_ACTIONS)}."
            raise UsageError(msg)
        try:
            return getattr(self, f"_{args.action}")(args)
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
        args = _parse(self.cache, line)
        key = self._task_key(args.task) if args.task else None
        if key is not None:
            _refuse_unknown_output(key)
        if not has_front_end(self.shell):
            return cache_entries(open_store(), task=key, at=args.at)
        self._displayed(open_cache(self.shell, open_store(), task=key, at=args.at))
        return None

    # Writing

    def _write(self, flow: Flow, cell: str) -> Flow:
        """Run the cell's body inside a new flow, and return the flow. Raises what the body raises."""
        _refuse_await(cell)
        failed = None
        before = {key: value for key, value in self.shell.user_ns.items() if isinstance(value, Task)}
        try:
            with flow, _tasks_unshown(self.shell, cell):
                # The magic's own line goes first, so that a traceback counts the lines as the person sees them.
                result = self.shell.run_cell(f"# %%flow {flow.name}\n{cell}", store_history=False)
                failed = result.error_before_exec or result.error_in_exec
                if failed is not None:
                    self.shell.user_ns.update(before)
                    skip_showing(self.shell, failed)
                    raise failed
                name_after_variables(flow, _new_tasks(self.shell.user_ns, before))
        except FlowbookError as error:
            if error is failed:
                raise
            raise UsageError(str(error)) from error
        if not len(flow):
            msg = f"Flow {flow.name!r} has no tasks. Call at least one @task in the cell's body."
            raise UsageError(msg)
        return flow

    def _replace(self, name: str, flow: Flow) -> str:
        """Replace an older flow of that name by `flow`; return a sentence about the older one's run, if it matters."""
        old = self.flows.get(name)
        self.flows[name] = flow
        self.shell.user_ns[name] = flow
        run = old.last_run if old is not None else None
        if run is None:
            return ""
        if run.is_live:
            run.cancel(by=person(), note="The cell was run again.")
            return f"Run {run.number} of the flow as it was before was cancelled."
        if run.state.is_paused():
            return f"Run {run.number} still waits: %flow resume lists it."
        return ""

    def _open(
        self, flow: Flow, args: Namespace, notice: str, executor: Executor | None, parameters: dict[str, object]
    ) -> None:
        name = flow.name
        old = self.views.pop(name, None)
        if old is not None:
            old.close()
        view = self.views[name] = self._displayed(FlowView(self.shell, flow, executor=executor, notice=notice))
        is_watched = has_front_end(self.shell) and not args.quiet
        try:
            if args.no_run:
                view.show(with_widget=is_watched, quiet=args.quiet)
                return
            run = view.start(parameters, record=not args.no_record, origin=notebook_name(self.shell))
        except FlowbookError as error:
            raise UsageError(str(error)) from error
        view.show(with_widget=is_watched, quiet=args.quiet)
        if args.wait or args.raises or not has_front_end(self.shell):
            view.wait(run, quiet=args.quiet)
        if args.raises and run.state.is_failed():
            raise failure_of(RunLabel(run.run_id, run.number, run.flow_name), run.state, run.states, flow)

    # Acting

    def _list(self, args: Namespace) -> pd.DataFrame:
        found = _newest(flow=args.name)
        return found.drop(columns=["message", "executor"])

    def _run(self, args: Namespace) -> None:
        flow = self._flow(args.name)
        parameters = parse_parameters(args.param, self.shell.user_ns)
        known = self.views.get(flow.name)
        view = self._displayed(FlowView(self.shell, flow, executor=known.executor if known is not None else None))
        run = view.start(parameters, record=True, origin=notebook_name(self.shell))
        self._watch(view, run)

    def _plan(self, args: Namespace) -> RunPlan:
        flow = self._flow(args.name)
        known = self.views.get(flow.name)
        executor = known.executor if known is not None else None
        return flow.plan(parse_parameters(args.param, self.shell.user_ns), start=args.task, executor=executor)

    def _incremental(self, args: Namespace) -> None:
        if args.name not in {"on", "off", None}:
            msg = f"%flow incremental {args.name}: say on or off."
            raise UsageError(msg)
        self.is_incremental = args.name == "on" if args.name is not None else self.is_incremental
        does = "run only what has changed" if self.is_incremental else "run all tasks that aren't cached"
        print(f"Flows of this notebook {does}, from the next %%flow cell on.")  # noqa: T201  # the cell's own output

    def _show(self, args: Namespace) -> None:
        run = self._any_run(args.name)
        view = self._view_of(run)
        watched = has_front_end(self.shell)
        view.show(with_widget=watched)
        if not watched:
            view.show_state(run)

    def _resume(self, args: Namespace) -> pd.DataFrame | None:
        if args.name is None:
            return self._waiting()
        run = self._run_in(args.name, ("Paused",))
        view = self._view_of(run)
        run.resume(*([args.task] if args.task else []), by=person())
        self._watch(view, run)
        return None

    def _retry(self, args: Namespace) -> None:
        run = self._any_run(args.name)
        view = self._view_of(run)
        run.retry(by=person())
        self._watch(view, run)

    def _cancel(self, args: Namespace) -> None:
        run = self._run_in(args.name, ("Running", "Paused"))
        run.cancel(by=person(), now=args.now)
        print(cancelled(run))  # noqa: T201  # the cell's own output

    def _waiting(self) -> pd.DataFrame:
        """Show every run that waits for a person, in any process, with its buttons."""
        waiting = _newest(state="Paused")
        for run_id in waiting["run_id"][:_PANELS_AT_MOST]:
            run = self._session_run(run_id)
            try:
                run = run or recorded_run(run_id)
            except FlowbookError as error:
                print(f"{run_id}: {error}")  # noqa: T201  # the cell's own output
                continue
            self._view_of(run).show(with_widget=has_front_end(self.shell))
        return waiting[["flow", "number", "message", "started", "origin", "run_id"]]

    def _watch(self, view: FlowView, run: FlowRun) -> None:
        view.show(with_widget=has_front_end(self.shell))
        if not has_front_end(self.shell):
            view.wait(run)

    def _view_of(self, run: FlowRun) -> FlowView:
        return self._displayed(FlowView(self.shell, cast("Flow", run.flow), run=run))

    def _displayed(self, view: _V) -> _V:
        """Record what the running cell shows, so that it is closed when that cell runs again."""
        self._displays.add(view, *cell_and_request(self.shell))
        return view

    # Finding

    def _flow(self, name: str | None) -> Flow:
        if name is None:
            msg = f"Which flow? Name one: {', '.join(self.flows) or 'none is written yet; write one with %%flow NAME'}."
            raise UsageError(msg)
        found = self.flows.get(name) or self.shell.user_ns.get(name)
        if not isinstance(found, Flow):
            msg = f"There is no flow {name!r} in this notebook. Those there are: {', '.join(self.flows) or 'none'}."
            raise UsageError(msg)
        return found

    def _any_run(self, name: str | None) -> FlowRun:
        """Return the newest run of the flow of that name, here or recorded, or the run that is named."""
        if name is None:
            msg = "Which run? Give the name of a flow or the id of a run; %flow lists them."
            raise UsageError(msg)
        found = self.flows.get(name) or self.shell.user_ns.get(name)
        if isinstance(found, Flow) and found.last_run is not None:
            return found.last_run
        known = recorded_runs(flow=name, limit=1)
        run_id = known["run_id"].iloc[-1] if len(known) else find_run_id(open_store(), name)
        return self._session_run(run_id) or recorded_run(run_id)

    def _run_in(self, name: str | None, states: tuple[str, ...]) -> FlowRun:
        """Return the newest run of the flow of that name that is in one of these states; if none is, its newest."""
        newest = self._any_run(name)
        is_flow = newest.flow_name == name or isinstance(
            self.flows.get(str(name)) or self.shell.user_ns.get(str(name)), Flow
        )
        if not is_flow or type(newest.state).__name__ in states:
            return newest
        found = [recorded_runs(flow=newest.flow_name, state=state, limit=1) for state in states]
        rows = [row for each in found for row in each.to_dict("records")]
        if not rows:
            return newest
        run_id = max(rows, key=lambda row: row["number"])["run_id"]
        return self._session_run(run_id) or recorded_run(run_id)

    def _session_run(self, run_id: str) -> FlowRun | None:
        for flow in self.flows.values():
            if flow.last_run is not None and flow.last_run.run_id == run_id:
                return flow.last_run
        return None

    def _task_key(self, text: str) -> str:
        value = self.shell.user_ns.get(text)
        return value._key_in() if isinstance(value, Task) else text  # noqa: SLF001  # a task knows its key


@magic_arguments("%flow")
@argument("action", nargs="?", default="list", help=f"one of {', '.join(_ACTIONS)}")
@argument("name", nargs="?", help="name of a flow, or of a run: its id or the beginning of that, 4, last")
@argument("task", nargs="?", help="for resume: which task, default: all that wait; for plan: where to start")
@argument("--param", action="append", default=[], metavar="NAME=VALUE", help="for run: a parameter")
@argument("--now", action="store_true", help="for cancel: also stop what runs")
def _line_arguments() -> None:
    """Hold the arguments of `%flow`."""


def _newest(**wanted: str | None) -> pd.DataFrame:
    """Return the newest runs, newest first, up to a limit; print a line if there are more."""
    found = recorded_runs(**wanted, limit=_RUNS_AT_MOST + 1).iloc[::-1].reset_index(drop=True)
    if len(found) > _RUNS_AT_MOST:
        arguments = ", ".join(f"{name}={value!r}" for name, value in wanted.items() if value is not None)
        print(f"The newest {_RUNS_AT_MOST} runs; flowbook.runs({arguments}) lists all.")  # noqa: T201  # the cell's own output
    return found[:_RUNS_AT_MOST]


def _refuse_unknown_output(key: str) -> None:
    """Refuse a task that no cache entry is of, and name those that have some."""
    known = sorted({task for _, task in open_store().browse().names()})
    if key not in known:
        have = f"Tasks with stored outputs: {listed(known, 10)}." if known else "No task has stored an output yet."
        msg = f"The cache has no output of a task {key!r}. {have} @task(cache_for=...) stores outputs."
        raise UsageError(msg)


def _parse(magic: Callable[..., object], line: str) -> Namespace:
    try:
        args = cast("Namespace", parse_argstring(magic, line))
    except UsageError as error:
        if "unrecognized" in str(error) and "--param" in line:
            msg = f"{error}. A parameter's value with spaces needs quotes around NAME=VALUE: --param 'months=[1, 2]'."
            raise UsageError(msg) from error
        raise
    texts = {name: unquoted(value) for name, value in vars(args).items() if isinstance(value, str)}
    vars(args).update(texts)
    return args


def _refused_plainly(act: Callable[[], _R]) -> _R:
    """Return what `act` returns; an error of flowbook's becomes one line."""
    try:
        return act()
    except FlowbookError as error:
        raise UsageError(str(error)) from error


def _new_tasks(now: Mapping[str, object], before: Mapping[str, Task]) -> dict[str, object]:
    """Return the variables that a cell gave a task."""
    return {name: value for name, value in now.items() if isinstance(value, Task) and before.get(name) is not value}


@contextmanager
def _tasks_unshown(shell: InteractiveShell, cell: str) -> Iterator[None]:
    """Show the cell's last expression, as any cell does, unless it is a task: the graph shows those."""
    with shell.display_trap:
        show = sys.displayhook
        is_quiet = _ends_quietly(cell)
        sys.displayhook = lambda value: None if is_quiet or _holds_task(value) else show(value)
        try:
            yield
        finally:
            sys.displayhook = show


def _ends_quietly(cell: str) -> bool:
    try:
        return bool(DisplayHook.semicolon_at_end_of_expression(cell))
    except (tokenize.TokenError, SyntaxError):
        return False


def _holds_task(value: object) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list, set)) else (value,)
    return any(isinstance(item, Task) for item in items)


def _refuse_await(cell: str) -> None:
    try:
        tree = ast.parse(cell, mode="exec")
    except SyntaxError:
        return  # magics and shell lines aren't Python, and an error shows when the cell runs
    nested = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            msg = (
                f"Line {getattr(node, 'lineno', 0) + 1} awaits at the top of a %%flow cell: the flow is only written here. "
                "Await in another cell, or inside an `async def` task."
            )
            raise UsageError(msg)
        if not isinstance(node, nested):
            stack.extend(ast.iter_child_nodes(node))
