"""Hides what is likely a secret in values that people are shown: by its name, or by what stands before it in a text. Pure.

For values; `secret_literals` is for source code, `engine.masks` for the secrets that flowbook itself gives to tasks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowbook._utils.secret_words import sounds_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "MASK",
    "shown_change",
    "shown_parameters",
    "shown_text",
    "shown_texts",
    "shown_urls",
    "shown_value",
    "sounds_secret",
]

MASK = "*****"
#: The end of a name that may sound secret, and what it is set to: `db_password=…`, `"apiKey": …`, `--token …`, `Pwd={…}`.
_SETTING = re.compile(
    r"(?:token|secret|password|passwd|pwd|passphrase|pass|credential|key)s?(?:[_-]\w{1,20}){0,2}"
    r"(?:\\?[\"']?\s{0,3}[=:]{1,2}\s{0,3}|(?<=\w)\s{1,3}(?=\S))"
    r"(?P<value>\\?\"(?:[^\"\\\n]|\\[^\"\n])*|\\?'(?:[^'\\\n]|\\[^'\n])*|\{[^}\n]*\}?|[^\s;&\"']+(?:[^;&\"'\n]{0,80}(?=;))?)",
    re.IGNORECASE,
)
#: What any of them contains: most texts have none, and lists show very many.
_MAY_HOLD_ONE = re.compile(r"token|secret|pass|pwd|credential|key|bearer|basic|://", re.IGNORECASE)
_NAME_BEFORE = re.compile(r"[\w.-]{0,60}$")
_NAME_CHARACTERS = 60
_OPTION = re.compile(r"(?<!\S)--?[\w-]+$")
#: The password in a URL, after its scheme and user.
_URL = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s/:@\"']{0,200}:)[^\s/\"']+@")
_BEARER = re.compile(r"(?P<before>\b(?:Bearer|Basic)\s{1,3})[A-Za-z0-9+/=._~-]{6,}", re.IGNORECASE)
_PRIVATE_KEY = re.compile(r"(?P<before>-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----).*?(?:(?=-----END)|\Z)", re.DOTALL)
_QUOTES = ('\\"', "\\'", '"', "'", "{")
_DEEPEST = 20
_CONTAINERS: dict[type, Callable[[Iterable[object]], object]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
}


def shown_text(text: str) -> str:
    """Return a text with `*****` for passwords in URLs and connection strings, settings that sound secret, and keys."""
    if not _MAY_HOLD_ONE.search(text):
        return text
    text = _SETTING.sub(_without_value, shown_urls(text))
    text = _BEARER.sub(rf"\g<before>{MASK}", text)
    return _PRIVATE_KEY.sub(rf"\g<before>{MASK}", text) if "PRIVATE KEY" in text else text


def shown_urls(text: str) -> str:
    """Return a text with `*****` for passwords in URLs, and the rest as it is: for messages that people look for a fault in."""
    return _URL.sub(rf"\g<before>{MASK}@", text) if "://" in text else text


def shown_texts(plain: Any) -> Any:  # noqa: ANN401  # JSON
    """Return lists and dicts of plain data with each text in them as `shown_text`; keys of dicts stay as they are."""
    if isinstance(plain, str):
        return shown_text(plain)
    if isinstance(plain, Mapping):
        return {key: shown_texts(each) for key, each in plain.items()}
    return [shown_texts(each) for each in plain] if isinstance(plain, list | tuple) else plain


def shown_change(name: str, text: str) -> str:
    """Return what an input was and is, "15 → 20", as `shown_text`; "" if the input's name sounds secret."""
    return "" if sounds_secret(name) else shown_text(text)


def shown_parameters(given: Mapping[str, object]) -> dict[str, Any]:
    """Return parameters or inputs for people, each as `shown_value`; members of lists and dicts, too."""
    return {name: shown_value(name, value) for name, value in given.items()}


def shown_value(name: str, value: object, depth: int = 0) -> object:
    """Return a value for people: `*****` if its name sounds secret and it is no bool or None; else as `shown_text`, members, too.

    Args:
        name: of the value; "" if it has none.
        value: plain data is looked into; another object is returned as it is.
        depth: how many containers it lies in; from 20 on it is masked.
    """
    if value is None or isinstance(value, bool):
        return value
    if sounds_secret(name) or depth > _DEEPEST:
        return MASK
    if isinstance(value, str):
        return shown_text(value)
    if isinstance(value, Mapping):
        return {key: shown_value(key if isinstance(key, str) else "", each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and type(value) in _CONTAINERS:
        return _CONTAINERS[type(value)](shown_value("", each, depth + 1) for each in value)
    return value


def _without_value(found: re.Match[str]) -> str:
    before = _NAME_BEFORE.search(found.string, max(0, found.start() - _NAME_CHARACTERS), found.start())
    setting = found[0][: found.start("value") - found.start()]
    name = (before[0] if before else "") + re.split(r"[\\\"'\s=:]", setting, maxsplit=1)[0]
    is_set = setting.rstrip()[-1:] in {"=", ":"}
    if not sounds_secret(name.lstrip("-")) or not (is_set or _OPTION.search(name)):
        return found[0]
    quote = next((each for each in _QUOTES if found["value"].startswith(each)), "")
    return f"{setting}{quote}{MASK}{'}' if quote == '{' and found['value'].endswith('}') else ''}"
