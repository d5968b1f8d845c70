"""The views' JavaScript and the drawn pictures agree on how states look."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import flowbook.notebook
from flowbook.draw import palette
from flowbook.draw.glyphs import GLYPHS, WARNING
from flowbook.engine.task_keys import split_key
from scripts import state_kinds_js

STATIC = Path(flowbook.notebook.__file__).parent / "static"
ASK = "console.log(JSON.stringify((({GLYPHS, SIGNS}) => ({GLYPHS, SIGNS}))(await import(process.argv[1]))))"
SPLIT = """const {splitKey} = await import(process.argv[1]);
console.log(JSON.stringify(JSON.parse(process.argv[2]).map((key) => Object.values(splitKey(key)))))"""
KEYS = [
    "clean",
    "clean[3]",
    "clean[0]",
    "clean[03]",
    "clean[raw]",
    "[3]",
    "a[1][2]",
    "a[",
    "a]",
    "",
    "a[3] ",
    "a\n[3]",
    "a[٣]",
    "a[]",
]


@pytest.fixture(scope="module")
def states() -> dict[str, Any]:
    found: dict[str, Any] = _run(ASK, (STATIC / "states.js").as_uri())
    return found


def _run(program: str, *arguments: str) -> Any:
    """Return what a program in JavaScript prints, as JSON."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("There is no 'node' on the PATH to run JavaScript with.")
    command = [node, "--input-type=module", "--eval", program, *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _shapes(fragment: str) -> list[dict[str, Any]]:
    root = ET.fromstring(f"<g>{fragment}</g>")
    return [{"tag": shape.tag, "attrs": dict(shape.attrib)} for shape in root]


def test_each_state_has_the_same_glyph_in_both(states: dict[str, Any]) -> None:
    drawn = {name: _shapes(fragment) for name, fragment in GLYPHS.items()}

    assert drawn == states["GLYPHS"]
    assert _shapes(WARNING)[0]["attrs"]["d"] == states["SIGNS"]["warn"][0]["attrs"]["d"]


def test_facts_about_states_are_those_of_the_engine() -> None:
    written = (STATIC / "state_kinds.js").read_text("utf-8")

    assert written == state_kinds_js.text(), "Run python scripts/state_kinds_js.py."


def test_keys_of_children_are_read_alike_in_both() -> None:
    assert _run(SPLIT, (STATIC / "task_keys.js").as_uri(), json.dumps(KEYS)) == [list(split_key(key)) for key in KEYS]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_family_has_the_same_colours_in_both(theme: palette.Theme) -> None:
    text = (STATIC / "tokens.css").read_text("utf-8")
    block = text.split(f"/* states: {theme} */", 1)[1].split("/* end */", 1)[0]

    told = dict(re.findall(r"--fb-([a-z]+-[a-z]+):\s*(#[0-9a-f]{6})", block))

    families = {name: family.light if theme == "light" else family.dark for name, family in palette.FAMILIES.items()}
    assert told == {
        f"{name}-{part}": getattr(shades, part)
        for name, shades in families.items()
        for part in ("ink", "fill", "on", "tint")
    }


def test_a_state_is_in_the_same_family_and_filled_alike_in_both() -> None:
    text = (STATIC / "tokens.css").read_text("utf-8").split("/* one mapping", 1)[1]
    rules = [line for line in text.splitlines() if line.startswith(".fb ") and "--ink" in line]

    told = {}
    for line in rules:
        selector, body = line.split("{", 1)
        family = re.search(r"--fill: var\(--fb-([a-z]+)-fill\)", body)
        assert family is not None
        for name in re.findall(r'data-state="(\w+)"', selector) or ["Pending"]:
            told[name] = (family[1], "--tile: var(--fill)" in body)

    waiting = told["Pending"]
    assert {name: told.get(name, waiting) for name in palette.STATES} == {
        name: (look.family, look.filled) for name, look in palette.STATES.items()
    }
