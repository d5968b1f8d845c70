"""Sentences about states: durations, notes on nodes, why a task ran or didn't. Pure: times are arguments."""

from __future__ import annotations

import datetime as dt
from itertools import zip_longest
from typing import TYPE_CHECKING

from flowbook.engine.answer import was_rejected
from flowbook.engine.state import (
    Cached,
    Crashed,
    Failed,
    Mapped,
    Paused,
    Queued,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    State,
    Success,
    TimedOut,
    TriggerFailed,
)
from flowbook.engine.state_kinds import UNSTORED
from flowbook.engine.task_keys import child_keys
from flowbook.report.kept_notes import KEPT, LEFT_OUT, kept_briefly
from flowbook.report.secret_names import shown_change, shown_urls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flowbook.engine.events import InputChange
    from flowbook.engine.graph import TaskSpec

__all__ = [
    "FROM_CACHE",
    "cached_note",
    "changed_inputs",
    "clock",
    "deadline_note",
    "duration",
    "error_text",
    "listed",
    "message",
    "note",
    "outcomes",
    "remaining",
    "shorten",
    "staleness",
    "trigger_name",
    "why",
]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_NOTE_LENGTH = 200
_MESSAGE_LENGTH = 500
_FOR_GOOD = 9000
#: The third line of an output that the cache served, where no more is known of it.
FROM_CACHE = "served from the cache"
#: What happened to a task that did not succeed, by the name of its state.
_ENDED = {
    "Failed": "failed",
    "TimedOut": "took too long",
    "Crashed": "crashed",
    "ValidationFailed": "gave an invalid output",
    "TriggerFailed": "did not run",
    "Cancelled": "was cancelled",
}
#: Why a task waits whose trigger is manual_only says nothing more than that it does.
_BY_TRIGGER = ", by its trigger manual_only"
_ANSWERED = {"reject": "rejected", "approve": "approved", "skip": "skipped"}


def duration(seconds: float) -> str:
    """Return a length of time with its unit: "40 ms", "3.8 s", "4 min", "2 h", "3 d"."""
    seconds = max(0.0, seconds)
    if seconds < 0.0005:  # noqa: PLR2004  # would round to 0 ms
        return "< 1 ms"
    if seconds < 0.0995:  # noqa: PLR2004  # would round to 0.1 s
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:  # noqa: PLR2004  # would round to 60.0 s
        return f"{seconds:.1f} s"
    for unit_s, unit, below in ((_MINUTE, "min", _HOUR), (_HOUR, "h", 2 * _DAY)):
        if seconds < below - unit_s / 2:
            return f"{round(seconds / unit_s)} {unit}"
    return f"{round(seconds / _DAY)} d"


def clock(moment: float, now: float) -> str:
    """Return a local time for people: "09:42", with the day if that isn't today."""
    told = dt.datetime.fromtimestamp(moment).astimezone()
    today = dt.datetime.fromtimestamp(now).astimezone().date()
    if told.date() == today:
        return f"{told:%H:%M}"
    return f"{told.day} {told:%b %H:%M}" if told.year == today.year else f"{told.day} {told:%b %Y %H:%M}"


def remaining(seconds: float) -> str:
    """Return the time until something happens: "40 s", "12 min", "3 h 12 min", "2 d 4 h"."""
    left = max(0, round(seconds))
    if left < _MINUTE:
        return f"{left} s"
    for unit_s, unit, small_s, small in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min")):
        if left >= unit_s:
            rest = left % unit_s // small_s
            return f"{left // unit_s} {unit} {rest} {small}" if rest else f"{left // unit_s} {unit}"
    return f"{left // _MINUTE} min"


def deadline_note(deadline: float, otherwise: str, now: float) -> str:
    """Return by when a task that waits is answered by itself, and how.

    Args:
        deadline: seconds since the epoch.
        otherwise: "reject", "approve" or "skip".
        now: seconds since the epoch.
    """
    when, ends = clock(deadline, now), _ANSWERED[otherwise]
    if deadline <= now:
        return f"nobody answered by {when}: it is {ends} as soon as a process takes up the run"
    return f"if nobody answers by {when}, in {remaining(deadline - now)}, it is {ends}"


def shorten(text: str, length: int) -> str:
    """Return `text` on one line, at most `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return names as in a sentence: "a, b and 4 more"."""
    if len(names) <= most:
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{', '.join(names[:most])} and {len(names) - most:,} more"


