"""The commands that start the flow that a panel shows, plan it, and end or retry its run.

Executed in the command worker's thread. With which code a run goes on is the host's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from flowbook.exceptions import ParameterError
from flowbook.flow_run.typed_text import read_like
from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.panel_actions import who_decides
from flowbook.notebook.parts_asked import OF_FLOW, OF_REST, OF_TASK, Asked, What
from flowbook.notebook.view_queries import runs_asked_for
from flowbook.report import phrases
from flowbook.report.parameter_text import parameter_text
from flowbook.report.secret_names import MASK, shown_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from flowbook.notebook.command_worker import Command
    from flowbook.notebook.panel_actions import PanelActions, Started
    from flowbook.notebook.ports import RunLike
    from flowbook.notebook.view_model import Stage

__all__ = ["RunCommands"]


class Commanded(Protocol):
    """The part of a session that the commands need."""

    @property
    def run(self) -> RunLike:
        """The run that is shown."""
        ...

    @property
    def graph(self) -> Mapping[str, Any]:
        """GRAPH of the wire."""
        ...

    @property
    def stage(self) -> Stage:
        """How far the run has come."""
        ...

    @property
    def is_cancelling(self) -> bool:
        """Whether somebody has cancelled it, and it goes on to its end."""
        ...

    def show(self, run: RunLike, notice: str = "") -> None:
        """Show another run."""
        ...

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to the views."""
        ...

    def check_known(self, key: object) -> None:
        """Refuse what is no task of the run. Raises RefusedError."""
        ...

    def inspect_again(self, key: str) -> None:
        """Tell what is to be said of a task again."""
        ...

    def follow(self, act: Callable[[], object]) -> None:
        """Call `act`, which makes the run go on, and show the run that results."""
        ...


