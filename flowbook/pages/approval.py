"""One decision by a link: what it shows of the task that waits, and how it is carried out, once."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from flowbook.engine.events import StateChanged
from flowbook.engine.secret_inputs import judged_by
from flowbook.engine.state import Paused
from flowbook.engine.task_keys import parent_key
from flowbook.exceptions import ArgumentError, RunClaimedError
from flowbook.flow_run.decision import Decision
from flowbook.flow_run.recorded_decision import decide_recorded
from flowbook.notebook.panel_records import PanelRecords
from flowbook.notebook.value_access import page_request
from flowbook.pages.approval_inputs import changes_of, is_comparable, shown_inputs, waiting_inputs
from flowbook.pages.approved_before import approved_before
from flowbook.pages.stored_run import StoredRun
from flowbook.report.failed_above import instead
from flowbook.report.phrases import changed_inputs, shorten
from flowbook.report.secret_names import shown_text, sounds_secret
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.engine.events import Decided
    from flowbook.pages.hub import Hub
    from flowbook.pages.live_runs import LiveRuns
    from flowbook.store import Store
    from flowbook.store.approval_links import ApprovalLink
    from flowbook.store.records import PastDecision

__all__ = [
    "ANSWERS",
    "Answer",
    "Said",
    "decide_by_link",
    "difference_of_input",
    "find_link",
    "rows_of_input",
    "shown_by_link",
]

Answer = Literal["resume", "skip", "reject"]
ANSWERS: tuple[Answer, ...] = ("resume", "skip", "reject")
_MOST_NOTE, _MOST_NAME = 2000, 100
_NOBODY = "somebody with the link"
#: A decision that wasn't carried out by then never will be, if nobody has the run.
_LOST_S = 60.0
_USED = "This link was used already. It is good for one decision."
_EXPIRED = "This link has expired. Ask for the run's page, or decide in the notebook."


def find_link(store: Store, token: str) -> ApprovalLink | None:
    """Return a link by its token; one that was used in vain is good again. None if there is no such link."""
    link = store.approvals.find(token)
    if link is None or link.used is None or not _is_lost(store, link, time.time() - link.used):
        return link
    store.approvals.give_back(token, link.used)
    return store.approvals.find(token)


def _is_lost(store: Store, link: ApprovalLink, age_s: float) -> bool:
    """Return whether a decision was never carried out: its server died in the middle, and the task waits as before."""
    if age_s < _LOST_S:
        return False
    now = store.history.snapshot(link.run_id)
    changed = [each.seq for each in now.events if isinstance(each, StateChanged) and each.key == link.key]
    return not now.is_owned and changed[-1:] == [link.seq]


def shown_by_link(store: Store, runs: LiveRuns, link: ApprovalLink | None) -> dict[str, Any]:
    """Return what a link shows: the one task that it is about, and nothing else of the run; plain JSON.

    Args:
        store: has the runs.
        runs: the same, as they are shown.
        link: as found by its token; None if there is no such link.
    """
    now = time.time()
    if link is None:
        return {"status": "unknown", "now": now}
    run = runs.now(link.run_id).run
    decided = _decided(run, link)
    status = _status(run, link, decided, now)
    shown = {"status": status, "now": now, "expires": link.expires, **_about(run, link), "decided": decided}
    if status == "waits":
        shown |= {**_inputs_and_past(store, run, link.key), **_deadline(run, link.key)}
        shown["instead"] = shown_text(instead(run.graph, link.key, run.states.get))
    return shown


class Said(NamedTuple):
    """What somebody with a link decides.

    Attributes:
        by: who decides, as they call themselves.
        inputs: texts of the inputs that were changed, by name; only to resume.
    """

    action: Answer
    by: str = ""
    note: str = ""
    inputs: Mapping[str, object] = MappingProxyType({})


def decide_by_link(store: Store, token: str, said: Said) -> None:
    """Carry out the one decision that a link is good for.

    Raises:
        ArgumentError: if there is no such link, a rejection has no note, or an input can't be changed to that.
        RunClaimedError: if the link was used, has expired, or the task doesn't wait any more.
        FlowbookError: if it can't be carried out; the link stays good then.
    """
    link = find_link(store, token)
    if link is None:
        msg = "There is no such link. Copy it whole from the notice."
        raise ArgumentError(msg)
    who, why = " ".join(said.by.split())[:_MOST_NAME] or _NOBODY, said.note.strip()[:_MOST_NOTE]
    if said.action == "reject" and not why:
        msg = "Write a note first: it becomes the message of the failure."
        raise ArgumentError(msg)
    inputs = _changed(store, link, said)
    used = store.approvals.use(token, said.action, who, why)
    if used is None:
        raise RunClaimedError(_USED if link.used is not None else _EXPIRED, key=link.key)
    try:
        decision = Decision(said.action, (link.key,), who, why, inputs)
        decide_recorded(store, link.run_id, decision, waiting=(link.key, link.seq))
    except BaseException:
        store.approvals.give_back(token, used)
        raise


def _changed(store: Store, link: ApprovalLink, said: Said) -> dict[str, object]:
    """Return the inputs that a decision changes. Raises ArgumentError."""
    if not said.inputs:
        return {}
    if said.action != "resume":
        msg = f"A task that is to {said.action} gets no inputs. Leave them as they are."
        raise ArgumentError(msg)
    run = StoredRun(store, link.run_id)
    return changes_of(run, link.key, said.inputs) if _is_waiting(run, link) else {}


def rows_of_input(hub: Hub, link: ApprovalLink, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return a PAGE of a frame that the task would get.

    Raises:
        ArgumentError: if the task doesn't wait any more, or has no such input that is stored.
        FlowbookError: if it can't be read here.
    """
    run = hub.runs.now(link.run_id).run
    is_shown = _is_waiting(run, link) and not sounds_secret(judged_by(run.graph, link.key, name))
    ref = waiting_inputs(run, link.key).get(name) if is_shown else None
    if not is_reference(ref):
        msg = f"{link.key} doesn't wait with an input {shorten(name, 80)!r} whose rows could be shown."
        raise ArgumentError(msg, argument=name)
    return hub.input_tables.page(ref, page_request(dict(asked)))


