"""What `%flow ACTION` does: lists, shows, plans and runs flows, and decides about their runs."""

from __future__ import annotations

import difflib
import inspect
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, cast

from IPython.core.error import UsageError

from flowbook.core.typed_parameters import read_as_defaults
from flowbook.engine.state_kinds import RUNNING, failed_by_itself
from flowbook.exceptions import FlowbookError, ResultGoneError, UnknownRunError, UnpicklableError
from flowbook.flow_run.recorded_decision import cancel_recorded
from flowbook.flow_run.run_comparison import earlier_run
from flowbook.flow_run.run_names import words_of_run
from flowbook.notebook.arguments import parse_flow_runner, parse_parameters
from flowbook.notebook.debugging import prepare_debugger
from flowbook.notebook.earlier_output import earlier_output
from flowbook.notebook.flow_deployments import FlowDeployments
from flowbook.notebook.flow_export import export_module
from flowbook.notebook.frontend import cell_name, has_front_end, notebook_name, person
from flowbook.notebook.panel_actions import Decided
from flowbook.notebook.run_list import RunList, newest_runs
from flowbook.notebook.run_report import write_report
from flowbook.notebook.run_text import cancelled
from flowbook.store import open_store

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from flowbook.core.flow import Flow
    from flowbook.flow_run.plan import RunPlan
    from flowbook.flow_run.run import FlowRun
    from flowbook.flow_run.run_comparison import RunComparison
    from flowbook.notebook.display import FlowView
    from flowbook.notebook.loop import Loop
    from flowbook.notebook.notebook_flows import NotebookFlows

__all__ = ["ACTIONS", "Action", "LineActions", "Screen", "lists_actions", "written"]

_M = TypeVar("_M", bound="Callable[..., object]")

_PANELS_AT_MOST = 5
#: Of actions that take two runs.
_QUOTED = "A run that several words name needs quotes."


class Action(NamedTuple):
    """One action of `%flow`.

    Attributes:
        usage: what follows its name.
        help: what it does.
        most: how many names it takes; None: any number.
        options: that it takes, as the parser names them.
    """

    usage: str
    help: str
    most: int | None
    options: tuple[str, ...] = ()


#: The options that say which part of a flow runs.
_PARTS = ("at", "below", "no_cache", "of", "only", "start_at", "up_to")
ACTIONS: Mapping[str, Action] = {
    "cancel": Action("RUN", "start nothing more of it; --now also stops what runs", 1, ("now", "note")),
    "compare": Action("RUN [EARLIER]", "compare a run with an earlier one, by default the one before", 2),
    "debug": Action("RUN [TASK]", "open the debugger where TASK failed, or the first task that did, as %debug does", 2),
    "deploy": Action(
        "FLOW", "keep it, to be run in a process of its own when somebody asks", 1, ("param", "on", "name")
    ),
    "export": Action(
        "FILE.py [FLOW] | FILE.html [RUN]",
        "write the flow as a module: a script, and a deployment; or the run as a report that opens in any browser",
        2,
    ),
    "hand-over": Action("RUN", "let it go on in a process of its own, which outlives this kernel", 1, ("on", "note")),
    "incremental": Action(
        "on|off", "whether flows of this notebook run only what has changed, until the kernel ends", 1
    ),
    "list": Action("[FLOW]", "list the newest runs", 1),
    "plan": Action("FLOW [TASK]", "say what a run would do, from TASK on if given", 2, ("param", *_PARTS)),
    "reject": Action("RUN [TASK …]", "let what waits fail; say why with --note", None, ("note", "as_recorded")),
    "replay": Action("RUN", "show it as it went: its panel with the slider at the start, playing", 1),
    "resume": Action(
        "[RUN [TASK …]]",
        "go on with what waits; --input changes what one task gets; without RUN, list what waits",
        None,
        ("note", "input", "as_recorded"),
    ),
    "retry": Action("RUN [TASK …]", "run what failed again, or of it these tasks", None, ("note", "as_recorded")),
    "run": Action(
        "FLOW",
        "run it; --from, --only and --up-to run a part, --below what lies below an earlier output, --no-cache every task",
        1,
        ("param", *_PARTS),
    ),
    "schedule": Action(
        "FLOW WHEN",
        "let an agent run it at these times: '0 6 * * *', 'every 2 hours'; off pauses it, on lets it go on",
        2,
        ("param", "timezone", "on", "name"),
    ),
    "show": Action("RUN", "show it", 1),
    "skip": Action("RUN [TASK …]", "skip what waits, and what lies below it", None, ("note", "as_recorded")),
    "take-back": Action("RUN", "let it go on in this kernel again", 1, ("note",)),
    "watch": Action("RUN", "show a run of any process until it is at rest", 1),
}
_OPTIONS = ("as_recorded", "input", "name", *_PARTS, "note", "now", "on", "param", "timezone")

