import json
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from flowbook.notebook.assets import read_assets, read_report_script, read_report_sheet, read_views
from flowbook.notebook.kept_run import packed
from flowbook.notebook.views_code import compact_script, compact_sheet, pack, pack_lab, read_modules

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "flowbook" / "notebook" / "static"
TREES = ROOT / "tests" / "js" / "trees.cjs"
#: What a page is sent of the views, once; see docs/decisions/0134.
SENT_AT_MOST = 90_000
#: What JupyterLab is sent besides: the side bar, commands, settings, notices, its way to the kernel.
OF_LAB_AT_MOST = 25_000

SAMPLES = {
    "comment": "let a = 1; // one\n/* two\n */ let b = 2;",
    "strings": """let a = "// no", b = '/* no */', c = "it's \\" one";""",
    "template": "let a = `// no ${ b /* yes */ } /* no */`;",
    "template in a template": "let a = `x ${ c.map((d) => `  <${ d }>  `).join(`,  `) } y`;",
    "object in a template": "let a = `${ { b: { c: 1 } }.b.c } // no`;",
    "dollar": "let a = `$ ${ b } $$ \\${ no } \\` `;",
    "regex": "let a = /\\/\\/ [/`\"'] {2}/g.test(b), c = d / e / f;",
    "regex after a word": "const f = (a) => { return /  a/.test(a) || typeof /b/ };",
    "division after brackets": "let a = (b) / c / d, e = f[0] / g / h;",
    "line breaks that end statements": "let a = b\nlet c = d\nfoo()\nlet e = {}\nlet f = [1]\nconst g = () => {}\nbar()\n",
    "line breaks that end nothing": "let a =\n  b +\n  c;\nfoo(\n  a,\n  c,\n);\nif (a) {\n} else {\n}\n",
    "return": "function f() {\n  return\n  1\n}",
    "signs": "let a = b + +c - -d, e = f++ + ++g, h = i-- - --j;",
    "numbers": "let a = 1 .toFixed(), b = 1.5.toFixed(), c = a1 .b;",
    "words": "for (const a of b) if (a in c) delete d.e; else typeof f === 'x';",
    "class": "class A {\n  #b = 1\n  static c\n  has(o) { return #b in o }\n  get d() { return this.#b }\n}",
    "arrow": "const f = async ({ a = 1, ...b }) => ({ ...b, a });",
    "optional": "let a = b?.c ?? d ? .5 : e;",
    "import": 'import * as a from "./a.js";\nimport { b } from "./b.js";\nexport * from "./c.js";\nexport { a, b };',
    "letters": 'let größe = "ä\\u00e4", 名 = größe /* é */ + 1;',
    "comment for a space": "let/* a */b = 1; return_/* c */\n(d)",
}


def differing(before: Path, after: Path) -> list[str]:
    node = shutil.which("node") or str(Path(sys.executable).with_name("node"))
    command = [node, "--expose-internals", TREES, before, after]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_a_compact_module_says_what_the_whole_one_says(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        folder.mkdir()
    texts = {f"{name.replace(' ', '_')}.js": text for name, text in SAMPLES.items()}
    texts |= {file.name: file.read_text("utf-8") for file in STATIC.glob("*.js")}
    for name, text in texts.items():
        (before / name).write_text(text, "utf-8")
        (after / name).write_text(compact_script(text), "utf-8")

    assert differing(before, after) == []


def test_another_module_is_found_to_differ(tmp_path: Path) -> None:
    for name, text in (("before", "let a = 1;"), ("after", "let a = 2;")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.js").write_text(text)

    assert differing(tmp_path / "before", tmp_path / "after") == ["a.js"]


@pytest.mark.parametrize(
    ("text", "compact"),
    [
        ("/** What. */\nexport const a = 1; // one\n", "export const a=1;"),
        ("if (a) {\n  b();\n}\nc();\n", "if(a){b();}\nc();"),
        ("let a = ` ${ b } // ${ `{ ${ c } }` } `;", "let a=` ${b} // ${`{ ${c} }`} `;"),
        ("let a = b / c; // d", "let a=b/c;"),
        ("let a = [/ \\/ /g];", "let a=[/ \\/ /g];"),
    ],
)
def test_comments_and_needless_space_go(text: str, compact: str) -> None:
    assert compact_script(text) == compact


def test_a_template_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^A template has no end: 'b \+ c'\. Close it with a backtick\.$"):
        compact_script("let a = `b + c")


def test_a_sheet_loses_comments_and_space_but_not_what_a_selector_means() -> None:
    text = (
        '/* one */\n.a .b > c:hover,\n.d::after {\n  content: "  /* no */ ";\n  width: calc(1px + 2px); /* two */\n}\n'
        "@container x (width >= 9px) { .e { --a: 1; } }\n"
    )

    assert compact_sheet(text) == (
        '.a .b > c:hover,.d::after{content:"  /* no */ ";width:calc(1px + 2px)}@container x (width >= 9px){.e{--a:1}}'
    )


def test_what_is_packed_can_be_unpacked() -> None:
    assert json.loads(zlib.decompress(pack({"main": "a", "b.css": "ä"}))) == {"main": "a", "b.css": "ä"}


def test_each_host_is_sent_at_most_90_kb_once() -> None:
    panel, cache = read_assets("panel"), read_assets("cache")
    report = read_report_script() + read_report_sheet() + packed(read_views("panel", "host_report"))

    sent = {
        "widget": len(panel.esm) + len(panel.parts),
        "cache browser": len(cache.esm) + len(cache.parts),
        "lab": len(pack(read_views("panel", "host_lab"))),
        # In base64, as a file holds text; a web server that compresses it sends three quarters.
        "report": len(report) * 3 // 4,
    }
    of_lab = len(pack_lab(STATIC)) + len(panel.esm) - sent["lab"]
    assert {host: size for host, size in sent.items() if size > SENT_AT_MOST} == {}
    assert of_lab < OF_LAB_AT_MOST


def test_each_module_is_sent_to_some_host() -> None:
    sent = {*json.loads(zlib.decompress(pack_lab(STATIC)))}
    for root, host in (("panel", "host_widget"), ("panel", "host_report"), ("cache", "host_widget")):
        sent |= {*read_views(root, host)}
    pages: dict[str, str] = {}
    for page in STATIC.glob("page_*.js"):
        read_modules(STATIC, page.stem, page.stem, pages)
    sent |= {*pages}
    apart = {"loader", "report_entry", "cache"}

    assert {file.stem for file in STATIC.glob("*.js")} - sent - apart == set()


def test_a_wheel_is_built_without_what_flowbook_needs() -> None:
    code = "import sys, views_code; print([name for name in sys.modules if name.startswith('flowbook')])"
    command = [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(STATIC.parent)!r}); {code}"]

    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