def difference_of_input(hub: Hub, link: ApprovalLink, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return a DIFF from an input as it was approved last to what the task would get.

    Raises:
        ArgumentError: if the task doesn't wait any more, or that input wasn't another one that can be compared.
        FlowbookError: if it can't be read here.
    """
    run = hub.runs.now(link.run_id).run
    now = waiting_inputs(run, link.key).get(name) if _is_waiting(run, link) else None
    approved = approved_before(hub.store, link.key, _decisions(run, link.key))
    before = None if approved is None else approved.inputs.get(name)
    if not is_comparable(judged_by(run.graph, link.key, name), now, before) or not (
        is_reference(now) and is_reference(before)
    ):
        msg = f"{link.key} doesn't wait with an input {shorten(name, 80)!r} that differs from one that was approved."
        raise ArgumentError(msg, argument=name)
    return hub.input_tables.difference(before, now, dict(asked))


def _status(run: StoredRun, link: ApprovalLink, decided: object, now: float) -> str:
    if link.used is not None:
        return "used"
    if not _is_waiting(run, link):
        return "answered" if decided else "gone"
    return "waits" if now < link.expires else "expired"


def _is_waiting(run: StoredRun, link: ApprovalLink) -> bool:
    return run.waiting_since(link.key) == link.seq


def _about(run: StoredRun, link: ApprovalLink) -> dict[str, Any]:
    spec, state = run.graph.specs.get(parent_key(link.key)), run.states.get(link.key)
    began = next((each for each in run.events() if each.seq == link.seq), None)
    return {
        "flow": run.flow_name,
        "number": run.number,
        "key": link.key,
        "state": "Pending" if state is None else type(state).__name__,
        "run_state": type(run.state).__name__,
        "question": "" if spec is None else spec.question(),
        "since": began.at if began is not None else link.created,
        "after": list(run.graph.children.get(parent_key(link.key), ())),
    }


def _deadline(run: StoredRun, key: str) -> dict[str, Any]:
    state = run.states.get(key)
    if not isinstance(state, Paused):
        return {}
    due = None if state.deadline is None else state.deadline.timestamp()
    return {
        "deadline": due,
        "otherwise": state.otherwise,
        "asks": state.asks,
        "message": shown_text(state.message or ""),
    }


def _earlier(decisions: Sequence[PastDecision]) -> list[dict[str, Any]]:
    """Return what was decided about this task in other runs."""
    return [{"run": past.number, **_told(past.decided)} for past in decisions]


def _decisions(run: StoredRun, key: str) -> Sequence[PastDecision]:
    """Return what was decided about a task in other runs, the newest first."""
    return PanelRecords(run.flow_name, lambda: run, run.record.project).decisions(key)


def _inputs_and_past(store: Store, run: StoredRun, key: str) -> dict[str, Any]:
    decisions = _decisions(run, key)
    approved = approved_before(store, key, decisions)
    told = None if approved is None else {"run": approved.number, "at": approved.at, "by": approved.by}
    return {"inputs": shown_inputs(run, key, approved), "approved": told, "earlier": _earlier(decisions)}


def _decided(run: StoredRun, link: ApprovalLink) -> dict[str, Any] | None:
    """Return who decided what since the task began to wait: with this link, or in another way."""
    if link.used is not None and link.action is not None:
        return {
            "action": link.action,
            "by": link.by or "",
            "note": link.note or "",
            "at": link.used,
            "changed": next((_told(each)["changed"] for each in run.decisions_since(link.key, link.seq)), ""),
            "here": True,
        }
    found = run.decisions_since(link.key, link.seq)
    return {**_told(found[0]), "here": False} if found else None


def _told(event: Decided) -> dict[str, Any]:
    changed = changed_inputs(event.changes) if event.changes else ""
    return {"action": event.action, "by": event.by, "note": event.note, "at": event.at, "changed": changed}