#: Of actions whose name a helper has.
_METHODS = {"watch": "_watch_"}


def written(option: str) -> str:
    """Return an option as it is written on the line."""
    return "--from" if option == "start_at" else f"--{option.replace('_', '-')}"


def lists_actions(magic: _M) -> _M:
    """Decorate the magic: its help says what each action does."""
    lines = [f"{name} {action.usage}: {action.help}" for name, action in ACTIONS.items()]
    magic.__doc__ = "\n".join([inspect.cleandoc(magic.__doc__ or ""), "", *lines])  # clean by itself since Python 3.13
    return magic


def _joined(names: Sequence[str], action: Action) -> list[str]:
    """Return what stands after an action; what names a run by several words, `delays 3` or `last failed`, as one."""
    first = 1 if action.usage.startswith("FILE") else 0
    takes_run = "RUN" in action.usage and "EARLIER" not in action.usage  # of two runs, each is one word
    count = words_of_run(names[first:])
    return (
        [*names[:first], " ".join(names[first : first + count]), *names[first + count :]]
        if takes_run and count > 1
        else list(names)
    )


class Screen(Protocol):
    """What shows runs in the running cell's output."""

    shell: InteractiveShell
    flows: NotebookFlows
    loop: Loop
    views: dict[str, FlowView]

    def view(self, flow: Flow, **options: Any) -> FlowView:  # noqa: ANN401  # those of FlowView
        """Return what the running cell shows of a flow."""
        ...


