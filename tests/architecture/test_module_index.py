"""The index of modules names each of them, in the words of its own docstring."""

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("module_index", ROOT / "scripts" / "module_index.py")
assert _SPEC is not None
assert _SPEC.loader is not None
module_index = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(module_index)


def test_the_index_names_every_module_in_the_words_of_its_docstring():
    page = (ROOT / "docs" / "modules.md").read_text(encoding="utf-8")

    assert page == module_index.index(), "Run python scripts/module_index.py."


def test_every_module_says_in_its_first_line_what_it_is_for():
    silent = re.findall(r"^\| `([\w.]+)` \|  \|$", module_index.index(), re.MULTILINE)

    assert silent == []


def test_a_javascript_module_is_summed_up_by_the_comment_it_begins_with(tmp_path):
    block, line = tmp_path / "block.js", tmp_path / "line.js"
    block.write_text("/**\n * Draws a graph.\n *\n * More.\n */\nconst a = 1;\n", encoding="utf-8")
    line.write_text("// Draws a table.\nconst a = 1;\n", encoding="utf-8")

    assert (module_index.summary(block), module_index.summary(line)) == ("Draws a graph.", "Draws a table.")
