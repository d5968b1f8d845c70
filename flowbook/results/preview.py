"""Previews: short descriptions stored beside values, as plain JSON data (docs/wire.md's PREVIEW), made in the kernel.

Never raises for a strange object: what its own code raises is shown as text. Changes nothing of the value.
"""

from __future__ import annotations

import hashlib
import json
import re
import reprlib
from collections.abc import Collection, Sized
from enum import Enum, Flag
from typing import TYPE_CHECKING

from flowbook._utils.loaded import LoadedClasses
from flowbook.results import foreign_frames, preview_picture, preview_tree
from flowbook.results.cells import safe_text
from flowbook.results.frame_pager import first_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.results.reference import Preview

__all__ = ["describe", "format_size", "page_mark", "table_mark"]

_REPR_CHARACTERS = 2000
_TEXT_CHARACTERS = 80
_MOST_MEMBERS = 100
#: Longer collections are summed up: their whole repr would take much memory.
_MANY = 10_000
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
_TIMES = "\u00d7"
_FRAME, _SERIES = LoadedClasses("pandas", "DataFrame"), LoadedClasses("pandas", "Series")
_ARRAY = LoadedClasses("numpy", "ndarray")


def describe(value: object) -> Preview:
    """Return the preview of `value`: kind, type, shape, size, first page, capped repr, and the body that its kind has.

    The kinds are frame, series, array (with a page), tree (its parts), picture, html and text. A member of an enum has
    the `members` of that, too, for whoever is to choose another.
    """
    try:
        return _describe(value)
    except BaseException as exc:  # noqa: BLE001  # a user's object may raise anything anywhere
        return _preview(value, "text", f"{_class(value)} (can't be shown: {type(exc).__name__})", text_repr="")


def table_mark(value: object) -> str:
    """Return what the preview of a frame or series has as its `page_mark`; empty for all else."""
    is_table = isinstance(value, (_FRAME.now(), _SERIES.now()))
    return page_mark(describe(value)) if is_table or foreign_frames.is_foreign(value) else ""


def page_mark(preview: Preview) -> str:
    """Return a hash of the first page in a preview, by which two that show the same table are known; empty without one."""
    page = preview.get("page")
    if not isinstance(page, dict):
        return ""
    shown = {name: part for name, part in page.items() if name != "took_ms"}
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:16]