class LineActions:
    """Carries the actions out.

    Args:
        screen: where runs are shown.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._shell = screen.shell
        self._flows = screen.flows
        self._deployments = FlowDeployments(screen.shell)

    def act(self, args: Namespace) -> Any:  # noqa: ANN401  # what the action shows
        """Do what the line says; return what the cell shows, or None.

        Raises:
            UsageError: if there is no such action, or it doesn't take what is written.
            FlowbookError: as the run does.
        """
        action = ACTIONS.get(args.action)
        if action is None:
            close = difflib.get_close_matches(args.action.lower(), ACTIONS, n=1, cutoff=0.75)
            advice = f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(ACTIONS)}."
            if self._flows.find(args.action) is not None:
                name = args.action
                advice = f"{name} is a flow: %flow show {name} shows its newest run, %flow run {name} runs it."
            msg = f"%flow {args.action}: no such action. {advice}"
            raise UsageError(msg)
        names = _joined(args.names, action)
        if not all(name.strip() for name in names):
            msg = f"%flow {args.action}: '' names nothing. Write %flow {args.action} {action.usage}."
            raise UsageError(msg)
        if action.most is not None and len(names) > action.most:
            more = " ".join(names[action.most :])
            quoted = f" {_QUOTED}" if "EARLIER" in action.usage else ""
            msg = f"%flow {args.action}: what is {more!r} for? Write %flow {args.action} {action.usage}.{quoted}"
            raise UsageError(msg)
        for option in _OPTIONS:
            if getattr(args, option) and option not in action.options:
                takers = [name for name, each in ACTIONS.items() if option in each.options]
                msg = f"%flow {args.action} takes no {written(option)}; that is for {', '.join(takers)}."
                raise UsageError(msg)
        args.title = args.name
        args.name, args.tasks = (names[0] if names else None), names[1:]
        return getattr(self, _METHODS.get(args.action, f"_{args.action.replace('-', '_')}"))(args)

    # Looking

    def _list(self, args: Namespace) -> RunList:
        return newest_runs(flow=args.name)

    def _show(self, args: Namespace) -> None:
        run = self._flows.any_run(args.name)
        view = self._view_of(run)
        watched = has_front_end(self._shell)
        view.show(with_widget=watched)
        if not watched:
            view.show_state(run)

    def _replay(self, args: Namespace) -> None:
        run = self._flows.any_run(args.name or self._only_flow() or "last")
        if not has_front_end(self._shell):
            self._say(f"A replay needs a front end. As a table: flowbook.run({run.run_id!r}).timeline().")
            return
        self._screen.view(cast("Flow", run.flow), run=run, begin="replay").show(with_widget=True)

    def _watch_(self, args: Namespace) -> None:
        run = self._flows.any_run(args.name)
        view = self._view_of(run)
        watched = has_front_end(self._shell)
        view.show(with_widget=watched)
        if not watched:
            run.wait()  # an interrupt ends the watching, not the run
            view.show_state(run)

    def _plan(self, args: Namespace) -> RunPlan:
        flow = self._renewed(args.name)
        known = self._screen.views.get(flow.name)
        executor = known.executor if known is not None else None
        start = args.tasks[0] if args.tasks else None
        parameters, options, _ = self._asked(args, flow)
        return flow.plan(parameters, start=start, executor=executor, **options)

    def _compare(self, args: Namespace) -> RunComparison:
        run = self._flows.any_run(args.name)
        if args.tasks:
            return self._earlier(run, args.name, args.tasks[0]).compare(run)
        earlier = earlier_run(run)
        if earlier is None:
            msg = f"There is no run of {run.flow_name} before run {run.number}. Name the one to compare it with."
            raise UsageError(msg)
        return self._flows.run(earlier).compare(run)

    def _earlier(self, run: FlowRun, name: str, earlier: str) -> FlowRun:
        """Return the run that the second word names. Raises UsageError if that can't be, and both words may mean one run."""
        is_one = words_of_run([name, earlier]) > 1
        quoted = f"{_QUOTED[:-1]}: %flow compare '{name} {earlier}'."
        try:
            found = self._flows.any_run(earlier)
        except UnknownRunError as error:
            if not is_one:
                raise
            msg = f"{error} {quoted}"
            raise UsageError(msg) from error
        if is_one and found.run_id == run.run_id:
            msg = f"{name} and {earlier} are both {run.flow_name}, run {run.number}. {quoted}"
            raise UsageError(msg)
        return found

    def _debug(self, args: Namespace) -> None:
        run = self._flows.any_run(args.name)
        failed = [key for key, state in run.states.items() if failed_by_itself(state)]
        if not (args.tasks or failed):
            msg = f"Nothing failed in {run.flow_name}, run {run.number}: it is {type(run.state).__name__}."
            raise UsageError(msg)
        key = run.graph.key_of(args.tasks[0] if args.tasks else failed[0])
        place = prepare_debugger(self._shell, run, key, lambda file: cell_name(self._shell, file))
        self._say(f"{key} failed in {place}.")
        if has_front_end(self._shell):
            self._shell.debugger(force=True)
        else:
            self._say("%debug opens there, where somebody can type.")

    def _export(self, args: Namespace) -> None:
        if args.name is None:
            msg = f"%flow export: where to? Write %flow export {ACTIONS['export'].usage}."
            raise UsageError(msg)
        name = args.tasks[0] if args.tasks else None
        if args.name.lower().endswith(".html"):
            run = self._flows.any_run(name or self._only_flow())
            self._say(write_report(run, args.name, cell_name=lambda file: cell_name(self._shell, file)))
            return
        self._say(export_module(self._shell, self._flows, name, args.name))

    def _only_flow(self) -> str | None:
        """Return the name of the notebook's flow if there is only one."""
        names = self._flows.names()
        return names[0] if len(names) == 1 else None

    # Acting

    def _incremental(self, args: Namespace) -> None:
        if args.name not in {"on", "off", None}:
            msg = f"%flow incremental {args.name}: say on or off."
            raise UsageError(msg)
        if args.name is not None:
            self._flows.is_incremental = args.name == "on"
        if self._flows.is_incremental:
            text = "run only what has changed, from the next %%flow cell on and until the kernel ends."
        else:
            text = "run all tasks that aren't cached, from the next %%flow cell on."
        self._say(f"Flows of this notebook {text}")

    def _run(self, args: Namespace) -> None:
        flow = self._renewed(args.name)
        parameters, options, words = self._asked(args, flow)
        known = self._screen.views.get(flow.name)
        view = self._screen.view(flow, executor=known.executor if known is not None else None)
        run = view.start(parameters, record=True, origin=notebook_name(self._shell), **options)
        if words:
            self._say(f"{flow.name} run {run.number} runs {words}.")
        self._watch(view, run)

    def _asked(self, args: Namespace, flow: Flow) -> tuple[dict[str, object], dict[str, Any], str]:
        """Return a run's parameters, its options that say which part of the flow runs, and that in words if it needs some."""
        given = read_as_defaults(flow.parameters(), parse_parameters(args.param, self._shell.user_ns))
        whole = {"use_cache": False} if args.no_cache else {}
        earlier = earlier_output(self._flows, flow, args)
        if earlier is not None:
            return {**earlier.parameters, **given}, {**earlier.options, **whole}, earlier.words
        named = {way: getattr(args, way) for way in ("start_at", "only", "up_to")}
        parts = {way: [self._flows.task_key(key) for key in keys] for way, keys in named.items() if keys}
        based = {"based_on": flow.last_run} if parts and flow.last_run is not None else {}
        return given, {**parts, **based, **whole}, ""

    def _deploy(self, args: Namespace) -> None:
        self._say(self._deployments.deploy(self._to_deploy(args.name), args))

    def _schedule(self, args: Namespace) -> None:
        when = args.tasks[0] if args.tasks else None
        if when in {"on", "off"}:
            self._say(self._deployments.switch(args.name, args, on=when == "on"))
        else:
            self._say(self._deployments.deploy(self._to_deploy(args.name), args, when))

    def _to_deploy(self, name: str | None) -> Flow:
        """Return a flow as it is written now, with the executor that its cell names."""
        flow = self._renewed(name)
        known = self._screen.views.get(flow.name)
        if flow.executor is not None or known is None or known.executor is None:
            return flow
        twin = flow.copy()
        twin.executor = known.executor
        return twin

    def _resume(self, args: Namespace) -> RunList | None:
        if args.name is None:
            return self._waiting()
        self._answer(args)
        return None

    def _skip(self, args: Namespace) -> None:
        self._answer(args)

    def _reject(self, args: Namespace) -> None:
        self._answer(args)

    def _answer(self, args: Namespace) -> None:
        inputs = parse_parameters(args.input, self._shell.user_ns, "--input")
        run = self._flows.run_in(args.name, ("Paused",))
        decided = Decided(args.action, tuple(args.tasks), args.note, inputs)
        gone_on = self._screen.loop.answer(run, decided, as_recorded=args.as_recorded)
        self._say(gone_on.text)
        self._watch(self._view_of(gone_on.run), gone_on.run)

    def _retry(self, args: Namespace) -> None:
        run = self._flows.any_run(args.name)
        gone_on = self._screen.loop.retry(run, args.note, args.tasks, as_recorded=args.as_recorded)
        self._say(gone_on.text)
        self._watch(self._view_of(gone_on.run), gone_on.run)

    def _hand_over(self, args: Namespace) -> None:
        flow_runner = parse_flow_runner(args.on, self._shell.user_ns)
        run = self._movable(args.name)
        is_at_rest = run.where == "at rest"
        run.hand_over(flow_runner, by=person(), note=args.note)
        title = f"{run.flow_name}, run {run.number}, goes on in a process of its own"
        self._say(f"{title} once it is resumed." if is_at_rest else f"{title}. %flow watch {run.flow_name} shows it.")

    def _take_back(self, args: Namespace) -> None:
        run = self._movable(args.name)
        where = run.where
        run.take_back(by=person(), note=args.note)
        when = {"at rest": "once it is resumed", "elsewhere": "once what runs elsewhere has ended"}.get(where)
        title = f"{run.flow_name}, run {run.number},"
        self._say(f"{title} goes on in this kernel {when}." if when else f"{title} stays in this kernel.")

    def _movable(self, name: str | None) -> FlowRun:
        """Return the run that is named. Raises UsageError if it is over."""
        run = self._flows.run_in(name, RUNNING)
        if run.state.is_finished():
            msg = f"{run.flow_name}, run {run.number}, is over: it is {type(run.state).__name__}."
            raise UsageError(msg)
        return run

    def _cancel(self, args: Namespace) -> None:
        try:
            run = self._flows.run_in(args.name, (*RUNNING, "Paused"))
        except (ResultGoneError, UnpicklableError):  # its flow or its inputs can't be loaded, nor need be
            run_id = self._flows.run_id(args.name)
            found = cancel_recorded(open_store(), run_id, by=person(), note=args.note, now=args.now)
            self._say(cancelled(found, now=args.now))
            return
        run.cancel(by=person(), note=args.note, now=args.now)
        self._say(cancelled(run, now=args.now))

    # Helpers

    def _renewed(self, name: str | None) -> Flow:
        """Return a flow of this notebook as its cell writes it now; say what was edited."""
        flow = self._flows.flow(name)
        if not self._flows.is_current(flow):
            return flow
        renewed = self._flows.renew(flow.name)
        if renewed.edits:
            self._say(f"{flow.name} with the edited {', '.join(renewed.edits.edited)}.")
        return renewed.flow

    def _waiting(self) -> RunList:
        """Show every run that waits for a person, in any process, with its buttons."""
        waiting = newest_runs(state="Paused")
        for each in waiting.runs[:_PANELS_AT_MOST]:
            try:
                run = self._flows.run(each.run_id)
            except FlowbookError as error:
                self._say(f"{each.run_id}: {error}")
                continue
            self._view_of(run).show(with_widget=has_front_end(self._shell))
        return waiting

    def _watch(self, view: FlowView, run: FlowRun) -> None:
        view.show(with_widget=has_front_end(self._shell))
        if not has_front_end(self._shell):
            view.wait(run)

    def _view_of(self, run: FlowRun) -> FlowView:
        return self._screen.view(cast("Flow", run.flow), run=run)

    def _say(self, text: str) -> None:
        print(text)  # noqa: T201  # the cell's own output
