"""What is told about a run: its graph, the snapshot of its states, the details of a task, its picture.

Reads only. The projection behind it belongs to the patch feed, under whose lock it is read.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from flowbook.draw.node_parts import alt_text
from flowbook.draw.svg import svg
from flowbook.engine.secret_inputs import secret_inputs
from flowbook.engine.state import Cached, Crashed, Paused, Pending, Running
from flowbook.engine.state_kinds import NEEDS_ATTENTION
from flowbook.engine.stopping import cancelled_by
from flowbook.engine.task_keys import parent_key
from flowbook.notebook import view_model as wire
from flowbook.notebook.drawing import drawing_of, tells_of_rows
from flowbook.notebook.kept_run import MOST_DETAILS, brief, keep, leaving
from flowbook.notebook.task_details import Inspected, details
from flowbook.notebook.value_access import RunValues
from flowbook.report import phrases
from flowbook.report.error_view import describe_error
from flowbook.report.parameter_text import parameter_text
from flowbook.report.secret_names import shown_text, shown_texts, shown_urls, shown_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.draw.grouping import GroupBy
    from flowbook.engine.events import Decided
    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.flow_run.changed_inputs import ChangedInput
    from flowbook.flow_run.reuse import RanTask
    from flowbook.notebook.drawing import Drawing
    from flowbook.notebook.panel_actions import PanelActions
    from flowbook.notebook.patch_feed import PatchFeed
    from flowbook.notebook.ports import RunLike

__all__ = ["ShownRun"]

#: Children whose details are in a report, besides those that need attention.
MOST_REPORTED_CHILDREN = 300
_PAST = {"resume": "resumed", "skip": "skipped", "reject": "rejected", "retry": "ran it again", "cancel": "cancelled"}

_DECIDED = {
    "resume": "resumed it",
    "skip": "skipped it",
    "reject": "rejected it",
    "retry": "had it run again",
    "cancel": "cancelled it",
}


class ShownRun:
    """One run, as a panel tells of it.

    Args:
        run: the run.
        feed: holds the projection.
        actions: what the host knows of cells, history and makers.
        notice: a sentence that is shown above the graph.
        like: what was shown before; its layout is taken over if the graph is the same.
    """

    def __init__(
        self, run: RunLike, feed: PatchFeed, actions: PanelActions, notice: str = "", like: ShownRun | None = None
    ) -> None:
        self.run = run
        self.values = RunValues(run, pages=actions.pages, changed=self._changed_inputs)
        self._feed = feed
        self._actions = actions
        self._notice = notice
        #: Keys of the tasks that were edited since, and of those below them.
        self._edits: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._reused = ""
        self._drawing: Drawing = _drawing(run, None if like is None else (like.run.graph, like._drawing))  # noqa: SLF001  # its own kind

    def _changed_inputs(self, key: str) -> Mapping[str, ChangedInput]:
        with self._feed.locked:
            return self._feed.projection.changed_inputs.of(key)

    def mark(self, edited: Sequence[str], stale: Sequence[str]) -> bool:
        """Note which tasks were edited since the run, and which lie below them; return whether that is new."""
        specs = self.run.graph.specs
        found = tuple(key for key in edited if key in specs), tuple(key for key in stale if key in specs)
        before, self._edits = self._edits, found
        return found != before

    def tell_notice(self, text: str) -> bool:
        """Take the sentence that is shown above the graph; return whether that is new."""
        before, self._notice = self._notice, text
        return text != before

    def tell_reuse(self, text: str) -> bool:
        """Say how many tasks ran, and why, in place of the message of a success; return whether that is new."""
        before, self._reused = self._reused, text
        return text != before

    def graph(self) -> dict[str, Any]:
        """Return GRAPH of the wire."""
        graph: dict[str, Any] = wire.plain(wire.graph_view(self.run.graph, self._drawing, self._node_views()))
        return graph

    def regroup(self, by: GroupBy) -> bool:
        """Draw groups of tasks, or every task; return whether that changes the drawing."""
        if by == self._drawing.by:
            return False
        self._drawing = drawing_of(self.run.graph, by, has_rows=self._drawing.has_rows)
        return True

    def make_room_for_rows(self) -> bool:
        """Leave room for rows on the edges from now on; return whether that changes the drawing."""
        if self._drawing.has_rows or self._drawing.groups:
            return False
        self._drawing = drawing_of(self.run.graph, self._drawing.by, has_rows=True)
        return True

    def snapshot(self) -> dict[str, Any]:
        """Return SNAPSHOT of the wire."""
        run, now = self.run_view(), time.time()
        with self._feed.locked:
            return wire.snapshot(self._feed.seq, run, self._feed.projection.tasks(now), now)

    def run_view(self) -> wire.RunView:
        """Return RUN of the wire."""
        run = self.run
        now = run.state
        #: A process that died recorded nothing.
        state = now if isinstance(now, Crashed) else self._feed.projection.flow_state or now
        name, message = self._head(state)
        stage = self.stage()
        return wire.RunView(
            id=run.run_id,
            number="" if run.number is None or stage == "new" else str(run.number),
            state=name,
            message=phrases.shorten(shown_urls(message), 500),
            stage=stage,
            started=run.started,
            ended=None if isinstance(state, Paused) else self._ended(state),
            waits_since=state.at if isinstance(state, Paused) else None,
            rested_s=round(self._feed.projection.rested_s, 3),
            parameters={name: parameter_text(shown_value(name, value)) for name, value in run.parameters.items()},
            executor=run.executor_text,
            notice=" ".join(
                filter(None, (self._notice, phrases.shorten(shown_urls(self._feed.projection.warning), 500)))
            ),
            edited=self._edits[0],
            stale=self._edits[1],
            where=str(getattr(run, "where", "here")),
        )

    def _ended(self, state: State) -> float | None:
        """Return when the run ended; of one whose process died, when that had last recorded anything."""
        if self.run.ended is not None or not isinstance(state, Crashed):
            return self.run.ended
        return max((event.at for event in self.run.events()), default=None)

    def _head(self, state: State) -> tuple[str, str]:
        """Return the run's state in a word, and what there is to say of it."""
        cancelling = self._feed.projection.cancelling
        if cancelling is not None and isinstance(state, Running):
            return "Cancelling", cancelled_by(cancelling.by)
        return type(state).__name__, self._reused if self._reused and state.is_successful() else state.message or ""

    def stage(self) -> wire.Stage:
        """Return how far the run has come, in whichever process."""
        state = self.run.state
        if state.is_finished():
            return "over"
        if isinstance(state, Paused):
            return "waiting"
        is_new = type(state) is Pending and not self.run.is_live and self.run.started is None
        return "new" if is_new else "running"

    def details(self, key: str, *, label: str = "", is_brief: bool = False, may_load: bool = True) -> dict[str, Any]:
        """Return DETAILS of the wire: what the inspector shows about task `key`.

        Args:
            key: of a task or child.
            label: what a child is called.
            is_brief: load no stored value, and look at no other run.
            may_load: load a stored value that has no preview.
        """
        run, now = self.run, time.time()
        projection, state = self._feed.projection, run.states.get(key)
        with self._feed.locked:
            known = projection.state(key) is not None or state is None
            view = projection.task(key, now) if known else projection.child(key, state, now)  # type: ignore[arg-type]
            attempt, decided = projection.attempt(key), projection.decisions(key)
            changed, edit = projection.changed_inputs.of(key), projection.earlier_code.sentence(key, view.width)
        made: dict[str, Any] = wire.plain(
            details(
                Inspected(
                    key=key,
                    graph=run.graph,
                    view=view,
                    attempt=attempt,
                    state_of=run.states.get,
                    preview=self.values.preview if may_load and not is_brief else self.values.stored_preview,
                    describe=self.values.described,
                    error=lambda error: describe_error(
                        error, self._actions.cell_name, getattr(run, "hide", str), secret_inputs(run.graph, key)
                    ),
                    changed=changed,
                    unkept=getattr(run, "why_unkept", lambda _: "")(key),
                    edit=edit,
                    label=label,
                    logs=run.logs(key),
                    history=() if is_brief else self._actions.history(key),
                    earlier=() if is_brief or not _asks(view) else self._earlier(key),
                    ran=None if is_brief else self._why_ran(key, state),
                    maker="" if is_brief else self._maker(state),
                    decisions=tuple(_decision(event, now) for event in decided),
                    now=now,
                )
            )
        )
        return made

    @property
    def is_at_rest(self) -> bool:
        """Whether the run waits for a person or is over."""
        return self.stage() in {"waiting", "over"}

    def kept(self, room_bytes: int, answers: Mapping[str, Any]) -> str:
        """Return what a notebook keeps of the run, packed; of a run that goes on, no details.

        Args:
            room_bytes: how much there is room for.
            answers: to what views ask of the run as a whole.
        """
        snapshot = self.snapshot()
        keys = self._by_weight(snapshot["tasks"])[:MOST_DETAILS] if self.is_at_rest else []
        details = [leaving(brief(self.details(key, is_brief=True))) for key in keys]
        base = {"graph": self.graph(), "snapshot": shown_texts(snapshot), "answers": shown_texts(answers)}
        return keep(base, details, room_bytes)

    def reported(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the DETAILS that a report holds, the most important first. Loads no value.

        Args:
            labels: what children are called, by key.
        """
        keys = self._by_weight(self.snapshot()["tasks"])
        children = [key for key in self.run.states if key not in set(keys) and parent_key(key) != key]
        keys += children[:MOST_REPORTED_CHILDREN]
        made = (self.details(key, label=labels.get(key, ""), may_load=False) for key in keys)
        return [
            leaving({**each, "actions": [], "inputs": [_from_output(given) for given in each["inputs"]]})
            for each in made
        ]

    @property
    def stamp(self) -> str:
        """A text that is the same as long as the run hasn't gone on."""
        state = self._feed.projection.flow_state or self.run.state
        return f"{self.run.run_id}:{type(state).__name__}:{state.at:.6f}"

    def _by_weight(self, tasks: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Return keys of tasks, those first that somebody will want to look at: what needs attention, then the last ones."""
        keys = list(tasks)[::-1]
        urgent = [key for key in keys if tasks[key]["state"] in NEEDS_ATTENTION]
        return [*urgent, *(key for key in keys if key not in set(urgent))]

    def _earlier(self, key: str) -> tuple[wire.EarlierDecision, ...]:
        found = self._actions.decisions_before(key)
        return tuple(wire.EarlierDecision(str(past.number), past.decided.at, _past(past.decided)) for past in found)

    def _why_ran(self, key: str, state: State | None) -> RanTask | None:
        has_run = isinstance(state, Cached) and state.made_here
        return self._actions.why_ran(parent_key(key)) if has_run else None

    def _maker(self, state: State | None) -> str:
        has_entry = isinstance(state, Cached) and state.entry is not None
        return self._actions.maker(state.entry) if has_entry else ""  # type: ignore[union-attr]  # a Cached one

    def state_name(self, key: str) -> str:
        """Return the name of the state that the graph shows."""
        with self._feed.locked:
            known = self._feed.projection.state(key) is not None
            shown = self._feed.projection.task(key, time.time()).state if known else None
        state = self.run.states.get(key)
        return shown or (type(state).__name__ if state is not None else "Pending")

    def picture(self, theme: str = "auto") -> str:
        """Return a static picture of the current state, as SVG text."""
        if theme not in {"auto", "light", "dark"}:
            msg = f"No theme {theme!r}. Take 'auto', 'light' or 'dark'."
            raise ValueError(msg)
        state, caption = self._caption()
        return svg(
            self._drawing.graph,
            self._drawing.layout,
            self._drawing.views(self._node_views()),
            theme=theme,  # type: ignore[arg-type]  # one of the three, as checked above
            standalone=True,
            state=state,
            caption=caption,
        )

    def picture_text(self) -> str:
        """Return the picture's alternative text."""
        state, caption = self._caption()
        return alt_text(self.run.graph, self._node_views(), state=state, caption=caption)

    def _node_views(self) -> dict[str, Any]:
        now = time.time()
        with self._feed.locked:
            views = wire.node_views(self.run.graph, self._feed.projection.tasks(now), now)
        # Pictures are saved with the notebook.
        said = {key: shown_text(view.note) for key, view in views.items()}
        return {
            key: view if said[key] == view.note else dataclasses.replace(view, note=said[key])
            for key, view in views.items()
        }

    def _caption(self) -> tuple[str, str]:
        run = self.run_view()
        waiting = [key for key, view in self._node_views().items() if view.state == "Paused"]
        parts = (
            f"run {run.number}" if run.number else "",
            f"{phrases.listed(waiting)} waits for you" if waiting else "",
        )
        return run.state, ", ".join(part for part in parts if part)


def _drawing(run: RunLike, before: tuple[Graph, Drawing] | None) -> Drawing:
    """Return the drawing of a run's graph: that of the run before if it is the same graph, else one in the same manner."""
    if before is None:
        return drawing_of(run.graph, has_rows=tells_of_rows(run.graph))
    graph, drawing = before
    if run.graph is graph:
        return drawing
    return drawing_of(run.graph, drawing.by, has_rows=drawing.has_rows or tells_of_rows(run.graph))


def _from_output(given: dict[str, Any]) -> dict[str, Any]:
    """Return an input without what is there as another task's output."""
    return {**given, "preview": None} if given["from"] else given


def _decision(event: Decided, now: float) -> str:
    what = _DECIDED.get(event.action, event.action)
    changed = f" with {phrases.changed_inputs(event.changes)}" if event.changes else ""
    note = f": “{phrases.shorten(event.note, 200)}”" if event.note else "."
    return f"{event.by or 'Somebody'} {what}{changed}, {phrases.clock(event.at, now)}{note}"


def _past(event: Decided) -> str:
    """Return a decision of another run, without its time."""
    what = _PAST.get(event.action, event.action)
    changed = f" with {phrases.changed_inputs(event.changes)}" if event.changes else ""
    note = f": “{phrases.shorten(event.note, 200)}”" if event.note else ""
    return f"{event.by or 'somebody'} {what}{changed}{note}"


def _asks(view: wire.TaskView) -> bool:
    return view.state == "Paused" or bool((view.counts or {}).get("Paused"))
