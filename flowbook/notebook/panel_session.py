"""A panel's session: shows a run to whichever views are there, and executes what a person clicks.

It knows no host. What is to be told goes to its `send`, in the feed's thread; what a view says comes to `hear`, which only
queues. Commands are executed by the command worker, in its thread. Both use only the run's public methods.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from flowbook.engine.events import FLOW
from flowbook.engine.secret_inputs import secret_parameter
from flowbook.engine.state import Crashed, Paused
from flowbook.notebook import view_model as wire
from flowbook.notebook.child_labels import ChildLabels
from flowbook.notebook.command_worker import Command, CommandWorker, RefusedError
from flowbook.notebook.panel_actions import PanelActions
from flowbook.notebook.panel_answers import PanelAnswers
from flowbook.notebook.patch_feed import PatchFeed
from flowbook.notebook.row_watch import RowWatch
from flowbook.notebook.run_commands import RunCommands
from flowbook.notebook.run_projection import RunProjection
from flowbook.notebook.shown_run import ShownRun
from flowbook.notebook.value_access import assigned_text, html_of, identifier, page_request
from flowbook.notebook.value_comparison import Comparisons
from flowbook.notebook.view_queries import QUERIES, ViewQueries, grouping_asked_for, run_asked_for, runs_asked_for
from flowbook.report import phrases
from flowbook.report.secret_names import shown_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.notebook.pacer import Pacer
    from flowbook.notebook.patch_feed import Message
    from flowbook.notebook.ports import RunLike

__all__ = ["PanelSession"]


#: A view that inspects a task says so again every 20 s; one that has not for this long is gone.
_SILENT_S = 90.0
_logger = logging.getLogger("flowbook.notebook")


@dataclass(frozen=True, slots=True)
class _Inspection:
    """The task that a view inspects, and when the view said so last, by the panel's clock."""

    key: str
    heard: float


