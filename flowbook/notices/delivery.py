"""Delivers one notice to one receiver, in the calling thread.

It may take as long as the receiver likes, a command excepted: the caller leaves it alone after a while.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from flowbook.engine.masks import Masks
from flowbook.engine.remote_error import error_line
from flowbook.report.phrases import shorten
from flowbook.terminal.lines import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowbook.notices.notice import Notice
    from flowbook.notices.receiver import To

__all__ = ["TIMEOUT_S", "NotDeliveredError", "deliver"]

#: How long a receiver may take.
TIMEOUT_S = 30.0
#: Timeouts of apprise's own, too long to pass before TIMEOUT_S: after them it can't say whether the notice arrived.
_NEVER_S = 4 * TIMEOUT_S
_CONNECT_S = 10.0
_REASON_CHARS = 300
_ENV = "FLOWBOOK_NOTICE_"
_ENV_CHARS = 2000
_KINDS = {"waits": "warning", "failed": "failure", "ended": "info", "test": "info"}


class NotDeliveredError(Exception):
    """A notice didn't arrive: why, without secrets.

    Attributes:
        is_certain: False if it may have arrived all the same.
    """

    def __init__(self, reason: str, *, is_certain: bool = True) -> None:
        super().__init__(printable(shorten(reason, _REASON_CHARS)).rstrip("."))
        self.is_certain = is_certain


def deliver(to: To, notice: Notice) -> None:
    """Deliver a notice to a URL, a command or a function.

    Raises:
        NotDeliveredError: if it didn't arrive, or nobody knows.
    """
    if isinstance(to, str):
        _send(to, notice)
    elif isinstance(to, tuple):
        _run(to, notice)
    else:
        _call(to, notice)


# URLs


def _send(url: str, notice: Notice) -> None:
    try:
        import apprise  # noqa: PLC0415  # an extra, and only for URLs
    except ImportError as error:
        reason = "the package apprise isn't installed here: pip install 'jupyter-flowbook[notify]'"
        raise NotDeliveredError(reason) from error
    hidden = Masks(_secret_parts(url))
    #: Its pool of threads would hold a process up that ends, and takes nothing any more then.
    service = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False, service_timeout=0))
    try:
        is_known = service.add(url)
        if is_known:
            _reach(service[0])
            _wait_long(service[0])
        kind = _KINDS[notice.cause]
        result = service.notify(notice.text, notice.title, notify_type=kind, body_format="text") if is_known else None
    except NotDeliveredError:
        raise
    except Exception as error:  # noqa: BLE001  # the border to apprise and the libraries that it uses
        raise NotDeliveredError(hidden.text(error_line(error))) from None
    if result is None:
        raise NotDeliveredError("apprise doesn't take its URL")
    if not result:
        said = [entry.message for entry in result.logs() if entry.level in {"WARNING", "ERROR"}]
        raise NotDeliveredError(hidden.text("; ".join(said)) or "apprise couldn't deliver it")


def _reach(service: Any) -> None:  # noqa: ANN401  # a plugin of apprise, which has no types
    """Connect to a mail server and leave it: one that can't be reached has certainly got nothing, and is tried again.

    Apprise has one timeout for connecting and for the answer to a mail, after which it can't say that.
    """
    if not _is_mail(service):
        return
    try:
        socket.create_connection((service.smtp_host, service.port), _CONNECT_S).close()
    except OSError as error:
        msg = f"its mail server, {service.smtp_host}:{service.port}, can't be reached: {error}"
        raise NotDeliveredError(msg) from error


def _is_mail(service: Any) -> bool:  # noqa: ANN401  # as above
    return bool(service.secure_protocol == "mailtos")


def _wait_long(service: Any) -> None:  # noqa: ANN401  # a plugin of apprise, which has no types
    """Let a service wait for an answer as long as we do; connecting may still fail early, unless it has one timeout for all."""
    usual = type(service)
    if service.socket_read_timeout == usual.socket_read_timeout:
        service.socket_read_timeout = _NEVER_S
    if _is_mail(service) and service.socket_connect_timeout == usual.socket_connect_timeout:
        service.socket_connect_timeout = _NEVER_S


def _secret_parts(url: str) -> Iterator[str]:
    """Yield the parts of a URL that a reason must not show: all but scheme and host."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        for text in (parts.password, parts.username, parts.query, parts.path.strip("/"), *parts.path.split("/")):
            if text:
                yield from (text, unquote(text))


# Commands


def _run(command: tuple[str, ...], notice: Notice) -> None:
    """Run a command with the notice as JSON on stdin; end it, and all that it started, after `TIMEOUT_S`."""
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(  # noqa: S603  # the person's own command; no shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, **_variables(notice)},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise NotDeliveredError(f"{command[0]} can't be started: {error}") from error
        try:
            process.communicate(notice.to_json().encode(), TIMEOUT_S)
        except subprocess.TimeoutExpired:
            _end(process)
            reason = f"{command[0]} was ended after {TIMEOUT_S:.0f} s, so it may or may not have been delivered"
            raise NotDeliveredError(reason, is_certain=False) from None
        if process.returncode:
            errors.seek(-min(_ENV_CHARS, errors.seek(0, os.SEEK_END)), os.SEEK_END)
            said = errors.read().decode(errors="replace").strip()
            reason = f"{command[0]} ended with exit code {process.returncode}{f': {said}' if said else ''}"
            raise NotDeliveredError(Masks.around(None).text(reason))


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _variables(notice: Notice) -> dict[str, str]:
    first = notice.tasks[0] if notice.tasks else None
    found = {
        "CAUSE": notice.cause,
        "FLOW": notice.flow,
        "RUN": "" if notice.run is None else str(notice.run),
        "RUN_ID": notice.run_id,
        "STATE": notice.state,
        "TASK": "" if first is None else first.key,
        "MESSAGE": notice.message if first is None else first.message,
        "TITLE": notice.title,
        "LINK": notice.link or "",
    }
    return {f"{_ENV}{name}": value[:_ENV_CHARS] for name, value in found.items()}


# Functions


def _call(function: Callable[[Notice], object], notice: Notice) -> None:
    try:
        function(notice)
    except BaseException as error:  # noqa: BLE001  # the border to the user's code
        raise NotDeliveredError(Masks.around(None).text(f"it raised {error_line(error)}")) from None
