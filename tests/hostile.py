"""Texts that were made to hurt: paths, SQL, shell, markup, and what no terminal should be shown."""

from __future__ import annotations

import itertools

__all__ = ["HOSTILE", "MARKUP", "UNSAYABLE"]

_TRAVERSAL = [
    f"{up}{target}"
    for up, target in itertools.product(
    ["../", "..\\", "../../../../", "..;/", "%2e%2e/", "..%2f", "..%c0%af", "....//", "/", "\\\\host\\share\\",
    "file:///", "~/", "./", "a/../../"],
        ["etc/passwd", "store.sqlite", "store.key", ".tmp-1"],
    )
]  # fmt: skip
_SQL = [
    f"{start}{rest}{end}"
    for start, rest, end in itertools.product(
        ["'", '"', "')", "'; ", "1 OR "],
        ["OR 1=1", "DROP TABLE run", "UNION SELECT * FROM value", "ATTACH DATABASE '/tmp/x' AS x", "PRAGMA writable_schema=1"],
        ["", " --", "; --", "/*"],
    )
]  # fmt: skip
_SHELL = [
    "$(touch hurt)",
    "`touch hurt`",
    "; touch hurt",
    "| touch hurt",
    "&& touch hurt",
    "$HOME",
    "%PATH%",
    "{0.__class__}",
    "%s%n",
    "${7*7}",
]
_TEXT = [
    "\0", "a\0b", "\n", "a\r\nb", "\t", "\x1b[31m", "\x1b]0;x\x07", "\u202e", "\u200b", "\ufeff", "\ud800",
    "a\udcffb", "é", "e\u0301",
    "\U0001f600", "con", "NUL", "aux.txt", "COM1", ".", "..", "...", " ", "  a", "a ", "-", "--help", "-rf",
    "*", "?", "[3]", "a[", "a]",
    "a[b]", "a[-1]", "a[1][2]", "[]", "{}", "()", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>",
    "'\"><svg onload=x>",
    "&lt;", "javascript:x", "x" * 101, "x" * 5_000, "x" * 300_000, "null", "None", "true", "0", "-1", "NaN",
    "1e999", "[1]", '{"a":1}', "\\", "/",
    "__class__", "__proto__", "constructor", "${jndi:ldap://x}", "=1+1", "@SUM(A1)", "a:b", "a;b", "a,b",
    "a|b", "a=b", "#", "%00", "\\x00",
]  # fmt: skip
HOSTILE = list(dict.fromkeys([*_TRAVERSAL, *_SQL, *_SHELL, *_TEXT]))
#: SQLite and files can't hold these: they are refused or written otherwise, and never silently another name.
UNSAYABLE = {text for text in HOSTILE if any("\ud800" <= char <= "\udfff" for char in text)}

