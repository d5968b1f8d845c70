"""A run as one HTML file that needs no Python and no network: the views, and what they show, are inside.

The file runs one script, which its policy names by hash, and modules that this script makes. So nothing that a user's text
says is ever run.
"""

from __future__ import annotations

import base64
import hashlib
import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowbook.draw.still import image
from flowbook.exceptions import DefinitionError
from flowbook.notebook.assets import read_report_script, read_report_sheet, read_views
from flowbook.notebook.kept_run import packed
from flowbook.notebook.panel_actions import PanelActions
from flowbook.notebook.panel_records import PanelRecords, run_that_made
from flowbook.notebook.panel_session import PanelSession
from flowbook.report.phrases import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flowbook.notebook.ports import RunLike

__all__ = ["MOST_BYTES", "report_html", "write_report"]

#: Of a whole report.
MOST_BYTES = 5_000_000
_MARK = "<!-- flowbook report -->"
#: How many rows of each frame are kept where not all that are stored have room.
_FEW_ROWS = 10

_PAGE = """<!doctype html>
{mark}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{sheet}
</style>
</head>
<body>
<main><div class="fb" id="flowbook-report">{picture}</div></main>
<script type="text/plain" id="flowbook-run">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def write_report(run: RunLike, file: str | Path, *, cell_name: Callable[[str], str | None] = lambda _: None) -> str:
    """Write a run as a report; return what to say of it.

    Args:
        run: the run, live or ended; the report shows it as it is now.
        file: where to; ends in ".html". An earlier report there is replaced.
        cell_name: returns "In [4]" for the file name of a notebook's cell.

    Raises:
        DefinitionError: if the file isn't one for a report.
    """
    path = Path(file).expanduser()
    _refuse(path)
    records = PanelRecords(run.flow_name, lambda: run)
    actions = PanelActions(
        cell_name=cell_name,
        history=records.history,
        decisions_before=records.decisions,
        why_ran=records.why_ran,
        maker=run_that_made,
        runs=records.runs,
        rows_before=records.rows,
    )
    session = PanelSession(run, actions)
    try:
        text, left_out = report_html(session)
    finally:
        session.close()
    path.write_text(text, encoding="utf-8")
    number = f"run {run.number} of {run.flow_name}" if run.number is not None else f"a run of {run.flow_name}"
    said = f"Wrote {path}: {number}, {len(text.encode()) / 1e6:.1f} MB, opens in any browser."
    return f"{said} {left_out}" if left_out else said


def report_html(session: PanelSession, most_bytes: int = MOST_BYTES) -> tuple[str, str]:
    """Return a report, and a sentence on what it leaves out, which it also says itself; empty if nothing.

    Args:
        session: shows the run.
        most_bytes: how long it may be.
    """
    base, details = session.reported()
    script = read_report_script()
    page = {
        "mark": _MARK,
        "policy": _policy(script),
        "title": html.escape(f"flowbook: {session.picture_text().removeprefix('flowbook: ')}"),
        "sheet": read_report_sheet(),
        "picture": _picture(session),
        "script": script,
    }
    parts = read_views("panel", "host_report")
    room = most_bytes - sum(len(each.encode()) for each in page.values()) - len(_PAGE) - len(packed(parts))
    run, left_out = _fitting(base, details, room)
    note = f"A report of this run as it was. {left_out or 'This file holds all of it.'}"
    return _PAGE.format(**page, data=packed({**run, "parts": parts, "note": note})), left_out


def _fitting(base: Mapping[str, Any], details: Iterable[dict[str, Any]], room: int) -> tuple[dict[str, Any], str]:
    """Return what there is room for, and what is left out: of outputs and displays the smallest have room first.

    First frames lose rows, then outputs their previews, then tasks their details, then logs and children go.
    """
    found = {each["key"]: each for each in details}
    bare = {key: _without_previews(each) for key, each in found.items()}
    room -= len(packed({**base, "details": bare}))
    if room < 0:
        return _least(base, bare, room)
    kept = dict(bare)
    sizes = {key: len(packed(each)) - len(packed(bare[key])) for key, each in found.items()}
    for key in sorted(found, key=sizes.__getitem__):  # of the same size, the most important first
        for version in (found[key], _with_few_rows(found[key])):
            size = len(packed(version)) - len(packed(bare[key]))
            if size <= room:
                kept[key] = version
                room -= size
                break
    dropped = [key for key in found if kept[key] is bare[key]]
    short = [key for key, each in found.items() if kept[key] is not each and key not in dropped]
    said = [f"the values of {listed(dropped, 4)}"] if dropped else []
    said += [f"all but {_FEW_ROWS} rows of {listed(short, 4)}"] if short else []
    return {**base, "details": kept}, f"Left out: {'; '.join(said)}." if said else ""


def _least(base: Mapping[str, Any], bare: dict[str, Any], room: int) -> tuple[dict[str, Any], str]:
    """Return the run without values, as `room` bytes are missing; children and logs go first, then details."""
    answers = dict(base["answers"])
    least = {**base, "answers": {name: answers[name] for name in ("changes", "runs")}}
    if len(packed({**base, "details": bare})) + room >= len(packed({**least, "details": bare})):
        return {
            **least,
            "details": bare,
        }, "Left out: the values of all tasks, the logs of all in one view, and tables of children."
    return {**least, "details": {}}, "Left out: the details of all tasks, logs, and tables of children."


def _without_previews(details: dict[str, Any]) -> dict[str, Any]:
    return {
        **details,
        "output": _bare(details["output"]),
        "shown": [_bare(each) for each in details["shown"]],
        "inputs": [_bare_input(each) for each in details["inputs"]],
    }


def _bare_input(given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "preview": _bare(given["preview"])}


def _bare(preview: dict[str, Any] | None) -> dict[str, Any] | None:
    return {**preview, "page": None, "repr": "", "body": None} if preview is not None else None


def _with_few_rows(details: dict[str, Any]) -> dict[str, Any]:
    inputs = [{**each, "preview": _shortened(each["preview"])} for each in details["inputs"]]
    shown = [_shortened(each) for each in details["shown"]]
    return {**details, "output": _shortened(details["output"]), "shown": shown, "inputs": inputs}


def _shortened(preview: dict[str, Any] | None) -> dict[str, Any] | None:
    page = (preview or {}).get("page")
    if preview is None or not page:
        return preview
    return {**preview, "page": {**page, "rows": page["rows"][:_FEW_ROWS], "index": page["index"][:_FEW_ROWS]}}


def _policy(script: str) -> str:
    """Return the content policy: no network, one script, and the modules that it makes."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}' blob:; style-src 'unsafe-inline'; "
        "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
    )


def _picture(session: PanelSession) -> str:
    """Return what is seen where scripts don't run."""
    return image(session.picture(), session.picture_text())


def _refuse(path: Path) -> None:
    if path.suffix.lower() != ".html":
        msg = f"A report is written into a file that ends in .html, not into {path}."
        raise DefinitionError(msg)
    if not path.parent.is_dir():
        msg = f"There is no folder {path.parent}. Make it first, or give another file."
        raise DefinitionError(msg)
    if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace")[:200]:
        msg = f"{path} is there already and isn't a report of flowbook's. Give another file, or move it away."
        raise DefinitionError(msg)