def changed_inputs(changes: Sequence[InputChange]) -> str:
    """Return what a person changed before a task went on: "threshold 15 → 20 and another report"; "" if nothing."""
    return listed([_changed_input(each) for each in changes])


def _changed_input(change: InputChange) -> str:
    text = shown_change(change.name, change.text)
    return f"{change.name} {text}" if text else f"another {change.name}"


def staleness(state: Cached) -> str:
    """Return how a task differs now from when its cached output was made; "" if it doesn't.

    E.g. "by other code and from other inputs (x was 5, is 7)".
    """
    differences = [_difference(name, text) for name, text in state.stale_inputs.items()]
    inputs = f"from other inputs ({', '.join(differences)})" if differences else ""
    return " and ".join(filter(None, ("by other code" if state.stale_code else "", inputs)))


def _difference(name: str, text: str) -> str:
    before, separator, now = shown_change(name, text).partition(", now ")
    return f"{name} was {before}, is {now}" if separator else f"{name} {before}".rstrip()


def error_text(error: object) -> str:
    """Return an exception as one line, "ValueError: 80 flights have no weather"."""
    try:
        message = shown_urls(str(error))
    except BaseException as exc:  # noqa: BLE001  # a user's __str__ may raise, or exit
        message = f"(its message can't be shown: {type(exc).__name__})"
    kind = type(error).__name__
    if kind == "RemoteError":
        return shorten(message, _NOTE_LENGTH)
    return shorten(f"{kind}: {message}" if message else kind, _NOTE_LENGTH)


def trigger_name(spec: TaskSpec) -> str:
    """Return the name of the task's trigger."""
    if spec.trigger is None:
        return "manual_only" if spec.is_manual else "all_successful"
    return getattr(spec.trigger, "__name__", None) or type(spec.trigger).__name__


def message(state: State) -> str:
    """Return a state's exception as a sentence if it has one, else its message."""
    said = shorten(shown_urls(state.message or ""), _MESSAGE_LENGTH)
    if not isinstance(state, (Failed, Retrying)) or was_rejected(state):
        return said
    error = state.raw_result  # as it is: `result` would load what is held elsewhere
    return error_text(error) if isinstance(error, BaseException) else said


def asked(spec: TaskSpec, state: State) -> str:
    """Return what a task that its trigger holds back asks a person: its author's question, else the state's message."""
    held = isinstance(state, Paused) and spec.is_manual
    if held and spec.question():
        return shorten(spec.question(), _MESSAGE_LENGTH)
    return message(state).replace(_BY_TRIGGER, "") if held else message(state)


def note(  # noqa: C901, PLR0911, PLR0912, PLR0913  # a table of states
    spec: TaskSpec,
    state: State,
    attempt: int,
    states: Callable[[str], State | None],
    now: float,
    *,
    has_run: bool = False,
) -> str:
    """Return the third line of a node; "" if it needs none.

    `has_run` is whether this run made the output of a Cached task; otherwise an earlier run did.
    """
    most = spec.retry.max_retries + 1 if spec.retry is not None else 1
    match state:
        case Retrying():
            return f"then attempt {attempt} of {most}"
        case Paused():
            return _pause_note(state, now)
        case Queued():
            return state.message or "waits for a free place"
        case Scheduled() if state.start_time is not None and state.start_time.timestamp() > now:
            return f"at {clock(state.start_time.timestamp(), now)}"
        case TriggerFailed():
            return _trigger_note(spec, states)
        case TimedOut() if spec.timeout_s is not None:
            return f"took longer than {duration(spec.timeout_s)}"
        case Failed():
            return message(state)
        case Cached():
            return cached_note(state, now, has_run=has_run)
        case Skipped() if (state.message or "").startswith(LEFT_OUT):
            return "left out"
        case Skipped():
            return _skip_note(spec, state, states)
        case Success() if kept := kept_briefly(state):
            return kept
        case Running() if attempt > 1:
            return f"attempt {attempt} of {most}"
        case Success() if attempt > 1:
            return f"on attempt {attempt} of {most}"
        case _:
            return ""


