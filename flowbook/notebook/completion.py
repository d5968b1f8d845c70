"""What Tab proposes on the line of a magic: actions, flows, runs, tasks, options and parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from IPython.core.completer import SimpleCompletion, context_matcher

from flowbook.exceptions import FlowbookError
from flowbook.notebook.arguments import EXECUTORS, parse_value
from flowbook.notebook.line_actions import ACTIONS, written
from flowbook.report.parameter_text import written as written_value
from flowbook.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from flowbook.core.flow import Flow
    from flowbook.notebook.line_actions import Action
    from flowbook.notebook.notebook_flows import NotebookFlows

__all__ = ["Completion"]

_MAGICS = ("%%flow", "%flow", "%cache")
_RUNS_AT_MOST = 20
#: Options whose value is a task.
_TAKING_TASKS = frozenset({"--below", "--from", "--start-at", "--only", "--up-to"})
_ID_LENGTH = 8
#: Runs that are named by their place.
_LAST = ("last", "'last failed'")


class Completion:
    """Completes the lines of flowbook's magics.

    Args:
        flows: of the notebook.
        options: by magic the options that it takes, as they are written.
    """

    def __init__(self, flows: NotebookFlows, options: dict[str, Sequence[str]]) -> None:
        self._flows = flows
        self._options = options
        self._match = self._matcher()

    def install(self, shell: InteractiveShell) -> None:
        """Have the shell ask for what comes after these magics."""
        shell.Completer.custom_matchers.append(self._match)

    def remove(self, shell: InteractiveShell) -> None:
        """Undo `install`."""
        matchers = shell.Completer.custom_matchers
        matchers[:] = [each for each in matchers if each is not self._match]

    def _matcher(self) -> Callable[[CompletionContext], SimpleMatcherResult]:
        def match(context: CompletionContext) -> SimpleMatcherResult:
            line = context.text_until_cursor.lstrip()
            magic = line.split(maxsplit=1)[0] if line else ""
            is_ours = magic in _MAGICS and line[len(magic) :][:1].isspace()
            found = self.propose(magic, line[len(magic) :]) if is_ours else []
            typed = re.split(r"[\s=]", line)[-1]
            return {
                "completions": [SimpleCompletion(text, type="flowbook") for text in found],
                "matched_fragment": typed,
                "suppress": is_ours and bool(found),
            }

        made: Callable[[CompletionContext], SimpleMatcherResult] = context_matcher(identifier="flowbook")(match)
        return made

    def propose(self, magic: str, line: str) -> list[str]:
        """Return what may stand at the end of `line`, the text after the magic's name and before the cursor."""
        words = line.split()
        typed = words.pop() if line and not line[-1].isspace() and words else ""
        before = words[-1] if words else ""
        try:
            found = {"%%flow": self._of_cell, "%flow": self._of_line, "%cache": self._of_cache}[magic](
                words, before, typed
            )
        except FlowbookError:
            return []
        return sorted({each for each in found if each.lower().startswith(typed.rpartition("=")[2].lower())})

    def _of_cell(self, words: Sequence[str], before: str, typed: str) -> Iterable[str]:
        flow = self._flows.find(words[0]) if words else None
        values = _values_of(before, flow, typed)
        if values is not None:
            return values
        return self._flows.names() if not words and not typed.startswith("-") else self._options["%%flow"]

    def _of_line(self, words: Sequence[str], before: str, typed: str) -> Iterable[str]:
        if not words:
            return ACTIONS
        action = ACTIONS.get(words[0])
        if action is None:
            return ()
        if typed.startswith("-"):
            return [written(option) for option in action.options]
        flow = self._flows.find(words[1]) if len(words) > 1 else None
        values = _values_of(before, flow, typed)
        return (
            self._names(action, [word for word in words if not word.startswith("-")], flow)
            if values is None
            else values
        )

    def _names(self, action: Action, words: Sequence[str], flow: Flow | None) -> Iterable[str]:
        """Return what an action takes after these words."""
        if action.usage == "on|off":
            return ("on", "off")
        if action.usage.startswith("FILE"):
            return self._of_export(words)
        if len(words) == 1:
            return [*self._flows.names(), *([] if action.usage.startswith("FLOW") else self._runs())]
        return _tasks(flow) if "TASK" in action.usage else ()

    def _of_export(self, words: Sequence[str]) -> Iterable[str]:
        """Return files that one may write, and after one what may be written into it."""
        if len(words) == 1:
            return [*(f"{name}.py" for name in self._flows.names()), "report.html"]
        return [*self._flows.names(), *(self._runs() if words[1].endswith(".html") else ())]

    def _of_cache(self, words: Sequence[str], before: str, typed: str) -> Iterable[str]:
        del before
        if typed.startswith("-"):
            return self._options["%cache"]
        return () if words else {task for _, task in open_store().browse().names()}

    @staticmethod
    def _runs() -> list[str]:
        found = open_store().runs.list(limit=_RUNS_AT_MOST)
        return [*{run.flow for run in found}, *(run.run_id[:_ID_LENGTH] for run in found), *_LAST]


def _values_of(option: str, flow: Flow | None, typed: str) -> Iterable[str] | None:
    """Return what may stand after an option; None if `option` is none whose values are known."""
    known: dict[str, Callable[[], Iterable[str]]] = {
        "--executor": lambda: EXECUTORS,
        "--of": lambda: _numbers(flow),
        "--on": _places,
        "--param": lambda: _parameters(flow, typed),
        "--timezone": available_timezones,
        **dict.fromkeys(_TAKING_TASKS, lambda: _tasks(flow)),
    }
    return known[option]() if option in known else None


def _places() -> Iterable[str]:
    from flowbook.flow_runners import PLACES  # noqa: PLC0415  # only where somebody asks

    return [place.partition("IMAGE")[0] for place in PLACES]


def _numbers(flow: Flow | None) -> Iterable[str]:
    """Return the numbers of the newest runs of a flow."""
    return (
        () if flow is None else [str(run.number) for run in open_store().runs.list(flow=flow.name, limit=_RUNS_AT_MOST)]
    )


def _tasks(flow: Flow | None) -> Iterable[str]:
    return () if flow is None else [key for key, spec in flow.compile().specs.items() if not spec.is_parameter]


def _parameters(flow: Flow | None, typed: str) -> Iterable[str]:
    """Return the parameters that one may give; after `name=` its default, as far as it is one word."""
    if flow is None:
        return ()
    if "=" not in typed:
        return [f"{each.name}=" for each in flow.parameters()]
    defaults = [
        each.default for each in flow.parameters() if each.name == typed.partition("=")[0] and not each.required
    ]
    texts = [
        written_value(each) or (str(each) if parse_value(str(each), {}) == each else repr(each)) for each in defaults
    ]
    return [text for text in texts if len(text.split()) == 1]
