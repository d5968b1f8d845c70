from pathlib import Path

from flowbook.notebook.assets import read_assets


def test_the_loader_the_view_its_parts_and_its_sheets_are_read_apart(tmp_path: Path) -> None:
    texts = {
        "loader.js": "// loader.js",
        "panel.js": 'import * as dom from "./dom.js";',
        "dom.js": 'import { x } from "./graph.js";',
        "graph.js": "// graph",
        "cache.js": "// cache",
        "host_widget.js": 'import { y } from "./dom.js";',
        "other.js": "// of the cache only",
        "tokens.css": "// tokens.css",
        "flowbook.css": "// flowbook.css",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, "utf-8")

    assets = read_assets("panel", tmp_path)

    assert assets.esm == "// loader.js"
    assert assets.parts == {
        "main": 'import * as dom from "./dom.js";',
        "dom": 'import { x } from "./graph.js";',
        "graph": "// graph",
        "host_widget": 'import { y } from "./dom.js";',
        "tokens.css": "// tokens.css",
        "flowbook.css": "// flowbook.css",
    }


def test_what_a_host_may_save_of_a_widget_is_small() -> None:
    assets = read_assets("panel")

    assert len(assets.esm) < 6_000
