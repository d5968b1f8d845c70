"""Hides texts in source code that are secrets by their names, such as `password = "hunter2"`, and passwords in URLs. Pure.

What a task's code holds is shown in tracebacks, in terminals, panels and reports; see docs/decisions/0086.
"""

from __future__ import annotations

import re

__all__ = ["without_secrets"]

_MASK = "*****"
_NAME = r"\w*(?:passw|passphrase|secret|token|api_?key|credential|private_?key|access_?key)\w*"
#: A name that sounds secret, maybe as a key in quotes or with a type, up to what it is set to or compared with.
_BEFORE = rf"(?:\b{_NAME}[\"']?\]?\s*(?::\s*[\w.\[\]| ]+?\s*)?(?:=|==|!=|:|:=)\s*)"
#: The text after it; the closing quote may lie beyond the end of the line.
_TEXT = r"(?:[rbfu]{0,2})(?P<quote>\"\"\"|'''|[\"'])(?P<text>(?:\\.|(?!(?P=quote))[^\\\n])+)"
_SECRET = re.compile(rf"(?P<before>{_BEFORE}){_TEXT}", re.IGNORECASE)
#: The password in a URL, after its scheme and user.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@\"']*:)[^\s/\"'@]+@")
_SOUNDS = re.compile(r"passw|passphrase|secret|token|key|credential", re.IGNORECASE)


def without_secrets(source: str) -> str:
    """Return lines of code, or a traceback with such lines, with the texts hidden that sound secret."""
    if _SOUNDS.search(source):
        source = _SECRET.sub(_masked, source)
    return _URL.sub(rf"\1{_MASK}@", source) if "://" in source else source


def _masked(found: re.Match[str]) -> str:
    whole, start = found[0], found.start("text") - found.start()
    return f"{whole[:start]}{_MASK}"
