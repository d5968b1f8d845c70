"""A difference as static HTML, for a notebook's output: light and dark, without scripts. All texts are escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowbook.results.table_diff import TableDiff

__all__ = ["diff_html", "summary_of"]

_ROWS = 20
#: Half transparent, so that they are right on light and on dark pages.
_ROW = {"+": "background:rgba(0,158,115,.14)", "-": "background:rgba(213,94,0,.14);text-decoration:line-through"}
_CELL = "background:rgba(0,114,178,.16)"
_GAP = "padding:2px 8px;text-align:{side}"
_NAMES = {"same": "the same", "changed": "changed", "added": "added", "removed": "removed"}


def diff_html(found: TableDiff) -> str:
    """Return what differs, and the first rows of it, as HTML."""
    page = found.page(limit=_ROWS, kinds=("changed", "added", "removed"))
    head = f"<p style='margin:4px 0'><b>{escape(summary_of(page))}</b></p>"
    if not page["rows"]:
        return f"<div data-flowbook='difference'>{head}{_schema(page)}</div>"
    more = page["total"] - len(page["rows"])
    foot = f"<p style='margin:4px 0;opacity:.7'>and {more:,} more rows that differ</p>" if more else ""
    return f"<div data-flowbook='difference'>{head}{_schema(page)}{_table(page)}{foot}</div>"


def summary_of(page: dict[str, Any]) -> str:
    """Return in one line what differs: "1 row added, 4 changed (7 of 27 cells), 5 the same; matched by carrier"."""
    counts, cells = page["counts"], page["cells"]
    parts = [f"{counts[kind]:,} {_NAMES[kind]}" for kind in ("added", "removed", "changed") if counts[kind]]
    if not parts and not page["schema"]:
        return f"Nothing differs in {counts['same']:,} rows."
    if counts["changed"]:
        by = f", by {100 * cells['most']:.2g} % at most" if cells["most"] is not None else ""
        parts[-1] += f" ({cells['changed']:,} of {cells['total']:,} cells{by})"
    parts.append(f"{counts['same']:,} the same")
    key = f"; matched by {', '.join(page['key'])}" if page["key"] else ""
    return f"Rows: {', '.join(parts)}{key}"


def _schema(page: dict[str, Any]) -> str:
    if not page["schema"]:
        return ""
    told = ", ".join(_column(each) for each in page["schema"])
    return f"<p style='margin:4px 0'>Columns: {told}</p>"


def _column(line: dict[str, Any]) -> str:
    name = f"<code>{escape(line['name'])}</code>"
    if line["before"] is None:
        return f"+ {name} {escape(line['after'])}"
    if line["after"] is None:
        return f"\u2212 <del>{name} {escape(line['before'])}</del>"
    return f"~ {name} {escape(line['before'])} \u2192 {escape(line['after'])}"


def _table(page: dict[str, Any]) -> str:
    sides = ["right" if column["numeric"] else "left" for column in page["columns"]]
    heads = "".join(
        f"<th style='{_GAP.format(side=side)}'>{escape(column['name'])}</th>"
        for column, side in zip(page["columns"], sides, strict=True)
    )
    rows = "".join(_row(row, sides) for row in page["rows"])
    head = f"<thead><tr><th></th><th></th>{heads}</tr></thead>"
    return f"<table style='border-collapse:collapse'>{head}<tbody>{rows}</tbody></table>"


def _row(row: dict[str, Any], sides: list[str]) -> str:
    sign = "\u2212" if row["sign"] == "-" else row["sign"]
    cells = "".join(_cell(cell, side) for cell, side in zip(row["cells"], sides, strict=True))
    return f"<tr style='{_ROW.get(row['sign'], '')}'><td>{sign}</td><th>{escape(row['index'])}</th>{cells}</tr>"


def _cell(cell: Any, side: str) -> str:  # noqa: ANN401  # a text, None, or what was, what is and by how much
    gap = _GAP.format(side=side)
    if not isinstance(cell, list):
        return f"<td style='{gap}'>{_text(cell)}</td>"
    was, now, by = cell
    title = f" title='{escape(by, quote=True)}'" if by else ""
    return f"<td style='{gap};{_CELL}'{title}><del style='opacity:.7'>{_text(was)}</del> <b>{_text(now)}</b></td>"


def _text(cell: str | None) -> str:
    return "<i>missing</i>" if cell is None else escape(cell)
