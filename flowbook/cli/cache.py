"""`flowbook cache`: lists, shows, expires and drops stored outputs. Never unpickles."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flowbook.core.cached_outputs import cache, entry_state
from flowbook.flow_run.times import parse_time
from flowbook.report.masked_values import masked_preview
from flowbook.report.secret_names import shown_parameters
from flowbook.results.preview import format_size
from flowbook.store import open_store
from flowbook.terminal.lines import padded, printable, widest

if TYPE_CHECKING:
    from argparse import Namespace

    from flowbook.cli.output import Output
    from flowbook.store import CacheEntry

__all__ = ["expire", "gc", "ls", "show"]

_NAMED_AT_MOST = 20


def ls(args: Namespace, out: Output) -> int:
    """List the entries, newest last."""
    store = open_store()
    at = None if args.at is None else parse_time(args.at)
    found = store.cache.entries(at=at, flow=args.flow, task=args.task)
    rows = [_row(entry) for entry in found]
    columns = ("id", "flow", "task", "created", "expires", "state", "size", "uses", "pinned", "parameters")
    out.table(rows, columns, "No such outputs are cached here. Tasks with cache=True or cache_for keep theirs.")
    return 0


def show(args: Namespace, out: Output) -> int:
    """Show one entry, with the preview that was stored with its value."""
    store = open_store()
    entry = store.cache.get(args.id)
    found = store.values.preview(entry.ref)
    preview = None if found is None else masked_preview(found)
    if out.is_json:
        out.record({**_row(entry), "preview": preview})
        return 0
    described = {} if preview is None else {"value": preview.get("text", ""), "type": preview.get("type", "")}
    out.record({**_row(entry), **described})
    for line in _preview_lines(preview or {}):
        out.line(line)
    return 0


def expire(args: Namespace, out: Output) -> int:
    """Expire entries now."""
    for entry in args.id:
        cache.expire(entry)
    count = len(args.id)
    out.done(f"{count} {'entry' if count == 1 else 'entries'} expired.", expired=args.id)
    return 0


def gc(args: Namespace, out: Output) -> int:
    """Make room."""
    age = None if args.older_than is None else dt.timedelta(days=args.older_than)
    swept = cache.gc(older_than=age, total_bytes=args.total_bytes, dry_run=args.dry_run)
    if out.is_json:
        dropped = [{"name": name, "size_bytes": size} for name, size in swept.dropped]
        facts = {"entries": swept.entries, "orphans": swept.orphans, "freed_bytes": swept.freed_bytes}
        out.record(
            {
                "dropped": dropped,
                **facts,
                "kept_bytes": swept.kept_bytes,
                "dry_run": args.dry_run,
                "trouble": swept.trouble,
            }
        )
        return 0
    for name, size in swept.dropped[:_NAMED_AT_MOST]:
        out.line(f"{format_size(size):>10}  {printable(name)}")
    if (more := len(swept.dropped) - _NAMED_AT_MOST) > 0:
        out.line(f"{'':>10}  and {more:,} more")
    verb = "Would drop" if args.dry_run else "Dropped"
    orphans = f" and {swept.orphans:,} files that belonged to nothing" if swept.orphans else ""
    if swept.trouble:
        out.line(f"Some files are still there, for the next time: {printable(swept.trouble)}")
    out.line(
        f"{verb} {len(swept.dropped):,} values{orphans}: {format_size(swept.freed_bytes)}. "
        f"{format_size(swept.kept_bytes)} stay."
    )
    return 0


def _row(entry: CacheEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "flow": entry.flow,
        "task": entry.task,
        "created": entry.created,
        "expires": entry.expires,
        "state": entry_state(entry, dt.datetime.now(dt.UTC)),
        "size": format_size(entry.ref.size_bytes),
        "size_bytes": entry.ref.size_bytes,
        "uses": entry.uses,
        "pinned": entry.pinned,
        "parameters": shown_parameters(entry.told_parameters),
        "cache_key": entry.cache_key,
        "run_id": entry.run_id,
        "project": entry.project,
        "digest": entry.ref.digest,
    }


def _preview_lines(preview: dict[str, object]) -> list[str]:
    """Return a frame's first rows as lines; nothing if it isn't a table."""
    page = preview.get("page")
    columns, rows = (page.get("columns"), page.get("rows")) if isinstance(page, dict) else (None, None)
    if not isinstance(columns, list) or not isinstance(rows, list):
        return []
    names = [printable(str(column.get("name", "") if isinstance(column, dict) else column)) for column in columns]
    cells = [["" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    widths = [widest([name, *(row[i] for row in cells)]) for i, name in enumerate(names)]
    return [
        "",
        *(
            "  ".join(padded(cell, width, to_the_right=True) for cell, width in zip(row, widths, strict=True))
            for row in [names, *cells]
        ),
    ]
