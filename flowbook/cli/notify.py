"""`flowbook notify`: who is told of all runs of this store, besides those whom a flow names itself."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook.exceptions import DefinitionError
from flowbook.notices.delivery import TIMEOUT_S, NotDeliveredError, deliver
from flowbook.notices.notice import trial_notice
from flowbook.notices.receiver import read_receivers, receiver_of, store_receivers
from flowbook.store import open_store
from flowbook.terminal.lines import printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from flowbook.cli.output import Output
    from flowbook.store.records import ReceiverRow

__all__ = ["add", "ls", "remove", "test"]

_NOBODY = "Nobody is told of your runs yet. Add somebody: flowbook notify add mailto://ana:PASSWORD@example.com"
_FROM_STDIN = "-"


def add(args: Namespace, out: Output) -> int:
    """Tell a URL or a command of all runs from now on."""
    words = [sys.stdin.readline().strip()] if args.to == [_FROM_STDIN] else args.to
    to = words[0] if "://" in words[0] and len(words) == 1 else _program(words)
    (receiver,) = read_receivers("flowbook notify add", {"to": to, "on": args.on or ["waits", "failed"]})
    store = open_store()
    number = store.notices.add_receiver(store_receivers([receiver], store.values).rows[0])
    causes = _in_words(receiver.causes)
    out.done(
        f"{printable(receiver.shown)} is told of runs that {causes}. Try it: flowbook notify test {number}",
        id=number,
        to=receiver.shown,
        on=receiver.causes,
    )
    return 0


def _program(words: Sequence[str]) -> Sequence[str]:
    """Return a command; raise DefinitionError unless its program is there."""
    if words[0] and shutil.which(words[0]) is None:
        msg = (
            f"{printable(words[0])!r} is neither a URL nor a program that is found here. Give a URL of apprise, e.g. "
            "mailto://ana:PASSWORD@example.com, or a program on the PATH, or its path, with its arguments after --."
        )
        raise DefinitionError(msg, to=words[0])
    return words


def ls(_: Namespace, out: Output) -> int:
    """List who is told, without the secrets of URLs."""
    rows = [_record(each) for each in open_store().notices.receivers()]
    shown = rows if out.is_json else [{**row, "on": ", ".join(row["on"])} for row in rows]  # type: ignore[arg-type]  # texts
    out.table(shown, ("id", "to", "on", "added"), _NOBODY)
    return 0


def remove(args: Namespace, out: Output) -> int:
    """Tell somebody no more."""
    store = open_store()
    (found,) = _named(store.notices.receivers(), args.receiver)
    store.notices.remove_receiver(found.id)
    out.done(f"{printable(found.shown)} is told of no more runs.", id=found.id, to=found.shown)
    return 0


def test(args: Namespace, out: Output) -> int:
    """Send a notice to everybody who is told, or to one; fail if one does not arrive."""
    receivers = open_store().notices.receivers()
    if not receivers:
        out.done(_NOBODY)
        return 1
    asked = receivers if args.receiver is None else _named(receivers, args.receiver)
    reasons = [_try(each) for each in asked]
    for each, reason in zip(asked, reasons, strict=True):
        text = "The test notice was delivered." if reason is None else f"It was not delivered: {reason}."
        sentence = f"{each.id}  {printable(each.shown)}  {text}"
        out.done(sentence, id=each.id, to=each.shown, delivered=reason is None, reason=reason)
    return int(any(reason is not None for reason in reasons))


def _try(row: ReceiverRow) -> str | None:
    """Send the test notice to one receiver; return why it did not arrive, or None. A receiver that hangs is left alone."""
    reasons: list[str | None] = []
    is_done = threading.Event()

    def work() -> None:
        try:
            deliver(receiver_of(row.spec), trial_notice())
        except NotDeliveredError as error:
            reasons.append(str(error))
        else:
            reasons.append(None)
        is_done.set()

    threads.spawn(work, name=f"notice-test-{row.id}", owner="flowbook notify test")
    deadline = time.monotonic() + TIMEOUT_S + 1
    while not is_done.wait(0.5):  # so that Ctrl-C is noticed
        if time.monotonic() >= deadline:
            return f"it gave no answer within {TIMEOUT_S:.0f} s"
    return reasons[0]


def _named(receivers: Sequence[ReceiverRow], name: str) -> list[ReceiverRow]:
    """Return the receiver that a person means by its number, its URL or what `ls` shows of it, alone in a list.

    Raises:
        DefinitionError: if there is none, or there are several.
    """
    found = [each for each in receivers if name in {str(each.id), each.shown, _url(each)}]
    if len(found) != 1:
        which = f"{len(found)} receivers are" if found else "No receiver is"
        msg = f"{which} called {_hidden(name)}. Give a number of `flowbook notify ls`."
        raise DefinitionError(msg, count=len(found))
    return found


def _url(row: ReceiverRow) -> str | None:
    to = receiver_of(row.spec)
    return to if isinstance(to, str) else None


def _hidden(name: str) -> str:
    """Return what was asked for; of a URL, which may hold a secret, only its service."""
    scheme, separator, _ = name.partition("://")
    return repr(f"{scheme}://…" if separator else name)


def _record(row: ReceiverRow) -> dict[str, object]:
    return {"id": row.id, "to": row.shown, "on": list(row.causes), "added": row.created}


def _in_words(causes: Sequence[str]) -> str:
    words = {"waits": "wait for you", "failed": "failed", "ended": "ended"}
    found = [words[cause] for cause in causes]
    return f"{', '.join(found[:-1])} or {found[-1]}" if len(found) > 1 else found[0]
