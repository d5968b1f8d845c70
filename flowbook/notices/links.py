"""What a notice says of tasks that wait beside their state: what they ask, and links to answer them without a login."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from flowbook import config
from flowbook.engine.task_keys import parent_key

if TYPE_CHECKING:
    from flowbook.store import Store
    from flowbook.store.notices import RunToTellOf, TaskToTellOf

__all__ = ["with_links", "with_questions"]

_DAY_S = 86_400.0
#: A notice of more tasks than this has links to its run only.
_MOST_LINKS = 20


def with_links(store: Store, run: int, found: RunToTellOf, url: str) -> RunToTellOf:
    """Return what a notice says of a run, each waiting task with a link of its own.

    Args:
        store: has the run, and keeps what each link is good for.
        run: the run's key in the database.
        found: as read for the notice.
        url: address of the pages.

    Raises:
        StoreError: if links can't be kept.
    """
    days = config.approval_days()
    parents = {parent_key(task.key) for task in found.tasks if parent_key(task.key) != task.key}
    asked = [task for task in found.tasks if task.key not in parents]
    if not days or len(asked) > _MOST_LINKS or store.is_read_only:
        return found
    links = {task.key: _link(store, run, task, url, days) for task in asked}
    return found._replace(tasks=tuple(task._replace(link=links.get(task.key, "")) for task in found.tasks))


def with_questions(store: Store, found: RunToTellOf) -> RunToTellOf:
    """Return what a notice says of a run, each waiting task with what it asks in place of why it waits.

    Raises:
        FlowbookError: if the run can't be read.
    """
    graph = store.runs.get(found.run_id).graph
    questions = {task["key"]: task["question"] for task in graph.get("tasks", ()) if task.get("question")}
    asked = (
        task._replace(body={**task.body, "message": question})
        if (question := questions.get(parent_key(task.key)))
        else task
        for task in found.tasks
    )
    return found._replace(tasks=tuple(asked))


def _link(store: Store, run: int, task: TaskToTellOf, url: str, days: int) -> str:
    deadline = task.body.get("deadline")
    expires = deadline if isinstance(deadline, int | float) else store.now_s() + days * _DAY_S
    return f"{url}/approve/{quote(store.approvals.make(run, task.key, task.seq, float(expires)))}"
