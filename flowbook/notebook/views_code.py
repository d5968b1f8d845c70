"""The views' code as it is sent: their modules without comments and indentation, packed. Pure, but for reading files.

Reads what Biome formats, and any other modern module: strings, templates and regular expressions stay as they are, and a line
break stays wherever it could end a statement. Imports nothing of flowbook, since it also runs while a wheel is built.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

__all__ = ["compact_script", "compact_sheet", "pack", "pack_lab", "read_modules"]

#: How one module of the views names another.
_FROM = re.compile(r'\bfrom ?"\./([\w-]+)\.js"')
_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<space>\s+)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<plain>[^\s"'`/{}]+)
      | (?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*")
#: The text of a template, up to its end or to an expression in it.
_TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(?:`|\$\{)", re.DOTALL)
#: A slash after one of these begins a regular expression; elsewhere it divides.
_BEFORE_REGEX = re.compile(
    r"(?:^|[(,=:\[!&|?{};+\-*%<>~^]|(?<![\w$#.])(?:case|delete|in|of|return|typeof|void|yield))\Z"
)
#: After the first of these, and before the second, no line break ends a statement.
_OPENS = frozenset("{;,(")
_CLOSES = frozenset("});,]")
#: Not one that ends later, if what follows doesn't fit.
_NOTE = r"(?>/\*.*?\*/)"
_SHEET = re.compile(
    rf"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?:\s|{_NOTE})*([{{}},;])(?:\s|{_NOTE})*|(:)\s+|(?:\s|{_NOTE})+""",
    re.DOTALL,
)


def read_modules(folder: Traversable, module: str, name: str, parts: dict[str, str]) -> None:
    """Add the compact text of a module to `parts` as `name`, and those of all modules that it imports, by their own names."""
    parts[name] = compact_script(folder.joinpath(f"{module}.js").read_text("utf-8"))
    for imported in _FROM.findall(parts[name]):
        if imported not in parts:
            read_modules(folder, imported, imported, parts)


def pack_lab(folder: Traversable) -> bytes:
    """Return what the labextension loads, packed: its plugin, the panel, all that these import, and the style sheets."""
    parts: dict[str, str] = {}
    for module in ("lab_plugin", "panel"):
        read_modules(folder, module, module, parts)
    for sheet in ("tokens.css", "flowbook.css", "lab.css"):
        parts[sheet] = compact_sheet(folder.joinpath(sheet).read_text("utf-8"))
    return pack(parts)


def pack(parts: Mapping[str, str]) -> bytes:
    """Return texts by name as JSON, deflated; a browser's DecompressionStream reads it."""
    return zlib.compress(json.dumps(parts, separators=(",", ":")).encode(), 9)


def compact_sheet(text: str) -> str:
    """Return a style sheet without comments and without needless space."""
    return _SHEET.sub(_sheet_part, text).strip()


def compact_script(text: str) -> str:
    """Return a JavaScript module without comments and without needless space. Names stay, so that errors can be read."""
    return _Script(text).compact()


def _sheet_part(found: re.Match[str]) -> str:
    if found[2] == ";" and found.string[found.end() : found.end() + 1] == "}":
        # A rule's last semicolon says nothing.
        return ""
    return found[1] or found[2] or found[3] or " "


class _Script:
    """Reads a module token by token, and writes those that count."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._written: list[str] = []
        self._last = ""
        #: What stood between the last token and this one.
        self._gap = ""
        #: The braces that are open; a backtick is a template in which one of its expressions is open.
        self._open: list[str] = []

    def compact(self) -> str:
        """Return the compact text."""
        at = 0
        while at < len(self._text):
            at = self._read(at)
        return "".join(self._written)

    def _read(self, at: int) -> int:
        """Read one token; return where the next one begins."""
        regex = _REGEX.match(self._text, at) if self._text[at] == "/" and self._begins_regex(at) else None
        if regex is not None:
            self._write(regex[0])
            return regex.end()
        found = _TOKEN.match(self._text, at)
        assert found is not None  # its last form takes any character  # noqa: S101
        if found.lastgroup in {"comment", "space"}:
            self._gap += found[0]
        elif found[0] == "`":
            self._write("`")
            return self._read_template(found.end())
        elif found[0] == "}" and self._open and self._open.pop() == "`":
            self._write("}")
            return self._read_template(found.end())
        else:
            if found[0] == "{":
                self._open.append("{")
            self._write(found[0])
        return found.end()

    def _read_template(self, at: int) -> int:
        found = _TEMPLATE.match(self._text, at)
        if found is None:
            msg = f"A template has no end: {self._text[at : at + 40]!r}. Close it with a backtick."
            raise ValueError(msg)
        self._written.append(found[0])
        if found[0].endswith("${"):
            self._open.append("`")
            self._last = "{"
        else:
            self._last = "`"
        return found.end()

    def _begins_regex(self, at: int) -> bool:
        return self._text[at + 1 : at + 2] not in {"/", "*"} and _BEFORE_REGEX.search(self._last) is not None

    def _write(self, token: str) -> None:
        if self._gap and self._last:
            self._written.append(_between(self._last, token, self._gap))
        self._written.append(token)
        self._last, self._gap = token, ""


def _between(last: str, token: str, gap: str) -> str:
    """Return what has to stay of the gap between two tokens."""
    if "\n" in gap and last[-1] not in _OPENS and token[0] not in _CLOSES:
        return "\n"
    before, after = last[-1], token[0]
    joins = (_is_of_word(before) and _is_of_word(after)) or (before in "+-/" and after in {before, "*"})
    return " " if joins or (before.isdigit() and after == ".") else ""


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character in "_$#"
