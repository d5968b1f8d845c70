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
from flowbook.engine.state_kinds import DISPLAY_ORDER

STATIC = Path(flowbook.notebook.__file__).parent / "static"
ASK = (
    "console.log(JSON.stringify((({GLYPHS, SIGNS, ORDER}) => ({GLYPHS, SIGNS, ORDER}))(await import(process.argv[1]))))"
)


@pytest.fixture(scope="module")
def states() -> dict[str, Any]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("There is no 'node' on the PATH to read states.js with.")
    command = [node, "--input-type=module", "--eval", ASK, (STATIC / "states.js").as_uri()]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _shapes(fragment: str) -> list[dict[str, Any]]:
    root = ET.fromstring(f"<g>{fragment}</g>")
    return [{"tag": shape.tag, "attrs": dict(shape.attrib)} for shape in root]


def test_each_state_has_the_same_glyph_in_both(states: dict[str, Any]) -> None:
    drawn = {name: _shapes(fragment) for name, fragment in GLYPHS.items()}

    assert drawn == states["GLYPHS"]
    assert _shapes(WARNING)[0]["attrs"]["d"] == states["SIGNS"]["warn"][0]["attrs"]["d"]


def test_bars_and_legends_have_the_same_order_in_both(states: dict[str, Any]) -> None:
    assert list(DISPLAY_ORDER) == states["ORDER"]


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
