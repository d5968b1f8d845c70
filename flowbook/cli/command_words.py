"""Says in commands what the rest of flowbook says in Python: whoever reads it in a terminal types no `run.resume()`. Pure."""

from __future__ import annotations

import re
import shlex

__all__ = ["in_commands"]

_METHODS = {
    "run.resume()": "resume",
    "run.retry()": "retry",
    "run.take_back()": "resume",
}
#: Calls that need no run at hand.
_CALLS = (
    (re.compile(r"flowbook\.runs\(\)"), "`flowbook run ls`"),
    (re.compile(r"flowbook\.cache\.entries\(\)"), "`flowbook cache ls`"),
    (re.compile(r"flowbook\.run\('([\w-]+)'\)"), r"`flowbook run inspect \1`"),
    (re.compile(r"flowbook\.run\('([\w-]+)', flow=\.\.\.\)"), r"`flowbook run resume \1 --flow FILE`"),
)


def in_commands(text: str, run: str = "") -> str:
    """Return a message with commands in place of Python.

    Args:
        text: the message.
        run: what the command line calls the run that it is about; "" if it is about none, and names no methods of one.
    """
    for call, command in _CALLS:
        text = call.sub(command, text)
    if not run:
        return text
    for method, verb in _METHODS.items():
        text = text.replace(method, f"`flowbook run {verb} {shlex.quote(run)}`")
    return text
