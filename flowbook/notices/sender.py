"""Sends the notices of a store: each is claimed, sent in a thread of its own, and settled.

At most once: a claim that nobody settled, because its process died or its receiver hangs, isn't sent again but said in the
run's log. What certainly didn't arrive is sent again, later and later, by whichever process comes by.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, cast

from flowbook import config
from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock
from flowbook.engine.masks import Masks
from flowbook.exceptions import FlowbookError
from flowbook.notices.attempts import EXIT_S, Attempts, load_for_the_end
from flowbook.notices.delivery import TIMEOUT_S, NotDeliveredError, deliver
from flowbook.notices.links import with_links, with_questions
from flowbook.notices.notice import make_notice
from flowbook.notices.receiver import receiver_of
from flowbook.report.phrases import duration
from flowbook.results.reference import ResultRef
from flowbook.store.notices import WAITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.notices.receiver import To
    from flowbook.store import Store
    from flowbook.store.notices import DueNotice

__all__ = ["BACK_OFF_S", "NoticeSender", "send_pending", "sender_of"]

#: How long after each attempt that failed the next one comes.
BACK_OFF_S = (30.0, 120.0, 600.0, 3600.0, 4 * 3600.0, 12 * 3600.0)
#: Tasks that begin to wait within this time are told of together.
_GATHER_S = 0.3
#: A claim that nobody has settled after this time never will be.
_CLAIM_S = 2 * TIMEOUT_S + 60.0
_LONGEST_PAUSE_S = 600.0
_ABANDONED = (
    "the process that sent it ended before it could note an answer, so it may or may not have been delivered; "
    "it isn't sent again"
)
_log = logging.getLogger("flowbook.notices")


class NoticeSender:
    """Sends the notices of one store from this process. From any thread.

    Args:
        store: the store. The sender goes on only as long as somebody else holds it.
    """

    def __init__(self, store: Store) -> None:
        self._store = weakref.ref(store)
        self._pid = os.getpid()
        self._attempts = Attempts()
        #: Functions that runs of this process have as receivers, by their form in the store.
        self._functions: dict[str, Callable[..., object]] = {}
        self._woken = threading.Event()
        self._is_ending = threading.Event()
        #: Set while the thread has nothing to look for.
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._thread: threading.Thread | None = None
        self._lock = RankedLock(Rank.NOTICES)
        atexit.register(self.finish)

    def wake(self, functions: Mapping[str, Callable[..., object]]) -> None:
        """Send what there is to send soon, in the background, and what fails again later; return at once.

        Args:
            functions: those that this process has as receivers, by their form in the store.
        """
        load_for_the_end()
        with self._lock:
            self._functions.update(functions)
            self._is_idle.clear()
            self._woken.set()
            if self._thread is None:
                try:
                    self._thread = threads.spawn(self._work, name="notices", owner=self)
                except RuntimeError:
                    self._is_idle.set()  # Python is ending; another process sends them

    def send_due(self, now: float) -> int:
        """Begin to send what is due at `now` (seconds since the epoch); return how many. Waits for no receiver.

        Raises:
            StoreError: if the store can't be read or written.
        """
        store = self._store()
        if store is None:
            return 0
        self._attempts.leave_hanging()
        store.notices.give_up(now, _ABANDONED)
        found = store.notices.due(now, self._attempts.free)
        return sum(self._begin(store, notice, now) for notice in found)

    def wait(self, timeout: float) -> bool:
        """Wait until nothing is being sent, at most `timeout` seconds; return whether nothing is."""
        deadline = time.monotonic() + timeout
        return self._is_idle.wait(timeout) and self._attempts.wait(max(0.0, deadline - time.monotonic()))

    def finish(self) -> None:
        """Send what is to be sent now, because the process ends; wait for it, but not for long."""
        if self._pid != os.getpid():
            return
        self._is_ending.set()
        self._woken.set()
        self.wait(EXIT_S)

    # The thread that sends what runs of this process caused, and tries again

    def _work(self) -> None:
        while True:
            self._is_ending.wait(_GATHER_S)
            self._woken.clear()
            try:
                self.send_due(time.time())
                pause_s = self._pause_s()
            except Exception as error:  # noqa: BLE001  # the thread must go on, or say that it has nothing to do
                store = self._store()
                if store is not None and not store.is_closed:
                    _log.warning("Notices can't be sent now: %s", error)
                pause_s = BACK_OFF_S[0]
            if self._rest(pause_s):
                return
            self._woken.wait(pause_s)

    def _rest(self, pause_s: float | None) -> bool:
        """Say that there is nothing to look for now; return whether the thread ends."""
        with self._lock:
            if self._woken.is_set() and not self._is_ending.is_set():
                return False
            self._is_idle.set()
            store = self._store()
            if pause_s is None or store is None or store.is_closed:
                self._thread = None
                return True
            return False

    def _pause_s(self) -> float | None:
        """Return for how long there is nothing to do; None: until somebody wakes the thread."""
        store, deadline = self._store(), self._attempts.next_deadline
        due = None if store is None else store.notices.next_due()
        pauses = [] if due is None else [due - time.time()]
        pauses += [] if deadline is None else [min(deadline - time.monotonic(), TIMEOUT_S)]
        return min(max(0.1, min(pauses)), _LONGEST_PAUSE_S) if pauses else None

    # One notice

    def _begin(self, store: Store, notice: DueNotice, now: float) -> bool:
        token = os.urandom(16).hex()
        seq = store.notices.claim(notice, token, now + _CLAIM_S)
        if seq is None:
            return False
        self._attempts.begin(
            lambda: self._deliver(store, notice, seq, token),
            lambda error: _settle(store, notice, token, error),
            notice.run_id[:8],
        )
        return True

    def _deliver(self, store: Store, notice: DueNotice, seq: int, token: str) -> None:
        found = store.notices.run_to_tell_of(notice.run, notice.cause, seq)
        if notice.cause == WAITS and not found.tasks:
            store.notices.settle(token)  # somebody has answered meanwhile
            return
        to, url = self._to(store, notice), config.public_url()
        if notice.cause == WAITS:
            found = with_questions(store, found)
            found = found if url is None else with_links(store, notice.run, found, url)
        deliver(to, make_notice(found, notice.cause, Masks.around(None).text, url))

    def _to(self, store: Store, notice: DueNotice) -> To:
        spec = json.loads(notice.spec)
        if "function" not in spec:
            return receiver_of(notice.spec)
        if (function := self._functions.get(notice.spec)) is not None:
            return function
        if "digest" not in spec:
            reason = f"the function {spec['function']} was in a process that has ended, and can't be stored: {spec['unkept']}"
            raise NotDeliveredError(reason)
        try:
            return cast("To", ResultRef(spec["digest"], spec["bytes"], store.values).load())
        except FlowbookError as error:
            raise NotDeliveredError(f"its function can't be loaded here: {error}") from error


def _settle(store: Store, notice: DueNotice, token: str, error: NotDeliveredError | None) -> None:
    """Note how an attempt ended. Never raises."""
    now = time.time()
    again_s = BACK_OFF_S[notice.tries] if notice.tries < len(BACK_OFF_S) else None
    try:
        if error is None:
            store.notices.settle(token, sent=now)
            return
        due = now + again_s if error.is_certain and again_s is not None else None
        if due is None or again_s is None:
            what_next = (
                "it isn't sent again" if error.is_certain else "it isn't sent again, as that could send it twice"
            )
        else:
            what_next = f"it is sent again in {duration(again_s).replace('.0 s', ' s')}"
        store.notices.settle(token, trouble=f"{error}; {what_next}", due=due)
        if notice.tries == 0 or due is None:
            _log.warning(
                "Run %s: its notice for %s did not arrive: %s; %s.", notice.run_id, notice.shown, error, what_next
            )
    except FlowbookError as trouble:
        _log.warning("Run %s: what became of its notice for %s is not noted: %s", notice.run_id, notice.shown, trouble)


class _Senders:
    """The senders of this process, by store."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._senders: weakref.WeakKeyDictionary[Store, NoticeSender] = weakref.WeakKeyDictionary()
        self._pid = os.getpid()
        self._lock = RankedLock(Rank.NOTICES)

    def get(self, store: Store) -> NoticeSender:
        if self._pid != os.getpid():
            self._forget()  # the threads, and whoever has the lock, are in the parent of a fork
        with self._lock:
            if store not in self._senders:
                self._senders[store] = NoticeSender(store)
            return self._senders[store]


#: One for the process, so that its runs share a thread.
_senders = _Senders()


def sender_of(store: Store) -> NoticeSender:
    """Return what sends the notices of a store in this process."""
    return _senders.get(store)


def send_pending(store: Store, now: float) -> int:
    """Begin to send what is due at `now` (seconds since the epoch), from any run of the store; return how many.

    Waits for no receiver. Call it again and again: what fails becomes due later.

    Raises:
        StoreError: if the store can't be read or written.
    """
    return sender_of(store).send_due(now)