class RunCommands:
    """Carries the commands out.

    Args:
        session: of the panel.
        actions: what the panel needs from its host.
    """

    def __init__(self, session: Commanded, actions: PanelActions) -> None:
        self._session = session
        self._actions = actions
        #: What makes the outputs of a task valid again that were invalidated here, by the run's id and the key.
        self._undo: dict[tuple[str, str], Callable[[], str]] = {}

    def can_renew(self, key: str) -> bool:
        """Return whether outputs of a task were invalidated here, so that this can be undone."""
        return (self._session.run.run_id, key) in self._undo

    @property
    def handlers(self) -> dict[str, Callable[[Command], str]]:
        """The handlers of the commands."""
        return {
            "run": self._on_run,
            "only-changed": lambda _: self._start({}, Asked("only-changed", None, self._session.run)),
            "plan": self._on_plan,
            "menu": self._on_menu,
            "compare": self._on_compare,
            "debug": self._on_debug,
            "invalidate": self._on_invalidate,
            "renew": self._on_renew,
            "cancel": lambda command: self._cancelled(command, now=False),
            "cancel-now": lambda command: self._cancelled(command, now=True),
            "retry": self._on_retry,
            "hand-over": lambda command: self._moved(self._actions.hand_over, command),
            "take-back": lambda command: self._moved(self._actions.take_back, command),
        }

    def _on_run(self, command: Command) -> str:
        return self._start(self._parameters(command.get("parameters") or {}), self._asked(command))

    def _start(self, parameters: Mapping[str, object], asked: Asked) -> str:
        self._refuse_running()
        return self._started(self._actions.run(parameters, asked))

    def _on_plan(self, command: Command) -> str:
        way = next((each for each in OF_REST if each == command.get("what")), None)
        if way is not None:
            return self._planned(command, self._actions.plan_rest(self._session.run, way), way, "")
        asked = self._asked(command)
        plan = self._actions.plan(self._parameters(command.get("parameters") or {}), asked)
        return self._planned(command, plan, asked.what, asked.key or "")

    def _planned(self, command: Command, plan: Mapping[str, Any], what: str, key: str) -> str:
        self._session.tell({"type": "plan", "id": command["id"], "plan": plan, "what": what, "key": key})
        return str(plan.get("summary", ""))

    def _on_menu(self, command: Command) -> str:
        asked = self._asked(command)
        entries = self._actions.menu(self._parameters(command.get("parameters") or {}), asked)
        told = [each._asdict() for each in entries]
        self._session.tell({"type": "menu", "id": command["id"], "key": asked.key or "", "entries": told})
        return ""

    def _known_key(self, command: Command) -> str:
        key = command.get("key")
        self._session.check_known(key)
        return str(key)

    def _on_debug(self, command: Command) -> str:
        """Say which cell opens the debugger; a view that can puts it into the notebook."""
        source, place = self._actions.debug(self._session.run, self._known_key(command))
        opens = f"it opens {place}, with all names as they were"
        if command.get("cell") is not True:
            return f"Run {source} in a cell: {opens}."
        self._session.tell({"type": "cell", "id": command["id"], "source": source})
        return f"Run the cell below: {opens}."

    def _on_invalidate(self, command: Command) -> str:
        run, key = self._session.run, self._known_key(command)
        text, undo = self._actions.invalidate(run, key)
        if undo is not None:
            self._undo[run.run_id, key] = undo
            self._session.inspect_again(key)
        return text

    def _on_renew(self, command: Command) -> str:
        key = self._known_key(command)
        undo = self._undo.pop((self._session.run.run_id, key), None)
        if undo is None:
            msg = f"Nothing of {key} was invalidated here, so there is nothing to undo."
            raise RefusedError(msg)
        self._session.inspect_again(key)
        return undo()

    def _on_compare(self, command: Command) -> str:
        found = self._actions.compare(*runs_asked_for(command))
        self._session.tell({"type": "compare", "id": command["id"], "comparison": found})
        return ""

    def _asked(self, command: Command) -> Asked:
        """Return what of the flow is to run, checked: it comes from the browser."""
        key, what = command.get("key") or None, command.get("what") or "all"
        if key is not None:
            self._session.check_known(key)
        known: set[What] = {*OF_FLOW, *OF_TASK, "below"}
        if what not in known or (what not in OF_FLOW and key is None):
            msg = f"{phrases.shorten(repr(what), 80)} isn't one of {', '.join(sorted(known))}, or names no task."
            raise RefusedError(msg)
        version = command.get("version")
        return Asked(what, key, self._session.run, version if isinstance(version, str) else "")

    def _cancelled(self, command: Command, *, now: bool) -> str:
        session = self._session
        if session.stage not in {"running", "waiting"}:
            msg = f"{session.run.flow_name} doesn't run: it is {type(session.run.state).__name__}."
            raise RefusedError(msg)
        if session.is_cancelling and not now:
            msg = "Already being cancelled: tasks that have started go on to their end."
            raise RefusedError(msg)
        run, by = session.run, who_decides(command, self._actions)
        session.follow(lambda: run.cancel(by=by, now=now))
        if session.run.state.is_finished():
            return "Cancelled."
        return "Stopping what runs." if now else "Cancelling: tasks that have started go on to their end."

    def _on_retry(self, command: Command) -> str:
        note, run, key = command.get("note"), self._session.run, command.get("key")
        said = ""
        if key is not None:
            self._session.check_known(key)
        keys = () if key is None else (str(key),)

        def retry() -> object:
            nonlocal said
            started = self._actions.retry(
                run, who_decides(command, self._actions), note if isinstance(note, str) else "", keys
            )
            said = started.text
            return started.run

        self._session.follow(retry)
        return said

    def _moved(self, move: Callable[[RunLike, str], Started], command: Command) -> str:
        """Let the run go on in another process, or in this one again; it stays the one that is shown."""
        if self._session.stage == "over":
            msg = f"{self._session.run.flow_name} is over: it is {type(self._session.run.state).__name__}."
            raise RefusedError(msg)
        return move(self._session.run, who_decides(command, self._actions)).text

    def _started(self, started: Started) -> str:
        if started.run is not None:
            self._session.show(started.run)
        return started.text or f"{self._session.run.flow_name} runs."

    def _refuse_running(self) -> None:
        if self._session.stage == "running":
            msg = f"{self._session.run.flow_name} is already running. Cancel it first."
            raise RefusedError(msg)

    def _parameters(self, texts: object) -> dict[str, object]:
        """Return the parameters' values: unchanged if the text is as it was shown, masked perhaps, else parsed."""
        if not isinstance(texts, dict):
            msg = f"Parameters come as names and texts, not as {type(texts).__name__}."
            raise RefusedError(msg)
        fields = {field["name"]: field for field in self._session.graph["parameters"]}
        before = self._session.run.parameters
        values: dict[str, object] = {}
        for name, text in texts.items():
            field = fields.get(name, {})
            if name in before and parameter_text(shown_value(name, before[name])) == text:
                values[name] = before[name]
            elif MASK in str(text) and parameter_text(field.get("default")) == text:
                continue  # the flow has it
            elif MASK in str(text):
                msg = f"{name} has {MASK} in place of a secret that isn't shown. Type the whole value."
                raise RefusedError(msg)
            elif str(text).startswith("$"):
                values[name] = self._actions.variable(str(text))
            elif field.get("type") == "str":
                values[name] = str(text)
            else:
                values[name] = self._read(name, str(text), field)
        return values

    def _read(self, name: str, text: str, field: Mapping[str, object]) -> object:
        """Return the value of a text: of the default's kind, or if there is none, preferably of the kind of the run's before."""
        spec = self._session.run.graph.specs.get(name)
        default = getattr(spec.task, "default", None) if spec is not None else None
        if default is not None:
            return default if text == field.get("default") else read_like(name, text, default)
        try:
            return read_like(name, text, self._session.run.parameters.get(name))
        except ParameterError:
            return read_like(name, text, None)