#: Each calls `hurt(ITS NUMBER)` if a page takes it for markup or code, in some place or other.
_SCRIPTS = [
    "<script>hurt({})</script>",
    "<ScRiPt>hurt({})</sCrIpT>",
    "<script\n>hurt({})</script\n>",
    "<script/x>hurt({})</script>",
    "<script src=data:text/javascript,hurt({})></script>",
    "<script type=module>hurt({})</script>",
    "</script><script>hurt({})</script>",
    "</style><script>hurt({})</script>",
    "</title><script>hurt({})</script>",
    "</textarea><script>hurt({})</script>",
    "</svg><script>hurt({})</script>",
    "</text></g></svg><script>hurt({})</script>",
    "</pre></code><script>hurt({})</script>",
    "</td></tr></table><script>hurt({})</script>",
    "--><script>hurt({})</script><!--",
    "]]><script>hurt({})</script>",
    "<!--><script>hurt({})</script>",
    "<<script>hurt({})//<</script>",
    "<img src=x onerror=hurt({})>",
    "<img src=x onerror='hurt({})'>",
    '<img src=x onerror="hurt({})">',
    "<IMG SRC=x OnErRoR=hurt({})>",
    "<img/src=x/onerror=hurt({})>",
    "<img src=x\nonerror\n=\nhurt({})>",
    "'><img src=x onerror=hurt({})>",
    '"><img src=x onerror=hurt({})>',
    "`><img src=x onerror=hurt({})>",
    "</title><img src=x onerror=hurt({})>",
    "<image src=x onerror=hurt({})>",
    "<img srcset=x onerror=hurt({})>",
    "<svg onload=hurt({})>",
    "<svg/onload=hurt({})>",
    "'\"><svg onload=hurt({})>",
    "<svg><script>hurt({})</script></svg>",
    "<svg><style><img src=x onerror=hurt({})></style></svg>",
    "<svg><animate onbegin=hurt({}) attributeName=x dur=1s></svg>",
    "<svg><set onbegin=hurt({}) attributeName=x dur=1s></svg>",
    "<svg><foreignObject><img src=x onerror=hurt({})></foreignObject></svg>",
    "<math><mtext><img src=x onerror=hurt({})></mtext></math>",
    "<math><mglyph><style><img src=x onerror=hurt({})></style></mglyph></math>",
    "<iframe srcdoc='<script>parent.hurt({})</script>'></iframe>",
    "<iframe src=javascript:parent.hurt({})></iframe>",
    "<iframe onload=hurt({})></iframe>",
    "<object data=javascript:hurt({}) onerror=hurt({})></object>",
    "<embed src=x onerror=hurt({})><img src=x onerror=hurt({})>",
    "<video><source onerror=hurt({})></video>",
    "<video src=x onerror=hurt({})></video>",
    "<audio src=x onerror=hurt({})></audio>",
    "<details open ontoggle=hurt({})>x</details>",
    "<input autofocus onfocus=hurt({})>",
    "<input type=image src=x onerror=hurt({})>",
    "<select autofocus onfocus=hurt({})></select>",
    "<textarea autofocus onfocus=hurt({})></textarea>",
    "<button autofocus onfocus=hurt({})>x</button>",
    "<link rel=stylesheet href=x onerror=hurt({})>",
    "<style onload=hurt({})></style>",
    "<style>@keyframes x{{}}</style><b style=animation-name:x onanimationstart=hurt({})>x</b>",
    "<marquee onstart=hurt({})>x</marquee>",
    "<body onload=hurt({})>",
    "<form><button formaction=javascript:hurt({})>x</button></form><img src=x onerror=hurt({})>",
    "<a href=javascript:hurt({})>x</a><img src=x onerror=hurt({})>",
    "' onmouseover=hurt({}) autofocus tabindex=0 onfocus=hurt({}) x='",
    '" onmouseover=hurt({}) autofocus tabindex=0 onfocus=hurt({}) x="',
    "javascript:hurt({})",
    "data:text/html,<script>hurt({})</script>",
    "<javascript:hurt({})>",
    "$$\\href{{javascript:hurt({})}}{{x}}$$",
    "{{{{constructor.constructor('hurt({})')()}}}}",
    "${{hurt({})}}",
    "'+hurt({})+'",
    '"+hurt({})+"',
    "\\u003cscript\\u003ehurt({})\\u003c/script\\u003e",
    "&lt;script&gt;hurt({})&lt;/script&gt;",
    "%3Cscript%3Ehurt({})%3C/script%3E",
    "\x1b]8;;javascript:hurt({})\x07x\x1b]8;;\x07",
    "<plaintext><script>hurt({})</script>",
    "<noscript><p title='</noscript><img src=x onerror=hurt({})>'></noscript>",
    "<template><script>hurt({})</script></template><img src=x onerror=hurt({})>",
]  # fmt: skip
MARKUP = [text.replace("{}", str(number)).replace("{{", "{").replace("}}", "}") for number, text in enumerate(_SCRIPTS)]
