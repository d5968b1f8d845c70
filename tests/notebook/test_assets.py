from pathlib import Path

from flowbook.notebook.assets import read_assets


def test_the_root_and_its_parts_are_read_apart(tmp_path: Path) -> None:
    for name in ("panel.js", "cache.js", "dom.js", "graph.js", "tokens.css", "flowbook.css"):
        (tmp_path / name).write_text(f"// {name}", "utf-8")

    assets = read_assets("panel", tmp_path)

    assert assets.esm == "// panel.js"
    assert assets.parts == {"dom": "// dom.js", "graph": "// graph.js"}
    assert assets.css == "// tokens.css\n// flowbook.css"
