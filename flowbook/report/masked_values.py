"""Values as strangers may see them, without the secrets in them: previews, tables, and plain data.

A table is masked before it is paged, so that nobody can search it for a secret or sort it by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.report.secret_names import MASK, shown_text, shown_urls, shown_value, sounds_secret
from flowbook.results.cells import label_text

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

    from flowbook.results.reference import Preview

__all__ = ["masked_preview", "masked_value", "named_preview"]

#: Types of values that are no secret, whatever their name.
_HARMLESS = ("bool", "NoneType")
#: What the store keeps of an enum, for whoever reads what a person types.
_UNTOLD = ("is_flag", "members")


def named_preview(name: str, preview: Preview | None) -> Preview | None:
    """Return a preview of what has that name: `*****` if the name sounds secret, passwords in URLs masked.

    A table stays as it is: its columns have names of their own.
    """
    if preview is None or preview.get("page") is not None or preview.get("type") in _HARMLESS:
        return preview
    found: Any = {part: each for part, each in preview.items() if part not in _UNTOLD}
    if sounds_secret(name):
        found.update(kind="text", text=MASK, repr=MASK, body=None)
        return found  # type: ignore[no-any-return]  # a preview as it came
    found.update({part: shown_urls(each) for part, each in found.items() if isinstance(each, str)})
    return found  # type: ignore[no-any-return]  # a preview as it came


def masked_preview(preview: Preview) -> Preview:
    """Return a stored preview with what is likely a secret masked; a picture stays as it is."""
    found: Any = {part: each for part, each in preview.items() if part not in _UNTOLD}
    for name in ("text", "repr"):
        if isinstance(preview.get(name), str):
            found[name] = shown_text(found[name])
    if preview.get("page") is not None:
        found["page"] = _masked_page(found["page"])
    body = preview.get("body")
    if isinstance(body, str):
        found["body"] = shown_text(body)
    elif isinstance(body, list):
        found["body"] = [_masked_part(each) for each in body]
    return found  # type: ignore[no-any-return]  # a preview as it came


def masked_value(value: object) -> object:
    """Return a value with what is likely a secret masked: a frame by the names of its columns and the texts in its cells."""
    import pandas as pd  # noqa: PLC0415  # heavy

    from flowbook.results.frame_pager import as_frame  # noqa: PLC0415  # loads pandas

    if str(type(value).__module__).partition(".")[0] == "numpy":
        array: Any = value
        has_texts = array.ndim and (array.dtype.names or array.dtype.kind in "OUS")
        return _masked_frame(as_frame(value)) if has_texts else value
    if isinstance(value, pd.Series):
        return _masked_frame(value.to_frame("value" if value.name is None else value.name))
    return _masked_frame(value) if isinstance(value, pd.DataFrame) else shown_value("", value)


def _masked_frame(frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415  # heavy

    columns = [_masked_column(name, frame.iloc[:, place]) for place, name in enumerate(frame.columns)]
    labels = _masked_column(frame.index.name, frame.index.to_series())
    if labels is None and all(each is None for each in columns):
        return frame
    found = frame.copy(deep=False)
    for place, column in enumerate(columns):
        if column is not None:
            found.isetitem(place, column)
    if labels is not None:
        found.index = pd.Index(labels, name=frame.index.name, tupleize_cols=False)
    return found


def _masked_column(name: Hashable, column: pd.Series[Any]) -> list[object] | None:
    """Return the cells of a column that has something to mask; None if it has nothing."""
    if sounds_secret(label_text(name)):
        return [MASK] * len(column)
    if not _has_texts(column):
        return None
    cells = [_masked_cell(cell) for cell in column]
    return cells if any(new is not old for new, old in zip(cells, column, strict=True)) else None


def _has_texts(column: pd.Series[Any]) -> bool:
    kind = column.dtype
    return kind.kind == "O" or str(kind).startswith(("category", "str"))


def _masked_cell(cell: object) -> object:
    if not isinstance(cell, str | dict | list | tuple):
        return cell
    shown = shown_value("", cell)
    return cell if shown == cell else shown


def _masked_page(page: dict[str, Any]) -> dict[str, Any]:
    hidden = {place for place, head in enumerate(page["columns"]) if sounds_secret(head["name"])}
    heads = [
        {**head, "summary": "", "spark": None}
        if place in hidden
        else {**head, "summary": shown_text(head["summary"] or "")}
        for place, head in enumerate(page["columns"])
    ]
    rows = [
        [MASK if place in hidden else cell if cell is None else shown_text(cell) for place, cell in enumerate(row)]
        for row in page["rows"]
    ]
    return {**page, "columns": heads, "rows": rows, "index": [shown_text(each) for each in page["index"]]}


def _masked_part(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part of a tree, see `preview_tree`."""
    if sounds_secret(str(part.get("label") or "").strip("'\"")):
        return {**part, "text": MASK, **({"parts": []} if part.get("parts") else {})}
    found = {**part, "text": shown_text(str(part.get("text") or ""))}
    if part.get("parts"):
        found["parts"] = [_masked_part(each) for each in part["parts"]]
    return found
