"""Texts that were made to hurt: paths, SQL, shell, markup, and what no terminal should be shown."""

from __future__ import annotations

import itertools

__all__ = ["HOSTILE", "UNSAYABLE"]

_TRAVERSAL = [
    f"{up}{target}"
    for up, target in itertools.product(
    ["../", "..\\", "../../../../", "..;/", "%2e%2e/", "..%2f", "..%c0%af", "....//", "/", "\\\\host\\share\\",
    "file:///", "~/", "./", "a/../../"],
        ["etc/passwd", "store.sqlite", "store.key", ".tmp-1"],
    )
]  # fmt: skip
_SQL = [
    f"{start}{rest}{end}"
    for start, rest, end in itertools.product(
        ["'", '"', "')", "'; ", "1 OR "],
        ["OR 1=1", "DROP TABLE run", "UNION SELECT * FROM value", "ATTACH DATABASE '/tmp/x' AS x", "PRAGMA writable_schema=1"],
        ["", " --", "; --", "/*"],
    )
]  # fmt: skip
_SHELL = [
    "$(touch hurt)",
    "`touch hurt`",
    "; touch hurt",
    "| touch hurt",
    "&& touch hurt",
    "$HOME",
    "%PATH%",
    "{0.__class__}",
    "%s%n",
    "${7*7}",
]
_TEXT = [
    "\0", "a\0b", "\n", "a\r\nb", "\t", "\x1b[31m", "\x1b]0;x\x07", "\u202e", "\u200b", "\ufeff", "\ud800",
    "a\udcffb", "é", "e\u0301",
    "\U0001f600", "con", "NUL", "aux.txt", "COM1", ".", "..", "...", " ", "  a", "a ", "-", "--help", "-rf",
    "*", "?", "[3]", "a[", "a]",
    "a[b]", "a[-1]", "a[1][2]", "[]", "{}", "()", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>",
    "'\"><svg onload=x>",
    "&lt;", "javascript:x", "x" * 101, "x" * 5_000, "x" * 300_000, "null", "None", "true", "0", "-1", "NaN",
    "1e999", "[1]", '{"a":1}', "\\", "/",
    "__class__", "__proto__", "constructor", "${jndi:ldap://x}", "=1+1", "@SUM(A1)", "a:b", "a;b", "a,b",
    "a|b", "a=b", "#", "%00", "\\x00",
]  # fmt: skip
HOSTILE = list(dict.fromkeys([*_TRAVERSAL, *_SQL, *_SHELL, *_TEXT]))
#: SQLite and files can't hold these: they are refused or written otherwise, and never silently another name.
UNSAYABLE = {text for text in HOSTILE if any("\ud800" <= char <= "\udfff" for char in text)}
