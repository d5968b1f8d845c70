"""Estimates the width of text, and shortens text that is too wide.

Widths are estimates for the sans-serif faces that interfaces use, on the wide side, since the face is
the reader's. Pure.
"""

from __future__ import annotations

import unicodedata

__all__ = ["NAME_PX", "TEXT_PX", "fit_end", "fit_middle", "width_px"]

NAME_PX = 13
TEXT_PX = 12
_ELLIPSIS = "…"
#: Widths are sums of hundredths of the size: to so many digits no sum depends on the order of its parts.
_DIGITS = 6

#: Bold faces are this much wider than regular ones.
_REGULAR = 0.88

#: Width in em of the characters that differ most from the common one.
_COMMON = 0.70
_EM: dict[str, float] = {
    **dict.fromkeys("ijlIJ'|.,:;! ", 0.38),
    **dict.fromkeys('ftr()[]{}-"`/\\_', 0.49),
    **dict.fromkeys("csz*?", 0.60),
    **dict.fromkeys("akevxyTLEF", 0.68),
    **dict.fromkeys("ABKPRSVXYZC", 0.77),
    **dict.fromkeys("DGHNOQU+<>=~&\u00d7", 0.84),
    **dict.fromkeys("mMwW%@", 1.02),
    _ELLIPSIS: 1.0,
}


def width_px(text: str, size_px: float, *, bold: bool = True) -> float:
    """Return the estimated width of `text` in a sans-serif face of that size, in px, to `_DIGITS` digits."""
    return round(size_px * (1 if bold else _REGULAR) * sum(_em(character) for character in text), _DIGITS)


def fit_middle(text: str, room_px: float, size_px: float) -> str:
    """Return `text`, with its middle cut out if it is wider than `room_px`: names differ at both ends."""
    return text if width_px(text, size_px) <= room_px else _cut(text, room_px, size_px, head_share=0.5)


def fit_end(text: str, room_px: float, size_px: float) -> str:
    """Return `text`, set in the regular face, with its end cut off if it is wider than `room_px`."""
    size_px *= _REGULAR
    return text if width_px(text, size_px) <= room_px else _cut(text, room_px, size_px, head_share=1.0)


def _cut(text: str, room_px: float, size_px: float, *, head_share: float) -> str:
    room = room_px - width_px(_ELLIPSIS, size_px)
    head = _take(text, room * head_share, size_px)
    tail = _take(text[len(head) :][::-1], room - width_px(head, size_px), size_px)[::-1] if head_share < 1 else ""
    return f"{head.rstrip()}{_ELLIPSIS}{tail.lstrip()}"


def _take(text: str, room_px: float, size_px: float) -> str:
    used = 0.0
    for at, character in enumerate(text):
        used += size_px * _em(character)
        if round(used, _DIGITS) > round(room_px, _DIGITS):
            return text[:at]
    return text


def _em(character: str) -> float:
    if character in _EM:
        return _EM[character]
    if character < "\x7f":
        return _COMMON
    if unicodedata.combining(character):
        return 0.0
    return 1.1 if unicodedata.east_asian_width(character) in "WF" else _COMMON