def why(  # noqa: PLR0911, PLR0913  # a table of states
    spec: TaskSpec,
    state: State,
    attempt: int,
    states: Callable[[str], State | None],
    now: float,
    *,
    has_run: bool = False,
) -> list[list[str]]:
    """Return what the inspector says about a task's state, as [question, answer] lines; `has_run` as in `note`."""
    match state:
        case TriggerFailed():
            return [["Why it did not run", _trigger_reason(spec, states)]]
        case Success() if (state.message or "").startswith((KEPT, LEFT_OUT)):
            return [["Why it did not run", _sentence(state.message or "")]]
        case Skipped():
            reason = _skip_note(spec, state, states).removesuffix(".") or "It skipped itself"
            return [["Why it was skipped", f"{reason}."]]
        case Retrying():
            return _why_retrying(spec, state, attempt, now)
        case Paused():
            return [["Why it waits", _paused_reason(spec, state, now)], *_until_when(state, now)]
        case Cached() if not has_run and (state.message or state.entry is not None or state.created is not None):
            return _why_cached(state, now)
        case TimedOut() if spec.timeout_s is not None:
            return [["Why it stopped", f"It took longer than its timeout of {duration(spec.timeout_s)}."]]
        case Crashed():
            return [["Why it stopped", _sentence(state.message or "its process died while it ran")]]
        case _ if state.is_pending():
            return _why_pending(spec, state, states)
        case _:
            return _why_ran(spec, state, attempt, now)


def _why_ran(spec: TaskSpec, state: State, attempt: int, now: float) -> list[list[str]]:
    if was_rejected(state):
        return [["Why it did not run", "It was rejected."]]
    reason = f"Its trigger {trigger_name(spec)} passed." if spec.trigger is not None else "All above it succeeded."
    if not spec.upstream:
        reason = "It waits for nothing."
    if spec.cache is not None:
        reason = f"No entry of its cache fitted. {reason}"
    lines = [["Why it ran", reason]]
    if attempt > 1 and spec.retry is not None:
        lines.append(["Attempts", f"{attempt} of {spec.retry.max_retries + 1}"])
    if isinstance(state, Failed):
        lines += _why_no_retry(spec, state, attempt)
    if isinstance(state, Cached):
        lines.append(["Its output", f"Kept {_until(state, now)}, to serve other runs."])
    elif (state.message or "").startswith(UNSTORED):
        lines.append(["Its output", _sentence(state.message or "")])
    return lines


def _why_no_retry(spec: TaskSpec, state: Failed, attempt: int) -> list[list[str]]:
    retry = spec.retry
    if retry is None:
        return []
    if attempt > retry.max_retries:
        made = retry.max_retries + 1
        return [["Why it isn't retried", f"{'Both' if made == 2 else f'All {made}'} attempts failed."]]  # noqa: PLR2004
    error = state.raw_result  # as it is: `result` would load what is held elsewhere
    if retry.on is not None and not isinstance(error, retry.on):
        return [["Why it isn't retried", f"It is retried on {listed([kind.__name__ for kind in retry.on])} only."]]
    return []


def _why_retrying(spec: TaskSpec, state: Retrying, attempt: int, now: float) -> list[list[str]]:
    most = spec.retry.max_retries + 1 if spec.retry is not None else attempt
    due = f" It comes at {clock(state.start_time.timestamp(), now)}." if state.start_time is not None else ""
    failure = message(state) or "it failed"
    return [["Why it retries", f"Attempt {attempt - 1} of {most}: {_sentence(failure)}{due}"]]


def _why_cached(state: Cached, now: float) -> list[list[str]]:
    made = f"output of {clock(state.created.timestamp(), now)}" if state.created is not None else "stored output"
    entry = f" (entry {state.entry})" if state.entry is not None else ""
    fits = "was taken" if state.stale_inputs or state.stale_code else "still fits"
    lines = [["Why it did not run", f"Its {made}{entry} {fits}. It is kept {_until(state, now)}."]]
    if state.stale_inputs:
        differences = [f"{name} {shown_change(name, text)}".rstrip() for name, text in state.stale_inputs.items()]
        lines.append(["Mind", f"That output was made from other inputs: {', '.join(differences)}."])
    if state.stale_code:
        lines.append(["Mind", "Its code has changed since that output was made."])
    return lines


def cached_note(state: Cached, now: float, *, has_run: bool) -> str:
    """Return what stands beside an output in the cache; `has_run` as in `note`."""
    if state.stale_inputs:
        return "made from other inputs"
    if state.stale_code:
        return "code changed since"
    if has_run:
        return f"kept {_until(state, now)}"
    return FROM_CACHE if state.created is not None or state.entry is not None else ""