def format_size(size_bytes: int) -> str:
    """Return a size for people, e.g. `41.2 MB`; decimal units."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(size) < 999.95 or unit == "TB":  # noqa: PLR2004  # what would be shown as 1000.0
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    raise AssertionError


def _describe(value: object) -> Preview:
    if isinstance(value, _FRAME.now()):
        size = int(value.memory_usage(deep=False).sum())
        return _table(value, "frame", f"DataFrame, {_shape_text(value.shape)}", list(value.shape), size)
    if isinstance(value, _SERIES.now()):
        size = int(value.memory_usage(deep=False))
        return _table(value, "series", f"Series, {_shape_text(value.shape)}", list(value.shape), size)
    if isinstance(value, _ARRAY.now()) and value.ndim:
        text = f"array, {_shape_text(value.shape)} {value.dtype}"
        return _table(value, "array", text, list(value.shape), int(value.nbytes))
    if foreign_frames.is_foreign(value):
        return _foreign(value)
    if preview_picture.is_displayed(value):
        return _displayed(value)
    text = _repr(value)
    found = _preview(value, "text", _short_text(value, text), text_repr=text, size_bytes=_plain_size(value))
    if preview_tree.is_tree(value):
        found["kind"], found["body"] = "tree", preview_tree.tree(value)
    elif isinstance(value, str) and (len(value) > _TEXT_CHARACTERS or "\n" in value):
        more = len(value) - _REPR_CHARACTERS
        found["body"] = value[:_REPR_CHARACTERS] + (f"\n… and {more:,} more characters" if more > 0 else "")
    if isinstance(value, Enum) and len(type(value).__members__) <= _MOST_MEMBERS:
        found["members"] = {
            name: _repr(each._value_)[:_TEXT_CHARACTERS] for name, each in type(value).__members__.items()
        }
        if isinstance(value, Flag):
            found["is_flag"] = True
    return found


def _foreign(value: object) -> Preview:
    shape, size_bytes = foreign_frames.shape_and_size(value)
    library = str(type(value).__module__).partition(".")[0]
    text = f"{_class(value)} of {'Arrow' if library == 'pyarrow' else library}, {_shape_text(shape)}"
    return _table(value, "frame", text, list(shape), size_bytes)


def _displayed(value: object) -> Preview:
    """Return the preview of what shows itself as a picture or as HTML; where that fails, as text."""
    text = _repr(value)
    found = _preview(value, "text", _short_text(value, text), text_repr=text)
    try:
        if (shown := preview_picture.picture(value)) is not None:
            found["kind"], found["body"], found["text"] = "picture", shown, preview_picture.title(value, found["text"])
        elif preview_tree.is_tree(value):
            found["kind"], found["body"] = "tree", preview_tree.tree(value)
        else:
            found["body"] = preview_picture.stored_html(value)
            found["kind"] = "html"
            if (library := str(type(value).__module__).partition(".")[0]) not in {"builtins", "__main__"}:
                found["text"] = f"{_class(value)} of {library}"
    except BaseException as exc:  # noqa: BLE001  # a user's object draws itself
        found["repr"] = f"It can't be drawn: {type(exc).__name__}: {safe_text(exc)[:200]}\n{text}"
    return found


def _table(value: object, kind: str, text: str, shape: list[int], size_bytes: int | None) -> Preview:
    preview = _preview(value, kind, text, text_repr="", shape=shape, size_bytes=size_bytes)
    try:
        preview["page"] = first_page(value)
    except BaseException as exc:  # noqa: BLE001  # cells may hold a user's objects
        preview["repr"] = f"Its rows can't be shown: {type(exc).__name__}"
    return preview


def _preview(  # noqa: PLR0913
    value: object,
    kind: str,
    text: str,
    *,
    text_repr: str,
    shape: list[int] | None = None,
    size_bytes: int | None = None,
) -> Preview:
    return {
        "kind": kind,
        "type": _type(value),
        "text": text,
        "shape": shape,
        "size_bytes": size_bytes,
        "page": None,
        "repr": text_repr,
        "body": None,
    }


def _type(value: object) -> str:
    kind = type(value)
    module = str(kind.__module__)
    return (
        kind.__qualname__ if module in {"builtins", "__main__"} else f"{module.partition('.')[0]}.{kind.__qualname__}"
    )


def _class(value: object) -> str:
    return type(value).__name__


def _shape_text(shape: Sequence[int]) -> str:
    return f" {_TIMES} ".join(f"{length:,}" for length in shape)


def _short_text(value: object, text: str) -> str:
    if isinstance(value, list | tuple | dict | set | frozenset) and len(text) > _TEXT_CHARACTERS:
        return f"{_class(value)} of {len(value):,}"
    line = text.partition("\n")[0]
    if isinstance(value, bytes | bytearray) and len(text) > _TEXT_CHARACTERS:
        return _class(value)
    if text.startswith("<") and _ADDRESS.search(line):  # where an object lies says nothing to a person
        return _class(value) if " object" in line else _ADDRESS.sub("", line)
    return line if len(line) <= _TEXT_CHARACTERS and line == text else f"{line[: _TEXT_CHARACTERS - 1]}…"


def _plain_size(value: object) -> int | None:
    return len(value) if isinstance(value, bytes | bytearray) else None


def _repr(value: object) -> str:
    """Return `repr(value)`, capped; of a long container only the beginning."""
    try:
        if type(value) in _CONTAINERS:
            text = _brief.repr(value)
        elif isinstance(value, str | bytes | bytearray) and not isinstance(value, Enum):
            text = repr(value[:_REPR_CHARACTERS])
        elif isinstance(value, Sized) and len(value) > _MANY and isinstance(value, Collection):
            text = f"<{_class(value)} of {len(value):,}>"
        else:
            text = repr(value)
    except BaseException as exc:  # noqa: BLE001  # a user's __repr__
        return f"<{_class(value)}: its repr raised {type(exc).__name__}>"
    return text if len(text) <= _REPR_CHARACTERS else text[: _REPR_CHARACTERS - 1] + "…"


class _Brief(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 60
        self.maxstring = self.maxother = 300
        self.maxlong = 100
        self.maxlevel = 4


_brief = _Brief()
_CONTAINERS = frozenset({list, tuple, dict, set, frozenset})
