import json
import zlib
from pathlib import Path

from flowbook.notebook.assets import read_assets


def test_the_loader_is_read_apart_from_the_view_its_parts_and_its_sheets(tmp_path: Path) -> None:
    texts = {
        "loader.js": "// what it does\nload();",
        "panel.js": 'import * as dom from "./dom.js";',
        "dom.js": 'import { x } from "./graph.js";',
        "graph.js": "graph(); // drawn",
        "cache.js": "cache();",
        "host_widget.js": 'import { y } from "./dom.js";',
        "other.js": "// of the cache only",
        "tokens.css": "/* tokens */ .fb { a: b; }",
        "flowbook.css": ".fb {}",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, "utf-8")

    assets = read_assets("panel", tmp_path)

    assert assets.esm == "load();"
    assert json.loads(zlib.decompress(assets.parts)) == {
        "main": 'import*as dom from"./dom.js";',
        "dom": 'import{x}from"./graph.js";',
        "graph": "graph();",
        "host_widget": 'import{y}from"./dom.js";',
        "tokens.css": ".fb{a:b}",
        "flowbook.css": ".fb{}",
    }


def test_what_a_host_may_save_of_a_widget_is_small() -> None:
    assert len(read_assets("panel").esm) < 4_000
