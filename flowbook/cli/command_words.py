"""Says in commands what the rest of flowbook says in Python: whoever reads it in a terminal types no `run.resume()`. Pure."""

from __future__ import annotations

import shlex

__all__ = ["in_commands"]

_METHODS = {
    "run.resume()": "resume",
    "run.retry()": "retry",
    "run.take_back()": "resume",
}


def in_commands(text: str, run: str) -> str:
    """Return a message with the commands in place of the methods of a run.

    Args:
        text: the message.
        run: what the command line called the run.
    """
    for method, verb in _METHODS.items():
        text = text.replace(method, f"`flowbook run {verb} {shlex.quote(run)}`")
    return text
