"""What the inspector shows about one task, made from its state, its inputs and its past (DETAILS of docs/wire.md). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowbook.engine.answer import was_rejected
from flowbook.engine.secret_inputs import judged_by, secret_parameter
from flowbook.engine.state import Failed, Retrying, State
from flowbook.engine.state_kinds import FAILED
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import FlowbookError
from flowbook.flow_run.kind_by_preview import written_of
from flowbook.notebook.view_model import Details, EarlierDecision, InputView, LogView, Preview, Segment, TaskView
from flowbook.report import phrases
from flowbook.report.cost_text import cost_text
from flowbook.report.failed_above import failed_for, instead
from flowbook.report.masked_values import named_preview
from flowbook.report.parameter_text import has_no_literal, parameter_text, written
from flowbook.report.secret_names import MASK, shown_change, shown_urls, shown_value
from flowbook.report.unkept import unkept_note, why_unkept
from flowbook.results.preview import page_mark
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.engine.events import Logged
    from flowbook.engine.graph import Binding, Graph, TaskSpec
    from flowbook.flow_run.changed_inputs import ChangedInput
    from flowbook.flow_run.reuse import RanTask
    from flowbook.report.error_view import ErrorView

__all__ = ["Inspected", "because", "details", "log_views"]

_MOST_LOGS = 500
_LOG_LENGTH = 2000
_LITERALS = (bool, int, float, str)
_LITERAL_TYPES = {"NoneType", *(each.__name__ for each in _LITERALS)}
_LITERAL_LENGTH = 200
_MOST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Inspected:
    """The input of `details`.

    Attributes:
        key: of a task or child.
        graph: the run's graph.
        view: its view in the graph.
        label: what a child is called; "" for other tasks.
        attempt: number of its current attempt.
        state_of: newest state by key.
        preview: returns the preview of the value that a task's state holds.
        error: describes an exception.
        describe: returns the preview of a value, or of what lies under a reference if that isn't loaded for it.
        changed: the inputs that a person changed before it ran.
        unkept: why its output isn't kept; "" if it is.
        edit: what is to be said of an edit that it, or some of its children, ran before; "" if none did.
        logs: its log lines.
        history: the same task in earlier runs.
        earlier: what people decided about it in earlier runs.
        ran: why a cached task ran, if that is known.
        maker: number of the run that made a Cached output; empty if it isn't known.
        decisions: decisions of people about it, as sentences.
        now: seconds since the epoch.
    """

    key: str
    graph: Graph
    view: TaskView
    attempt: int
    state_of: Callable[[str], State | None]
    preview: Callable[[State, str], Preview | None]
    error: Callable[[BaseException], ErrorView]
    describe: Callable[[object], Preview | None] = lambda _: None
    changed: Mapping[str, ChangedInput] = field(default_factory=dict)
    unkept: str = ""
    edit: str = ""
    label: str = ""
    logs: Sequence[Logged] = ()
    history: Sequence[Mapping[str, Any]] = ()
    earlier: Sequence[EarlierDecision] = ()
    ran: RanTask | None = None
    maker: str = ""
    decisions: Sequence[str] = ()
    now: float = 0.0


def details(of: Inspected) -> Details:
    """Return what the inspector shows about one task."""
    spec, state = of.graph.specs[parent_key(of.key)], of.state_of(of.key)
    result = state.raw_result if state is not None else None  # as it is: `result` would load it
    has_raised = isinstance(state, (Failed, Retrying)) and not was_rejected(state)
    failure = result if has_raised and isinstance(result, BaseException) else None
    is_done = state is not None and state.is_successful() and not state.is_skipped() and _is_over(of.view)
    has_value = is_done and state is not None and not why_unkept(state)
    secret = secret_parameter(of.graph, of.key)
    output = named_preview(secret, of.preview(state, of.key)) if has_value and state is not None else None
    inputs = tuple(_input(binding, of) for binding in spec.bindings if binding.argument is not None)
    constants = tuple(_constant(name, value, of) for name, value in (spec.constants or {}).items())
    return Details(
        key=of.key,
        state=of.view.state,
        word=of.view.word,
        title=_title(of),
        label=of.label,
        why=[*_about(spec, state), *_mind(of), *_why(spec, state, of), *(_kept(of) if is_done else ())],
        inputs=inputs + constants,
        output=output,
        error=of.error(failure) if failure is not None else None,
        logs=log_views(of.logs),
        shown=_shown(of.logs, output),
        history=of.history,
        earlier=of.earlier,
        up=spec.upstream,
        down=of.graph.children[spec.key],
        actions=_actions(of.view, inputs, has_output=is_done, has_raised=has_raised)
        + (["invalidate"] if is_done and spec.cache else []),
        above=of.view.above,
    )


def _shown(logs: Sequence[Logged], output: Preview | None) -> tuple[Preview, ...]:
    """Return the previews of what a task displayed, the last ones, without its output and without those that are gone."""
    found = [line.shown for line in logs if line.shown is not None][-_MOST_SHOWN:]
    body, table = (None, "") if output is None else (output.get("body"), page_mark(output))
    previews = [each for each in map(_preview_of, found) if each is not None]
    return tuple(
        {name: part for name, part in each.items() if name != "table"}
        for each in previews
        if (body is None or each.get("body") != body) and (not table or each.get("table") != table)
    )


def _preview_of(shown: object) -> Preview | None:
    if is_reference(shown):
        try:
            shown = shown.load()
        except FlowbookError:
            return None
    return shown if isinstance(shown, dict) else None


def log_views(logs: Sequence[Logged]) -> tuple[LogView, ...]:
    """Return the newest lines of a log; a first line says how many were left out."""
    shown = tuple(LogView(line.at, _level(line.level), _capped(shown_urls(line.text))) for line in logs[-_MOST_LOGS:])
    left_out = len(logs) - len(shown)
    if not left_out:
        return shown
    return (LogView(shown[0].at, "INFO", f"{left_out:,} earlier lines are not shown."), *shown)


def _is_over(view: TaskView) -> bool:
    """Return whether all children ended well; their parent is in state Mapped from the start."""
    return view.counts is None or view.state in {"Success", "Mapped", "Cached", "Skipped"}


def _title(of: Inspected) -> str:
    """Return the text beside the state: its duration, or since when."""
    view = of.view
    if view.duration_s is not None:
        return phrases.duration(view.duration_s)
    if view.state in {"Paused", "Running", "Cancelling", "Retrying"} and view.since is not None:
        return f"since {phrases.clock(view.since, of.now)}"
    return ""


def _about(spec: TaskSpec, state: State | None) -> list[list[str | Sequence[Segment]]]:
    """Return what its author says of a task: the first line of its docstring, which is the question of one that waits."""
    said = spec.question()
    is_waiting = state is not None and state.is_paused()
    return [["What is asked" if is_waiting else "What it does", said]] if said else []


def _mind(of: Inspected) -> list[list[str | Sequence[Segment]]]:
    """Return what a person should know before the task goes on: it gets no result of what failed."""
    said = instead(of.graph, of.key, of.state_of)
    return [["Mind", said]] if said else []


def _kept(of: Inspected) -> list[list[str | Sequence[Segment]]]:
    """Return what a person should know before the kernel ends, or a task below runs elsewhere."""
    said = unkept_note(of.unkept)
    return [["Mind", f"{said[0].upper()}{said[1:].removesuffix('.')}."]] if said else []


def _why(spec: TaskSpec, state: State | None, of: Inspected) -> list[list[str | Sequence[Segment]]]:
    lines: list[list[str | Sequence[Segment]]]
    if of.view.counts is not None and of.key in of.graph.specs:
        counts = ", ".join(f"{count:,} {name}" for name, count in of.view.counts.items())
        lines = [["Its children", f"{counts}." if counts else "It was mapped over nothing."]]
    elif state is None:
        lines = [["What it waits for", f"{phrases.listed(spec.upstream)}."]] if spec.upstream else []
    else:
        told = phrases.why(spec, state, of.attempt, of.state_of, of.now, has_run=of.view.created is None)
        lines = [[*line] for line in told]
        if of.ran is not None and of.ran.differences and lines and lines[0][0] == "Why it ran":
            lines[0] = ["Why it ran", because(of.ran)]
    if of.maker and of.view.created is not None:
        lines.append(["Who made it", f"Run {of.maker}, {phrases.duration(of.now - of.view.created)} ago."])
    if state is not None and (cost := cost_text(state.cost)):
        lines.append(["What it cost", f"{cost[0].upper()}{cost[1:]}."])
    if of.edit:
        lines.append(["Its code", of.edit])
    lines += [["Who decided", sentence] for sentence in of.decisions]
    return lines


def because(ran: RanTask) -> list[Segment]:
    """Return why a task ran, as differences from the stored output that came nearest."""
    found: list[Segment] = []
    for each in ran.differences:
        found.append(("text", " and " if found else ""))
        if not each.name:
            found.append(("text", each.words))
            continue
        found += [("text", "input "), ("code", each.name)]
        told: list[Segment] = [("text", ": "), ("now", each.now), ("text", ", was "), ("was", each.was)]
        found += told if each.now and each.was else [("text", each.words.removeprefix(f"input {each.name}"))]
    below = f"; {phrases.listed(ran.below)} gave another output" if ran.below else ""
    told = [each for each in [*found, ("text", below)] if each[1]]
    has_values = any(kind != "text" for kind, _ in told)
    words = "".join(text for _, text in told)
    return told if has_values else [("text", f"{words[:1].upper()}{words[1:]}.")]


def _input(binding: Binding, of: Inspected) -> InputView:
    changed = of.changed.get(str(binding.argument))
    if changed is not None:
        return _changed(str(binding.argument), changed, f"instead of what {binding.upstream} gave", of)
    state = of.state_of(binding.upstream)
    stored = of.preview(state, binding.upstream) if state is not None and state.is_successful() else None
    preview = named_preview(judged_by(of.graph, of.key, str(binding.argument)), stored)
    failed = failed_for(of.graph, of.key, of.state_of).get(str(binding.argument))
    each = "; one element for each child" if binding.mapped else ""
    if failed and not preview:
        return InputView(str(binding.argument), None, None, f"no result, because {failed}{each}")
    what = preview["text"] if preview else (type(state).__name__ if state is not None else "Pending")
    literal = "" if binding.mapped or MASK in str((preview or {}).get("repr")) else _literal(stored)
    return InputView(str(binding.argument), binding.upstream, preview, f"{what}{each}", literal)


def _literal(preview: Preview | None) -> str:
    """Return a value as what can be written in a field; "" if it is none that can."""
    if preview is None:
        return ""
    text = str(preview.get("repr", "")) if preview.get("type") in _LITERAL_TYPES else written_of(preview)
    return text if len(text) <= _LITERAL_LENGTH else ""


def _changed(name: str, changed: ChangedInput, instead: str, of: Inspected) -> InputView:
    """Return an input as the task got it from a person."""
    judged = judged_by(of.graph, of.key, name)
    preview = named_preview(judged, of.describe(changed.value))
    text = preview["text"] if preview else "a value in the store"
    about = (shown_change(judged, changed.text) if " → " in changed.text else "") or instead
    return InputView(name, None, preview, text, changed=f"{changed.words}: {about}")


def _constant(name: str, value: object, of: Inspected) -> InputView:
    changed = of.changed.get(name)
    if changed is not None:
        return _changed(name, changed, f"instead of {parameter_text(shown_value(name, value))}", of)
    shown = shown_value(name, value)
    text = f"{parameter_text(shown)} ({type(value).__name__}, a constant)"
    literal = repr(value) if value is None or (type(value) in _LITERALS and shown == value) else ""
    if has_no_literal(value) and shown is value and MASK not in shown_urls(written(value)):
        literal = written(value)
    return InputView(name, None, None, text, literal if len(literal) <= _LITERAL_LENGTH else "")


def _actions(view: TaskView, inputs: Sequence[InputView], *, has_output: bool, has_raised: bool) -> list[str]:
    actions = ["resume", "skip", "reject"] if view.state == "Paused" or (view.counts or {}).get("Paused") else []
    if view.state in FAILED or set(FAILED).intersection(view.counts or ()):
        actions += ["retry", "debug"] if has_raised or view.counts else ["retry"]
    if view.state == "Paused" and not view.counts:
        actions.append("change-input")
    if has_output or (inputs and view.state != "Running"):
        actions.append("to-variable")
    if view.state not in {"Pending", "Paused"}:
        actions.append("run-from")
    return actions


def _level(number: int) -> str:
    names = ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"))
    return next((name for least, name in names if number >= least), "DEBUG")


def _capped(text: str) -> str:
    return text if len(text) <= _LOG_LENGTH else f"{text[:_LOG_LENGTH]}… ({len(text):,} characters)"
