"""Writes `docs/modules.md`: every module of flowbook in one line, taken from the first line of its docstring.

`python scripts/module_index.py` writes the page; a test fails where the page and the modules differ.
"""

from __future__ import annotations

import ast
import re
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "modules.md"

_HEAD = """# Index of modules

One line for each module, taken from its docstring by `python scripts/module_index.py`. `architecture.md` says how the
packages build on each other; `glossary.md` explains the words.
"""
#: The comment that a JavaScript module begins with: `/** … */`, or lines of `//`.
_COMMENT = re.compile(r"/\*\*?(?P<block>.*?)\*/|(?P<lines>(?://[^\n]*\n)+)", re.DOTALL)


def index() -> str:
    """Return the page as it should be."""
    folders = groupby(_modules(), key=lambda path: path.parent)
    return "\n".join([_HEAD, *(_section(folder, list(paths)) for folder, paths in folders)])


def summary(path: Path) -> str:
    """Return the first line of a module's docstring, or of the comment that a JavaScript module begins with."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    found = _COMMENT.match(source)
    text = "" if found is None else found["block"] or found["lines"]
    lines = (line.strip(" */") for line in text.splitlines())
    return next((line for line in lines if line), "").removeprefix("@ts-check").strip()


def _modules() -> list[Path]:
    package = ROOT / "flowbook"
    found = [*package.rglob("*.py"), *package.rglob("*.js")]
    return sorted(found, key=lambda path: (path.parent.relative_to(ROOT).parts, path.name != "__init__.py", path.name))


def _section(folder: Path, paths: list[Path]) -> str:
    title = folder.relative_to(ROOT).as_posix()
    rows = [f"| `{path.name}` | {summary(path).replace('|', '&#124;')} |" for path in paths]
    return "\n".join([f"## {title}", "", "| module | what it is for |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(index(), encoding="utf-8")