def _until(state: Cached, now: float) -> str:
    """Return until when an output is valid; the last representable day means for ever."""
    if state.expiry is None or state.expiry.year >= _FOR_GOOD:
        return "for good"
    return f"until {clock(state.expiry.timestamp(), now)}"


def _why_pending(spec: TaskSpec, state: State, states: Callable[[str], State | None]) -> list[list[str]]:
    if isinstance(state, Queued):
        return [["Why it waits", _sentence(state.message or "a limit on how many run at once holds it back")]]
    waited = [key for key in spec.upstream if not _is_finished(states(key))]
    return [["What it waits for", f"{listed(waited)}."]] if waited else []


def _is_finished(state: State | None) -> bool:
    return state is not None and state.is_finished()


def _pause_note(state: Paused, now: float) -> str:
    if state.start_time is not None:
        return f"until {clock(state.start_time.timestamp(), now)}"
    text = f"waits for {state.asks or 'a person'}"
    if state.deadline is None:
        return text
    due = state.deadline.timestamp()
    return f"{text}, until {clock(due, now)}" if due > now else f"{text} since {clock(state.at, now)}: overdue"


def _until_when(state: Paused, now: float) -> list[list[str]]:
    lines = [["Who is asked", state.asks]] if state.asks else []
    if state.deadline is None:
        return lines
    return [*lines, ["Until when", _sentence(deadline_note(state.deadline.timestamp(), state.otherwise, now))]]


def _paused_reason(spec: TaskSpec, state: Paused, now: float) -> str:
    if state.start_time is not None:
        return f"Until {clock(state.start_time.timestamp(), now)}."
    if spec.is_manual:
        return f"Its trigger is {trigger_name(spec)}: only a person starts it."
    return _sentence(state.message or "its task asked for a person")


def _trigger_note(spec: TaskSpec, states: Callable[[str], State | None]) -> str:
    wrong = _unsuccessful(spec, states)
    if trigger_name(spec) in {"any_failed", "all_failed", "some_failed"} and not wrong:
        return "nothing above it failed"
    return outcomes(wrong) if wrong else f"{trigger_name(spec)} did not pass"


def _trigger_reason(spec: TaskSpec, states: Callable[[str], State | None]) -> str:
    wrong = _unsuccessful(spec, states)
    return f"Its trigger {trigger_name(spec)} did not pass: {outcomes(wrong) or 'nothing above it failed'}."


def outcomes(wrong: Sequence[tuple[str, str]]) -> str:
    """Return what became of tasks, given with their states' names: "parse[17] and parse[151] failed, load was cancelled"."""
    by_verb: dict[str, list[str]] = {}
    for key, name in wrong:
        by_verb.setdefault(_ENDED.get(name, name), []).append(key)
    return ", ".join(f"{listed(keys)} {_agreeing(verb, len(keys))}" for verb, keys in by_verb.items())


def _agreeing(verb: str, count: int) -> str:
    return verb.replace("was ", "were ") if count > 1 else verb


def _unsuccessful(spec: TaskSpec, states: Callable[[str], State | None]) -> list[tuple[str, str]]:
    """Return what didn't succeed right above a task, children of mapped tasks one by one, with the names of their states."""
    found: list[tuple[str, str]] = []
    for key in spec.upstream:
        state = states(key)
        if isinstance(state, Mapped):
            found += _unsuccessful_children(key, state, states)
        elif state is not None and not state.is_successful():
            found.append((key, type(state).__name__))
    return found


def _unsuccessful_children(key: str, mapped: Mapped, states: Callable[[str], State | None]) -> list[tuple[str, str]]:
    children = zip_longest(child_keys(key, mapped.n_map_states), mapped.map_states)
    known = ((child, states(child) or state) for child, state in children)
    return [(child, type(state).__name__) for child, state in known if state is not None and not state.is_successful()]


def _skip_note(spec: TaskSpec, state: Skipped, states: Callable[[str], State | None]) -> str:
    skipped = [key for key in spec.upstream if isinstance(states(key), Skipped)]
    if skipped and spec.skip_on_upstream_skip:
        return f"{listed(skipped)} {'was' if len(skipped) == 1 else 'were'} skipped"
    return state.message or ""


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "…", "!", "?")) else f"{text}."