class PanelSession:
    """Shows one run of a flow; `show` points it to another.

    Args:
        run: the run to show.
        actions: what the panel needs from its surroundings.
        notice: a sentence that the panel shows above the graph.
        begin: what a view begins with; "replay": the replay, playing; "plan": the plan of a run.

    `listen` adds a receiver of messages. `start` begins the threads; a test may do their work itself.
    """

    _reads: ClassVar[frozenset[str]] = frozenset({"compare-values", "inspect", "page", "render"}) | QUERIES

    def __init__(self, run: RunLike, actions: PanelActions | None = None, *, notice: str = "", begin: str = "") -> None:
        self._begin = begin
        self._actions = actions or PanelActions()
        #: Who is told, each a function of a message.
        self._receivers: list[Callable[[Message], object]] = []
        self._feed = PatchFeed(self._send, _projection(run), run_view=self._run_plain, on_changed=self._changed)
        self._shown = ShownRun(run, self._feed, self._actions, notice)
        self._queries = ViewQueries(self._feed, lambda: self.run, self._actions.runs)
        self._answers = PanelAnswers(self, self._actions)
        self._commands = RunCommands(self, self._actions)
        handlers = {
            **self._queries.handlers,
            **self._answers.handlers,
            **self._commands.handlers,
            "compare-values": self._on_compare,
            "group": self._on_group,
            "inspect": self._on_inspect,
            "page": self._on_page,
            "render": self._on_render,
            "show-run": self._on_show_run,
            "to-variable": self._on_to_variable,
        }
        versions = self._actions.versions
        self._comparisons = Comparisons(self._version, versions.kept if versions is not None else None)
        self._worker = CommandWorker(self._feed.post, handlers, self._reads)
        #: What each view inspects, and the keys whose details are queued.
        self._inspected: dict[str, _Inspection] = {}
        self._refreshing: set[str] = set()
        self._is_over = False
        #: Where the run was when it was looked for last.
        self._seen_where = ""
        #: Whether the graph was drawn anew: a page may have one from before, of the same run.
        self.is_redrawn = False
        before, maker = self._actions.rows_before, self._actions.maker
        self._rows = RowWatch(self._feed, self._worker.call, before, maker, self._make_room_for_rows)
        self._unsubscribe = self._attach(run)

    def start(self, pacer: Pacer | None = None) -> None:
        """Begin to send, in the thread of `pacer` or one of its own, and to execute in another."""
        self._feed.start(pacer)
        self._worker.start()

    @property
    def run(self) -> RunLike:
        """The run that is shown."""
        return self._shown.run

    @property
    def graph(self) -> dict[str, Any]:
        """GRAPH of the wire, as of now."""
        return self._shown.graph()

    @property
    def snapshot(self) -> dict[str, Any]:
        """SNAPSHOT of the wire, as of now."""
        return self._shown.snapshot()

    @property
    def stage(self) -> wire.Stage:
        """How far the run has come, in whichever process."""
        return self._shown.stage()

    @property
    def is_cancelling(self) -> bool:
        """Whether somebody has cancelled the run, and it goes on to its end."""
        return self._feed.projection.cancelling is not None

    @property
    def is_at_rest(self) -> bool:
        """Whether the run waits for a person or is over."""
        return self._shown.is_at_rest

    @property
    def stamp(self) -> str:
        """A text that is the same as long as the run hasn't gone on, in whichever process."""
        return self._shown.stamp

    def kept(self, room_bytes: int) -> str:
        """Return what a notebook keeps of the run. To be called in the worker's thread, or before there is one."""
        return self._shown.kept(room_bytes, self._queries.kept() if self.is_at_rest else {})

    def reported(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return GRAPH, SNAPSHOT and answers for a report, and the DETAILS of tasks. Before `start`, or in the worker."""
        answers = self._queries.kept(whole=True)
        labels = {row["key"]: row["label"] for view in answers["children"].values() for row in view["rows"]}
        base = {"graph": self.graph, "snapshot": shown_texts(self.snapshot), "answers": shown_texts(answers)}
        return base, self._shown.reported(labels)

    def listen(self, receiver: Callable[[Message], object]) -> Callable[[], None]:
        """From now on tell `receiver` every message, in the feed's thread; returns a function that ends this."""
        self._receivers.append(receiver)
        return lambda: self._receivers.remove(receiver) if receiver in self._receivers else None

    def answer_here(self) -> None:
        """From now on send in the caller's context: that of a view's message, where its host needs that."""
        self._feed.hello()

    def tell(self, message: Message) -> None:
        """Send a message to all receivers, in order with the others."""
        self._feed.post(message)

    def hear(self, content: object) -> None:
        """Take what a view said, and return at once."""
        if isinstance(content, dict) and content.get("type") == "hello":
            self._feed.post({"type": "ack", "id": content.get("id"), "ok": True, "text": ""})
            self._feed.call(lambda: self._send({"type": "snapshot", **self._shown.snapshot(), "begin": self._begin}))
            return
        self._worker.take(content)

    def show(self, run: RunLike, notice: str = "") -> None:
        """Show `run` from now on, e.g. because the cell ran again or a paused run was resumed."""
        before = self._shown
        self._unsubscribe()
        shown = ShownRun(run, self._feed, self._actions, notice, like=before)
        shown.mark(*self._actions.edits(run))
        with self._feed.locked:
            self._shown = shown
            self._answers.clear()
            self._feed.replace(_projection(run))
        self._unsubscribe = self._attach(run)
        if run.graph is not before.run.graph:
            self._send_graph()
        self._feed.call(lambda: self._send({"type": "snapshot", **self._shown.snapshot()}))
        for key in self._inspected_keys():
            # It may have changed before this run was listened to.
            self.inspect_again(key)

    def mark(self, edited: Sequence[str], stale: Sequence[str]) -> None:
        """Tell which tasks were edited since the run, and which lie below these."""
        if self._shown.mark(edited, stale):
            self._feed.touch(FLOW)

    def refresh(self) -> None:
        """Tell of the run as a whole again: who has it may have changed without an event, and its process may have died."""
        self._feed.touch(FLOW, *self._broken_off())

    def _broken_off(self) -> tuple[str, ...]:
        """Note it if the run's process has died; return the keys of the tasks that are told in another way then."""
        if not isinstance(self.run.state, Crashed):
            return ()
        with self._feed.locked:
            return self._feed.projection.break_off()

    def look(self) -> None:
        """Check whether another process has taken over a run at rest, and follow it if so. Call it in one thread only."""
        where = str(getattr(self.run, "where", "here"))
        before, self._seen_where = self._seen_where, where
        if before not in {"", where}:
            self.refresh()

    def tell_notice(self, text: str) -> None:
        """Show a sentence above the graph."""
        if self._shown.tell_notice(text):
            self._feed.touch(FLOW)

    def tell_reuse(self, text: str) -> None:
        """Say how many of the run's tasks ran, and why."""
        if self._shown.tell_reuse(text):
            self._feed.touch(FLOW)

    def picture(self, theme: str = "auto") -> str:
        """Return a static picture of the current state, as SVG text."""
        return self._shown.picture(theme)

    def picture_text(self) -> str:
        """Return the picture's alternative text."""
        return self._shown.picture_text()

    def drain(self, timeout_s: float = 2.0) -> bool:
        """Wait until everything known is sent to the views. Return False if that takes longer than `timeout_s`."""
        is_sent = self._feed.drain(timeout_s) and self._worker.drain(timeout_s)
        return is_sent and self._feed.drain(timeout_s)  # what the worker answered goes out by the feed

    def call(self, job: Callable[[], object]) -> None:
        """Do `job` in the worker's thread, in order with commands."""
        self._worker.call(job)

    def close(self) -> None:
        """Send what is left and end the threads. Calling it again does nothing."""
        if self._is_over:
            return
        self._is_over = True
        self._unsubscribe()
        self._worker.close()
        self._feed.close()

    # Commands, executed in the worker's thread.

    def _on_show_run(self, command: Command) -> str:
        run_id = run_asked_for(command)
        if run_id == self.run.run_id:
            return ""
        run = self._actions.open_run(run_id)
        self.show(run)
        return f"Run {run.number} of {run.flow_name} is shown."

    def _on_group(self, command: Command) -> str:
        by = grouping_asked_for(command)
        if self._shown.regroup(by):
            self._send_graph()
        return ""

    def _on_inspect(self, command: Command) -> str:
        view, key = str(command.get("view", "")), command.get("key")
        before = self._inspected.pop(view, None)
        if key is None:
            return ""
        self.check_known(key)
        self._inspected[view] = _Inspection(key, self._actions.clock())
        is_known = command.get("again") is True and before is not None and before.key == key
        if not is_known:
            self._send_details(key)
        return ""

    def _on_page(self, command: Command) -> str:
        key, what = self._source(command.get("source"))
        page = self._shown.values.page(key, what, page_request(command))
        self._feed.post({"type": "page", "id": command["id"], "frame": page})
        return ""

    def _on_render(self, command: Command) -> str:
        html = html_of(self._shown.values.value(*self._source(command.get("source"))))
        self._feed.post({"type": "rendered", "id": command["id"], "html": html})
        return ""

    def _on_compare(self, command: Command) -> str:
        self._refuse_secrets(command)
        self._feed.post(self._comparisons.answer(command))
        return ""

    def _refuse_secrets(self, command: Command) -> None:
        """Refuse to compare what a parameter was whose name sounds secret. Raises RefusedError."""
        for asked in (command.get("first"), command.get("second")):
            key = asked.get("key") if isinstance(asked, dict) else None
            if isinstance(key, str) and (name := secret_parameter(self.run.graph, key)):
                msg = f"{name} isn't compared: its name sounds secret."
                raise RefusedError(msg)

    def _version(self, source: Mapping[str, Any]) -> object:
        """Return what a task gave in a run: the one that is shown, or another. Raises RefusedError."""
        key, run_id = source.get("key"), source.get("run")
        self.check_known(key)
        if self._actions.versions is not None:
            return self._actions.versions.load(source)
        if run_id in {None, self.run.run_id}:
            return self._shown.values.value(str(key), "output")
        return self._actions.output(str(run_id), str(key))

    def _on_to_variable(self, command: Command) -> str:
        if command.get("what") == "difference":
            wanted = f"{identifier(str(command['second'].get('key')))}_difference"
            return assigned_text(wanted, self._actions.assign(wanted, self._comparisons.difference(command)))
        if command.get("what") == "comparison":
            wanted = f"{identifier(self.run.flow_name)}_differences"
            return assigned_text(wanted, self._actions.assign(wanted, self._actions.compared(*runs_asked_for(command))))
        key, what = self._source(command)
        value = self._shown.values.value(key, what)
        wanted = identifier(key if what == "output" else what.removeprefix("input:"))
        return assigned_text(wanted, self._actions.assign(wanted, value))

    # What the handlers need to know.

    def _parent(self, key: str) -> str | None:
        return self._feed.projection.parent(key)

    def check_known(self, key: object) -> None:
        """Refuse what is no task of the run. Raises RefusedError."""
        if not isinstance(key, str) or (key not in self.run.graph.specs and self._feed.projection.parent(key) is None):
            msg = f"{self.run.flow_name} has no task {phrases.shorten(str(key), 80)!r}."
            raise RefusedError(msg)

    def state_name(self, key: str) -> str:
        """Return the name of a task's state, as it is shown."""
        return self._shown.state_name(key)

    def _source(self, source: object) -> tuple[str, str]:
        key, what = (source.get("key"), source.get("what", "output")) if isinstance(source, dict) else (None, "")
        self.check_known(key)
        if not isinstance(what, str) or not (what == "output" or what.startswith("input:")):
            msg = f"A task has its output and its inputs, not {phrases.shorten(str(what), 80)!r}."
            raise RefusedError(msg)
        return str(key), what

    def follow(self, act: Callable[[], object]) -> None:
        """Call `act`, which makes the run go on, and show the run that results."""
        was_live = self.run.is_live
        following = act()
        if following is not None and following is not self.run and hasattr(following, "run_id"):
            self.show(following)  # type: ignore[arg-type]  # a run, as its id says
        elif not was_live:
            self.show(self.run)

    # Messages to views, all sent in the feed's thread.

    def _attach(self, run: RunLike) -> Callable[[], None]:
        """Subscribe first, then load the past: nothing gets lost in between, and duplicates are ignored."""
        unsubscribe = run.subscribe(self._feed)
        events, states = run.events(), dict(run.states)
        with self._feed.locked:
            self._feed.projection.load(events, states)
            for key, progress in run.progress().items():
                self._feed.projection.progressed(key, progress)
        if isinstance(run.state, Crashed):
            with self._feed.locked:
                self._feed.projection.break_off()
        self._rows.restart()
        return unsubscribe

    def _make_room_for_rows(self) -> None:
        if self._shown.make_room_for_rows():
            self._send_graph()

    def _send_graph(self) -> None:
        self.is_redrawn = True
        self._feed.call(lambda: self._send({"type": "graph", "graph": self._shown.graph()}))

    def _send(self, message: Message) -> None:
        for receiver in list(self._receivers):
            try:
                receiver(message)
            except Exception:
                _logger.exception("A message could not be sent to the panel; the run goes on.")

    def _changed(self, keys: set[str]) -> None:
        if FLOW in keys and (isinstance(self.run.state, Paused) or self.run.state.is_finished()):
            self._actions.settled(self)
        self._rows.changed(keys)
        for key in self._inspected_keys():
            parent = self._parent(key)
            if (key in keys or parent in keys) and key not in self._refreshing:
                self._refreshing.add(key)
                self._worker.call(lambda key=key: self._send_details(key))  # type: ignore[misc]  # bound now

    def _send_details(self, key: str) -> None:
        self._refreshing.discard(key)
        if key in self._inspected_keys() and (key in self.run.graph.specs or self._parent(key) is not None):
            details = self._shown.details(key, label=self._queries.label(key))
            if self._commands.can_renew(key):
                details["actions"] = ["renew" if each == "invalidate" else each for each in details["actions"]]
            self._feed.post({"type": "details", **details})

    def inspect_again(self, key: str) -> None:
        """Tell what is to be said of a task again, after the command that is being executed."""
        self._worker.call(lambda: self._send_details(key))

    def _inspected_keys(self) -> set[str]:
        """Return the keys that views inspect, except for views that have been silent for too long and so are gone."""
        since = self._actions.clock() - _SILENT_S
        return {found.key for found in list(self._inspected.values()) if found.heard >= since}

    def _run_plain(self) -> Message:
        plain: Message = wire.plain(self._shown.run_view())
        return plain


def _projection(run: RunLike) -> RunProjection:
    """Return the projection of a run, which calls its children by what is known at once of their inputs."""
    labels = ChildLabels(run.graph, run.states)
    return RunProjection(run.graph, labels.of_key)
