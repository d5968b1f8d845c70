from pathlib import Path

from flowbook.notebook.assets import read_assets


def test_the_loader_the_view_its_parts_and_its_sheets_are_read_apart(tmp_path: Path) -> None:
    for name in ("loader.js", "panel.js", "cache.js", "dom.js", "graph.js", "tokens.css", "flowbook.css"):
        (tmp_path / name).write_text(f"// {name}", "utf-8")

    assets = read_assets("panel", tmp_path)

    assert assets.esm == "// loader.js"
    assert assets.parts == {
        "main": "// panel.js",
        "dom": "// dom.js",
        "graph": "// graph.js",
        "tokens.css": "// tokens.css",
        "flowbook.css": "// flowbook.css",
    }


def test_what_a_host_may_save_of_a_widget_is_small() -> None:
    assets = read_assets("panel")

    assert len(assets.esm) < 6_000
